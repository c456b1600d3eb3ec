package augment

import "strconv"

// countQuery counts the originals that train and what was generated so far. The
// events say so, not the curated tables: these may not have been made since.
const countQuery = `
select
    (select count(*) from curated.funnel where fate = 'train' and source <> 'generated'),
    (select count(distinct id) from events.generated_examples)`

// children are the variations in the lake by what they were made from.
const children = `
with children as (
    select root_id, list(distinct id order by id) as children
    from (
        select unnest(list_concat(coalesce(parent_ids, []), coalesce(document_ids, []))) as root_id, id
        from events.generated_examples
    )
    group by root_id
)`

// examplesQuery gives the originals that train, in an order that depends on the
// seed alone, so that a limit takes a sample.
func examplesQuery(seed int64) string {
	return children + `
,
wanted as (
    select example_id from curated.funnel where fate = 'train' and source <> 'generated'
),
origins as (
    select
        example_id,
        unnest(list_concat(coalesce(origin_event_ids, []), [message.event_id for message in messages])) as event_id
    from curated.examples
    where example_id in (select example_id from wanted)
),
people as (
    select origins.example_id, list(distinct named.person_id order by named.person_id) as person_ids
    from origins
    inner join (
        select event_id, unnest(person_ids) as person_id from curated.messages
        union all
        select event_id, unnest(person_ids) as person_id from curated.calls
        union all
        select event_id, unnest(person_ids) as person_id from curated.checkpoints
    ) as named on named.event_id = origins.event_id
    group by origins.example_id
)
select
    examples.example_id as root_id,
    examples.subject_id,
    people.person_ids,
    examples.task_type,
    examples.messages,
    -- What was inferred from the calls is inferred from the child's again.
    case when examples.tools_origin = 'declared' then examples.tools end as tools,
    examples.response_format,
    examples.tool_choice,
    examples.parallel_tool_calls,
    coalesce(children.children, []) as children,
from curated.examples as examples
inner join wanted on wanted.example_id = examples.example_id
left join people on people.example_id = examples.example_id
left join children on children.root_id = examples.example_id
order by md5(` + strconv.FormatInt(seed, 10) + ` || examples.example_id), examples.example_id`
}

func documentsQuery(seed int64) string {
	return children + `
select
    documents.event_id as root_id,
    documents.event_id as document_id,
    documents.subject_id,
    documents.person_ids,
    case when documents.kind = 'constitution' then 'constitutional' else 'other' end as task_type,
    coalesce(documents.kind, '') as kind,
    coalesce(documents.title, '') as title,
    coalesce(documents.text, '') as text,
    coalesce(children.children, []) as children,
from curated.documents as documents
left join children on children.root_id = documents.event_id
where documents.kind in ('constitution', 'rules', 'methodology', 'essay')
order by md5(` + strconv.FormatInt(seed, 10) + ` || documents.event_id), documents.event_id`
}
