-- Pairs of examples that say the same, or nearly: each verified, accepted or not.
--
-- grain:   one row per pair that was compared and came near
-- key:     left_id, right_id
-- scope:   all
-- inputs:  curated.example_keys, curated.example_prefixes, curated.lineage, curated.quality, curated.sketch_pairs
-- rules:   (semantics §3)
--   exact       equal content_hash: texts, calls, weights, tools and response format; a different answer to the
--               same context, or the same words under other tools or another format, are no duplicates
--   survivor    a kept example before a dropped one, an original before what was made from it, then the higher
--               success_score, then the shorter id, then the lesser id
--   candidates  curated.sketch_pairs has all that may be near, and what they share; equal sketches are compared once
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
    select ranked.rank_no, prefixes.*

    from curated.example_prefixes as prefixes

    inner join ranked on ranked.example_id = prefixes.example_id
),

firsts as (
    select * from sketched qualify row_number() over (partition by sketch_hash order by rank_no) = 1
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
    select
        least(a.rank_no, b.rank_no) as left_no,
        greatest(a.rank_no, b.rank_no) as right_no,
        null::DOUBLE as target_threshold,
        null::DOUBLE as asked_threshold,

    from curated.sketch_pairs as pairs

    inner join firsts as a on a.sketch_hash = pairs.left_sketch

    inner join firsts as b on b.sketch_hash = pairs.right_sketch

    where pairs.is_candidate and pairs.said_common is not null

    union all

    select left_no, right_no, target_threshold, asked_threshold from relatives
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
        a.said_size as left_size,
        b.said_size as right_size,
        pairs.said_common as common,
        a.target_size + b.target_size as target_sizes,
        pairs.target_common,
        case when chosen.asked_threshold is not null then pairs.asked_sizes end as asked_sizes,
        case when chosen.asked_threshold is not null then pairs.asked_common end as asked_common,
        a.both_size + b.both_size as both_sizes,
        pairs.both_common,

    from chosen

    inner join sketched as a on a.rank_no = chosen.left_no

    inner join sketched as b on b.rank_no = chosen.right_no

    inner join curated.sketch_pairs as pairs
        on pairs.left_sketch = least(a.sketch_hash, b.sketch_hash)
        and pairs.right_sketch = greatest(a.sketch_hash, b.sketch_hash)
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
        firsts.boilerplate_version,
        true,
        true,
        firsts.said_size,
        firsts.said_size,
        firsts.said_size,
        2 * firsts.target_size,
        firsts.target_size,
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

    -- Two without a word of their own, such as pictures alone, are not alike for that.
    where firsts.said_size > 0
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
