-- Constant prompt per call by arm, and what an arm saves against the control.
--
-- grain:   one row per experiment, arm and metric
-- key:     experiment, arm, metric
-- scope:   all
-- inputs:  analysis.call_prompts, analysis.charges, analysis.prices
-- columns:
--   experiment     VARCHAR  none: calls that were part of no A/B test
--   arm            VARCHAR  arm of the experiment
--   control_arm    VARCHAR  arm that savings are counted from; null where there is nothing to compare
--   metric         VARCHAR  overhead_tokens_per_call, overhead_rate (share of the input tokens), saved_tokens_per_call, saved_rate (of
--     the control's overhead), saved_usd_per_call (at the control's input price), saved_usd_per_call_cached (at its cached price)
--   warning        VARCHAR  why the numbers must be read with care; null: nothing to say
--   n              BIGINT   calls of the arm
--   cluster_count  BIGINT   subjects that they come from
--   estimate       DOUBLE   the metric
--   low            DOUBLE   95 % interval
--   high           DOUBLE   upper end of the 95 % interval
--
-- rules:
--   The control is the arm named control, else baseline, else the one with the most calls.
--   Means are ratios over subjects with the linearised variance, as in analysis.arm_costs. A difference adds the
--   variances of the arms (assigned by unit, so independent); saved_rate is 1 less a ratio of two such means, its interval
--   by the delta method. Student's t with the smaller number of clusters less 1.
--   After the first call of a conversation most of a constant prompt is read from the cache, so the truth in money lies
--   between the two prices. Both are those of the control's most used model, at its latest call.
with calls as (
    select
        charges.experiment,
        charges.arm,
        charges.subject_id,
        charges.model,
        charges.called_at,
        call_prompts.overhead_tokens,
        call_prompts.input_tokens,

    from analysis.charges as charges
    inner join analysis.call_prompts as call_prompts on charges.call_id = call_prompts.call_id

    where not charges.is_failed
),

controls as (
    select
        calls.experiment,
        calls.arm as control_arm,

    from calls

    where calls.experiment <> 'none' and calls.arm <> 'mixed'

    group by calls.experiment, calls.arm

    qualify row_number() over (
        partition by calls.experiment
        order by calls.arm = 'control' desc, calls.arm = 'baseline' desc, count(*) desc, calls.arm
    ) = 1
),

control_models as (
    select
        controls.experiment,
        calls.model,
        max(calls.called_at) as called_at,

    from controls
    inner join calls on controls.experiment = calls.experiment and controls.control_arm = calls.arm

    where calls.model is not null

    group by controls.experiment, calls.model

    qualify row_number() over (
        partition by controls.experiment
        order by count(*) desc, calls.model
    ) = 1
),

control_prices as (
    select
        control_models.experiment,
        prices.input_usd_per_mtok,
        prices.cached_usd_per_mtok,

    from control_models
    inner join analysis.prices as prices on
        starts_with(control_models.model, prices.model_prefix)
        and regexp_matches(substr(control_models.model || '@', length(prices.model_prefix) + 1, 1), '[-:@]')
        and control_models.called_at >= prices.valid_from

    qualify row_number() over (
        partition by control_models.experiment
        order by length(prices.model_prefix) desc, prices.valid_from desc
    ) = 1
),

ratios as (
    select experiment, arm, 'overhead_tokens_per_call' as metric, subject_id, sum(overhead_tokens)::double as numerator, count(*)::double as denominator, count(*) as n
    from calls group by all
    union all
    select experiment, arm, 'overhead_rate' as metric, subject_id, sum(overhead_tokens)::double as numerator, sum(input_tokens)::double as denominator, count(*) as n
    from calls where input_tokens > 0 group by all
),

means as (
    select
        experiment,
        arm,
        metric,
        sum(n)::bigint as n,
        count(*) as cluster_count,
        sum(denominator order by subject_id) as denominator,
        sum(numerator order by subject_id) / sum(denominator order by subject_id) as mean,

    from ratios

    group by experiment, arm, metric
),

