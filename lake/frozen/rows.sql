-- The rows of a dataset version: its members with all that curated.examples has
-- of them, and which names in them are agents'. The exporter gives all other names
-- pseudonyms; who is an agent must not change under a version that is frozen.
with agents as (
    select coalesce(list(distinct agent), []) as names

    from (
        select agent from curated.examples where agent is not null

        union all

        select agent from curated.turns where agent is not null
    )
)

select
    picked.side as split,
    picked."target",
    picked.place,
    picked.group_id,
    picked.success_score,
    examples.*,
    list_sort(list_intersect(
        list_append([message.name for message in examples.messages if message.name is not null], examples.agent), agents.names
    )) as agent_names,
    picked.file,

from datasets.weir_picked as picked

inner join curated.examples as examples
    on examples.example_id = picked.example_id
    and examples.content_hash = picked.content_hash

cross join agents
