-- What stands before each target, as hashes: where two examples part.
--
-- grain:   one row per target message of an example
-- key:     example_id, message_no
-- scope:   subject
-- inputs:  curated.examples
-- order:   started_at
-- rules:
--   context  declared tools, response format and tool choice as sent, and of each message before it role, name, text,
--            calls, the call that it answers, error mark and parts, byte for byte; not reasoning, weights, models, ids
--   retried  the answer that the client sent back right before this one, where only one message of the client's
--            stands between them
-- columns:
--   example_id    VARCHAR      the example
--   subject_id    VARCHAR      the unit that a split never cuts through
--   context_hash  VARCHAR      md5 of the context
--   target_hash   VARCHAR      md5 of the target itself, the same fields
--   message_no    BIGINT       the target's place in the example, 1-based
--   retried_no    BIGINT       place of the answer that was sent back; null for most
--   started_at    TIMESTAMPTZ  first event of the example
with hashed as (
    select
        example_id,
        subject_id,
        messages,
        notes,
        started_at,
        md5(concat_ws(
            chr(31),
            case when tools_origin = 'declared' then tools::VARCHAR end,
            coalesce(response_format, ''),
            coalesce(tool_choice, '')
        )) as request_hash,
        [
            md5({
                'role': message.role,
                'name': message.name,
                'content': message.content,
                'tool_calls': message.tool_calls,
                'tool_call_id': message.tool_call_id,
                'is_error': message.is_error,
                'parts': message.parts
            }::VARCHAR)
            for message in messages
        ] as hashes,

    from curated.examples
),

targets as (
    select
        *,
        unnest([
            message_no for message, message_no in messages if message.role = 'assistant' and message.weight > 0
        ]) as message_no,

    from hashed
)

select
    example_id,
    subject_id,
    md5(request_hash || array_to_string(hashes[1:message_no - 1], '')) as context_hash,
    hashes[message_no] as target_hash,
    message_no,
    case
        when list_contains(notes, 'answer_refused')
            and not list_contains(notes, 'shared_prefix')
            and message_no > 2
            and messages[message_no - 1].role in ('user', 'tool')
            and messages[message_no - 2].role = 'assistant'
            and messages[message_no - 2].weight = 0
            and messages[message_no - 2].event_id is not null
            then message_no - 2
    end as retried_no,
    started_at,

from targets