arms as (
    select
        means.experiment,
        means.arm,
        means.metric,
        any_value(means.n) as n,
        any_value(means.cluster_count) as cluster_count,
        any_value(means.mean) as mean,
        sum((ratios.numerator - means.mean * ratios.denominator) ** 2 order by ratios.subject_id)
        * any_value(means.cluster_count) / nullif(any_value(means.cluster_count) - 1, 0) / any_value(means.denominator) ** 2 as variance,

    from means
    inner join ratios on means.experiment = ratios.experiment and means.arm = ratios.arm and means.metric = ratios.metric

    group by means.experiment, means.arm, means.metric
),

differences as (
    select
        arms.experiment,
        arms.arm,
        controls.control_arm,
        arms.n,
        least(arms.cluster_count, control.cluster_count) as cluster_count,
        control.mean - arms.mean as saved,
        sqrt(arms.variance + control.variance) as saved_error,
        1 - arms.mean / nullif(control.mean, 0) as saved_rate,
        sqrt(arms.variance / nullif(control.mean, 0) ** 2 + control.variance * arms.mean ** 2 / nullif(control.mean, 0) ** 4) as rate_error,
        control_prices.input_usd_per_mtok,
        control_prices.cached_usd_per_mtok,

    from arms
    inner join controls on arms.experiment = controls.experiment and arms.arm <> controls.control_arm
    inner join arms as control on
        controls.experiment = control.experiment and controls.control_arm = control.arm and arms.metric = control.metric
    left join control_prices on arms.experiment = control_prices.experiment

    where arms.metric = 'overhead_tokens_per_call'
),

metrics as (
    select experiment, arm, metric, n, cluster_count, mean as estimate, sqrt(variance) as error, null::varchar as missing from arms
    union all by name
    select experiment, arm, 'saved_tokens_per_call' as metric, n, cluster_count, saved as estimate, saved_error as error, null::varchar as missing from differences
    union all by name
    select experiment, arm, 'saved_rate' as metric, n, cluster_count, saved_rate as estimate, rate_error as error, null::varchar as missing from differences
    union all by name
    select
        experiment, arm, 'saved_usd_per_call' as metric, n, cluster_count,
        saved * input_usd_per_mtok / 1e6 as estimate, saved_error * input_usd_per_mtok / 1e6 as error,
        case when input_usd_per_mtok is null then 'no price is known for the control''s model' end as missing,
    from differences
    union all by name
    select
        experiment, arm, 'saved_usd_per_call_cached' as metric, n, cluster_count,
        saved * cached_usd_per_mtok / 1e6 as estimate, saved_error * cached_usd_per_mtok / 1e6 as error,
        case when cached_usd_per_mtok is null then 'no cached price is known for the control''s model' end as missing,
    from differences
),

intervals as (
    select
        metrics.*,
        1.95996398 + 2.37227 / (nullif(cluster_count - 1, 0)) + 2.82250 / (nullif(cluster_count - 1, 0)) ** 2 + 2.55585 / (nullif(cluster_count - 1, 0)) ** 3 + 1.58953 / (nullif(cluster_count - 1, 0)) ** 4 as t_quantile,

    from metrics
)

select
    metrics.experiment,
    metrics.arm,
    controls.control_arm,
    metrics.metric,
    coalesce(
        metrics.missing,
        case
            when metrics.cluster_count < 2 then 'one subject: no interval'
            when metrics.cluster_count < 30 then 'few subjects: ' || metrics.cluster_count
        end
    ) as warning,
    metrics.n,
    metrics.cluster_count,
    round(metrics.estimate, 9) as estimate,
    round(metrics.estimate - metrics.t_quantile * metrics.error, 9) as low,
    round(metrics.estimate + metrics.t_quantile * metrics.error, 9) as high,

from intervals as metrics
left join controls on metrics.experiment = controls.experiment
