-- The numbers that a fleet is held to, each with its goal: by arm, and by the training phase of the arm's models.
--
-- grain:   one row per experiment, arm and metric
-- key:     experiment, arm, metric
-- scope:   all
-- inputs:  analysis.arm_costs, analysis.arm_results, analysis.charges, analysis.experiment_units, analysis.goals,
--   analysis.prompt_savings, curated.models, curated.results, curated.swarm
-- columns:
--   experiment     VARCHAR  none: part of no A/B test; claims are of none
--   arm            VARCHAR  none: part of no A/B test
--   phase          VARCHAR  training phase of the arm's models; none: not trained here, mixed: of several
--   metric         VARCHAR  as in analysis.goals, or without a goal
--   evidence       VARCHAR  live (traffic) or eval (suites)
--   verdict        VARCHAR  met, not met, cannot tell yet, or no goal
--   warning        VARCHAR  why the numbers must be read with care; null: nothing to say
--   n              BIGINT   calls, tasks, trials or claims that the estimate rests on
--   cluster_count  BIGINT   subjects, tasks, scenarios or resources that they come from
--   numerator      DOUBLE   estimate = numerator / denominator; null: a quantile, or a difference of two means
--   denominator    DOUBLE   what the metric is per
--   estimate       DOUBLE   the metric; rates are 0 to 1
--   low            DOUBLE   95 % interval
--   high           DOUBLE   upper end of the 95 % interval
--   at_least       DOUBLE   goal
--   at_most        DOUBLE   goal
--
-- rules:
--   Met: the whole interval keeps the goal. Not met: the whole interval breaks it. Without an interval nothing is told.
--   Rates of evals are those of one category over all suites of the experiment that report it under the main metric; a
--   category of several suites is the suite with the most trials.
--   Claims: Wilson on the number of claims; those of one resource may resemble each other, so few resources are a warning.
with model_phases as (
    select
        charges.experiment,
        charges.arm,
        coalesce(models.phase, 'none') as phase,

    from (select distinct experiment, arm, model from analysis.charges) as charges
    left join (select distinct result_model, phase from curated.models where result_model is not null) as models on charges.model = models.result_model

    union

    select
        coalesce(results.experiment, 'none') as experiment,
        coalesce(results.arm, 'none') as arm,
        coalesce(results.phase, models.phase, 'none') as phase,

    from (select distinct experiment, arm, model, phase from curated.results) as results
    left join (select distinct result_model, phase from curated.models where result_model is not null) as models on results.model = models.result_model
),

phases as (
    select
        experiment,
        arm,
        case when count(distinct phase) > 1 then 'mixed' else min(phase) end as phase,

    from model_phases

    group by experiment, arm
),

live as (
    select
        arm_costs.experiment,
        arm_costs.arm,
        case when arm_costs.metric = 'task_success_rate' then 'task_completion_rate' else arm_costs.metric end as metric,
        'live' as evidence,
        arm_costs.warning,
        arm_costs.n,
        arm_costs.cluster_count,
        arm_costs.numerator,
        arm_costs.denominator,
        arm_costs.estimate,
        arm_costs.low,
        arm_costs.high,

    from analysis.arm_costs as arm_costs

    where arm_costs.day = 'all'

    union all by name

    select
        prompt_savings.experiment,
        prompt_savings.arm,
        prompt_savings.metric,
        'live' as evidence,
        prompt_savings.warning,
        prompt_savings.n,
        prompt_savings.cluster_count,
        prompt_savings.estimate,
        prompt_savings.low,
        prompt_savings.high,

    from analysis.prompt_savings as prompt_savings

    where prompt_savings.metric in ('overhead_tokens_per_call', 'saved_rate')
),

reactions as (
    select
        experiment,
        arm,
        sum(reaction_count)::bigint as n,
        count(*) as cluster_count,
        sum(liked_count)::double as passed,

    from analysis.experiment_units

    where reaction_count > 0

    group by experiment, arm
),

claims as (
    select
        'none' as experiment,
        'none' as arm,
        count(*) as n,
        count(distinct swarm.resource) as cluster_count,
        (count(*) filter (not swarm.granted))::double as passed,

    from curated.swarm as swarm

    where swarm.kind = 'claim' and swarm.granted is not null

    having count(*) > 0
),

counted as (
    select *, 'conflict_rate' as metric, case when cluster_count < 30 then 'few resources: ' || cluster_count end as warning from claims
    union all
    select *, 'satisfaction_rate' as metric, case when cluster_count < 30 then 'few units: ' || cluster_count end as warning from reactions
),

rates as (
    select
        counted.experiment,
        counted.arm,
        counted.metric,
        'live' as evidence,
        counted.warning,
        counted.n,
        counted.cluster_count,
        counted.passed as numerator,
        counted.n::double as denominator,
        counted.passed / counted.n as estimate,
        -- Wilson on the clusters, which are no more than the values: never too narrow.
        (counted.passed / counted.n + 1.9208 / counted.cluster_count - 1.96 * sqrt(counted.passed / counted.n * (1 - counted.passed / counted.n) / counted.cluster_count + 0.9604 / counted.cluster_count ** 2)) / (1 + 3.8416 / counted.cluster_count) as low,
        (counted.passed / counted.n + 1.9208 / counted.cluster_count + 1.96 * sqrt(counted.passed / counted.n * (1 - counted.passed / counted.n) / counted.cluster_count + 0.9604 / counted.cluster_count ** 2)) / (1 + 3.8416 / counted.cluster_count) as high,

    from counted
),

evals as (
    select
        arm_results.experiment,
        arm_results.arm,
        case arm_results.category
            when 'constitutional' then 'constitutional_compliance_rate'
            when 'handoff' then 'handoff_success_rate'
            when 'conflict' then 'conflict_resolution_rate'
            when 'method' then 'method_adherence_rate'
            else arm_results.category || '_rate'
        end as metric,
        'eval' as evidence,
        arm_results.warning,
        arm_results.n,
        arm_results.scenario_count as cluster_count,
        arm_results.passed::double as numerator,
        arm_results.n::double as denominator,
        arm_results.estimate,
        arm_results.low,
        arm_results.high,

    from analysis.arm_results as arm_results

    where arm_results.statistic = 'pass_rate' and arm_results.category not in ('all', 'none') and arm_results.n > 0

    qualify row_number() over (
        partition by arm_results.experiment, arm_results.arm, arm_results.category
        order by arm_results.metric = 'score' desc, arm_results.n desc, arm_results.suite, arm_results.metric
    ) = 1
),

metrics as (
    select * from live
    union all by name
    select * from rates
    union all by name
    select * from evals
)

select
    metrics.experiment,
    metrics.arm,
    coalesce(phases.phase, 'none') as phase,
    metrics.metric,
    metrics.evidence,
    case
        when goals.metric is null then 'no goal'
        when metrics.low >= goals.at_least or metrics.high <= goals.at_most then 'met'
        when metrics.high < goals.at_least or metrics.low > goals.at_most then 'not met'
        else 'cannot tell yet'
    end as verdict,
    metrics.warning,
    metrics.n,
    metrics.cluster_count,
    round(metrics.numerator, 9) as numerator,
    metrics.denominator,
    round(metrics.estimate, 9) as estimate,
    round(metrics.low, 9) as low,
    round(metrics.high, 9) as high,
    goals.at_least,
    goals.at_most,

from metrics
left join phases on metrics.experiment = phases.experiment and metrics.arm = phases.arm
left join analysis.goals as goals on metrics.metric = goals.metric
