-- Examples from saved states: one per message list that only grew.
--
-- grain:   one row per window, a state that no later one goes on from, with at least one target
-- key:     example_id
-- scope:   subject
-- inputs:  curated.checkpoints
-- order:   started_at
-- rules:   (semantics §2)
--   goes on     a checkpoint goes on from its parent (else from the one before it) if it begins with the parent's
--               messages and has the same summary; a removal, a new summary or a fork opens another window
--   summary     what the state keeps instead of messages is a system message before them
--   target      an assistant message, in the first window that holds it; in later ones it is context
--   tail        everything after the last target is trimmed
-- columns:
--   example_id          VARCHAR      md5 of the task and the window's first target: stable as the window grows
--   subject_id          VARCHAR      the unit that a split never cuts through
--   conversation_id     VARCHAR      conversation that it comes from
--   source              VARCHAR      checkpoint
--   task_id             VARCHAR      native task id, where the log has one
--   agent               VARCHAR      agent or node that saved the state
--   source_uri          VARCHAR      URI of the origin
--   messages            MESSAGE[]    canonical messages; weight 1 is a target
--   origin_event_ids    VARCHAR[]    checkpoints in which the targets stand first, and the window's last
--   notes               VARCHAR[]    opens_with_summary, shared_prefix, tail_trimmed
--   window_index        BIGINT       0-based, in the order of the windows' last checkpoints
--   is_context_missing  BOOLEAN      never: a state is all that the model sees
--   is_final            BOOLEAN      the task ended
--   started_at          TIMESTAMPTZ  first checkpoint of the task
--   ended_at            TIMESTAMPTZ  last checkpoint of the window
with states as (
    select
        event_id,
        subject_id,
        coalesce(task_id, subject_id) as task,
        coalesce(namespace, '') as graph,
        checkpoint_id,
        parent_checkpoint_id,
        task_id,
        coalesce(conversation_id, task_id, subject_id) as conversation_id,
        agent,
        source_uri,
        instruction,
        summary,
        messages,
        is_final,
        occurred_at,
        [
            coalesce(
                message.event_id,
                md5(concat_ws(chr(31), message.role, message.content, message.tool_calls::VARCHAR, message.tool_call_id))
            )
            for message in coalesce(messages, [])
        ] as message_keys,
        row_number() over (
            partition by subject_id, coalesce(task_id, subject_id), coalesce(namespace, '')
            order by occurred_at, step, checkpoint_id, event_id
        ) as state_no,

    from curated.checkpoints
),

tasks as (
    select
        subject_id,
        task,
        coalesce(bool_or(is_final), false) as is_final,
        min(occurred_at) as started_at,

    from states

    group by subject_id, task
),

before as (
    select states.*, coalesce(parents.state_no, states.state_no - 1) as parent_no

    from states

    left join states as parents
        on parents.subject_id = states.subject_id
        and parents.task = states.task
        and parents.graph = states.graph
        and parents.checkpoint_id = states.parent_checkpoint_id
),

gone_on as (
    select distinct parents.event_id

    from before

    inner join states as parents
        on parents.subject_id = before.subject_id
        and parents.task = before.task
        and parents.graph = before.graph
        and parents.state_no = before.parent_no

    where before.message_keys[1:len(parents.message_keys)] = parents.message_keys
        and before.summary is not distinct from parents.summary
),

windows as (
    select
        states.*,
        row_number() over (partition by subject_id, task order by graph, state_no) as window_no,

    from states

    anti join gone_on on gone_on.event_id = states.event_id
),

spoken as (
    select
        event_id,
        subject_id,
        task,
        window_no,
        unnest(messages) as message,
        unnest(message_keys) as message_key,
        generate_subscripts(messages, 1) as message_no,

    from windows
),

-- Two equal messages without ids are two messages.
numbered as (
    select
        *,
        row_number() over (partition by event_id, message_key order by message_no) as copy_no,

    from spoken
),

weighted as (
    select
        *,
        message.role = 'assistant'
            and coalesce(message.weight, 1) > 0
            and (message.content <> '' or len(message.tool_calls) > 0)
            and window_no = min(window_no) over (partition by subject_id, task, message_key, copy_no) as is_target,

    from numbered
),

first_seen as (
    select
        weighted.event_id,
        list(distinct seen.event_id) as event_ids,

    from weighted

    inner join (
        select
            subject_id,
            task,
            message_key,
            arg_min(event_id, (occurred_at, state_no)) as event_id,

        from (select *, unnest(message_keys) as message_key from states)

        group by subject_id, task, message_key
    ) as seen
        on seen.subject_id = weighted.subject_id
        and seen.task = weighted.task
        and seen.message_key = weighted.message_key

    where weighted.is_target

    group by weighted.event_id
),

trimmed as (
    select
        *,
        max(case when is_target then message_no end) over (partition by event_id) as last_target,

    from weighted
),

conversations as (
    select
        event_id,
        list(
            {
                'role': message.role,
                'name': message.name,
                'content': coalesce(message.content, ''),
                'reasoning': message.reasoning,
                'tool_calls': case when len(message.tool_calls) > 0 then message.tool_calls end,
                'tool_call_id': message.tool_call_id,
                'is_error': message.is_error,
                'weight': case when is_target then 1.0 else 0.0 end::DOUBLE,
                'model': message.model,
                'event_id': message.event_id,
                'parts': message.parts
            }
            order by message_no
        ) filter (where message_no <= last_target) as messages,
        arg_min(message_key, message_no) filter (where is_target) as first_target,
        bool_or(message.role = 'user') as has_user,
        bool_or(message.role = 'assistant' and not is_target and message_no < last_target) as has_shared,
        bool_or(message_no > last_target) as is_trimmed,

    from trimmed

    where last_target is not null

    group by event_id
)

select
    md5(concat_ws(chr(31), 'checkpoint', windows.task, conversations.first_target)) as example_id,
    windows.subject_id,
    windows.conversation_id,
    'checkpoint' as source,
    windows.task_id,
    windows.agent,
    windows.source_uri,
    list_concat(
        [
            {
                'role': opening.role,
                'name': null::VARCHAR,
                'content': opening.content,
                'reasoning': null::VARCHAR,
                'tool_calls': null::STRUCT(id VARCHAR, name VARCHAR, arguments VARCHAR)[],
                'tool_call_id': null::VARCHAR,
                'is_error': null::BOOLEAN,
                'weight': 0.0::DOUBLE,
                'model': null::VARCHAR,
                'event_id': null::VARCHAR,
                'parts': null::VARCHAR
            }
            for opening in [
                {'role': 'system', 'content': windows.summary},
                {'role': 'user', 'content': case when not conversations.has_user then windows.instruction end}
            ]
            if opening.content is not null
        ],
        conversations.messages
    ) as messages,
    list_sort(list_distinct(list_append(first_seen.event_ids, windows.event_id))) as origin_event_ids,
    [
        note for note in [
            case when windows.summary is not null then 'opens_with_summary' end,
            case when conversations.has_shared then 'shared_prefix' end,
            case when conversations.is_trimmed then 'tail_trimmed' end
        ] if note is not null
    ] as notes,
    windows.window_no - 1 as window_index,
    false as is_context_missing,
    tasks.is_final,
    tasks.started_at,
    windows.occurred_at as ended_at,

from windows

inner join conversations on conversations.event_id = windows.event_id

inner join first_seen on first_seen.event_id = windows.event_id

inner join tasks
    on tasks.subject_id = windows.subject_id
    and tasks.task = windows.task
