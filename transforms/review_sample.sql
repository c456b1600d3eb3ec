-- Examples that people look at: a tenth of what would be trained or validated
-- on, from every stratum.
--
-- grain:   one row per example drawn
-- key:     example_id
-- scope:   all
-- inputs:  curated.funnel, curated.example_keys, curated.quality, curated.configs
-- rules:   (semantics §3)
--   set       what goes to train or validation, and what nothing but its reviews excludes: else a set would lose its
--             defects by being looked at, and the estimate with them
--   stratum   source, task type and band of the score without reviews: low below 0.4, middle below 0.7, high. A review
--             must not move an example to another stratum
--   drawn     md5 of salt and example id below the rate, so that an example stays drawn as data grow, and in any
--             case the 3 least hashes of the stratum
-- thresholds:
--   rate 10 %: the plan's share of human review; 3 at least is ours
-- columns:
--   example_id    VARCHAR  the example
--   content_hash  VARCHAR  what was drawn; a review of other content is stale
--   stratum       VARCHAR  source/task type/band
--   rate          DOUBLE   chance that an example of the stratum was drawn, 0 to 1
--   stratum_size  BIGINT   examples of the set in the stratum
--   draw          VARCHAR  md5 that decided: the order in which people are asked
with settings as (
    select coalesce(arg_max(content, (occurred_at, event_id)), 'weir') as salt

    from curated.configs

    where kind = 'salt' and content is not null
),

candidates as (
    select
        funnel.example_id,
        example_keys.content_hash,
        concat_ws(
            '/',
            funnel.source,
            funnel.task_type,
            case
                when quality.score_before_review < 0.4 then 'low'
                when quality.score_before_review < 0.7 then 'middle'
                else 'high'
            end
        ) as stratum,
        md5(settings.salt || chr(31) || 'review' || chr(31) || funnel.example_id) as draw,

    from curated.funnel as funnel

    inner join curated.example_keys as example_keys on example_keys.example_id = funnel.example_id

    inner join curated.quality as quality on quality.example_id = funnel.example_id

    cross join settings

    where funnel.fate in ('train', 'validation')
        or (funnel.fate = 'excluded' and quality.reasons = ['review_reject'])
),

counted as (
    select
        *,
        count(*) over (partition by stratum) as stratum_size,
        row_number() over (partition by stratum order by draw, example_id) as draw_no,

    from candidates
)

select
    example_id,
    content_hash,
    stratum,
    case when stratum_size < 30 then round(least(3 / stratum_size, 1), 4) else 0.1 end::DOUBLE as rate,
    stratum_size,
    draw,

from counted

where draw_no <= 3 or draw < '1999'
