-- Which models saw this chat, or this example?
-- For whoever is asked by a customer: the training runs whose dataset version held it, on which side, and what is served
-- of it. Choose with  set variable subject_id = '…';  or  set variable example_id = '…';  without either it is the
-- subject with the least id that a recorded version holds. A chat that was erased is in no list any more: taints tells.
with members as (
    select dataset, version, content_hash as version_hash, unnest(members) as member from curated.dataset_members
),

asked as (
    select
        getvariable('example_id')::varchar as example_id,
        case
            when getvariable('example_id') is null
            then coalesce(getvariable('subject_id')::varchar, (select min(member.subject_id) from members))
        end as subject_id,
),

seen as (
    select
        members.dataset,
        members.version,
        members.version_hash,
        members.member.side as side,
        count(distinct members.member.example_id) as examples,

    from members

    inner join asked
        on asked.subject_id = members.member.subject_id
        or asked.example_id = members.member.example_id

    group by members.dataset, members.version, members.version_hash, members.member.side
)

select distinct
    models.run_id,
    coalesce(models.result_model, '') as model,
    models.base_model,
    seen.dataset || '@' || seen.version as dataset,
    seen.side,
    seen.examples,
    models.status,
    models.standing,
    array_to_string(models.aliases, ', ') as aliases,

from seen

inner join curated.models as models
    on (models.dataset = seen.dataset and models.dataset_version = seen.version)
    -- Versions with the same members have one hash: it tells where the name is not on record.
    or (models.dataset_hash = seen.version_hash and not exists (
        select 1
        from curated.dataset_versions as versions
        where versions.dataset = models.dataset and versions.version = models.dataset_version
    ))

order by models.run_id, dataset, seen.side;
