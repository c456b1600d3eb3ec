-- Which agents cost the most?
-- For the budget: what each agent spent on which model. A cost that is not known counts as nothing, so look at unknown_costs.
select
    coalesce(agent, 'unnamed') as agent,
    model,
    count(*) as calls,
    count(distinct task_id) as tasks,
    sum(input_tokens) as input_tokens,
    round(sum(cached_tokens) / nullif(sum(input_tokens), 0), 3) as cached_share,
    sum(output_tokens) as output_tokens,
    round(sum(cost_usd), 4) as cost_usd,
    count(*) filter (cost_usd is null) as unknown_costs,

from analysis.charges

group by all
order by cost_usd desc nulls last, agent, model;
