-- Sections and tools that rules can take out of prompts: those of the wished
-- kinds that several conversations were sent, the most spent on first.
with wanted as (
    select *

    from curated.knowledge

    where
        (? = '[]' or list_contains(from_json(?, '["VARCHAR"]'), kind))
        and subject_count >= ?
        and list_has_any(parts, ['system_prompt', 'tool'])
),

homes as (
    select
        places.knowledge_id,
        list(distinct documents.title order by documents.title) filter (where documents.title is not null) as titles,

    from (select knowledge_id, unnest(document_ids) as event_id from wanted) as places

    inner join curated.documents as documents on documents.event_id = places.event_id

    group by places.knowledge_id
)

select
    json_object(
        'kind', wanted.kind,
        'title', coalesce(wanted.title, ''),
        'text', wanted.text,
        'hash', wanted.hash,
        'parts', wanted.parts,
        'token_estimate', wanted.token_estimate,
        'seen_count', wanted.seen_count,
        'subject_count', wanted.subject_count,
        'titles', coalesce(homes.titles, [])
    )::VARCHAR as section,

from wanted

left join homes on homes.knowledge_id = wanted.knowledge_id

order by wanted.token_estimate * wanted.seen_count desc, wanted.knowledge_id
