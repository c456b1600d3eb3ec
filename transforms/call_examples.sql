-- Examples from logged calls: one per trajectory, that is per call that
-- nothing continues, with every output on the way to it.
--
-- grain:   one row per leaf of curated.call_links
-- key:     example_id
-- scope:   subject
-- inputs:  curated.calls, curated.call_links
-- order:   started_at
-- rules:   (semantics §2)
--   target          a logged output that this leaf owns; an assistant message that no call logged has weight 0
--   refused answer  an output that the client's validation sent back is context: the request after it asks to
--                   mend it in pydantic-ai's words ("Fix the errors and try again.", "Please include your response
--                   in a tool call", "Plain text responses are not permitted")
--   tools           the leaf's, and such as only an earlier call of the same subject had; a change is noted
--   stateful API    a call linked by previous_response_id holds only what is new: the requests of the
--                   earlier segments are put before it, where they have the same subject
-- columns:
--   example_id           VARCHAR      md5 of the first call that the leaf owns: stable as the trajectory grows
--   subject_id           VARCHAR      the unit that a split never cuts through
--   conversation_id      VARCHAR      native conversation; the subject where the log has none
--   source               VARCHAR      gateway
--   task_id              VARCHAR      native task id, where the log has one
--   agent                VARCHAR      agent that called
--   source_uri           VARCHAR      URI of the origin
--   response_format      VARCHAR      output format asked for, JSON text as sent
--   tool_choice          VARCHAR      tool choice, JSON text as sent
--   messages             MESSAGE[]    canonical messages; weight 1 is a target
--   tools                TOOL[]       the leaf's tools, then what only earlier calls of the subject had
--   origin_event_ids     VARCHAR[]    the calls on the way
--   notes                VARCHAR[]    tools_changed, response_format_changed, answer_refused, shared_prefix, stateful, truncated, tail_trimmed
--   parallel_tool_calls  BOOLEAN      as sent
--   is_context_missing   BOOLEAN      the request is not in the log, or the history that it continues not in the lake, or under another subject
--   is_final             BOOLEAN      a call on the way ends the conversation
--   started_at           TIMESTAMPTZ  first call on the way
--   ended_at             TIMESTAMPTZ  the leaf's call
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
    select
        ends.leaf_id,
        ends.segment,
        calls.event_id is null as is_elsewhere,
        calls.messages,
        calls.output,

    from (select distinct leaf_id, subject_id, segment, segment_id from curated.call_links) as ends

    left join curated.calls as calls
        on calls.event_id = ends.segment_id
        and calls.subject_id = ends.subject_id
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
        case when written.message.role = 'assistant' then written.message_no end as assistant_no,
        max(case when written.message.role = 'assistant' then written.message_no end) over (
            partition by written.leaf_id, written.segment
            order by written.message_no
        ) as answers_no,

    from written

    left join (
        select distinct leaf_id, message.content as content, true as is_opening

        from written

        where segment = 0 and message.role in ('system', 'developer')
    ) as openings
        on openings.leaf_id = written.leaf_id
        and openings.content = written.message.content

    where not coalesce(
        openings.is_opening and written.segment > 0 and written.message.role in ('system', 'developer'), false
    )
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
            'Fix the errors and try again\.|lease include your response in a tool call|'
                || 'Plain text responses are not permitted'
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
gathered as (
    select
        heard.leaf_id,
        heard.segment,
        outputs.call_id,
        coalesce(outputs.from_message, heard.message_no - 1) as first_no,
        list(heard.message order by heard.message_no) as said,
        any_value(outputs.model) as model,
        any_value(outputs.depth) as depth,
        any_value(outputs.finish_reason) as finish_reason,
        any_value(outputs.reasoning) as reasoning,
        coalesce(bool_or(outputs.is_owned), false) as is_owned,

    from heard

    left join outputs
        on outputs.leaf_id = heard.leaf_id
        and outputs.segment = heard.segment
        and heard.assistant_no > outputs.from_message
        and heard.assistant_no <= outputs.to_message

    group by heard.leaf_id, heard.segment, outputs.call_id, coalesce(outputs.from_message, heard.message_no - 1)
),

joined as (
    select
        gathered.leaf_id,
        gathered.segment,
        gathered.call_id,
        gathered.first_no,
        gathered.model,
        gathered.depth,
        gathered.finish_reason,
        gathered.is_owned,
        coalesce(replies.is_sent_back, false) as is_sent_back,
        gathered.said[1].role as role,
        gathered.said[1].name as name,
        array_to_string([message.content for message in gathered.said if message.content <> ''], chr(10) || chr(10))
            as content,
        coalesce(
            nullif(
                array_to_string(
                    [message.reasoning for message in gathered.said if message.reasoning <> ''], chr(10) || chr(10)
                ),
                ''
            ),
            gathered.reasoning
        ) as reasoning,
        flatten([coalesce(message.tool_calls, []) for message in gathered.said]) as tool_calls,
        gathered.said[1].tool_call_id as tool_call_id,
        gathered.said[1].is_error as is_error,
        gathered.said[1].parts as parts,

    from gathered

    left join replies
        on replies.leaf_id = gathered.leaf_id
        and replies.call_id = gathered.call_id
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
                'tool_calls': case when len(tool_calls) > 0 then tool_calls end,
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
        or (len(coalesce(calls.messages, [])) = 0 and leaves.last_segment = 0)
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
