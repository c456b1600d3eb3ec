-- The side of each example: whole groups go to one side.
--
-- grain:   one row per example
-- key:     example_id
-- scope:   all
-- inputs:  curated.example_keys, curated.split_groups, curated.configs, curated.dataset_members
-- rules:   (semantics §3)
--   side         md5 of salt and the group's earliest subject, compared as hex: stable as data grow
--   salt         the latest configuration of kind salt, else weir
--   large group  a group with more than 5 % of the examples goes to train as a whole
--   ledger       what a recorded dataset version trained on stays in train, what it held out stays held out, and so
--                does the rest of the group; known by subject or by content; it overrides hash and large group
--   test         subjects that configuration of kind test_subjects names (JSON: a list) are held out for eval suites, as
--                if a version had recorded them so; nothing takes it back. Of the other groups the share that the
--                latest configuration of kind test_share says, 0 by default, goes to test by hash
--   conflict     a group that was trained on and held out (two groups that merged) is train; of its members only
--                those that were trained on, and never held out, may stay
-- thresholds:
--   validation   10 %: below '1999' in hex (0x1999 / 0x10000)
--   test_share   counted from the other end, 0.5 at most: whoever validates goes on to validate
--   large group  of at least 30 examples (ours): in a small lake every group has 5 %
-- columns:
--   example_id      VARCHAR  the example
--   group_id        VARCHAR  least example id of the group
--   split           VARCHAR  train, validation or test
--   basis           VARCHAR  hash, large_group, ledger, assigned (to test) or conflict
--   group_size      BIGINT   examples of the group
--   is_conflicting  BOOLEAN  it would leak to the other side of a recorded version: in a conflict, and not of train alone
--   is_assigned     BOOLEAN  configuration holds its subject out for test
with ledger as (
    select unnest(members) as member from curated.dataset_members
),

sided_subjects as (
    select member.subject_id as subject_id, member.side as side, false as is_assigned from ledger where member.side is not null

    union all

    select unnest(from_json(content, '["VARCHAR"]')), 'test', true

    from curated.configs

    where kind = 'test_subjects' and json_valid(content)
),

ledger_subjects as (
    select
        subject_id,
        bool_or(side = 'train') as was_train,
        bool_or(side <> 'train') as was_held,
        bool_or(side = 'test') as was_test,
        bool_or(is_assigned) as is_assigned,

    from sided_subjects

    group by subject_id
),

ledger_contents as (
    select
        member.content_hash as content_hash,
        bool_or(member.side = 'train') as was_train,
        bool_or(member.side <> 'train') as was_held,
        bool_or(member.side = 'test') as was_test,

    from ledger

    where member.side is not null

    group by member.content_hash
),

members as (
    select
        split_groups.group_id,
        example_keys.example_id,
        example_keys.subject_id,
        min(example_keys.started_at) over (partition by example_keys.subject_id) as subject_started_at,
        coalesce(ledger_subjects.was_train, false) or coalesce(ledger_contents.was_train, false) as was_train,
        coalesce(ledger_subjects.was_held, false) or coalesce(ledger_contents.was_held, false) as was_held,
        coalesce(ledger_subjects.was_test, false) or coalesce(ledger_contents.was_test, false) as was_test,
        coalesce(ledger_subjects.is_assigned, false) as is_assigned,

    from curated.split_groups as split_groups

    inner join curated.example_keys as example_keys on example_keys.example_id = split_groups.example_id

    left join ledger_subjects on ledger_subjects.subject_id = example_keys.subject_id

    left join ledger_contents on ledger_contents.content_hash = example_keys.content_hash
),

groups as (
    select
        group_id,
        count(*) as group_size,
        arg_min(subject_id, (subject_started_at, subject_id)) as first_subject_id,
        bool_or(was_train) as was_train,
        bool_or(was_held) as was_held,
        bool_or(was_test) as was_test,
        bool_or(is_assigned) as is_assigned,

    from members

    group by group_id
),

settings as (
    select
        coalesce(arg_max(content, (occurred_at, event_id)) filter (where kind = 'salt'), 'weir') as salt,
        greatest(0, least(0.5, coalesce(
            try_cast(arg_max(content, (occurred_at, event_id)) filter (where kind = 'test_share') as double), 0
        ))) as test_share,
        (select count(*) from curated.example_keys) as example_count,

    from curated.configs

    where content is not null
),

sides as (
    select
        groups.group_id,
        groups.group_size,
        groups.was_train,
        groups.was_held,
        groups.was_test,
        groups.is_assigned,
        groups.group_size >= 30 and groups.group_size > 0.05 * settings.example_count as is_large,
        md5(settings.salt || chr(31) || groups.first_subject_id) < '1999' as is_validation,
        ('0x' || left(md5(settings.salt || chr(31) || groups.first_subject_id), 4))::INTEGER
            >= 65536 * (1 - settings.test_share) as is_test,

    from groups

    cross join settings
)

select
    members.example_id,
    members.group_id,
    case
        when sides.was_train then 'train'
        when sides.was_test then 'test'
        when sides.was_held then 'validation'
        when sides.is_large then 'train'
        when sides.is_validation then 'validation'
        when sides.is_test then 'test'
        else 'train'
    end as split,
    case
        when sides.was_train and sides.was_held then 'conflict'
        when sides.is_assigned and not sides.was_train then 'assigned'
        when sides.was_train or sides.was_held then 'ledger'
        when sides.is_large then 'large_group'
        else 'hash'
    end as basis,
    sides.group_size,
    sides.was_train and sides.was_held and (members.was_held or not members.was_train) as is_conflicting,
    members.is_assigned,

from members

inner join sides on sides.group_id = members.group_id
