-- Who is an agent: everybody else is a person, and gets a pseudonym.
select agent from curated.examples where agent is not null

union

select agent from curated.turns where agent is not null

order by agent
