-- Links between the sides: each count must be 0, or nothing is exported.
--
-- grain:   one row per kind of link
-- key:     kind
-- scope:   all
-- inputs:  curated.example_keys, curated.call_links, curated.lineage, curated.funnel
-- rules:
--   looked for in the examples themselves, not in group_edges: so that a fault there is found here
-- columns:
--   kind        VARCHAR  subject, task, prompt, text, content, trajectory or lineage
--   link_count  BIGINT   values that stand on both sides; for lineage, pairs of parent and child
with sided as (
    select example_keys.*, funnel.fate as side

    from curated.example_keys as example_keys

    inner join curated.funnel as funnel on funnel.example_id = example_keys.example_id

    where funnel.fate in ('train', 'validation', 'test')
),

values_seen as (
    select 'subject' as kind, subject_id as value, side from sided

    union all

    select 'task', task_id, side from sided where task_id is not null

    union all

    select 'prompt', prompt_hash, side from sided where prompt_hash is not null

    union all

    select 'text', text_hash, side from sided

    union all

    select 'content', content_hash, side from sided

    union all

    select 'trajectory', call_links.call_id, sided.side

    from sided

    inner join curated.call_links as call_links on call_links.example_id = sided.example_id
),

crossings as (
    select kind, value from values_seen group by kind, value having count(distinct side) > 1

    union all

    select 'lineage', lineage.child_id || lineage.parent_id

    from curated.lineage as lineage

    inner join sided as children on children.example_id = lineage.child_id

    inner join sided as parents on parents.example_id = lineage.parent_id

    where children.side <> parents.side
),

kinds as (
    select unnest(['subject', 'task', 'prompt', 'text', 'content', 'trajectory', 'lineage']) as kind
)

select kinds.kind, count(crossings.value) as link_count

from kinds

left join crossings on crossings.kind = kinds.kind

group by kinds.kind
