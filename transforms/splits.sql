-- The side of each example: whole groups go to one side.
--
-- grain:   one row per example
-- key:     example_id
-- scope:   all
-- inputs:  curated.example_keys, curated.split_groups, curated.configs
-- rules:   (semantics §3)
--   side         md5 of salt and the group's earliest subject, compared as hex: stable as data grow
--   salt         the latest configuration of kind salt, else weir
--   large group  a group with more than 5 % of the examples goes to train as a whole
-- thresholds:
--   validation   10 %: below '1999' in hex (0x1999 / 0x10000)
--   large group  of at least 30 examples (ours): in a small lake every group has 5 %
-- columns:
--   example_id  VARCHAR  the example
--   group_id    VARCHAR  least example id of the group
--   split       VARCHAR  train or validation
--   basis       VARCHAR  hash or large_group
--   group_size  BIGINT   examples of the group
with members as (
    select
        split_groups.group_id,
        example_keys.example_id,
        example_keys.subject_id,
        min(example_keys.started_at) over (partition by example_keys.subject_id) as subject_started_at,

    from curated.split_groups as split_groups

    inner join curated.example_keys as example_keys on example_keys.example_id = split_groups.example_id
),

groups as (
    select
        group_id,
        count(*) as group_size,
        arg_min(subject_id, (subject_started_at, subject_id)) as first_subject_id,

    from members

    group by group_id
),

settings as (
    select
        coalesce(arg_max(content, (occurred_at, event_id)), 'weir') as salt,
        (select count(*) from curated.example_keys) as example_count,

    from curated.configs

    where kind = 'salt' and content is not null
),

sides as (
    select
        groups.group_id,
        groups.group_size,
        groups.group_size >= 30 and groups.group_size > 0.05 * settings.example_count as is_large,
        md5(settings.salt || chr(31) || groups.first_subject_id) < '1999' as is_validation,

    from groups

    cross join settings
)

select
    members.example_id,
    members.group_id,
    case when sides.is_validation and not sides.is_large then 'validation' else 'train' end as split,
    case when sides.is_large then 'large_group' else 'hash' end as basis,
    sides.group_size,

from members

inner join sides on sides.group_id = members.group_id
