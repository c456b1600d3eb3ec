-- Links between the sides: each count must be 0, or nothing is exported.
--
-- grain:   one row per kind of link
-- key:     kind
-- scope:   all
-- inputs:  curated.example_keys, curated.call_links, curated.lineage, curated.funnel, curated.duplicate_pairs,
--   curated.prompt_pairs, curated.contamination, curated.split_groups, curated.dataset_members, curated.configs
-- rules:   (semantics §3)
--   looked for in the examples that are exported, not in group_edges nor in splits: so that a fault there is found
--   here; open and excluded examples are on no side
--   content        equal in everything; text: the same words under other tools, weights or system prompts; prompt: the
--                  same first prompt, other words. So one copy is counted once
--   prefix         the whole of one is the beginning of another, of other words
--   near_prompt    first prompts of nearly the same words, on two sides
--   duplicate      verified pairs that group, of other words, neither made from the other
--   ledger         an example in train that a recorded version held out, or the reverse; by subject or content
--   merged         an example whose group has others that a recorded version, or configuration, put on another side;
--                  what was trained on alone may stay in train
--   contamination  an example in train or validation that overlaps a scenario of an eval suite, or was made from one
--                  that does
--   test           an example in train or validation whose subject is held out for test
-- columns:
--   kind        VARCHAR  subject, task, prompt, text, content, trajectory, lineage, duplicate, ledger, prefix, near_prompt, merged, contamination or test
--   link_count  BIGINT   values that stand on both sides; for lineage, duplicate and near_prompt pairs; for ledger, merged, contamination and test examples
with recursive sided as (
    select example_keys.*, funnel.fate as side

    from curated.example_keys as example_keys

    inner join curated.funnel as funnel on funnel.example_id = example_keys.example_id

    where funnel.fate in ('train', 'validation', 'test')
),

crossing_values as (
    select 'subject' as kind, subject_id as value from sided group by subject_id having count(distinct side) > 1

    union all

    select 'task', task_id from sided where task_id is not null group by task_id having count(distinct side) > 1

    union all

    select 'prompt', prompt_hash

    from sided

    where prompt_hash is not null

    group by prompt_hash

    having count(distinct side) > 1 and count(distinct text_hash) > 1

    union all

    select 'text', text_hash

    from sided

    group by text_hash

    having count(distinct side) > 1 and count(distinct content_hash) > 1

    union all

    select 'content', content_hash from sided group by content_hash having count(distinct side) > 1

    union all

    select 'trajectory', call_links.call_id

    from sided

    inner join curated.call_links as call_links on call_links.example_id = sided.example_id

    group by call_links.call_id

    having count(distinct sided.side) > 1

    union all

    select 'prefix', begun.prefix_hash

    from (select text_hash, side, prefix_hashes[-1] as whole_hash, unnest(prefix_hashes) as prefix_hash from sided) as begun

    group by begun.prefix_hash

    having count(distinct begun.side) > 1
        and count(distinct begun.text_hash) > 1
        and bool_or(begun.whole_hash = begun.prefix_hash)
),

crossing_pairs as (
    select 'lineage' as kind, lineage.child_id as left_id, lineage.parent_id as right_id from curated.lineage as lineage

    union all

    select 'near_prompt', left_id, right_id from curated.prompt_pairs

    union all

    select 'duplicate', pairs.left_id, pairs.right_id

    from curated.duplicate_pairs as pairs

    anti join curated.lineage as lineage on lineage.child_id = pairs.right_id and lineage.parent_id = pairs.left_id

    where pairs.is_grouped
),

recorded as (
    select unnest(members) as member from curated.dataset_members
),

assigned as (
    select unnest(from_json(content, '["VARCHAR"]')) as subject_id

    from curated.configs

    where kind = 'test_subjects' and json_valid(content)
),

-- Every example that was ever on a side, and on which, exported now or not.
histories as (
    select example_keys.example_id, recorded.member.side as side

    from curated.example_keys as example_keys

    inner join recorded on recorded.member.subject_id = example_keys.subject_id

    union

    select example_keys.example_id, recorded.member.side

    from curated.example_keys as example_keys

    inner join recorded on recorded.member.content_hash = example_keys.content_hash

    union

    select example_keys.example_id, 'test'

    from curated.example_keys as example_keys

    inner join assigned on assigned.subject_id = example_keys.subject_id
),

remembered as (
    select
        example_id,
        bool_or(side = 'train') as was_train,
        bool_or(side = 'validation') as was_validation,
        bool_or(side = 'test') as was_test,
        bool_or(side <> 'train') as was_held,

    from histories

    where side is not null

    group by example_id
),

group_memories as (
    select
        split_groups.group_id,
        count(*) filter (where remembered.was_train) as train_count,
        count(*) filter (where remembered.was_held) as held_count,

    from curated.split_groups as split_groups

    inner join remembered on remembered.example_id = split_groups.example_id

    group by split_groups.group_id
),

contaminated as (
    select distinct example_id from curated.contamination where verdict = 'contaminated'

    union

    select lineage.child_id

    from curated.lineage as lineage

    inner join contaminated on contaminated.example_id = lineage.parent_id
),

crossings as (
    select kind, value from crossing_values

    union all

    select pairs.kind, pairs.left_id || ' ' || pairs.right_id

    from crossing_pairs as pairs

    inner join sided as lefts on lefts.example_id = pairs.left_id

    inner join sided as rights on rights.example_id = pairs.right_id

    where lefts.side <> rights.side
        and (pairs.kind <> 'duplicate' or lefts.text_hash <> rights.text_hash)
        and (pairs.kind <> 'near_prompt' or lefts.prompt_hash is distinct from rights.prompt_hash)

    union all

    select 'ledger', sided.example_id

    from sided

    inner join remembered on remembered.example_id = sided.example_id

    where (sided.side = 'train' and remembered.was_validation) or (sided.side <> 'train' and remembered.was_train)

    union all

    select 'test', sided.example_id

    from sided

    inner join remembered on remembered.example_id = sided.example_id

    where sided.side <> 'test' and remembered.was_test

    union all

    select 'merged', sided.example_id

    from sided

    inner join curated.split_groups as split_groups on split_groups.example_id = sided.example_id

    inner join group_memories on group_memories.group_id = split_groups.group_id

    left join remembered on remembered.example_id = sided.example_id

    -- What the example itself was is the ledger's to say.
    where case
        when sided.side = 'train'
            then not coalesce(remembered.was_train, false)
                and group_memories.held_count > coalesce(remembered.was_held, false)::INTEGER
        else group_memories.train_count > coalesce(remembered.was_train, false)::INTEGER
    end

    union all

    select 'contamination', sided.example_id

    from sided

    inner join contaminated on contaminated.example_id = sided.example_id

    where sided.side <> 'test'
),

kinds as (
    select unnest([
        'subject', 'task', 'prompt', 'text', 'content', 'trajectory', 'lineage', 'duplicate', 'ledger', 'prefix',
        'near_prompt', 'merged', 'contamination', 'test'
    ]) as kind
)

select kinds.kind, count(crossings.value) as link_count

from kinds

left join crossings on crossings.kind = kinds.kind

group by kinds.kind
