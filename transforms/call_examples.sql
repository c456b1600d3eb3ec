-- Examples from logged calls: one per trajectory, that is per call that
-- nothing continues, with every output on the way to it.
--
-- grain:   one row per leaf of curated.call_links
-- key:     example_id
-- scope:   subject
-- inputs:  curated.calls, curated.call_links
-- rules:   (semantics §2)
--   target          a logged output that this leaf owns; an assistant message that no call logged has weight 0
--   refused answer  an output that the client's validation sent back is context: the request after it asks to
--                   mend it in pydantic-ai's words ("Fix the errors and try again.", "Please include your response
--                   in a tool call", "Plain text responses are not permitted")
--   tools           the leaf's, and such as only an earlier call of the same subject had; a change is noted
--   stateful API    a call linked by previous_response_id holds only what is new: the requests of the
--                   earlier segments are put before it, where they have the same subject
-- columns:
--   example_id           VARCHAR    md5 of the first call that the leaf owns: stable as the trajectory grows
--   subject_id           VARCHAR
--   conversation_id      VARCHAR
--   source               VARCHAR    gateway
--   task_id              VARCHAR
--   agent                VARCHAR
--   source_uri           VARCHAR
--   response_format      VARCHAR
--   tool_choice          VARCHAR
--   messages             MESSAGE[]
--   tools                TOOL[]
--   origin_event_ids     VARCHAR[]  the calls on the way
--   notes                VARCHAR[]  tools_changed, response_format_changed, answer_refused, shared_prefix, stateful, truncated, tail_trimmed
--   parallel_tool_calls  BOOLEAN
--   is_context_missing   BOOLEAN
--   is_final             BOOLEAN
--   started_at           TIMESTAMPTZ
--   ended_at             TIMESTAMPTZ
with leaves as (
    select
        call_links.leaf_id,
        any_value(call_links.example_id) as example_id,
        max(call_links.segment) as last_segment,
        list(call_links.call_id order by call_links.depth) as call_ids,
        bool_or(not call_links.is_owned) as shares_outputs,
        count(distinct call_links.tools_hash) > 1 as tools_changed,
        count(distinct coalesce(call_links.response_format, '')) > 1 as response_format_changed,
        bool_or(call_links.is_final) as is_final,
        min(call_links.occurred_at) as started_at,

    from curated.call_links as call_links

    group by call_links.leaf_id
),

segments as (
    select distinct
        call_links.leaf_id,
        call_links.segment,
        call_links.segment_id,
        calls.event_id is null as is_elsewhere,
        calls.messages,
        calls.output,

    from curated.call_links as call_links

    left join curated.calls as calls
        on calls.event_id = call_links.segment_id
        and calls.subject_id = call_links.subject_id
),

written as (
    select
        leaf_id,
        segment,
        unnest(messages) as message,
        generate_subscripts(messages, 1) as message_no,

    from segments

    union all

    select
        leaf_id,
        segment,
        unnest(output) as message,
        len(coalesce(messages, [])) + generate_subscripts(output, 1) as message_no,

    from segments
),

-- A stateful request repeats its instructions: once is enough.
heard as (
    select
        written.*,
        max(case when written.message.role = 'assistant' then written.message_no end) over (
            partition by written.leaf_id, written.segment
            order by written.message_no
        ) as answers_no,

    from written

    anti join (
        select leaf_id, message.content from written where segment = 0 and message.role in ('system', 'developer')
    ) as opening
        on written.segment > 0
        and written.message.role in ('system', 'developer')
        and opening.leaf_id = written.leaf_id
        and opening.content = written.message.content
),

outputs as (
    select
        call_links.leaf_id,
        call_links.segment,
        call_links.call_id,
        call_links.depth,
        call_links.model,
        call_links.is_owned,
        call_links.from_message,
        coalesce(call_links.to_message, 9223372036854775807) as to_message,
        [message.reasoning for message in calls.output if message.reasoning is not null][1] as reasoning,
        call_links.finish_reason,

    from curated.call_links as call_links

    left join curated.calls as calls
        on calls.event_id = call_links.call_id
        and calls.subject_id = call_links.subject_id
),

-- What answers an output: the words of others up to the assistant's next.
replies as (
    select
        outputs.leaf_id,
        outputs.call_id,
        bool_or(regexp_matches(
            heard.message.content,
            'Fix the errors and try again\.|lease include your response in a tool call|Plain text responses are not permitted'
        )) as is_sent_back,

    from outputs

    inner join heard
        on heard.leaf_id = outputs.leaf_id
        and heard.segment = outputs.segment
        and heard.answers_no = outputs.to_message

    where heard.message.role in ('user', 'tool')

    group by outputs.leaf_id, outputs.call_id
),

