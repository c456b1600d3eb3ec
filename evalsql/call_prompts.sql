-- How much of each call is constant prompt: the system prompt and the tool declarations.
--
-- grain:   one row per gateway call, and per coding session's first call
-- key:     call_id
-- scope:   subject
-- inputs:  curated.calls, curated.turns
-- columns:
--   call_id          VARCHAR  as in analysis.call_costs
--   subject_id       VARCHAR  the unit that a split never cuts through
--   prompt_hash      VARCHAR  md5 of system prompt and tools; null where the log does not show them
--   token_basis      VARCHAR  scaled, estimated or usage (see rules)
--   overhead_chars   BIGINT   characters of system prompt and tools; null where the log does not show them
--   request_chars    BIGINT   characters of the whole request
--   overhead_tokens  BIGINT   tokens of system prompt and tools
--   input_tokens     BIGINT   tokens of the whole request, as reported
--
-- rules:
--   scaled: the share of the request's characters that is overhead, times the reported input tokens.
--   estimated: no usage was reported; characters / 4.
--   usage: a coding session's log shows neither prompt nor tools. Its first call's input tokens less what people had
--   said by then (characters / 4) is the overhead that the client sends with every call.
with calls as (
    select
        calls.event_id as call_id,
        calls.subject_id,
        calls.input_tokens,
        coalesce(list_sum([coalesce(length(message.content), 0) for message in calls.messages if message.role in ('system', 'developer')]), 0)::bigint as system_chars,
        coalesce(list_sum([
            coalesce(length(tool.name), 0) + coalesce(length(tool.description), 0) + coalesce(length(tool.parameters), 0)
            for tool in calls.tools
        ]), 0)::bigint as tool_chars,
        coalesce(list_sum([
            coalesce(length(message.content), 0)
            + coalesce(list_sum([coalesce(length(tool_call.name), 0) + coalesce(length(tool_call.arguments), 0) for tool_call in message.tool_calls]), 0)
            for message in calls.messages
        ]), 0)::bigint as message_chars,
        md5(to_json([message.content for message in calls.messages if message.role in ('system', 'developer')])::varchar || coalesce(to_json(calls.tools)::varchar, '')) as prompt_hash,

    from curated.calls as calls

    where calls.choice_index = 0
),

session_outputs as (
    select
        turns.turn_id as call_id,
        turns.subject_id,
        turns.input_tokens,
        turns.kind,
        turns.is_context_missing,
        sum(coalesce(length(turns.content), 0)) over (
            partition by turns.subject_id, turns.conversation_id
            order by turns.turn_index
            rows between unbounded preceding and 1 preceding
        )::bigint as said_chars,
        row_number() over (
            partition by turns.subject_id, turns.conversation_id, turns.kind
            order by turns.turn_index
        ) as place,

    from curated.turns as turns

    where turns.form = 'session' and turns.window_index = 0
)

select
    call_id,
    subject_id,
    prompt_hash,
    case when input_tokens is not null and system_chars + tool_chars > 0 then 'scaled' else 'estimated' end as token_basis,
    system_chars + tool_chars as overhead_chars,
    message_chars + tool_chars as request_chars,
    case
        when input_tokens is not null and message_chars + tool_chars > 0
            then round(input_tokens * (system_chars + tool_chars) / (message_chars + tool_chars))
        else round((system_chars + tool_chars) / 4)
    end::bigint as overhead_tokens,
    input_tokens,

from calls

union all by name

select
    call_id,
    subject_id,
    null::varchar as prompt_hash,
    'usage' as token_basis,
    null::bigint as overhead_chars,
    null::bigint as request_chars,
    greatest(0, input_tokens - coalesce(said_chars, 0) // 4)::bigint as overhead_tokens,
    input_tokens,

from session_outputs

where kind = 'output' and place = 1 and input_tokens is not null and not coalesce(is_context_missing, false)
