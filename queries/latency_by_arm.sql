-- How fast are the arms?
-- For whoever promised two seconds: the 95th percentile is the target, the median is what most people feel.
select
    experiment,
    arm,
    metric,
    n,
    round(estimate)::bigint as estimate_ms,
    round(low)::bigint as low_ms,
    round(high)::bigint as high_ms,
    warning,

from analysis.arm_costs

where day = 'all' and metric in ('latency_p50_ms', 'latency_p95_ms', 'time_to_first_token_p95_ms')

order by experiment, metric, arm;
