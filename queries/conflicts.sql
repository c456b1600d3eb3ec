-- Which resources did agents quarrel about?
-- For whoever divides the work: claims that were refused because a colleague held the resource.
select
    swarm.resource,
    count(*) filter (swarm.granted) as granted,
    count(*) filter (not swarm.granted) as refused,
    list(distinct swarm.agent order by swarm.agent) as agents,
    strftime(max(swarm.occurred_at) at time zone 'UTC', '%Y-%m-%d %H:%M') as last_claim,

from curated.swarm as swarm

where swarm.kind = 'claim'

group by swarm.resource
having count(*) filter (not swarm.granted) > 0
order by refused desc, swarm.resource
limit 50;
