-- Pairs of examples that say the same, or nearly: each verified, accepted or not.
--
-- grain:   one row per pair that was compared and came near
-- key:     left_id, right_id
-- scope:   all
-- inputs:  curated.example_keys, curated.example_sketches, curated.lineage, curated.quality
-- rules:   (semantics §3)
--   exact       equal content_hash: texts, calls, weights, tools and response format; a different answer to the
--               same context, or the same words under other tools or another format, are no duplicates
--   survivor    a kept example before a dropped one, an original before what was made from it, then the higher
--               success_score, then the shorter id, then the lesser id
--   candidates  prefix filter: two sets of n and m shingles whose Jaccard index is at least t share one of the
--               first n − ⌈t n⌉ + 1 and m − ⌈t m⌉ + 1 shingles in any fixed order, the rarest first; so none is
--               missed. Where more than 64 share a shingle, all are compared with the best 64 of them, as a
--               cluster of thousands would else have millions of pairs. Equal sketches are compared once
--   near        what was said (calls, without tool results) and the targets are both at least 0.8 alike
--   grouped     what was said, or that with tool results, is at least 0.8 alike, or, of those that were compared,
--               the smaller of two sets of 30 and more shingles is at least 0.95 contained: not for two sides of a split;
--               a text within one of more than 1.25 times its size is not looked for
--   conflict    what was said before the last target is equal, and the targets are not alike: never a duplicate
--   lineage     what comes from one root is compared by what its method changes: a duplicate where both its targets
--               and what was asked (said, but in no target) are at least so much alike, by the stricter of two methods:
--                                                           targets  asked
--               evolve                                          0.7    0    the answer is new
--               paraphrase, back_translate                      0    0.7    the answer stays, the request is reworded
--               template_reword, context_trim                   0    0.95   the answer stays, the request is framed or cut
--               persona_swap                                    none        the system prompt alone changes: no duplicate
--               entity_swap, tool_perturb, role_swap, edit and others  0.95 0.95  a few words change, in both
--   rejected    pairs are kept from 0.6 on
-- thresholds:
--   0.8 jaccard     between the knees of datatrove (0.72) and NeMo Curator (0.79) and Lilac (0.87); here verified
--   0.95, 30        containment of small sets is chance (ours)
-- columns:
--   left_id          VARCHAR  the one that would survive
--   right_id         VARCHAR  the one that would not
--   kind             VARCHAR  exact, near or conflict
--   rule_version     VARCHAR  exact-1, or near-1 (lineage-1 of relatives) and the version of the boilerplate left out
--   jaccard          DOUBLE   of what was said, 0 to 1
--   containment      DOUBLE   share of the smaller set that is in the larger, 0 to 1
--   accepted         BOOLEAN  the pair is a duplicate; rejected pairs are kept, too
--   target_jaccard   DOUBLE   of the targets, 0 to 1
--   group_jaccard    DOUBLE   of what was said with tool results, 0 to 1
--   is_grouped       BOOLEAN  the pair must not stand on two sides of a split
--   reason           VARCHAR  why it was rejected: jaccard, target, asked, method, frame; null where accepted
with ranked as (
    select
        example_keys.example_id,
        example_keys.content_hash,
        row_number() over (
            order by
                case quality.verdict when 'keep' then 0 else 1 end,
                example_keys.example_id in (select child_id from curated.lineage),
                quality.success_score desc,
                len(example_keys.example_id),
                example_keys.example_id
        ) as rank_no,

    from curated.example_keys as example_keys

    inner join curated.quality as quality on quality.example_id = example_keys.example_id
),

exact as (
    select
        first_value(example_id) over (partition by content_hash order by rank_no) as left_id,
        example_id as right_id,

    from ranked

    qualify left_id <> right_id
),

sketched as (
    select ranked.rank_no, sketches.example_id, sketches.sketch_hash

    from curated.example_sketches as sketches

    inner join ranked on ranked.example_id = sketches.example_id
),

firsts as (
    select sketch_hash, arg_min(example_id, rank_no) as example_id, min(rank_no) as rank_no

    from sketched

    group by sketch_hash
),

sets as (
    select firsts.example_id, firsts.rank_no, 'said' as kind, sketches.said as items

    from firsts

    inner join curated.example_sketches as sketches on sketches.example_id = firsts.example_id

    where len(sketches.said) > 0

    union all

    select
        firsts.example_id,
        firsts.rank_no,
        'both' as kind,
        list_distinct(list_concat(sketches.said, sketches.seen)) as items,

    from firsts

    inner join curated.example_sketches as sketches on sketches.example_id = firsts.example_id

    where len(sketches.seen) > 0
),

items as (
    select example_id, rank_no, kind, len(items) as size, unnest(items) as item from sets
),

frequencies as materialized (
    -- What occurs once joins nothing, but counts as rarest in the order.
    select kind, item, count(*) as frequency from items group by kind, item having count(*) > 1
),

