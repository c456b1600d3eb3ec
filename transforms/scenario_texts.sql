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
--   left out    n-grams of frozen boilerplate alone, and the suite's own template: n-grams in four and more of its
--               scenarios, and in half of them. What is left out counts neither as covered nor as to be covered
-- thresholds:
--   8 words an n-gram   the least of the 8 to 13 that tools take (NeMo Curator, datatrove 12): one replaced word in a
--                       short task hides every 13-gram
-- columns:
--   text_id        VARCHAR    md5 of suite, scenario, part and words
--   suite          VARCHAR    eval suite
--   scenario_id    VARCHAR    id in the suite
--   part           VARCHAR    prompt or expected
--   words          VARCHAR[]  the text as words
--   word_count     BIGINT     words
--   whole_hash     VARCHAR    md5 of the words
--   prompt_hash    VARCHAR    as in curated.example_keys; null below 16 characters, and for expected
--   grams          VARCHAR[]  md5 of the n-gram at each place; null where it is left out
--   counted_words  BIGINT     words in an n-gram that is not left out: what there is to be covered
--   shingles       BIGINT[]   three words at each place, as in curated.example_sketches, without boilerplate
--   least_shared   BIGINT     so many of the shingles, at least, are in an example that covers half of the words
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

gramed as (
    select
        *,
        [
            case
                when len(list_filter(kept[place:place + 5], lambda shingle: shingle is not null)) > 0
                    then md5(array_to_string(words[place:place + 7], ' '))
            end
            for place in range(1, len(words) - 6)
        ] as grams,

    from shingled
),

templates as (
    select gramed.suite, held.gram

    from gramed

    inner join (select text_id, unnest(list_distinct(grams)) as gram from gramed) as held on held.text_id = gramed.text_id

    inner join (
        select suite, count(distinct scenario_id) as scenario_count from gramed group by suite
    ) as suites on suites.suite = gramed.suite

    where held.gram is not null

    group by gramed.suite, held.gram

    having count(distinct gramed.scenario_id) >= greatest(4, 0.5 * any_value(suites.scenario_count))
),

suite_templates as (
    select suite, list(gram order by gram) as grams from templates group by suite
),

cleaned as (
    select
        gramed.* exclude (grams),
        [
            case when not list_contains(coalesce(suite_templates.grams, []), gram) then gram end for gram in gramed.grams
        ] as grams,

    from gramed

    left join suite_templates on suite_templates.suite = gramed.suite
),

counted as (
    select
        *,
        len([
            place
            for place in range(1, len(words) + 1)
            if len(list_filter(grams[greatest(1, place - 7):place], lambda gram: gram is not null)) > 0
        ]) as counted_words,
        list_filter(kept, lambda shingle: shingle is not null) as shingles,

    from cleaned
)

select
    text_id,
    suite,
    scenario_id,
    part,
    words,
    len(words) as word_count,
    md5(array_to_string(words, ' ')) as whole_hash,
    case when part = 'prompt' and len(folded) >= 16 then md5(folded) end as prompt_hash,
    grams,
    counted_words,
    shingles,
    -- Half of the words stand in runs of eight and more, of which three in four begin a shingle; boilerplate is not
    -- in the sketches. Short texts have to be there as a whole, but for what is boilerplate.
    greatest(
        1,
        case
            when len(words) < 13 then len(shingles)
            else ceil(0.375 * counted_words)::BIGINT - (len(kept) - len(shingles))
        end
    )::BIGINT as least_shared,

from counted
