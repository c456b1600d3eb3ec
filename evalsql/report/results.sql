-- How does each arm do on each suite, and how does it differ from the control?
select
    arm_results.experiment,
    arm_results.suite,
    arm_results.metric,
    arm_results.arm,
    arm_results.statistic,
    arm_results.scenario_count,
    arm_results.errors,
    arm_results.estimate,
    arm_results.low,
    arm_results.high,
    arm_results.n,
    coalesce(arm_results.warning, '') as warning,
    arm_differences.estimate as difference,
    arm_differences.low as difference_low,
    arm_differences.high as difference_high,
    coalesce(arm_differences.n, 0) as difference_n,
    coalesce(arm_differences.warning, '') as difference_warning,

from analysis.arm_results as arm_results

left join analysis.arm_differences as arm_differences
    on
        arm_differences.experiment = arm_results.experiment
        and arm_differences.suite = arm_results.suite
        and arm_differences.metric = arm_results.metric
        and arm_differences.arm = arm_results.arm

where arm_results.category = 'all'

order by arm_results.experiment, arm_results.suite, arm_results.metric, arm_results.arm