-- The messages of one output are one message, however the request cut them.
joined as (
    select
        heard.leaf_id,
        heard.segment,
        coalesce(outputs.from_message, heard.message_no - 1) as message_no,
        min(heard.message_no) as first_no,
        any_value(outputs.call_id) as call_id,
        any_value(outputs.model) as model,
        any_value(outputs.depth) as depth,
        any_value(outputs.finish_reason) as finish_reason,
        coalesce(bool_or(outputs.is_owned), false) as is_owned,
        coalesce(bool_or(replies.is_sent_back), false) as is_sent_back,
        arg_min(heard.message.role, heard.message_no) as role,
        arg_min(heard.message.name, heard.message_no) as name,
        coalesce(
            string_agg(heard.message.content, chr(10) || chr(10) order by heard.message_no)
                filter (where heard.message.content <> ''),
            ''
        ) as content,
        coalesce(
            string_agg(heard.message.reasoning, chr(10) || chr(10) order by heard.message_no),
            any_value(outputs.reasoning)
        ) as reasoning,
        flatten(list(heard.message.tool_calls order by heard.message_no) filter (where len(heard.message.tool_calls) > 0))
            as tool_calls,
        arg_min(heard.message.tool_call_id, heard.message_no) as tool_call_id,
        bool_or(heard.message.is_error) as is_error,
        arg_min(heard.message.parts, heard.message_no) as parts,

    from heard

    left join outputs
        on outputs.leaf_id = heard.leaf_id
        and outputs.segment = heard.segment
        and heard.message.role = 'assistant'
        and heard.message_no > outputs.from_message
        and heard.message_no <= outputs.to_message

    left join replies
        on replies.leaf_id = outputs.leaf_id
        and replies.call_id = outputs.call_id

    group by heard.leaf_id, heard.segment, coalesce(outputs.from_message, heard.message_no - 1), outputs.call_id
),

weighted as (
    select
        *,
        is_owned and not is_sent_back and (content <> '' or len(tool_calls) > 0) as is_target,

    from joined
),

trimmed as (
    select
        *,
        max(case when is_target then (segment, first_no) end) over (partition by leaf_id) as last_target,

    from weighted
),

conversations as (
    select
        leaf_id,
        list(
            {
                'role': role,
                'name': name,
                'content': content,
                'reasoning': case when role = 'assistant' then reasoning end,
                'tool_calls': tool_calls,
                'tool_call_id': tool_call_id,
                'is_error': is_error,
                'weight': case when is_target then 1.0 else 0.0 end::DOUBLE,
                'model': model,
                'event_id': call_id,
                'parts': parts
            }
            order by segment, first_no
        ) filter (where last_target is null or (segment, first_no) <= last_target) as messages,
        bool_or(is_sent_back) as has_refused_answer,
        arg_max(finish_reason, depth) filter (where is_target) in ('length', 'max_tokens') as is_truncated,
        bool_or((segment, first_no) > last_target) as is_trimmed,

    from trimmed

    group by leaf_id
),

-- Tools by name, the leaf's first, then what only earlier calls had.
offered as (
    select
        call_links.leaf_id,
        unnest(calls.tools) as tool,
        generate_subscripts(calls.tools, 1) as tool_no,
        call_links.depth,

    from curated.call_links as call_links

    inner join curated.calls as calls
        on calls.event_id = call_links.call_id
        and calls.subject_id = call_links.subject_id
),

toolboxes as (
    select leaf_id, list(tool order by depth desc, tool_no) as tools,

    from (
        select * from offered

        qualify row_number() over (partition by leaf_id, tool.name order by depth desc, tool_no) = 1
    )

    group by leaf_id
),

holes as (
    select leaf_id, bool_or(is_elsewhere) as is_elsewhere from segments group by leaf_id
)

select
    leaves.example_id,
    calls.subject_id,
    coalesce(calls.conversation_id, calls.subject_id) as conversation_id,
    'gateway' as source,
    calls.task_id,
    calls.agent,
    calls.source_uri,
    calls.response_format,
    calls.tool_choice,
    conversations.messages,
    toolboxes.tools,
    leaves.call_ids as origin_event_ids,
    [
        note for note in [
            case when leaves.tools_changed then 'tools_changed' end,
            case when leaves.response_format_changed then 'response_format_changed' end,
            case when conversations.has_refused_answer then 'answer_refused' end,
            case when leaves.shares_outputs then 'shared_prefix' end,
            case when leaves.last_segment > 0 then 'stateful' end,
            case when conversations.is_truncated then 'truncated' end,
            case when conversations.is_trimmed then 'tail_trimmed' end
        ] if note is not null
    ] as notes,
    calls.parallel_tool_calls,
    holes.is_elsewhere
        or (calls.previous_response_id is not null and leaves.last_segment = 0
            and not list_contains([message.role for message in calls.messages], 'assistant')) as is_context_missing,
    leaves.is_final as is_final,
    leaves.started_at,
    calls.occurred_at as ended_at,

from leaves

inner join curated.calls as calls on calls.event_id = leaves.leaf_id

inner join conversations on conversations.leaf_id = leaves.leaf_id

inner join holes on holes.leaf_id = leaves.leaf_id

left join toolboxes on toolboxes.leaf_id = leaves.leaf_id
