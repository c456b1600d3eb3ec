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
        select unnest(list_append(coalesce(parent_ids, []), knowledge_id)) as root_id, id
        from events.generated_examples
    )
    where root_id is not null
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

// sectionsQuery gives the sections of curated.knowledge that a conversation can
// show: who one is, what one must, how one works, and essays. A section that
// stands in no document is nobody's alone where it was sent in two conversations
// or more; one that was sent in a single conversation may be a person's words.
// What a constitution says gives constitutional examples, an essay synthesis.
func sectionsQuery(seed int64) string {
	return children + `,
places as (
    select knowledge_id, title as heading, unnest(document_ids) as event_id from curated.knowledge
),
headings as (
    select places.event_id, list(distinct places.heading) as headings
    from places
    inner join curated.documents as documents on documents.event_id = places.event_id
    where places.heading is not null
    group by places.event_id
),
homes as (
    select
        places.knowledge_id,
        list(distinct documents.event_id order by documents.event_id) as document_ids,
        list(distinct documents.title order by documents.title) filter (where documents.title is not null) as titles,
        list_sort(list_distinct(flatten(list(coalesce(headings.headings, []))))) as headings,
        list_sort(list_distinct(flatten(list(coalesce(documents.person_ids, []))))) as person_ids,
        bool_or(documents.kind = 'constitution') as is_constitution,
        bool_or(documents.kind = 'essay') as is_essay
    from places
    inner join curated.documents as documents on documents.event_id = places.event_id
    left join headings on headings.event_id = places.event_id
    group by places.knowledge_id
)
select
    knowledge.knowledge_id as root_id,
    homes.document_ids,
    homes.person_ids,
    case
        when homes.is_constitution or contains(lower(coalesce(knowledge.title, '')), 'constitution') then 'constitutional'
        when homes.is_essay then 'synthesis'
        else 'other'
    end as task_type,
    case when homes.is_essay then 'essay' else knowledge.kind end as kind,
    coalesce(knowledge.title, '') as title,
    coalesce(knowledge.text, '') as text,
    coalesce(homes.titles, []) as titles,
    coalesce(homes.headings, []) as headings,
    coalesce(children.children, []) as children,
from curated.knowledge as knowledge
left join homes on homes.knowledge_id = knowledge.knowledge_id
left join children on children.root_id = knowledge.knowledge_id
where (knowledge.kind in ('identity', 'rules', 'methodology') or coalesce(homes.is_essay, false))
    and (homes.document_ids is not null or knowledge.subject_count >= 2)
order by md5(` + strconv.FormatInt(seed, 10) + ` || knowledge.knowledge_id), knowledge.knowledge_id`
}
