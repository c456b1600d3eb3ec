-- The index that duplicates are found by: of each example's shingles the first
-- in the frozen order. New examples are compared with old ones by this table,
-- without reading old shingles again.
--
-- grain:   one row per example
-- key:     example_id
-- scope:   subject
-- inputs:  curated.example_sketches, curated.shingle_levels (whole)
-- order:   started_at
-- rules:
--   order   a shingle comes after all of lesser levels, then by its hash; what is rare comes first, so that few
--           examples share a prefix. Any fixed order finds the same pairs: only the cost depends on it
--   prefix  of n shingles the first n − ⌈0.8 n⌉ + 1: two sets whose Jaccard index is at least 0.8 share one of them
-- columns:
--   example_id           VARCHAR      the example
--   subject_id           VARCHAR      the unit that a split never cuts through
--   sketch_hash          VARCHAR      as in curated.example_sketches
--   context_hash         VARCHAR      as in curated.example_sketches
--   frame_hash           VARCHAR      as in curated.example_sketches
--   boilerplate_version  VARCHAR      as in curated.example_sketches
--   said_size            BIGINT       shingles of what people and agents said
--   seen_size            BIGINT       shingles of tool results
--   both_size            BIGINT       shingles of either
--   target_size          BIGINT       shingles of the targets
--   said_prefix          BIGINT[]     of what people and agents said: level × 2^60 + shingle, sorted
--   both_prefix          BIGINT[]     of that with tool results; empty where there are none
--   started_at           TIMESTAMPTZ  first event
with joined as (
    select
        *,
        case when len(seen) > 0 then list_distinct(list_concat(said, seen)) else [] end as both_sets,

    from curated.example_sketches
),

ordered as (
    select
        joined.*,
        list_sort([
            (levels.levels[item % 262144 + 1] << 60) + item for item in joined.said
        ]) as said_ordered,
        list_sort([
            (levels.levels[item % 262144 + 1] << 60) + item for item in joined.both_sets
        ]) as both_ordered,

    from joined

    cross join curated.shingle_levels as levels
)

select
    example_id,
    subject_id,
    sketch_hash,
    context_hash,
    frame_hash,
    boilerplate_version,
    len(said) as said_size,
    len(seen) as seen_size,
    case when len(seen) > 0 then len(both_sets) else len(said) end as both_size,
    len(target) as target_size,
    case
        when len(said) > 0 then said_ordered[:len(said) - ceil(0.8 * len(said) - 1e-9)::BIGINT + 1] else []
    end as said_prefix,
    case
        when len(both_sets) > 0 then both_ordered[:len(both_sets) - ceil(0.8 * len(both_sets) - 1e-9)::BIGINT + 1]
        else []
    end as both_prefix,
    started_at,

from ordered
