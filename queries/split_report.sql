-- Is every source and task type on both sides of the split?
-- For whoever reads a validation loss: by source and task type, what trains, what validates, and in how many independent
-- groups. Fewer than 30 groups say little (whole set, or one part of it); a share far from 10 % is chance in few groups.
with parts as (
    select
        funnel.source,
        funnel.task_type,
        funnel.fate,
        splits.group_id,

    from curated.funnel as funnel

    inner join curated.splits as splits on splits.example_id = funnel.example_id
),

counted as (
    select
        coalesce(source, 'all') as source,
        coalesce(task_type, 'all') as task_type,
        grouping(source) + grouping(task_type) as level,
        count(*) as examples,
        count(*) filter (fate = 'train') as train,
        count(*) filter (fate = 'validation') as validation,
        count(*) filter (fate = 'test') as test,
        count(*) filter (fate in ('open', 'excluded')) as left_out,
        count(distinct group_id) filter (fate = 'train') as train_groups,
        count(distinct group_id) filter (fate = 'validation') as validation_groups,
        count(distinct group_id) filter (fate = 'test') as test_groups,

    from parts

    group by grouping sets ((source, task_type), (source), ())
)

select
    source,
    task_type,
    examples,
    train,
    validation,
    test,
    left_out,
    train_groups,
    validation_groups,
    test_groups,
    round(validation / nullif(train + validation, 0), 3) as validation_share,
    case
        when train = 0 and validation = 0 then 'nothing is exported'
        when validation = 0 then 'nothing validates'
        when train = 0 then 'nothing trains'
        when validation_groups < 30 then 'fewer than 30 validation groups'
    end as warning,

from counted

where examples > 0

order by level desc, source, task_type = 'all' desc, examples desc, task_type;
