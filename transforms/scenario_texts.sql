-- What examples are held against: the prompts and answers of every eval suite,
-- as words.
--
-- grain:   one row per text of a scenario
-- key:     text_id
-- scope:   all
-- inputs:  curated.scenarios, curated.boilerplate
-- rules:   (semantics §3)
--   prompt      the prompt, or what is said in its messages, without system prompts
--   expected    the expected answer; not the pattern of a regex or json_schema grader
--   every text  that a scenario ever had counts: a model was graded by it. One whose latest event says retired has none
--   words       runs of letters, digits and underscores in lower case, as in curated.example_sketches
--   left out    words in a shingle of the frozen boilerplate, before n-grams are formed, here as in the examples
--   own words   what is left, but for the suite's own template: n-grams in four and more of its scenarios, and in half
--               of them. They alone are counted
-- thresholds:
--   13 words an n-gram   semantics §3, as NeMo Curator's longest; with 8 words, and datatrove has 12, one sentence of an
--                        otherwise different task is half of a short prompt
-- columns:
--   text_id        VARCHAR    md5 of suite, scenario, part and words
--   suite          VARCHAR    eval suite
--   scenario_id    VARCHAR    id in the suite
--   part           VARCHAR    prompt or expected
--   words          VARCHAR[]  the text as words, without boilerplate
--   word_count     BIGINT     words of the text, boilerplate included
--   whole_hash     VARCHAR    md5 of all words
--   prompt_hash    VARCHAR    as in curated.example_keys; null below 16 characters, and for expected
--   grams          VARCHAR[]  md5 of the n-gram that begins at each place
--   is_own         BOOLEAN[]  whether the word at each place is the scenario's own
--   own_words      BIGINT     own words of a text that has n-grams: what there is to be covered
--   shingles       BIGINT[]   three words at each place, as in curated.example_sketches, without boilerplate
--   least_shared   BIGINT     so many of the shingles, at least, are in an example that covers a quarter of the own words
with told as (
    select
        coalesce(suite, 'none') as suite,
        coalesce(scenario_id, event_id) as scenario_id,
        coalesce(
            nullif(trim(prompt), ''),
            array_to_string(
                [message.content for message in messages if message.role not in ('system', 'developer', 'tool')], chr(10)
            )
        ) as prompt,
        case when coalesce(grader, '') not in ('regex', 'json_schema') then expected end as expected,
        arg_max(coalesce(review_status, ''), (occurred_at, event_id)) over (
            partition by coalesce(suite, 'none'), coalesce(scenario_id, event_id)
        ) as latest_status,

    from curated.scenarios
),

texts as (
    select suite, scenario_id, 'prompt' as part, prompt as text from told where latest_status <> 'retired'

    union

    select suite, scenario_id, 'expected' as part, expected as text from told where latest_status <> 'retired'
),

worded as (
    select
        suite,
        scenario_id,
        part,
        regexp_extract_all(lower(text), '[\pL\pN_]+') as words,
        min(trim(regexp_replace(lower(left(text, 2000)), '[^\pL\pN]+', ' ', 'g'))) as folded,

    from texts

    where text is not null

    group by all
),

frozen as (
    select coalesce(list(shingle order by shingle), []) as shingles from curated.boilerplate
),

shingled as (
    select
        worded.*,
        md5(concat_ws(chr(31), worded.suite, worded.scenario_id, worded.part, array_to_string(worded.words, ' '))) as text_id,
        [
            case when not list_contains(frozen.shingles, shingle) then shingle end
            for shingle in [
                ('0x' || left(md5(concat_ws(' ', w[1], w[2], w[3])), 15))::BIGINT
                for w in list_zip(worded.words, worded.words[2:], worded.words[3:], true)
            ]
        ] as kept,

    from worded

    cross join frozen

    where len(worded.words) > 0
),

kept_words as (
    select
        * exclude (words),
        words as all_words,
        [
            words[place]
            for place in range(1, len(words) + 1)
            if len(list_filter(kept[greatest(1, place - 2):least(place, len(kept))], lambda shingle: shingle is null)) = 0
        ] as words,

    from shingled
),

gramed as (
    select *, [md5(array_to_string(words[place:place + 12], ' ')) for place in range(1, len(words) - 11)] as grams

    from kept_words
),

templates as (
    select gramed.suite, held.gram

    from gramed

    inner join (select text_id, unnest(list_distinct(grams)) as gram from gramed) as held on held.text_id = gramed.text_id

    inner join (
        select suite, count(distinct scenario_id) as scenario_count from gramed group by suite
    ) as suites on suites.suite = gramed.suite

    group by gramed.suite, held.gram

    having count(distinct gramed.scenario_id) >= greatest(4, 0.5 * any_value(suites.scenario_count))
),

suite_templates as (
    select suite, list(gram order by gram) as grams from templates group by suite
),

owned as (
    select
        gramed.*,
        [
            not list_has_any(
                gramed.grams[greatest(1, place - 12):least(place, len(gramed.grams))],
                coalesce(suite_templates.grams, []::VARCHAR[])
            )
            for place in range(1, len(gramed.words) + 1)
        ] as is_own,
        list_filter(gramed.kept, lambda shingle: shingle is not null) as shingles,

    from gramed

    left join suite_templates on suite_templates.suite = gramed.suite
),

counted as (
    select *, case when len(grams) > 0 then len(list_filter(is_own, lambda own: own)) else 0 end as own_words from owned
)

select
    text_id,
    suite,
    scenario_id,
    part,
    words,
    len(all_words) as word_count,
    md5(array_to_string(all_words, ' ')) as whole_hash,
    case when part = 'prompt' and len(folded) >= 16 then md5(folded) end as prompt_hash,
    grams,
    is_own,
    own_words,
    shingles,
    -- Covered words stand in runs of 13 and more, of which 11 in 13 begin a shingle. Boilerplate that is left out leaves
    -- fewer of them whole. Short texts have to be there as a whole.
    greatest(
        1,
        case
            when len(all_words) < 13 then len(shingles)
            when len(kept) = len(shingles) then floor(0.21 * own_words)
            else floor(own_words / 24)
        end
    )::BIGINT as least_shared,

from counted
