-- Augmented and synthetic examples, as they were generated.
--
-- grain:   one row per generated example
-- key:     example_id
-- scope:   subject
-- inputs:  curated.generated
-- order:   started_at
-- rules:
--   target   an assistant message with a weight above 0; where no message has a weight, every assistant message
-- columns:
--   example_id          VARCHAR      event id
--   subject_id          VARCHAR      the unit that a split never cuts through
--   conversation_id     VARCHAR      conversation that it comes from
--   source              VARCHAR      generated
--   task_hint           VARCHAR      the task type that the generator gave
--   source_uri          VARCHAR      URI of the origin
--   messages            MESSAGE[]    canonical messages; weight 1 is a target
--   tools               TOOL[]       tools that were declared
--   origin_event_ids    VARCHAR[]    the events that it was made from
--   notes               VARCHAR[]    none
--   is_context_missing  BOOLEAN      never
--   is_final            BOOLEAN      always
--   started_at          TIMESTAMPTZ  when it was generated
--   ended_at            TIMESTAMPTZ  when it was generated
--   response_format     VARCHAR      of the example that it was made from
--   tool_choice         VARCHAR      of the example that it was made from
--   parallel_tool_calls  BOOLEAN     of the example that it was made from
select
    event_id as example_id,
    subject_id,
    subject_id as conversation_id,
    'generated' as source,
    task_type as task_hint,
    source_uri,
    [
        {
            'role': message.role,
            'name': message.name,
            'content': coalesce(message.content, ''),
            'reasoning': message.reasoning,
            'tool_calls': case when len(message.tool_calls) > 0 then message.tool_calls end,
            'tool_call_id': message.tool_call_id,
            'is_error': message.is_error,
            'weight': case
                when message.role = 'assistant' and coalesce(
                    message.weight,
                    case when len([given for given in messages if given.weight is not null]) = 0 then 1 else 0 end
                ) > 0 then 1.0
                else 0.0
            end::DOUBLE,
            'model': message.model,
            'event_id': case when message.role = 'assistant' then event_id end,
            'parts': message.parts
        }
        for message in messages
    ] as messages,
    tools,
    [event_id] as origin_event_ids,
    []::VARCHAR[] as notes,
    false as is_context_missing,
    true as is_final,
    occurred_at as started_at,
    occurred_at as ended_at,
    response_format,
    tool_choice,
    parallel_tool_calls,

from curated.generated

where len(messages) > 0
