-- Eval results by scenario and arm, with the difference to the control on the same scenario.
--
-- grain:   one row per experiment, suite, metric, scenario and arm
-- key:     experiment, suite, metric, scenario_id, arm
-- scope:   all
-- inputs:  curated.results
-- columns:
--   experiment     VARCHAR  none: the run was part of no A/B test
--   suite          VARCHAR  eval suite
--   metric         VARCHAR  what is measured
--   scenario_id    VARCHAR  scenario of the suite
--   arm            VARCHAR  arm of the experiment
--   category       VARCHAR  category of the scenario
--   control_arm    VARCHAR  arm that the difference is counted from
--   statistic      VARCHAR  pass_rate or mean_score
--   warning        VARCHAR  why the numbers must be read with care; null: nothing to say
--   n              BIGINT   graded trials
--   passed         BIGINT   of them; null for mean_score
--   errors         BIGINT   trials without an answer, not in n
--   control_n      BIGINT   graded trials of the control on this scenario
--   estimate       DOUBLE   pass rate, or mean score
--   low            DOUBLE   95 % interval of a pass rate (Wilson, over trials)
--   high           DOUBLE   upper end of the 95 % interval
--   difference     DOUBLE   estimate less the control's; null for the control and where it has no graded trial
--
-- rules:
--   The control is the arm named control, else baseline, else the one with the most trials in the suite.
with graded as (
    select
        coalesce(results.experiment, 'none') as experiment,
        coalesce(results.suite, 'none') as suite,
        coalesce(results.metric, 'score') as metric,
        results.scenario_id,
        coalesce(results.arm, 'none') as arm,
        coalesce(results.category, 'none') as category,
        results.error is not null as is_error,
        results.passed is not null as has_verdict,
        case when results.passed is not null then results.passed::int::double else results.score end as value,

    from curated.results as results

    where results.scenario_id is not null
),

controls as (
    select
        graded.experiment,
        graded.suite,
        graded.metric,
        graded.arm as control_arm,

    from graded

    group by graded.experiment, graded.suite, graded.metric, graded.arm

    qualify row_number() over (
        partition by graded.experiment, graded.suite, graded.metric
        order by graded.arm = 'control' desc, graded.arm = 'baseline' desc, count(*) desc, graded.arm
    ) = 1
),

scenarios as (
    select
        experiment,
        suite,
        metric,
        scenario_id,
        arm,
        min(category) as category,
        not bool_or(value is not null and not has_verdict) as is_rate,
        count(value) as n,
        count(*) filter (is_error) as errors,
        sum(value order by value) as total,
        sum(value order by value) / nullif(count(value), 0) as mean,

    from graded

    group by experiment, suite, metric, scenario_id, arm
)

select
    scenarios.experiment,
    scenarios.suite,
    scenarios.metric,
    scenarios.scenario_id,
    scenarios.arm,
    scenarios.category,
    controls.control_arm,
    case when scenarios.is_rate then 'pass_rate' else 'mean_score' end as statistic,
    case
        when scenarios.n = 0 then 'no graded trial'
        when scenarios.arm <> controls.control_arm and coalesce(control.n, 0) = 0 then 'the control has no graded trial here'
        when scenarios.arm <> controls.control_arm and control.n <> scenarios.n then 'unequal numbers of trials'
    end as warning,
    scenarios.n,
    case when scenarios.is_rate then coalesce(scenarios.total, 0)::bigint end as passed,
    scenarios.errors,
    coalesce(control.n, 0) as control_n,
    round(scenarios.mean, 6) as estimate,
    round(case
        when scenarios.is_rate and scenarios.n > 0
            then greatest(0, (scenarios.mean + 1.9208 / scenarios.n - 1.96 * sqrt(scenarios.mean * (1 - scenarios.mean) / scenarios.n + 0.9604 / scenarios.n ** 2)) / (1 + 3.8416 / scenarios.n))
    end, 6) as low,
    round(case
        when scenarios.is_rate and scenarios.n > 0
            then least(1, (scenarios.mean + 1.9208 / scenarios.n + 1.96 * sqrt(scenarios.mean * (1 - scenarios.mean) / scenarios.n + 0.9604 / scenarios.n ** 2)) / (1 + 3.8416 / scenarios.n))
    end, 6) as high,
    case when scenarios.arm <> controls.control_arm then round(scenarios.mean - control.mean, 6) end as difference,

from scenarios
inner join controls on
    scenarios.experiment = controls.experiment and scenarios.suite = controls.suite and scenarios.metric = controls.metric
left join scenarios as control on
    scenarios.experiment = control.experiment and scenarios.suite = control.suite and scenarios.metric = control.metric
    and scenarios.scenario_id = control.scenario_id and controls.control_arm = control.arm
