-- What does each arm cost in live traffic, how fast is it, and how much prompt does it save?
select experiment, arm, metric, estimate, low, high, n, coalesce(warning, '') as warning

from analysis.arm_costs

where day = 'all'

union all

select experiment, arm, metric, estimate, low, high, n, coalesce(warning, '')

from analysis.prompt_savings

order by experiment, arm, metric
