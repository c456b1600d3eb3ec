-- The task as it was first put, as a set of word shingles: what near-equal
-- tasks are found by.
--
-- grain:   one row per example that opens with a task of at least 30 shingles
-- key:     example_id
-- scope:   subject
-- inputs:  curated.examples, curated.boilerplate (whole)
-- order:   started_at
-- rules:   (semantics §3)
--   prompt    first user message, its first 20,000 characters; none in later windows, nor where context is missing
--   shingle   three words in a row, as the first 60 bits of their md5, without the frozen boilerplate
-- thresholds:
--   30 shingles   likeness of small sets is chance (ours); equal short prompts have a prompt_hash
-- columns:
--   example_id  VARCHAR      the example
--   subject_id  VARCHAR      the unit that a split never cuts through
--   prompt      BIGINT[]     shingles, sorted
--   started_at  TIMESTAMPTZ  first event
with worded as (
    select
        example_id,
        subject_id,
        started_at,
        regexp_extract_all(
            lower(left([message.content for message in messages if message.role = 'user'][1], 20000)), '[\pL\pN_]+'
        ) as words,

    from curated.examples

    where not is_context_missing and not list_contains(notes, 'opens_with_summary')
),

frozen as (
    select
        coalesce(list(shingle order by shingle), []) as shingles,
        coalesce(bitstring_agg((shingle % 65536)::INTEGER, 0, 65535), repeat('0', 65536)::BIT) as slots,

    from curated.boilerplate
),

hashed as (
    select
        worded.* exclude (words),
        list_distinct([
            ('0x' || left(md5(concat_ws(' ', w[1], w[2], w[3])), 15))::BIGINT
            for w in list_zip(words, words[2:], words[3:], true)
        ]) as shingles,

    from worded

    where len(words) > 2
),

-- As in curated.example_sketches: a bit for each slot tells what may be of the
-- list, and only that is looked for.
held as (
    select
        hashed.*,
        [
            x for x in [x for x in hashed.shingles if get_bit(frozen.slots, (x % 65536)::INTEGER) = 1]
            if list_contains(frozen.shingles, x)
        ] as boilerplate,

    from hashed

    cross join frozen
),

cleaned as (
    select
        example_id,
        subject_id,
        list_sort(
            case when len(boilerplate) = 0 then shingles else list_filter(shingles, lambda x: not list_contains(boilerplate, x)) end
        ) as prompt,
        started_at,

    from held
)

select * from cleaned where len(prompt) >= 30
