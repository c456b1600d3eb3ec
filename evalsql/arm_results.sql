-- Eval results by arm: how often each passes, and how sure that is.
--
-- grain:   one row per experiment, suite, category (all: the whole suite), metric and arm
-- key:     experiment, suite, category, metric, arm
-- scope:   all
-- inputs:  curated.results
-- columns:
--   experiment     VARCHAR  none: the run was part of no A/B test
--   suite          VARCHAR  eval suite
--   category       VARCHAR  all: every category; none: the scenario has none
--   metric         VARCHAR  the grader's metric, or the name of a score beside it
--   arm            VARCHAR  arm of the experiment
--   statistic      VARCHAR  pass_rate (the grader gave a verdict) or mean_score
--   warning        VARCHAR  why the numbers must be read with care; null: nothing to say
--   scenario_count BIGINT   scenarios with a graded trial
--   n              BIGINT   graded trials
--   passed         BIGINT   of them; null for mean_score
--   errors         BIGINT   trials without an answer: neither passed nor failed, not in n
--   estimate       DOUBLE   pass rate, or mean score
--   low            DOUBLE   95 % interval
--   high           DOUBLE   upper end of the 95 % interval
--
-- rules:
--   Trials nest in scenarios. Pass rates: Wilson on the effective sample size, which lies between the number of
--   scenarios and of trials (Korn and Graubard, Survey Methodology 24, 1998). Means: Student's t on the
--   variance over scenarios (Abramowitz and Stegun 26.7.5).
-- thresholds:
--   Above 5 % errors the rate may be biased by what was left out: a warning.
with graded as (
    select
        coalesce(results.experiment, 'none') as experiment,
        coalesce(results.suite, 'none') as suite,
        coalesce(results.category, 'none') as category,
        coalesce(results.metric, 'score') as metric,
        coalesce(results.arm, 'none') as arm,
        results.scenario_id,
        results.error is not null as is_error,
        results.passed is not null as has_verdict,
        case when results.passed is not null then results.passed::int::double else results.score end as value,

    from curated.results as results

    union all

    -- Scores beside the main one, a metric each.
    select
        coalesce(results.experiment, 'none') as experiment,
        coalesce(results.suite, 'none') as suite,
        coalesce(results.category, 'none') as category,
        scores.name as metric,
        coalesce(results.arm, 'none') as arm,
        results.scenario_id,
        false as is_error,
        false as has_verdict,
        scores.value,

    from curated.results as results
    cross join lateral (
        select
            unnest(map_keys(named)) as name,
            unnest(map_values(named)) as value,

        from (select json_transform(case when json_valid(results.scores) then results.scores end, '"MAP(VARCHAR, DOUBLE)"') as named)
    ) as scores

    where results.scores is not null and results.error is null
),

by_category as (
    select
        * replace (unnest([category, 'all']) as category),

    from graded
),

clusters as (
    select
        experiment,
        suite,
        category,
        metric,
        arm,
        scenario_id,
        bool_or(value is not null and not has_verdict) as is_score,
        count(value) as n,
        count(*) filter (is_error) as errors,
        sum(value order by value) as total,

    from by_category

    group by experiment, suite, category, metric, arm, scenario_id
),

means as (
    select
        experiment,
        suite,
        category,
        metric,
        arm,
        not bool_or(is_score) as is_rate,
        count(*) filter (n > 0) as scenario_count,
        sum(n)::bigint as n,
        sum(errors)::bigint as errors,
        sum(total order by scenario_id) as total,
        sum(total order by scenario_id) / nullif(sum(n), 0) as mean,

    from clusters

    group by experiment, suite, category, metric, arm
),

spread as (
    select
        means.experiment,
        means.suite,
        means.category,
        means.metric,
        means.arm,
        sum((coalesce(clusters.total, 0) - means.mean * clusters.n) ** 2 order by clusters.scenario_id) as squares,

    from means
    inner join clusters on
        means.experiment = clusters.experiment and means.suite = clusters.suite and means.category = clusters.category
        and means.metric = clusters.metric and means.arm = clusters.arm

    where clusters.n > 0

    group by means.experiment, means.suite, means.category, means.metric, means.arm
),

estimates as (
    select
        means.*,
        spread.squares * means.scenario_count / nullif(means.scenario_count - 1, 0) / nullif(means.n, 0) ** 2 as variance,

    from means
    left join spread on
        means.experiment = spread.experiment and means.suite = spread.suite and means.category = spread.category
        and means.metric = spread.metric and means.arm = spread.arm
),

effective as (
    select
        estimates.*,
        case
            when n = scenario_count then n
            else least(n, greatest(scenario_count, coalesce(mean * (1 - mean) / nullif(variance, 0), scenario_count)))
        end::double as effective_n,
        1.95996398 + 2.37227 / (nullif(scenario_count - 1, 0)) + 2.82250 / (nullif(scenario_count - 1, 0)) ** 2 + 2.55585 / (nullif(scenario_count - 1, 0)) ** 3 + 1.58953 / (nullif(scenario_count - 1, 0)) ** 4 as t_quantile,

    from estimates
)

select
    experiment,
    suite,
    category,
    metric,
    arm,
    case when is_rate then 'pass_rate' else 'mean_score' end as statistic,
    case
        when n = 0 then 'no graded trial'
        when errors > 0.05 * (n + errors) then errors || ' of ' || (n + errors) || ' trials gave no answer'
        when scenario_count < 30 then 'few scenarios: ' || scenario_count
        when n > scenario_count then n || ' trials nest in ' || scenario_count || ' scenarios'
    end as warning,
    scenario_count,
    n,
    case when is_rate then coalesce(total, 0)::bigint end as passed,
    errors,
    round(mean, 6) as estimate,
    round(case
        when n = 0 then null
        when is_rate then greatest(0, (mean + 1.9208 / effective_n - 1.96 * sqrt(mean * (1 - mean) / effective_n + 0.9604 / effective_n ** 2)) / (1 + 3.8416 / effective_n))
        else mean - t_quantile * sqrt(variance)
    end, 6) as low,
    round(case
        when n = 0 then null
        when is_rate then least(1, (mean + 1.9208 / effective_n + 1.96 * sqrt(mean * (1 - mean) / effective_n + 0.9604 / effective_n ** 2)) / (1 + 3.8416 / effective_n))
        else mean + t_quantile * sqrt(variance)
    end, 6) as high,

from effective
