-- Pairs of sketches that may be near, and what they share: counted once, however
-- often the tables are built.
--
-- grain:   one row per pair of different sketches that was compared
-- key:     left_sketch, right_sketch
-- scope:   all
-- inputs:  curated.example_prefixes, curated.example_sketches, curated.quality, curated.lineage,
--   curated.shingle_levels, curated.sketch_pairs (before)
-- rules:   (semantics §3)
--   candidates  two sets of n and m shingles whose Jaccard index is at least t share one of the first n − ⌈t n⌉ + 1 and
--               m − ⌈t m⌉ + 1 shingles in any fixed order, that of curated.example_prefixes; so none is missed. Where
--               more than 64 share a shingle, all are compared with the best 64 of them, as a cluster of thousands
--               would else have millions of pairs; best is as in curated.duplicate_pairs
--   counted     not where what the prefixes share rules that index out
--   relatives   what comes from one root is compared whatever it shares
--   counts      depend on the two sketches and on the order of shingles alone: those that were counted before are
--               taken from there
-- columns:
--   left_sketch     VARCHAR  the lesser sketch_hash
--   right_sketch    VARCHAR  the greater; the same where relatives have one sketch
--   is_candidate    BOOLEAN  they share a shingle of their prefixes
--   levels_version  VARCHAR  order of the prefixes, as in curated.shingle_levels
--   said_common     BIGINT   shingles that both say; null where that was ruled out
--   both_common     BIGINT   shingles that both say or have in tool results; null as that
--   target_common   BIGINT   shingles of both's targets; null where they are far from alike
--   asked_sizes     BIGINT   of relatives: shingles that one says and has in no target, and of the other, added
--   asked_common    BIGINT   of relatives: shingles that both say and neither has in a target
with ranked as (
    select
        prefixes.example_id,
        prefixes.sketch_hash,
        row_number() over (
            order by
                case quality.verdict when 'keep' then 0 else 1 end,
                prefixes.example_id in (select child_id from curated.lineage),
                quality.success_score desc,
                len(prefixes.example_id),
                prefixes.example_id
        ) as rank_no,

    from curated.example_prefixes as prefixes

    inner join curated.quality as quality on quality.example_id = prefixes.example_id
),

firsts as (
    select sketch_hash, arg_min(example_id, rank_no) as example_id, min(rank_no) as rank_no

    from ranked

    group by sketch_hash
),

placed as (
    select
        firsts.rank_no,
        'said' as kind,
        prefixes.said_size as size,
        unnest(prefixes.said_prefix) as item,
        prefixes.said_size - generate_subscripts(prefixes.said_prefix, 1) + 1 as rest,

    from firsts

    inner join curated.example_prefixes as prefixes on prefixes.example_id = firsts.example_id

    union all

    select
        firsts.rank_no,
        'both' as kind,
        prefixes.both_size as size,
        unnest(prefixes.both_prefix) as item,
        prefixes.both_size - generate_subscripts(prefixes.both_prefix, 1) + 1 as rest,

    from firsts

    inner join curated.example_prefixes as prefixes on prefixes.example_id = firsts.example_id
),

-- Most shingles stand in one example alone: those that do not are found
-- first, so that only they are numbered.
shared as (
    select kind, item from placed group by kind, item having count(*) > 1
),

buckets as materialized (
    select placed.*, row_number() over (partition by placed.kind, placed.item order by placed.rank_no) as bucket_no

    from placed

    inner join shared on shared.kind = placed.kind and shared.item = placed.item
),

candidates as (
    select distinct better.rank_no as left_no, worse.rank_no as right_no

    from buckets as better

    inner join buckets as worse
        on worse.kind = better.kind
        and worse.item = better.item
        and worse.bucket_no > better.bucket_no
        and least(worse.size, better.size) >= 0.8 * greatest(worse.size, better.size) - 1e-9
        -- From the first that they share on, enough must be left to share.
        and least(worse.rest, better.rest) >= 0.8 / 1.8 * (worse.size + better.size) - 1e-9

    where better.bucket_no <= 64
),

roots as (
    select child_id as example_id, root_id from curated.lineage

    union

    select root_id, root_id from curated.lineage
),

proposed as (
    select lefts.sketch_hash as one, rights.sketch_hash as other, true as is_candidate

    from candidates

    inner join firsts as lefts on lefts.rank_no = candidates.left_no

    inner join firsts as rights on rights.rank_no = candidates.right_no

    union all

    select a.sketch_hash, b.sketch_hash, false

    from roots as one

    inner join roots as other on other.root_id = one.root_id and other.example_id > one.example_id

    inner join ranked as a on a.example_id = one.example_id

    inner join ranked as b on b.example_id = other.example_id
),