-- What is shared, the rarest first: frequency and shingle (60 bits) as one
-- number, since sorting a list costs a fraction of numbering rows in a window.
shared as (
    select
        items.kind,
        items.rank_no,
        items.size,
        list_sort(list(frequencies.frequency::HUGEINT * 1152921504606846976 + items.item)) as ordered,

    from items

    inner join frequencies on frequencies.kind = items.kind and frequencies.item = items.item

    group by items.kind, items.rank_no, items.size
),

first_shared as (
    select
        kind,
        rank_no,
        size,
        unnest(ordered[:len(ordered) - ceil(0.8 * size - 1e-9)::BIGINT + 1]) as item,
        generate_subscripts(ordered[:len(ordered) - ceil(0.8 * size - 1e-9)::BIGINT + 1], 1) + size - len(ordered) as place,

    from shared

    -- Nothing of its prefix is shared: a slice would count from the end.
    where len(ordered) >= ceil(0.8 * size - 1e-9)
),

prefixes as materialized (
    select
        kind,
        item,
        rank_no,
        size,
        size - place + 1 as rest,
        row_number() over (partition by kind, item order by rank_no) as bucket_no,

    from first_shared
),

candidates as (
    select distinct better.rank_no as left_no, worse.rank_no as right_no

    from prefixes as better

    inner join prefixes as worse
        on worse.kind = better.kind
        and worse.item = better.item
        and worse.bucket_no > better.bucket_no
        and least(worse.size, better.size) >= 0.8 * greatest(worse.size, better.size) - 1e-9
        -- From the first that they share on, enough must be left to share.
        and least(worse.rest, better.rest) >= 0.8 / 1.8 * (worse.size + better.size) - 1e-9

    where better.bucket_no <= 64
),

methods as (
    -- 2 is never reached.
    select *

    from (
        values
        ('evolve', 0.7, 0.0),
        ('paraphrase', 0.0, 0.7),
        ('back_translate', 0.0, 0.7),
        ('template_reword', 0.0, 0.95),
        ('context_trim', 0.0, 0.95),
        ('persona_swap', 2.0, 2.0)
    ) as methods (method, target, asked)
),

roots as (
    select
        lineage.child_id as example_id,
        lineage.root_id,
        coalesce(methods.target, 0.95) as target,
        coalesce(methods.asked, 0.95) as asked,

    from curated.lineage as lineage

    left join methods on methods.method = lineage.method

    union

    -- The root itself: the other's method decides.
    select root_id, root_id, 0.0, 0.0 from curated.lineage
),

relatives as (
    select
        least(a.rank_no, b.rank_no) as left_no,
        greatest(a.rank_no, b.rank_no) as right_no,
        max(greatest(one.target, other.target))::DOUBLE as target_threshold,
        max(greatest(one.asked, other.asked))::DOUBLE as asked_threshold,

    from roots as one

    inner join roots as other on other.root_id = one.root_id and other.example_id > one.example_id

    inner join ranked as a on a.example_id = one.example_id

    inner join ranked as b on b.example_id = other.example_id

    group by all
),

chosen as (
    select left_no, right_no, null::DOUBLE as target_threshold, null::DOUBLE as asked_threshold from candidates

    union all

    select left_no, right_no, target_threshold, asked_threshold from relatives
),

involved as (
    select left_no as rank_no from chosen union select right_no from chosen
),

-- The union of what is said and seen is made once for each example, not for
-- each pair: most of the time went there.
compared as (
    select
        ranked.rank_no,
        sketches.*,
        case
            when len(sketches.seen) = 0 then sketches.said
            else list_distinct(list_concat(sketches.said, sketches.seen))
        end as said_or_seen,

    from involved

    inner join ranked on ranked.rank_no = involved.rank_no

    inner join curated.example_sketches as sketches on sketches.example_id = ranked.example_id
),

sizes as (
    select
        a.example_id as left_id,
        b.example_id as right_id,
        chosen.left_no,
        chosen.right_no,
        chosen.target_threshold,
        chosen.asked_threshold,
        a.boilerplate_version,
        a.frame_hash = b.frame_hash as is_same_frame,
        a.context_hash = b.context_hash as is_same_context,
        len(a.said) as left_size,
        len(b.said) as right_size,
        len(list_intersect(a.said, b.said)) as common,
        len(a.target) + len(b.target) as target_sizes,
        len(list_intersect(a.target, b.target)) as target_common,
        -- Asked is what was said and is in no target; counted by unions, without a set difference.
        case when chosen.asked_threshold is not null then
            len(list_distinct(list_concat(a.said, a.target))) - len(a.target)
            + len(list_distinct(list_concat(b.said, b.target))) - len(b.target)
        end as asked_sizes,
        case when chosen.asked_threshold is not null then
            len(list_distinct(list_concat(list_intersect(a.said, b.said), list_concat(a.target, b.target))))
            - len(list_distinct(list_concat(a.target, b.target)))
        end as asked_common,
        len(a.said_or_seen) + len(b.said_or_seen) as both_sizes,
        case
            when len(a.seen) + len(b.seen) = 0 then common
            else len(list_intersect(a.said_or_seen, b.said_or_seen))
        end as both_common,

    from chosen

    inner join compared as a on a.rank_no = chosen.left_no

    inner join compared as b on b.rank_no = chosen.right_no
),

