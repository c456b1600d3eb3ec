-- What models were told besides the conversation: system prompts, tools and
-- documents, each by its hash, and how often.
--
-- grain:   one row per subject, kind of part, and text
-- key:     subject_id, part, part_hash
-- scope:   subject
-- inputs:  curated.calls, curated.turns, curated.documents
-- order:   started_at
-- rules:
--   the texts stand where they were logged: a long prompt is sent with every call, and is not copied here each time
-- columns:
--   subject_id  VARCHAR      the unit that a split never cuts through
--   part        VARCHAR      system_prompt, tool or document
--   part_hash   VARCHAR      md5 of the text; of a tool, of name, description and parameters
--   origin      VARCHAR      call, turn or document: where event_id stands
--   event_id    VARCHAR      least call, turn or document that holds it
--   source_uri  VARCHAR      URI of that one's origin
--   agent       VARCHAR      agent that was told, least name
--   seen_count  BIGINT       calls, turns or documents that hold it
--   started_at  TIMESTAMPTZ  first time
--   ended_at    TIMESTAMPTZ  last time
with told as (
    select
        subject_id,
        event_id,
        source_uri,
        agent,
        occurred_at,
        'call' as origin,
        list_concat(
            [
                {'part': 'system_prompt', 'hash': md5(message.content)}
                for message in coalesce(messages, [])
                if message.role in ('system', 'developer') and trim(message.content) <> ''
            ],
            [
                {'part': 'tool', 'hash': md5(concat_ws(chr(31), tool.name, tool.description, tool.parameters))}
                for tool in coalesce(tools, [])
                if tool.name is not null
            ]
        ) as parts,

    from curated.calls

    union all

    select
        subject_id,
        turn_id,
        source_uri,
        agent,
        started_at,
        'turn' as origin,
        list_concat(
            case
                when kind = 'system' and trim(content) <> '' then [{'part': 'system_prompt', 'hash': md5(content)}]
                else []
            end,
            [
                {'part': 'tool', 'hash': md5(concat_ws(chr(31), tool.name, tool.description, tool.parameters))}
                for tool in coalesce(tools, [])
                if tool.name is not null
            ]
        ) as parts,

    from curated.turns

    union all

    select
        subject_id,
        event_id,
        source_uri,
        null as agent,
        occurred_at,
        'document' as origin,
        [{'part': 'document', 'hash': md5(concat_ws(chr(31), kind, title, text))}] as parts,

    from curated.documents

    where trim(text) <> ''
),

single as (
    select * exclude (parts), unnest(list_distinct(parts)) as part from told
)

select
    subject_id,
    part.part as part,
    part.hash as part_hash,
    min((origin, event_id))[1] as origin,
    min((origin, event_id))[2] as event_id,
    arg_min(source_uri, (origin, event_id)) as source_uri,
    min(agent) as agent,
    count(*) as seen_count,
    min(occurred_at) as started_at,
    max(occurred_at) as ended_at,

from single

group by subject_id, part.part, part.hash
