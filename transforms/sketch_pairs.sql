-- Pairs of sketches that may be near, and what they share: counted once, however
-- often the tables are built.
--
-- grain:   one row per pair of different sketches that was compared
-- key:     left_sketch, right_sketch
-- scope:   all
-- inputs:  curated.example_prefixes, curated.example_sketches, curated.quality, curated.lineage,
--   curated.sketch_pairs (before)
-- rules:   (semantics §3)
--   candidates  two sets of n and m shingles whose Jaccard index is at least t share one of the first n − ⌈t n⌉ + 1 and
--               m − ⌈t m⌉ + 1 shingles in any fixed order, that of curated.example_prefixes; so none is missed. Where
--               more than 64 share a shingle, all are compared with the best 64 of them, as a cluster of thousands
--               would else have millions of pairs; best is as in curated.duplicate_pairs
--               Left out is what cannot have that index by what the two prefixes share: up to where the first ends,
--               all is known, and behind it no more is shared than is left
--   relatives   what comes from one root is compared whatever it shares
--   counts      depend on the two sketches alone: those that were counted before are taken from there
-- columns:
--   left_sketch    VARCHAR  the lesser sketch_hash
--   right_sketch   VARCHAR  the greater; the same where relatives have one sketch
--   is_candidate   BOOLEAN  they share a shingle of their prefixes
--   said_common    BIGINT   shingles that both say
--   both_common    BIGINT   shingles that both say or have in tool results
--   target_common  BIGINT   shingles of both's targets; null where they are far from alike
--   asked_sizes    BIGINT   of relatives: shingles that one says and has in no target, and of the other, added
--   asked_common   BIGINT   of relatives: shingles that both say and neither has in a target
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

-- After says how many shingles come behind the prefix, last which is its last.
sets as (
    select
        firsts.rank_no,
        'said' as kind,
        prefixes.said_size as size,
        prefixes.said_prefix as prefix,
        prefixes.said_size - len(prefixes.said_prefix) as after,
        prefixes.said_prefix[-1] as last,

    from firsts

    inner join curated.example_prefixes as prefixes on prefixes.example_id = firsts.example_id

    union all

    select
        firsts.rank_no,
        'both' as kind,
        prefixes.both_size as size,
        prefixes.both_prefix as prefix,
        prefixes.both_size - len(prefixes.both_prefix) as after,
        prefixes.both_prefix[-1] as last,

    from firsts

    inner join curated.example_prefixes as prefixes on prefixes.example_id = firsts.example_id

    where prefixes.seen_size > 0
),

placed as (
    select kind, rank_no, unnest(prefix) as item from sets
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

-- Shingles that an example may share with worse ones without being compared
-- for their sake.
crowded as (
    select kind, rank_no, count(*) as crowded_count from buckets where bucket_no > 64 group by kind, rank_no
),

met as (
    select better.kind, better.rank_no as left_no, worse.rank_no as right_no, count(*) as common

    from buckets as better

    inner join buckets as worse
        on worse.kind = better.kind
        and worse.item = better.item
        and worse.bucket_no > better.bucket_no

    where better.bucket_no <= 64

    group by better.kind, better.rank_no, worse.rank_no
),

-- Up to where the first of the two prefixes ends, all that they share is counted.
candidates as (
    select distinct met.left_no, met.right_no

    from met

    inner join sets as better on better.kind = met.kind and better.rank_no = met.left_no

    inner join sets as worse on worse.kind = met.kind and worse.rank_no = met.right_no

    left join crowded on crowded.kind = met.kind and crowded.rank_no = met.left_no

    where least(worse.size, better.size) >= 0.8 * greatest(worse.size, better.size) - 1e-9
        and met.common
        + coalesce(crowded.crowded_count, 0)
        + case when better.last <= worse.last then better.after else worse.after end
        >= 0.8 / 1.8 * (worse.size + better.size) - 1e-9
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
    select pairs.*, counted.said_common, counted.both_common, counted.target_common, counted.asked_sizes, counted.asked_common

    from pairs

    inner join curated.sketch_pairs as counted
        on counted.left_sketch = pairs.left_sketch
        and counted.right_sketch = pairs.right_sketch
        and (counted.asked_sizes is not null) = pairs.is_relative
),

fresh as materialized (
    select pairs.*

    from pairs

    anti join known on known.left_sketch = pairs.left_sketch and known.right_sketch = pairs.right_sketch
),

involved as (
    select left_sketch as sketch_hash from fresh union select right_sketch from fresh
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
        fresh.*,
        len(list_intersect(a.said, b.said)) as said_common,
        case
            when len(a.seen) + len(b.seen) = 0 then said_common
            else len(list_intersect(a.said_or_seen, b.said_or_seen))
        end as both_common,
        -- Of strangers that are far from near nobody asks for the targets.
        case
            when fresh.is_relative
                or said_common >= 0.6 * (len(a.said) + len(b.said) - said_common)
                or said_common >= 0.95 * least(len(a.said), len(b.said))
                or both_common >= 0.6 * (len(a.said_or_seen) + len(b.said_or_seen) - both_common)
                then len(list_intersect(a.target, b.target))
        end as target_common,
        -- Asked is what was said and is in no target; counted by unions, without a set difference.
        case when fresh.is_relative then
            len(list_distinct(list_concat(a.said, a.target))) - len(a.target)
            + len(list_distinct(list_concat(b.said, b.target))) - len(b.target)
        end as asked_sizes,
        case when fresh.is_relative then
            len(list_distinct(list_concat(list_intersect(a.said, b.said), list_concat(a.target, b.target))))
            - len(list_distinct(list_concat(a.target, b.target)))
        end as asked_common,

    from fresh

    inner join compared as a on a.sketch_hash = fresh.left_sketch

    inner join compared as b on b.sketch_hash = fresh.right_sketch
),

both_ways as (
    select * from counted union all select * from known
)

select
    left_sketch,
    right_sketch,
    is_candidate,
    said_common,
    both_common,
    target_common,
    asked_sizes,
    asked_common,

from both_ways
