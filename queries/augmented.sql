-- How many examples were generated, by method and generation, and what became of them?
-- For whoever pays for them: how many of each method train, and what they cost.
select
    generated.method,
    coalesce(lineage.generation, 1) as generation,
    count(*) as examples,
    count(*) filter (funnel.fate = 'train') as train,
    count(*) filter (funnel.reason = 'augmented_cap') as over_cap,
    round(sum(generated.cost_usd), 4) as cost_usd,

from curated.generated as generated
inner join curated.funnel as funnel on funnel.example_id = generated.event_id
left join (select child_id, max(generation) as generation from curated.lineage group by child_id) as lineage
    on lineage.child_id = generated.event_id

group by generated.method, coalesce(lineage.generation, 1)
order by examples desc, generated.method, generation;
