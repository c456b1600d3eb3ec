-- How do the arms do on the eval suites?
-- For go or no-go: pass rates with their intervals, and the difference to the control on the scenarios that both ran.
-- Parity means that the whole interval of the difference lies above minus the margin (two points by default).
select
    arm_results.suite,
    arm_results.metric,
    arm_results.arm,
    arm_results.n,
    arm_results.errors,
    round(arm_results.estimate, 3) as estimate,
    round(arm_results.low, 3) as low,
    round(arm_results.high, 3) as high,
    round(arm_differences.estimate, 3) as difference,
    round(arm_differences.low, 3) as difference_low,
    round(arm_differences.high, 3) as difference_high,
    concat_ws('; ', arm_results.warning, arm_differences.warning) as warning,

from analysis.arm_results as arm_results
left join analysis.arm_differences as arm_differences on
    arm_results.experiment = arm_differences.experiment and arm_results.suite = arm_differences.suite
    and arm_results.metric = arm_differences.metric and arm_results.arm = arm_differences.arm

where arm_results.category = 'all'

order by arm_results.suite, arm_results.metric, arm_results.arm;
