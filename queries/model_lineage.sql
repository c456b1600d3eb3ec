-- What did a model learn from: which sources, tasks and people's chats, on which side?
-- For an auditor. Choose with  set variable model = '…';  (a model, a run or an alias); without it, it is the newest that
-- came out. Members that are no examples any more (excluded since, or erased) are counted as gone.
with chosen as (
    select *

    from curated.models

    where getvariable('model') is null and result_model is not null
        or getvariable('model')::varchar in (result_model, run_id, job_id)
        or list_contains(aliases, getvariable('model')::varchar)

    order by planned_at desc, run_id

    limit 1
),

members as (
    select chosen.run_id, chosen.result_model, unnest(dataset_members.members) as member

    from curated.dataset_members as dataset_members

    inner join chosen
        on chosen.dataset_hash = dataset_members.content_hash
        or (chosen.dataset = dataset_members.dataset and chosen.dataset_version = dataset_members.version)
)

select
    members.run_id,
    coalesce(members.result_model, '') as model,
    members.member.side as side,
    coalesce(example_keys.source, 'gone') as source,
    coalesce(example_keys.task_type, '') as task_type,
    count(distinct members.member.example_id) as examples,
    count(distinct members.member.subject_id) as subjects,

from members

left join curated.example_keys as example_keys on example_keys.example_id = members.member.example_id

group by members.run_id, members.result_model, members.member.side, example_keys.source, example_keys.task_type

order by side, examples desc, source, task_type;
