-- Excluded examples that people look at, to learn how often each rule is right.
--
-- grain:   one row per rule and example drawn
-- key:     rule, example_id
-- scope:   all
-- inputs:  curated.funnel, curated.example_keys, curated.quality, curated.configs
-- rules:
--   rule      each of the reasons of curated.quality, not the first alone, and duplicate; review_reject is what people
--             said themselves. What is still open is not excluded yet
--   stratum   rule and source: a rule may be right in one log and wrong in another
--   drawn     the least md5 of salt, rule and example id of each stratum; a decision moves nothing
--   decision  weir review export --queue audit asks as for the review sample: who rejects or edits says that the rule
--             was right, who accepts that it was not. weir quality audit counts them
-- thresholds:
--   10 a stratum: a rule that is wrong in three of ten is seen with 97 % (ours)
-- columns:
--   rule          VARCHAR  reason of the exclusion
--   example_id    VARCHAR  the example
--   content_hash  VARCHAR  what was drawn; a review of other content is stale
--   source        VARCHAR  as in curated.examples
--   stratum       VARCHAR  rule/source
--   rate          DOUBLE   chance that an example of the stratum was drawn, 0 to 1
--   stratum_size  BIGINT   examples that the rule excludes in the source
--   draw          VARCHAR  md5 that decided: the order in which people are asked
with settings as (
    select coalesce(arg_max(content, (occurred_at, event_id)), 'weir') as salt

    from curated.configs

    where kind = 'salt' and content is not null
),

excluded as (
    select
        funnel.example_id,
        funnel.source,
        unnest(
            list_distinct(list_concat(quality.reasons, case when funnel.reason = 'duplicate' then ['duplicate'] else [] end))
        ) as rule,

    from curated.funnel as funnel

    inner join curated.quality as quality on quality.example_id = funnel.example_id

    where funnel.fate = 'excluded'
),

ranked as (
    select
        excluded.rule,
        excluded.example_id,
        example_keys.content_hash,
        excluded.source,
        md5(concat_ws(chr(31), settings.salt, 'audit', excluded.rule, excluded.example_id)) as draw,

    from excluded

    inner join curated.example_keys as example_keys on example_keys.example_id = excluded.example_id

    cross join settings

    where excluded.rule <> 'review_reject'
)

select
    rule,
    example_id,
    content_hash,
    source,
    rule || '/' || source as stratum,
    round(least(10 / count(*) over (partition by rule, source), 1), 4)::DOUBLE as rate,
    count(*) over (partition by rule, source) as stratum_size,
    draw,

from ranked

qualify row_number() over (partition by rule, source order by draw, example_id) <= 10
