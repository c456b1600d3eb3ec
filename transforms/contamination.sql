-- Examples that say what an eval scenario asks or expects: a model that trained
-- on one is not measured by the other.
--
-- grain:   one row per example and text of a scenario that it overlaps
-- key:     example_id, text_id
-- scope:   subject
-- inputs:  curated.examples, curated.example_keys, curated.example_sketches, curated.generated,
--   curated.scenario_texts (whole), curated.boilerplate (whole)
-- rules:   (semantics §3)
--   compared    what users and assistants said, message by message; system prompts and tool results are left out
--   ratio       share of the scenario's own words that stand in an n-gram which it shares with the example;
--               boilerplate and the suite's template are not its own: curated.scenario_texts
--   whole       one message is the scenario's text, word for word; boilerplate counts, too
--   seed        the example was generated from the scenario
--   verdict     contaminated: ratio of at least 0.5, where 13 own words and more are to be covered; the whole text of
--               a prompt of 16 characters and more, or of an expected answer of 13 words and more; seed. Else below
--   candidates  examples that share enough of the scenario's shingles, or open with its prompt: only their texts are read.
--               Of a text of one or two words only the second is looked for
-- thresholds:
--   0.5, 13 words      semantics §3; the score is that of open-instruct (decontamination/README.md)
--   16 characters      as for first prompts, see curated.example_keys
--   0.25               ratio from which on a row is kept, so that the threshold can be judged (ours)
-- columns:
--   example_id    VARCHAR      the example
--   subject_id    VARCHAR      the unit that a split never cuts through
--   text_id       VARCHAR      text of the scenario: curated.scenario_texts
--   suite         VARCHAR      eval suite
--   scenario_id   VARCHAR      id in the suite
--   part          VARCHAR      prompt or expected
--   shared_grams  BIGINT       n-grams of the scenario that are in the example
--   ratio         DOUBLE       share of the scenario's own words that they cover, 0 to 1
--   is_whole      BOOLEAN      one message is the whole text
--   is_seed       BOOLEAN      the example was generated from the scenario
--   verdict       VARCHAR      contaminated or below
with wanted as (
    select text_id, least_shared, unnest(shingles) as shingle from curated.scenario_texts
),

said as (
    select example_id, unnest(said) as shingle from curated.example_sketches
),

alike as (
    select said.example_id, wanted.text_id

    from said

    inner join wanted on wanted.shingle = said.shingle

    group by said.example_id, wanted.text_id

    having count(*) >= any_value(wanted.least_shared)
),

seeded as (
    select generated.event_id as example_id, scenario_texts.text_id

    from curated.generated as generated

    inner join curated.scenario_texts as scenario_texts on scenario_texts.scenario_id = generated.scenario_id
),

candidates as (
    select example_id, text_id from alike

    union

    select example_keys.example_id, scenario_texts.text_id

    from curated.example_keys as example_keys

    inner join curated.scenario_texts as scenario_texts on scenario_texts.prompt_hash = example_keys.prompt_hash

    union

    select example_id, text_id from seeded
),

frozen as (
    select coalesce(list(shingle order by shingle), []) as shingles from curated.boilerplate
),

spoken as (
    select
        chosen.example_id,
        regexp_extract_all(lower(chosen.message.content), '[\pL\pN_]+') as words,

    from (
        select examples.example_id, unnest(examples.messages) as message

        from curated.examples as examples

        where examples.example_id in (select example_id from candidates)
    ) as chosen

    where chosen.message.role in ('user', 'assistant')
),

wholes as (
    select distinct example_id, md5(array_to_string(words, ' ')) as whole_hash from spoken where len(words) > 0
),

marked as (
    select
        spoken.*,
        case
            when len(frozen.shingles) = 0 then []
            else [
                list_contains(frozen.shingles, ('0x' || left(md5(concat_ws(' ', w[1], w[2], w[3])), 15))::BIGINT)
                for w in list_zip(spoken.words, spoken.words[2:], spoken.words[3:], true)
            ]
        end as is_frozen,

    from spoken

    cross join frozen

    where len(spoken.words) >= 13
),

kept as (
    select
        example_id,
        case
            when not list_contains(is_frozen, true) then words
            else [
                words[place]
                for place in range(1, len(words) + 1)
                if not list_contains(is_frozen[greatest(1, place - 2):place], true)
            ]
        end as words,

    from marked
),

example_grams as (
    select distinct
        example_id,
        unnest([md5(array_to_string(words[place:place + 12], ' ')) for place in range(1, len(words) - 11)]) as gram,

    from kept
),

places as (
    select text_id, unnest(grams) as gram, generate_subscripts(grams, 1) as place, is_own from curated.scenario_texts
),

shared as (
    select candidates.example_id, candidates.text_id, places.place, places.is_own

    from candidates

    inner join places on places.text_id = candidates.text_id

    inner join example_grams on example_grams.example_id = candidates.example_id and example_grams.gram = places.gram
),

covered as (
    select
        example_id,
        text_id,
        count(distinct place) as shared_grams,
        count(distinct place + step) filter (where is_own[place + step]) as covered_words,

    from shared

    cross join (select unnest(range(13)) as step)

    group by example_id, text_id
),

measured as (
    select
        candidates.example_id,
        scenario_texts.*,
        coalesce(covered.shared_grams, 0) as shared_grams,
        coalesce(covered.covered_words / nullif(scenario_texts.own_words, 0), 0) as ratio,
        wholes.example_id is not null as is_whole,
        seeded.example_id is not null as is_seed,

    from candidates

    inner join curated.scenario_texts as scenario_texts on scenario_texts.text_id = candidates.text_id

    left join covered on covered.example_id = candidates.example_id and covered.text_id = candidates.text_id

    left join wholes on wholes.example_id = candidates.example_id and wholes.whole_hash = scenario_texts.whole_hash

    left join (select distinct example_id, text_id from seeded) as seeded
        on seeded.example_id = candidates.example_id
        and seeded.text_id = candidates.text_id
)

select
    measured.example_id,
    examples.subject_id,
    measured.text_id,
    measured.suite,
    measured.scenario_id,
    measured.part,
    measured.shared_grams,
    measured.ratio,
    measured.is_whole,
    measured.is_seed,
    case
        when measured.is_seed
            or (measured.ratio >= 0.5 and measured.own_words >= 13)
            or (measured.is_whole and measured.word_count >= 13)
            or (measured.is_whole and measured.prompt_hash is not null) then 'contaminated'
        else 'below'
    end as verdict,

from measured

inner join curated.example_keys as examples on examples.example_id = measured.example_id

where measured.ratio >= 0.25 or measured.is_whole or measured.is_seed
