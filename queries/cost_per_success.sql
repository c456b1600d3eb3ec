-- What does a successful task cost, by arm?
-- The figure that decides an A/B test of models: a cheap call that fails is not cheap. Intervals are 95 %.
select
    experiment,
    arm,
    metric,
    n,
    round(estimate, 5) as estimate,
    round(low, 5) as low,
    round(high, 5) as high,
    warning,

from analysis.arm_costs

where day = 'all' and metric in ('cost_per_call_usd', 'cost_per_task_usd', 'cost_per_successful_task_usd', 'task_success_rate')

order by experiment, metric, arm;
