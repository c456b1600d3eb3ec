-- What agents are told to be, to know and to do, section by section: what a
-- model may learn, so that it need not be sent with every call.
--
-- grain:   one row per kind and section text
-- key:     knowledge_id
-- scope:   all
-- inputs:  curated.prompt_parts, curated.calls, curated.turns, curated.documents
-- rules:
--   section   a system prompt or document from one heading (# to ####, or a line that is an opening tag in capitals)
--             to the next; without headings the whole text; a tool's name, description and parameters are one
--   kind      tools: a tool, or a document about one. Else the first that holds: a document's kind (constitution and
--             rules → rules, methodology → methodology); the heading speaks of who one is → identity, of files →
--             file_operations, of tools → tools, of rules, principles or limits → rules, of methods, steps or
--             workflows → methodology; "you are" or "your role" in the first 1,000 characters → identity; three lines or more
--             that forbid or demand → rules; three numbered lines or more → methodology; else other
--   equal     texts that differ in white space alone are one
-- columns:
--   knowledge_id    VARCHAR      md5 of kind and hash
--   kind            VARCHAR      identity, rules, methodology, file_operations, tools or other
--   title           VARCHAR      heading, tool name or document title
--   text            VARCHAR      the section with its heading; of a tool JSON of name, description and parameters
--   hash            VARCHAR      md5 of the text with white space folded
--   token_estimate  BIGINT       characters / 4
--   seen_count      BIGINT       calls, turns and documents that hold it
--   subject_count   BIGINT       conversations, tasks and documents that hold it
--   part_count      BIGINT       different system prompts, tools and documents that hold it
--   parts           VARCHAR[]    kinds of these: system_prompt, tool, document
--   agents          VARCHAR[]    agents that were told, the first 20 by name
--   event_ids       VARCHAR[]    calls, turns and documents to look it up in, the first 20 by id
--   source_uris     VARCHAR[]    their origins, the first 20
--   started_at      TIMESTAMPTZ  first time
--   ended_at        TIMESTAMPTZ  last time
--   document_ids    VARCHAR[]    documents that hold it
with distinct_parts as (
    select
        part,
        part_hash,
        min((origin, event_id)) as place,
        sum(seen_count)::BIGINT as seen_count,
        list(distinct subject_id) as subject_ids,
        list(distinct agent) filter (where agent is not null) as agents,
        list(distinct event_id) as event_ids,
        list(distinct source_uri) filter (where source_uri is not null) as source_uris,
        min(started_at) as started_at,
        max(ended_at) as ended_at,

    from curated.prompt_parts

    group by part, part_hash
),

wanted as (
    select distinct place[1] as origin, place[2] as event_id from distinct_parts
),

held as (
    select
        messages,
        tools,
        null::VARCHAR as prompt,

    from curated.calls

    where event_id in (select wanted.event_id from wanted where wanted.origin = 'call')

    union all

    select
        null as messages,
        tools,
        case when kind = 'system' then content end as prompt,

    from curated.turns

    where turn_id in (select wanted.event_id from wanted where wanted.origin = 'turn')
),

texts as (
    select distinct
        'system_prompt' as part,
        md5(text) as part_hash,
        text,
        null::VARCHAR as title,
        null::VARCHAR as document_kind,

    from (
        select prompt as text from held

        union all

        select unnest([message.content for message in messages if message.role in ('system', 'developer')]) from held
    )

    where trim(text) <> ''

    union all

    select distinct
        'tool' as part,
        md5(concat_ws(chr(31), tool.name, tool.description, tool.parameters)) as part_hash,
        json_object(
            'name', tool.name,
            'description', tool.description,
            'parameters', case when json_valid(tool.parameters) then tool.parameters::JSON end
        )::VARCHAR as text,
        tool.name as title,
        'tool_description' as document_kind,

    from (select unnest(tools) as tool from held)

    where tool.name is not null

    union all

    select distinct
        'document' as part,
        md5(concat_ws(chr(31), kind, title, text)) as part_hash,
        text,
        title,
        kind as document_kind,

    from curated.documents

    where event_id in (select wanted.event_id from wanted where wanted.origin = 'document')
),