measured as (
    select
        *,
        coalesce(common / nullif(left_size + right_size - common, 0), 0) as jaccard,
        coalesce(common / nullif(least(left_size, right_size), 0), 0) as containment,
        coalesce(target_common / nullif(target_sizes - target_common, 0), 0) as target_jaccard,
        coalesce(both_common / nullif(both_sizes - both_common, 0), 0) as group_jaccard,
        -- Two that ask nothing ask the same.
        coalesce(asked_common / nullif(asked_sizes - asked_common, 0), 1) as asked_jaccard,

    from sizes
),

judged as (
    select
        *,
        case
            when not is_same_frame then 'frame'
            when target_threshold is null and jaccard < 0.8 then 'jaccard'
            when target_threshold > 1 then 'method'
            when target_jaccard < coalesce(target_threshold, 0.8) then 'target'
            when asked_jaccard < asked_threshold then 'asked'
        end as reason,
        jaccard >= 0.8
            or group_jaccard >= 0.8
            or (least(left_size, right_size) >= 30 and containment >= 0.95) as is_grouped,

    from measured
),

near as (
    select * exclude (asked_threshold, asked_sizes, asked_common, asked_jaccard)

    from judged

    where reason is null or is_grouped or greatest(jaccard, group_jaccard) >= 0.6
),

-- Relatives are judged each for itself.
likeness as (
    select * exclude (left_no, right_no, target_threshold), 'lineage-1/' as rule

    from near

    where target_threshold is not null
),

-- All with one sketch are as near to the other side as their first: the best of
-- each side is paired with those of the other that rank behind it.
spread as (
    select
        near.left_id,
        members.example_id as right_id,
        near.* exclude (left_id, right_id, left_no, right_no, target_threshold),
        'near-1/' as rule,

    from near

    inner join sketched as others on others.rank_no = near.right_no

    inner join sketched as members on members.sketch_hash = others.sketch_hash

    where near.target_threshold is null

    union all

    select
        near.right_id,
        members.example_id,
        near.* exclude (left_id, right_id, left_no, right_no, target_threshold),
        'near-1/',

    from near

    inner join sketched as others on others.rank_no = near.left_no

    inner join sketched as members on members.sketch_hash = others.sketch_hash and members.rank_no > near.right_no

    where near.target_threshold is null

    union all

    select
        firsts.example_id,
        sketched.example_id,
        sketches.boilerplate_version,
        true,
        true,
        len(sketches.said),
        len(sketches.said),
        len(sketches.said),
        2 * len(sketches.target),
        len(sketches.target),
        0,
        0,
        1.0,
        1.0,
        1.0,
        1.0,
        null,
        true,
        'near-1/',

    from firsts

    inner join sketched on sketched.sketch_hash = firsts.sketch_hash and sketched.rank_no > firsts.rank_no

    inner join curated.example_sketches as sketches on sketches.example_id = firsts.example_id

    -- Two without a word of their own, such as pictures alone, are not alike for that.
    where len(sketches.said) > 0
),

verified as (
    select * from likeness

    union all

    select spread.*

    from spread

    anti join likeness on likeness.left_id = spread.left_id and likeness.right_id = spread.right_id
)

select
    left_id,
    right_id,
    'exact' as kind,
    'exact-1' as rule_version,
    1.0::DOUBLE as jaccard,
    1.0::DOUBLE as containment,
    true as accepted,
    1.0::DOUBLE as target_jaccard,
    1.0::DOUBLE as group_jaccard,
    true as is_grouped,
    null::VARCHAR as reason,

from exact

union all

select
    verified.left_id,
    verified.right_id,
    case when verified.is_same_context and verified.target_jaccard < 0.8 then 'conflict' else 'near' end as kind,
    verified.rule || verified.boilerplate_version as rule_version,
    round(verified.jaccard, 6)::DOUBLE as jaccard,
    round(verified.containment, 6)::DOUBLE as containment,
    verified.reason is null as accepted,
    round(verified.target_jaccard, 6)::DOUBLE as target_jaccard,
    round(verified.group_jaccard, 6)::DOUBLE as group_jaccard,
    verified.is_grouped,
    verified.reason,

from verified

anti join exact on exact.left_id = verified.left_id and exact.right_id = verified.right_id
