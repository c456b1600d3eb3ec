-- What ties examples together, without their texts: the narrow side of
-- examples, for everything that looks at all of them at once.
--
-- grain:   one row per example
-- key:     example_id
-- scope:   subject
-- inputs:  curated.examples
-- order:   started_at
-- thresholds:
--   first prompt   16 characters at least: "hi" and "go on" are no task (our choice)
--   beginning      200 characters at least, about the 30 shingles that containment needs (our choice)
-- columns:
--   example_id     VARCHAR      the example
--   subject_id     VARCHAR      the unit that a split never cuts through
--   source         VARCHAR      claude_code, group_chat, chat, gateway, checkpoint or generated
--   task_type      VARCHAR      as in curated.examples
--   task_id        VARCHAR      native task id, where the log has one
--   content_hash   VARCHAR      md5 of the normalised content
--   text_hash      VARCHAR      md5 of texts and calls, without system prompt, weights and tools
--   prompt_hash    VARCHAR      md5 of the task's first user message (its first 2,000 characters) in lower case, punctuation and white space folded; null in later windows
--   models         VARCHAR[]    models of the targets
--   message_count  BIGINT       messages
--   target_count   BIGINT       messages of weight 1
--   is_final       BOOLEAN      a terminal event ended the conversation
--   started_at     TIMESTAMPTZ  first event
--   ended_at       TIMESTAMPTZ  last event
--   prefix_hashes  VARCHAR[]    md5 of what was said up to each assistant message, once it is a beginning; the last is the whole
with prompted as (
    select
        *,
        case
            when not is_context_missing and not list_contains(notes, 'opens_with_summary') then trim(regexp_replace(
                lower(left([message.content for message in messages if message.role = 'user'][1], 2000)), '[^\pL\pN]+', ' ', 'g'
            ))
        end as prompt,

    from curated.examples
),

spoken as (
    select
        *,
        [
            concat_ws(
                chr(31),
                message.role,
                trim(regexp_replace(message.content, '\s+', ' ', 'g')),
                array_to_string(
                    [
                        concat_ws(chr(29), coalesce(call.name, ''), coalesce(call.arguments, ''))
                        for call in coalesce(message.tool_calls, [])
                    ],
                    chr(28)
                )
            )
            for message in messages
            if message.role not in ('system', 'developer')
        ] as texts,
        [message.role for message in messages if message.role not in ('system', 'developer')] as roles,

    from prompted
),

hashed as (
    select *, [md5(text) for text in texts] as text_hashes, [len(text) for text in texts] as sizes from spoken
)

select
    example_id,
    subject_id,
    source,
    task_type,
    task_id,
    content_hash,
    md5(array_to_string(texts, chr(30))) as text_hash,
    case when len(prompt) >= 16 then md5(prompt) end as prompt_hash,
    list_sort(list_distinct([
        message.model for message in messages if message.weight > 0 and message.model is not null
    ])) as models,
    message_count,
    target_count,
    is_final,
    started_at,
    ended_at,
    [
        md5(array_to_string(text_hashes[:message_no], ''))
        for message_no in range(1, len(texts) + 1)
        if roles[message_no] = 'assistant' and list_sum(sizes[:message_no]) >= 200
    ] as prefix_hashes,

from hashed
