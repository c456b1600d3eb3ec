-- What a logged call was asked and answered, as hashes: enough to tell which
-- call another one continues.
--
-- grain:   one row per call that answered and may become an example
-- key:     call_id
-- scope:   subject
-- inputs:  curated.calls
-- order:   occurred_at
-- rules:
--   hash          covers role, text, images and calls (name, arguments as minified JSON); ids, reasoning, names and
--                 white space at the ends are ignored, and so is how an assistant's turn is cut into messages
--   left out      failed calls, and calls with a purpose (eval, suite, judge, compaction)
-- columns:
--   call_id               VARCHAR      event id of the call
--   subject_id            VARCHAR      the unit that a split never cuts through
--   conversation_id       VARCHAR      native conversation, where the log has one
--   response_id           VARCHAR      provider's id of the reply
--   previous_response_id  VARCHAR      native link to the call that it continues
--   model                 VARCHAR      model that answered
--   request_hash          VARCHAR      of the whole request
--   reply_hash            VARCHAR      of the request and the output
--   prefix_hashes         VARCHAR[]    of the request up to and with each of its messages
--   finish_reason         VARCHAR      why the model stopped, as sent
--   tools_hash            VARCHAR      of the tools declared
--   response_format       VARCHAR      output format asked for, JSON text as sent
--   reply_ends            BIGINT[]     numbers of the messages, 1-based, that end an assistant's turn
--   message_count         BIGINT       messages of the request
--   choice_index          BIGINT       choice of the reply
--   position              BIGINT       place in the source file; orders calls of equal time
--   is_final              BOOLEAN      the call ends its conversation
--   occurred_at           TIMESTAMPTZ  when the call was made
with answered as (
    select *

    from curated.calls

    where purpose is null
        and len(output) > 0
        and coalesce(status, 'success') <> 'failure'
),

spoken as (
    select event_id, unnest(messages) as message, generate_subscripts(messages, 1) as message_no from answered

    union all

    select event_id, unnest(output), len(coalesce(messages, [])) + generate_subscripts(output, 1) from answered
),

-- Atoms: an assistant's text and each of its calls stand alone, because one
-- API logs them as one message and another as several.
written as (
    select
        event_id,
        message_no,
        message.role as role,
        case
            when message.role = 'assistant' then list_concat(
                [
                    md5('text' || chr(31) || text)
                    for text in [trim(message.content, e' \t\r\n')]
                    if text <> ''
                ],
                [
                    md5(
                        'call' || chr(31) || coalesce(call.name, '') || chr(31)
                        || case
                            when trim(coalesce(call.arguments, ''), e' \t\r\n') = '' then '{}'
                            when json_valid(call.arguments) then json(call.arguments)::VARCHAR
                            else trim(call.arguments, e' \t\r\n')
                        end
                    )
                    for call in coalesce(message.tool_calls, [])
                ]
            )
            else [
                md5(concat_ws(
                    chr(31),
                    case message.role when 'developer' then 'system' else message.role end,
                    coalesce(trim(message.content, e' \t\r\n'), ''),
                    case when message.role <> 'tool' then message.parts end
                ))
            ]
        end as atoms,

    from spoken
),

listed as (
    select
        event_id,
        list(array_to_string(atoms, '') order by message_no) as atoms,
        list(role order by message_no) as roles,

    from written

    group by event_id
),

hashed as (
    select
        event_id,
        roles,
        [md5(array_to_string(atoms[1:message_no], '')) for message_no in range(1, len(atoms) + 1)] as hashes,

    from listed
)

select
    answered.event_id as call_id,
    answered.subject_id,
    answered.conversation_id,
    answered.response_id,
    answered.previous_response_id,
    coalesce(answered.response_model, answered.model) as model,
    case when len(answered.messages) > 0 then hashed.hashes[len(answered.messages)] else '' end as request_hash,
    hashed.hashes[-1] as reply_hash,
    hashed.hashes[1:len(coalesce(answered.messages, []))] as prefix_hashes,
    answered.finish_reason,
    md5(coalesce(answered.tools, [])::VARCHAR) as tools_hash,
    answered.response_format,
    [
        message_no
        for message_no in range(1, len(coalesce(answered.messages, [])) + 1)
        if hashed.roles[message_no] = 'assistant'
    ] as reply_ends,
    len(coalesce(answered.messages, [])) as message_count,
    answered.choice_index,
    answered.position,
    coalesce(answered.is_final, false) as is_final,
    answered.occurred_at,

from answered

inner join hashed on hashed.event_id = answered.event_id
