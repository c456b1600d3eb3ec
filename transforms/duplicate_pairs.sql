-- Pairs of examples that say the same.
--
-- grain:   one row per example and the one that survives instead of it
-- key:     left_id, right_id
-- scope:   all
-- inputs:  curated.example_keys, curated.quality
-- rules:   (semantics §3)
--   exact     equal content_hash: texts, calls, weights, tools and response format; a different answer to the
--             same context, or the same words under other tools or another format, are no duplicates
--   survivor  a kept example before a dropped one, then the higher success_score, then the shorter id, then the
--             lesser id
-- columns:
--   left_id       VARCHAR  the survivor
--   right_id      VARCHAR  the one that does not survive
--   kind          VARCHAR  exact
--   rule_version  VARCHAR  exact-1
--   jaccard       DOUBLE   0 to 1
--   containment   DOUBLE   0 to 1
--   accepted      BOOLEAN  the pair is a duplicate; rejected pairs are kept, too
with ranked as (
    select
        example_keys.example_id,
        first_value(example_keys.example_id) over (
            partition by example_keys.content_hash
            order by
                case quality.verdict when 'keep' then 0 else 1 end,
                quality.success_score desc,
                len(example_keys.example_id),
                example_keys.example_id
        ) as survivor_id,

    from curated.example_keys as example_keys

    inner join curated.quality as quality on quality.example_id = example_keys.example_id
)

select
    survivor_id as left_id,
    example_id as right_id,
    'exact' as kind,
    'exact-1' as rule_version,
    1.0::DOUBLE as jaccard,
    1.0::DOUBLE as containment,
    true as accepted,

from ranked

where example_id <> survivor_id