pairs as materialized (
    select
        least(one, other) as left_sketch,
        greatest(one, other) as right_sketch,
        bool_or(is_candidate) as is_candidate,
        bool_or(not is_candidate) as is_relative,

    from proposed

    group by all
),

known as materialized (
    select
        pairs.*,
        counted.levels_version,
        counted.said_common,
        counted.both_common,
        counted.target_common,
        counted.asked_sizes,
        counted.asked_common,

    from pairs

    inner join curated.sketch_pairs as counted
        on counted.left_sketch = pairs.left_sketch
        and counted.right_sketch = pairs.right_sketch
        and (counted.asked_sizes is not null) = pairs.is_relative
        and counted.levels_version in (select version from curated.shingle_levels)
),

fresh as materialized (
    select pairs.*

    from pairs

    anti join known on known.left_sketch = pairs.left_sketch and known.right_sketch = pairs.right_sketch
),

-- Up to where the first of two prefixes ends, all that they share is known;
-- behind it no more is shared than is left.
bounded as materialized (
    select
        fresh.*,
        fresh.is_relative
            or len(list_intersect(a.said_prefix, b.said_prefix))
            + case
                when a.said_prefix[-1] <= b.said_prefix[-1] then a.said_size - len(a.said_prefix)
                else b.said_size - len(b.said_prefix)
            end
            >= 0.8 / 1.8 * (a.said_size + b.said_size) - 1e-9
            or a.seen_size > 0
            and b.seen_size > 0
            and len(list_intersect(a.both_prefix, b.both_prefix))
            + case
                when a.both_prefix[-1] <= b.both_prefix[-1] then a.both_size - len(a.both_prefix)
                else b.both_size - len(b.both_prefix)
            end
            >= 0.8 / 1.8 * (a.both_size + b.both_size) - 1e-9 as is_possible,

    from fresh

    inner join firsts as lefts on lefts.sketch_hash = fresh.left_sketch

    inner join firsts as rights on rights.sketch_hash = fresh.right_sketch

    inner join curated.example_prefixes as a on a.example_id = lefts.example_id

    inner join curated.example_prefixes as b on b.example_id = rights.example_id
),

involved as (
    select left_sketch as sketch_hash from bounded where is_possible

    union

    select right_sketch from bounded where is_possible
),

-- The union of what is said and seen is made once for each sketch, not for
-- each pair: most of the time went there.
compared as materialized (
    select
        sketches.sketch_hash,
        sketches.said,
        sketches.seen,
        sketches.target,
        case
            when len(sketches.seen) = 0 then sketches.said
            else list_distinct(list_concat(sketches.said, sketches.seen))
        end as said_or_seen,

    from involved

    inner join firsts on firsts.sketch_hash = involved.sketch_hash

    inner join curated.example_sketches as sketches on sketches.example_id = firsts.example_id
),

counted as (
    select
        bounded.* exclude (is_possible),
        (select version from curated.shingle_levels) as levels_version,
        len(list_intersect(a.said, b.said)) as said_common,
        case
            when len(a.seen) + len(b.seen) = 0 then said_common
            else len(list_intersect(a.said_or_seen, b.said_or_seen))
        end as both_common,
        -- Of strangers that are far from near nobody asks for the targets.
        case
            when bounded.is_relative
                or said_common >= 0.6 * (len(a.said) + len(b.said) - said_common)
                or said_common >= 0.95 * least(len(a.said), len(b.said))
                or both_common >= 0.6 * (len(a.said_or_seen) + len(b.said_or_seen) - both_common)
                then len(list_intersect(a.target, b.target))
        end as target_common,
        -- Asked is what was said and is in no target; counted by unions, without a set difference.
        case when bounded.is_relative then
            len(list_distinct(list_concat(a.said, a.target))) - len(a.target)
            + len(list_distinct(list_concat(b.said, b.target))) - len(b.target)
        end as asked_sizes,
        case when bounded.is_relative then
            len(list_distinct(list_concat(list_intersect(a.said, b.said), list_concat(a.target, b.target))))
            - len(list_distinct(list_concat(a.target, b.target)))
        end as asked_common,

    from bounded

    inner join compared as a on a.sketch_hash = bounded.left_sketch

    inner join compared as b on b.sketch_hash = bounded.right_sketch

    where bounded.is_possible
),

all_ways as (
    select * from counted

    union all

    select * from known

    union all

    select
        bounded.* exclude (is_possible),
        (select version from curated.shingle_levels),
        null,
        null,
        null,
        null,
        null,

    from bounded

    where not bounded.is_possible
)

select
    left_sketch,
    right_sketch,
    is_candidate,
    levels_version,
    said_common,
    both_common,
    target_common,
    asked_sizes,
    asked_common,

from all_ways