-- A separator before each heading; RE2 looks neither ahead nor behind.
cut as (
    select
        part,
        part_hash,
        title,
        document_kind,
        unnest(
            case
                when part = 'tool' then [text]
                else string_split(
                    regexp_replace(
                        regexp_replace(text, '(^|\n)(#{1,4} )', '\1' || chr(30) || '\2', 'g'),
                        '(^|\n)(<[A-Z][A-Z_ ]{2,40}>)',
                        '\1' || chr(30) || '\2',
                        'g'
                    ),
                    chr(30)
                )
            end
        ) as section,

    from texts
),

named as (
    select
        part,
        part_hash,
        document_kind,
        trim(section, chr(10) || chr(13) || ' ') as text,
        case
            when part = 'tool' then title
            else coalesce(
                nullif(trim(regexp_extract(trim(section, chr(10) || ' '), '^#{1,4} +([^\n]+)', 1)), ''),
                nullif(trim(regexp_extract(trim(section, chr(10) || ' '), '^<([A-Z][A-Z_ ]{2,40})>', 1)), ''),
                title
            )
        end as title,

    from cut

    -- A heading with nothing under it holds nothing to learn.
    where part = 'tool'
        or len(trim(regexp_replace(trim(section, chr(10) || ' '), '^(#{1,4} [^\n]*|</?[A-Z_ ]+>)', ''))) > 0
),

kinds as (
    select
        *,
        md5(trim(regexp_replace(text, '\s+', ' ', 'g'))) as hash,
        case
            when document_kind = 'tool_description' then 'tools'
            when document_kind in ('constitution', 'rules') then 'rules'
            when document_kind = 'methodology' then 'methodology'
            when regexp_matches(title, '\b(role|identity|who (you|we) are|persona|mission|about you)\b', 'i') then 'identity'
            when regexp_matches(title, '\b(files?|file_?system|editing|director(y|ies))\b', 'i') then 'file_operations'
            when regexp_matches(title, '\b(tools?|functions?|commands?)\b', 'i') then 'tools'
            when regexp_matches(
                title, '\b(rules?|constitution|principles?|polic(y|ies)|constraints?|limits?|guidelines?|security|safety|do not)\b', 'i'
            ) then 'rules'
            when regexp_matches(
                title, '\b(method(s|ology)?|workflows?|process|steps?|approach|procedures?|how to|instructions?|plan(ning)?)\b', 'i'
            ) then 'methodology'
            when regexp_matches(
                left(text, 1000), '\b(you are|you''re|your (primary )?role|your (primary )?responsibility)\b', 'i'
            )
                then 'identity'
            when len(regexp_extract_all(text, '(?i)\b(must|never|always|do not|don''t|may not)\b[^\n]*(\n|$)')) >= 3 then 'rules'
            when len(regexp_extract_all(text, '(^|\n) *[0-9]{1,2}[.)] ')) >= 3 then 'methodology'
            else 'other'
        end as kind,

    from named
)

select
    md5(kinds.kind || chr(31) || kinds.hash) as knowledge_id,
    kinds.kind,
    min(kinds.title) as title,
    min(kinds.text) as text,
    kinds.hash,
    (len(min(kinds.text)) // 4)::BIGINT as token_estimate,
    sum(distinct_parts.seen_count)::BIGINT as seen_count,
    len(list_distinct(flatten(list(distinct_parts.subject_ids))))::BIGINT as subject_count,
    count(*) as part_count,
    list_sort(list(distinct kinds.part)) as parts,
    list_sort(list_distinct(flatten(list(coalesce(distinct_parts.agents, [])))))[:20] as agents,
    list_sort(list_distinct(flatten(list(distinct_parts.event_ids))))[:20] as event_ids,
    list_sort(list_distinct(flatten(list(coalesce(distinct_parts.source_uris, [])))))[:20] as source_uris,
    min(distinct_parts.started_at) as started_at,
    max(distinct_parts.ended_at) as ended_at,
    list_sort(list_distinct(flatten(coalesce(
        list(distinct_parts.event_ids) filter (where distinct_parts.part = 'document'), []
    )))) as document_ids,

from (select distinct * from kinds) as kinds

inner join distinct_parts
    on distinct_parts.part = kinds.part
    and distinct_parts.part_hash = kinds.part_hash

group by kinds.kind, kinds.hash
