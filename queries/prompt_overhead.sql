-- How much prompt does each arm send with every call, and what does a shorter one save?
-- For whoever pays for prompts: tokens of system prompt and tools per call. In money the saving lies between the cached
-- price (the prompt was in the provider's cache) and the full one.
select
    experiment,
    arm,
    metric,
    n,
    round(estimate, 6) as estimate,
    round(low, 6) as low,
    round(high, 6) as high,
    warning,

from analysis.prompt_savings

order by experiment, metric, arm;
