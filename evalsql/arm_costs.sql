-- What each arm costs and how fast it is: per call, per task and per successful task.
--
-- grain:   one row per experiment, arm, day (UTC; all: the whole time) and metric
-- key:     experiment, arm, day, metric
-- scope:   all
-- inputs:  analysis.charges, analysis.task_costs
-- columns:
--   experiment     VARCHAR  none: calls that were part of no A/B test
--   arm            VARCHAR  arm of the experiment
--   day            VARCHAR  2026-03-02, or all
--   metric         VARCHAR  cost_per_call_usd, cost_per_task_usd, cost_per_successful_task_usd, task_success_rate, failed_call_rate,
--     input_tokens_per_call, output_tokens_per_call, latency_p50_ms, latency_p95_ms, time_to_first_token_p95_ms
--   warning        VARCHAR  why the interval must be read with care
--   n              BIGINT   calls or tasks that the estimate rests on
--   cluster_count  BIGINT   subjects or tasks that they come from
--   numerator      DOUBLE   estimate = numerator / denominator; null: a quantile
--   denominator    DOUBLE   calls, tasks or successes
--   estimate       DOUBLE   the metric
--   low            DOUBLE   95 % interval; null where n is too small for one
--   high           DOUBLE   upper end of the 95 % interval
--
-- rules:
--   Means are ratios of sums; their intervals use the linearised variance over clusters (Cochran, Sampling Techniques,
--   3rd ed., §6.3), because calls of one subject resemble each other, and Student's t with clusters - 1 degrees of freedom
--   (Cornish and Fisher's expansion, Abramowitz and Stegun 26.7.5). Rates: Wilson on the effective sample size
--   (Korn and Graubard, Survey Methodology 24, 1998), never above n and never below the number of clusters.
--   Quantiles: order statistics at rank n q ± 1.96 √(n q (1 - q)), calls taken as independent.
--   Cost per successful task: cost of the tasks with a known outcome over the successes among them.
-- thresholds:
--   Below 30 clusters a warning, below 2 no interval: costs have long tails, and with few clusters an interval of a mean
--   covers less than it says (92 % at 30 clusters in a simulation with log-normal costs).
with charges as (
    select
        charges.*,
        unnest([strftime(charges.called_at at time zone 'UTC', '%Y-%m-%d'), 'all']) as day,

    from analysis.charges as charges
),

tasks as (
    select
        task_costs.*,
        unnest([strftime(task_costs.started_at at time zone 'UTC', '%Y-%m-%d'), 'all']) as day,

    from analysis.task_costs as task_costs
),

-- Numerator and denominator of each mean, by cluster; costs in whole nano-dollars.
ratios as (
    select experiment, arm, day, 'cost_per_call_usd' as metric, subject_id as cluster_id, sum(round(cost_usd * 1e9)::bigint)::double / 1e9 as numerator, count(*) as denominator, count(*) as n
    from charges where cost_usd is not null group by all
    union all
    select experiment, arm, day, 'input_tokens_per_call' as metric, subject_id as cluster_id, sum(input_tokens)::double as numerator, count(*) as denominator, count(*) as n
    from charges where input_tokens is not null group by all
    union all
    select experiment, arm, day, 'output_tokens_per_call' as metric, subject_id as cluster_id, sum(output_tokens)::double as numerator, count(*) as denominator, count(*) as n
    from charges where output_tokens is not null group by all
    union all
    select experiment, arm, day, 'failed_call_rate' as metric, subject_id as cluster_id, count(*) filter (is_failed)::double as numerator, count(*) as denominator, count(*) as n
    from charges group by all
    union all
    select experiment, arm, day, 'cost_per_task_usd' as metric, task_id as cluster_id, cost_usd as numerator, 1 as denominator, 1 as n
    from tasks where cost_usd is not null
    union all
    select experiment, arm, day, 'cost_per_successful_task_usd' as metric, task_id as cluster_id, cost_usd as numerator, (outcome = 'success')::bigint as denominator, 1 as n
    from tasks where cost_usd is not null and outcome <> 'unknown'
    union all
    select experiment, arm, day, 'task_success_rate' as metric, task_id as cluster_id, (outcome = 'success')::bigint::double as numerator, 1 as denominator, 1 as n
    from tasks where outcome <> 'unknown'
),

means as (
    select
        experiment,
        arm,
        day,
        metric,
        sum(n)::bigint as n,
        count(*) as cluster_count,
        sum(denominator)::double as denominator,
        sum(numerator order by cluster_id) as numerator,
        sum(numerator order by cluster_id) / nullif(sum(denominator), 0) as mean,

    from ratios

    group by experiment, arm, day, metric
),

variances as (
    select
        means.experiment,
        means.arm,
        means.day,
        means.metric,
        any_value(means.n) as n,
        any_value(means.cluster_count) as cluster_count,
        any_value(means.mean) as mean,
        any_value(means.numerator) as numerator,
        any_value(means.denominator) as denominator,
        sum((ratios.numerator - means.mean * ratios.denominator) ** 2 order by ratios.cluster_id)
        * any_value(means.cluster_count) / nullif(any_value(means.cluster_count) - 1, 0) / any_value(means.denominator) ** 2 as variance,

    from means
    inner join ratios on means.experiment = ratios.experiment and means.arm = ratios.arm and means.day = ratios.day and means.metric = ratios.metric

    group by means.experiment, means.arm, means.day, means.metric
),

effective as (
    select
        variances.*,
        metric in ('failed_call_rate', 'task_success_rate') as is_rate,
        least(n, greatest(cluster_count, coalesce(mean * (1 - mean) / nullif(variance, 0), cluster_count)))::double as effective_n,
        1.95996398 + 2.37227 / nullif(cluster_count - 1, 0) + 2.82250 / nullif(cluster_count - 1, 0) ** 2 + 2.55585 / nullif(cluster_count - 1, 0) ** 3 + 1.58953 / nullif(cluster_count - 1, 0) ** 4 as t_quantile,

    from variances
),

quantile_inputs as (
    select experiment, arm, day, 'latency_p50_ms' as metric, 0.5 as q, latency_ms as value, subject_id from charges where latency_ms is not null and not is_failed
    union all
    select experiment, arm, day, 'latency_p95_ms' as metric, 0.95 as q, latency_ms as value, subject_id from charges where latency_ms is not null and not is_failed
    union all
    select experiment, arm, day, 'time_to_first_token_p95_ms' as metric, 0.95 as q, time_to_first_token_ms as value, subject_id
    from charges where time_to_first_token_ms is not null and not is_failed
),

quantiles as (
    select
        experiment,
        arm,
        day,
        metric,
        count(*) as n,
        count(distinct subject_id) as cluster_count,
        any_value(q) as q,
        list(value order by value) as sorted_values,

    from quantile_inputs

    group by experiment, arm, day, metric
),

ranks as (
    select
        quantiles.*,
        greatest(1, ceil(n * q))::bigint as middle,
        floor(n * q - 1.96 * sqrt(n * q * (1 - q)))::bigint as low_rank,
        ceil(n * q + 1.96 * sqrt(n * q * (1 - q)))::bigint + 1 as high_rank,

    from quantiles
)

select
    experiment,
    arm,
    day,
    metric,
    case
        when mean is null then 'no successful task'
        when cluster_count < 2 then 'one ' || case when metric like '%task%' then 'task' else 'subject' end || ': no interval'
        when cluster_count < 30 then 'few ' || case when metric like '%task%' then 'tasks: ' else 'subjects: ' end || cluster_count
    end as warning,
    n,
    cluster_count,
    round(numerator, 9) as numerator,
    denominator,
    round(mean, 9) as estimate,
    -- Wilson's interval for rates, Student's for means. greatest() and least() skip nulls.
    round(case
        when cluster_count < 2 or mean is null then null
        when is_rate then greatest(0, (mean + 1.9208 / effective_n - 1.96 * sqrt(mean * (1 - mean) / effective_n + 0.9604 / effective_n ** 2)) / (1 + 3.8416 / effective_n))
        else greatest(0, mean - t_quantile * sqrt(variance))
    end, 9) as low,
    round(case
        when cluster_count < 2 or mean is null then null
        when is_rate then least(1, (mean + 1.9208 / effective_n + 1.96 * sqrt(mean * (1 - mean) / effective_n + 0.9604 / effective_n ** 2)) / (1 + 3.8416 / effective_n))
        else mean + t_quantile * sqrt(variance)
    end, 9) as high,

from effective

union all by name

select
    experiment,
    arm,
    day,
    metric,
    case
        when low_rank < 1 or high_rank > n then 'too few calls for ' || case when low_rank < 1 and high_rank > n then 'an interval' when low_rank < 1 then 'a lower end' else 'an upper end' end
        when cluster_count < 30 then 'few subjects: ' || cluster_count
    end as warning,
    n,
    cluster_count,
    null::double as numerator,
    n::double as denominator,
    sorted_values[middle] as estimate,
    case when low_rank >= 1 then sorted_values[low_rank] end as low,
    case when high_rank <= n then sorted_values[high_rank] end as high,

from ranks
