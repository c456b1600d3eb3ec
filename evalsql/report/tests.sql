-- A/B tests in live traffic: each arm against its control, and whether the units were dealt as planned.
select
    experiment_differences.experiment,
    experiment_differences.metric,
    experiment_differences.arm,
    experiment_differences.control_arm,
    experiment_differences.verdict,
    experiment_allocation.verdict as allocation,
    experiment_differences.warning,
    experiment_differences.n,
    experiment_differences.control_n,
    experiment_differences.units_needed,
    experiment_differences.arm_estimate,
    experiment_differences.control_estimate,
    experiment_differences.estimate,
    experiment_differences.low,
    experiment_differences.high,
    experiment_differences.anytime_low,
    experiment_differences.anytime_high,
    experiment_differences.holm_p_value,

from analysis.experiment_differences as experiment_differences
inner join analysis.experiment_allocation as experiment_allocation
    on experiment_differences.experiment = experiment_allocation.experiment and experiment_differences.arm = experiment_allocation.arm

order by
    experiment_differences.experiment,
    experiment_differences.arm,
    -- What decides stands first.
    array_position(['cost_per_successful_task_usd', 'task_success_rate', 'satisfaction_rate'], experiment_differences.metric) nulls last,
    experiment_differences.metric
