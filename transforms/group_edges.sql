-- What ties examples together: no two that are tied may stand on different
-- sides of a split.
--
-- grain:   one row per example and knot: a subject, task, prompt, call or parent that it shares with others
-- key:     left_id, right_id, kind
-- scope:   all
-- inputs:  curated.example_keys, curated.call_links, curated.duplicate_pairs, curated.lineage,
--   curated.prompt_pairs
-- rules:   (semantics §3)
--   subject     the conversation or task that the events came under
--   task        native task id (instance, question, task, trace)
--   prompt      first user message of the task, folded
--   near_prompt  first prompts of nearly the same words: curated.prompt_pairs
--   prefix      the whole of one is the beginning of the other: curated.example_keys
--   text        the same words under other tools, weights or system prompts
--   trajectory  subjects of the calls on the way, and calls that two branches share
--   lineage     parent and child
--   duplicate   verified pairs that say nearly the same, tool results counted, whatever becomes of them
--   a document is no knot: a few of them would tie everything; the scenario that seeded an example is its subject
--   or lineage
-- columns:
--   left_id   VARCHAR  example
--   right_id  VARCHAR  knot: kind:value, or an example for lineage, duplicate and near_prompt
--   kind      VARCHAR  subject, task, prompt, text, trajectory, lineage, duplicate, near_prompt or prefix
with wholes as (
    select distinct prefix_hashes[-1] as prefix_hash from curated.example_keys where len(prefix_hashes) > 0
),

knots as (
    select example_id as left_id, 'subject:' || subject_id as right_id, 'subject' as kind from curated.example_keys

    union all

    select example_id, 'task:' || task_id, 'task' from curated.example_keys where task_id is not null

    union all

    select example_id, 'prompt:' || prompt_hash, 'prompt' from curated.example_keys where prompt_hash is not null

    union all

    select example_id, 'text:' || text_hash, 'text' from curated.example_keys

    union all

    select distinct example_id, 'subject:' || call_subject_id, 'trajectory'

    from curated.call_links

    where call_subject_id <> subject_id

    union all

    select example_id, 'call:' || call_id, 'trajectory' from curated.call_links where not is_owned

    union all

    select example_id, 'call:' || call_id, 'trajectory' from curated.call_links where is_owned and leaf_id <> call_id

    union all

    select child_id, parent_id, 'lineage' from curated.lineage

    union all

    select pairs.right_id, pairs.left_id, 'duplicate'

    from curated.duplicate_pairs as pairs

    anti join curated.lineage as lineage on lineage.child_id = pairs.right_id and lineage.parent_id = pairs.left_id

    where pairs.is_grouped

    union all

    select right_id, left_id, 'near_prompt' from curated.prompt_pairs

    union all

    select distinct begun.example_id, 'prefix:' || begun.prefix_hash, 'prefix'

    from (select example_id, unnest(prefix_hashes) as prefix_hash from curated.example_keys) as begun

    inner join wholes on wholes.prefix_hash = begun.prefix_hash
)

select *

from knots

-- A knot of one ties nothing; each example keeps its subject, so that every
-- example is in some group.
qualify kind in ('subject', 'lineage', 'duplicate', 'near_prompt') or count(*) over (partition by right_id) > 1
