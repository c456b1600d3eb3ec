-- Links between the sides: each count must be 0, or nothing is exported.
--
-- grain:   one row per kind of link
-- key:     kind
-- scope:   all
-- inputs:  curated.example_keys, curated.call_links, curated.lineage, curated.funnel, curated.duplicate_pairs,
--   curated.dataset_members
-- rules:
--   looked for in the examples themselves, not in group_edges: so that a fault there is found here
--   duplicate   verified pairs that group, on two sides
--   ledger      an example in train that a recorded version held out, or the reverse; by subject or content
-- columns:
--   kind        VARCHAR  subject, task, prompt, text, content, trajectory, lineage, duplicate or ledger
--   link_count  BIGINT   values that stand on both sides; for lineage and duplicate, pairs; for ledger, examples
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

ledger as (
    select unnest(members) as member from curated.dataset_members
),

turned as (
    select sided.example_id

    from sided

    inner join ledger on ledger.member.subject_id = sided.subject_id

    where (sided.side = 'train') <> (ledger.member.side = 'train')

    union all

    select sided.example_id

    from sided

    inner join ledger on ledger.member.content_hash = sided.content_hash

    where (sided.side = 'train') <> (ledger.member.side = 'train')
),

crossings as (
    select kind, value from values_seen group by kind, value having count(distinct side) > 1

    union all

    select 'lineage', lineage.child_id || lineage.parent_id

    from curated.lineage as lineage

    inner join sided as children on children.example_id = lineage.child_id

    inner join sided as parents on parents.example_id = lineage.parent_id

    where children.side <> parents.side

    union all

    select 'duplicate', pairs.left_id || pairs.right_id

    from curated.duplicate_pairs as pairs

    inner join sided as lefts on lefts.example_id = pairs.left_id

    inner join sided as rights on rights.example_id = pairs.right_id

    where pairs.is_grouped and lefts.side <> rights.side

    union all

    select distinct 'ledger', turned.example_id from turned
),

kinds as (
    select unnest(['subject', 'task', 'prompt', 'text', 'content', 'trajectory', 'lineage', 'duplicate', 'ledger']) as kind
)

select kinds.kind, count(crossings.value) as link_count

from kinds

left join crossings on crossings.kind = kinds.kind

group by kinds.kind
