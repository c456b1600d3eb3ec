-- Tasks that were put in nearly the same words, however different what came
-- of them: two runs of one task must not stand on two sides of a split.
--
-- grain:   one row per pair of examples
-- key:     left_id, right_id
-- scope:   all
-- inputs:  curated.prompt_sketches
-- rules:   (semantics §3)
--   equal       the same set: each is paired with the least of them
--   near        Jaccard index of at least 0.9, computed on the sets themselves
--   candidates  prefix filter, the rarest shingles first, as in curated.duplicate_pairs; where more than 64 share a
--               shingle, all are compared with the first 64
-- thresholds:
--   0.9   two runs of one task whose template differs have 0.97 (SWE-agent, marshmallow-1867); below, other tasks in one template
-- columns:
--   left_id   VARCHAR  the lesser example
--   right_id  VARCHAR  the greater
--   jaccard   DOUBLE   of the first prompts, 0 to 1
with sketched as (
    select example_id, prompt, first_value(example_id) over (partition by prompt order by example_id) as first_id

    from curated.prompt_sketches
),

items as (
    select example_id, len(prompt) as size, unnest(prompt) as item from sketched where example_id = first_id
),

frequencies as (
    select item, count(*) as frequency from items group by item
),

-- The rarest first, and numbered as in curated.duplicate_pairs: by sorted lists,
-- not by a window.
placed as (
    select
        items.example_id,
        items.size,
        list_sort(list(frequencies.frequency::HUGEINT * 1152921504606846976 + items.item)) as ordered,

    from items

    inner join frequencies on frequencies.item = items.item

    group by items.example_id, items.size
),

first_placed as (
    select example_id, size, unnest(ordered[:size - ceil(0.9 * size - 1e-9)::BIGINT + 1]) as item from placed
),

prefixes as materialized (
    select
        example_id,
        size,
        item,
        row_number() over (partition by item order by example_id) as bucket_no,

    from first_placed

    qualify count(*) over (partition by item) > 1
),

candidates as (
    select distinct lesser.example_id as left_id, greater.example_id as right_id

    from prefixes as lesser

    inner join prefixes as greater
        on greater.item = lesser.item
        and greater.bucket_no > lesser.bucket_no
        and greater.size >= 0.9 * lesser.size
        and lesser.size >= 0.9 * greater.size

    where lesser.bucket_no <= 64
),

verified as (
    select
        candidates.left_id,
        candidates.right_id,
        len(list_intersect(lefts.prompt, rights.prompt)) as shared,
        len(lefts.prompt) + len(rights.prompt) as total,

    from candidates

    inner join sketched as lefts on lefts.example_id = candidates.left_id

    inner join sketched as rights on rights.example_id = candidates.right_id
)

select first_id as left_id, example_id as right_id, 1.0::DOUBLE as jaccard from sketched where first_id <> example_id

union all

select left_id, right_id, shared / (total - shared) from verified where shared >= 0.9 * (total - shared)
