-- Examples from group chats, by target agent: the chat as agent A saw it.
--
-- grain:   one row per context window and agent that speaks in it
-- key:     example_id
-- scope:   subject
-- inputs:  curated.turns, curated.credits
-- order:   started_at
-- rules:   (semantics §2, group chat)
--   system          A's own prompt; else the chat's; else a roster that names A
--   assistant       A's logged outputs, each a target; roles are recomputed for each A
--   user            everyone else, with a name: other agents, people, templates, scripts
--   tool            results of A's own calls, after the call; others' calls and results are told as text
--   tail            everything after A's last target is trimmed
--   step credit     where threshold step_credit applies, no output from the mistake on is a target: see curated.credits
-- columns:
--   example_id          VARCHAR      md5 of conversation, window's first turn and agent
--   subject_id          VARCHAR      the unit that a split never cuts through
--   conversation_id     VARCHAR      conversation that it comes from
--   source              VARCHAR      group_chat
--   task_hint           VARCHAR      group
--   task_id             VARCHAR      native task id, where the log has one
--   agent               VARCHAR      the target agent
--   source_uri          VARCHAR      URI of the origin
--   messages            MESSAGE[]    canonical messages; weight 1 is a target
--   tools               TOOL[]       tools that were declared
--   origin_event_ids    VARCHAR[]    the events that it was made from
--   notes               VARCHAR[]    roster, opens_with_summary, interrupted, refused_call, truncated, empty_output, tail_trimmed, step_credit
--   window_index        BIGINT       context window of the conversation, 0-based
--   is_context_missing  BOOLEAN      something that the model saw is not in the lake
--   is_final            BOOLEAN      a terminal event ended the conversation
--   started_at          TIMESTAMPTZ  first thing logged in the window
--   ended_at            TIMESTAMPTZ  of the last thing logged in the window, trimmed or not
with judged as (
    select distinct subject_id, conversation_id from curated.turns where purpose is not null
),

group_turns as (
    select turns.*

    from curated.turns as turns

    anti join judged
        on judged.subject_id = turns.subject_id
        and judged.conversation_id = turns.conversation_id

    where turns.form = 'group'
),

rosters as (
    select
        subject_id,
        conversation_id,
        list(distinct agent order by agent) as agents,
        string_agg(content, chr(10) || chr(10) order by turn_index) filter (where kind = 'system' and agent is null and content <> '')
            as shared_prompt,

    from group_turns

    where kind in ('output', 'system')

    group by subject_id, conversation_id
),

prompts as (
    select
        subject_id,
        conversation_id,
        agent,
        arg_max(content, turn_index) as prompt,
        arg_max(turn_id, turn_index) as turn_id,
        arg_max(tools, turn_index) filter (where len(tools) > 0) as tools,

    from group_turns

    where kind = 'system' and agent is not null and content <> ''

    group by subject_id, conversation_id, agent
),

targets as (
    select distinct subject_id, conversation_id, window_index, agent

    from group_turns

    where kind = 'output' and agent is not null
),

calls as (
    select subject_id, conversation_id, window_index, agent, turn_index, unnest(tool_calls).id as call_id

    from group_turns

    where kind = 'output'
),

answered as (
    select
        results.turn_id,
        max(calls.turn_index) as call_turn_index,
        arg_max(calls.agent, calls.turn_index) as caller,

    from group_turns as results

    inner join calls
        on calls.subject_id = results.subject_id
        and calls.conversation_id = results.conversation_id
        and calls.window_index = results.window_index
        and calls.call_id = results.tool_call_id
        and calls.turn_index < results.turn_index

    where results.kind in ('tool_result', 'refusal', 'environment')

    group by results.turn_id
),

views as (
    select
        targets.agent as target_agent,
        group_turns.*,
        coalesce(answered.call_turn_index, group_turns.turn_index) as major,
        case when answered.turn_id is null then 0 else 1 end as minor,
        group_turns.kind = 'output' and group_turns.agent = targets.agent as is_own,
        answered.caller is not distinct from targets.agent as is_own_result,
        credits.turn_index as mistake_index,

    from targets

    inner join group_turns
        on group_turns.subject_id = targets.subject_id
        and group_turns.conversation_id = targets.conversation_id
        and group_turns.window_index = targets.window_index

    left join answered on answered.turn_id = group_turns.turn_id

    left join (select * from curated.credits where is_applied) as credits
        on credits.subject_id = group_turns.subject_id
        and credits.conversation_id = group_turns.conversation_id

    where group_turns.kind <> 'system'

    qualify answered.turn_id is null
        or row_number() over (
            partition by
                targets.subject_id, targets.conversation_id, targets.window_index, targets.agent,
                answered.call_turn_index, group_turns.tool_call_id
            order by group_turns.turn_index
        ) = 1
),

told as (
    select
        views.* exclude (content, name),
        case
            when is_own then content
            when len(tool_calls) > 0
                then concat_ws(
                    chr(10),
                    nullif(content, ''),
                    array_to_string(
                        [call.name || '(' || coalesce(call.arguments, '') || ')' for call in tool_calls], chr(10)
                    )
                )
            else content
        end as content,
        coalesce(name, agent) as name,
        is_own
            and not is_refused
            and (content <> '' or len(tool_calls) > 0)
            and (mistake_index is null or turn_index < mistake_index) as is_target,
        case
            when is_own then 'assistant'
            when is_own_result and kind in ('tool_result', 'refusal', 'environment') then 'tool'
            else 'user'
        end as message_role,

    from views
),

spoken as (
    select
        *,
        max(case when is_target then (major, minor, turn_index) end) over (
            partition by subject_id, conversation_id, window_index, target_agent
        ) as last_target,
        kind not in ('interrupt', 'error')
            and (content <> '' or parts is not null or (is_own and len(tool_calls) > 0) or message_role = 'tool')
            as is_message,

    from told
),

kept as (
    select
        *,
        is_message and (last_target is null or (major, minor, turn_index) <= last_target) as is_kept,

    from spoken
),

windows as (
    select
        subject_id,
        conversation_id,
        window_index,
        target_agent,
        arg_min(turn_id, turn_index) as first_turn_id,
        min(task_id) as task_id,
        arg_min(source_uri, turn_index) as source_uri,
        list(
            {
                'role': message_role,
                'name': case when message_role in ('tool', 'user') then name end,
                'content': content,
                'reasoning': case when is_own then reasoning end,
                'tool_calls': case when is_own and len(tool_calls) > 0 then tool_calls end,
                'tool_call_id': case when message_role = 'tool' then tool_call_id end,
                'is_error': case when message_role = 'tool' then is_error end,
                'weight': case when is_target then 1.0 else 0.0 end::DOUBLE,
                'model': case when is_own then model end,
                'event_id': turn_id,
                'parts': parts
            }
            order by major, minor, turn_index
        ) filter (where is_kept) as messages,
        arg_max(tools, turn_index) filter (where is_own and len(tools) > 0) as tools,
        flatten(list(event_ids order by turn_index) filter (where is_kept)) as event_ids,
        [
            note for note in [
                case when bool_or(kind = 'summary') then 'opens_with_summary' end,
                case when bool_or(kind = 'interrupt') then 'interrupted' end,
                case when bool_or(is_own and is_refused) then 'refused_call' end,
                case
                    when arg_max(finish_reason, turn_index) filter (where is_target) in ('length', 'max_tokens')
                        then 'truncated'
                end,
                case
                    when bool_or(is_own and content = '' and coalesce(len(tool_calls), 0) = 0 and parts is null)
                        then 'empty_output'
                end,
                case when bool_or(is_message and not is_kept) then 'tail_trimmed' end,
                case when bool_or(mistake_index is not null) then 'step_credit' end
            ] if note is not null
        ] as notes,
        bool_or(is_context_missing) as is_context_missing,
        bool_or(is_final) as is_final,
        min(started_at) as started_at,
        max(ended_at) as ended_at,

    from kept

    group by subject_id, conversation_id, window_index, target_agent
)

select
    md5(
        'group' || chr(31) || windows.conversation_id || chr(31) || windows.first_turn_id || chr(31)
        || windows.target_agent
    ) as example_id,
    windows.subject_id,
    windows.conversation_id,
    'group_chat' as source,
    'group' as task_hint,
    windows.task_id,
    windows.target_agent as agent,
    windows.source_uri,
    list_concat(
        [{
            'role': 'system',
            'name': null::VARCHAR,
            'content': coalesce(
                prompts.prompt,
                rosters.shared_prompt,
                'You are ' || windows.target_agent || '. The agents in this conversation are '
                || array_to_string(rosters.agents, ', ') || '.'
            ),
            'reasoning': null::VARCHAR,
            'tool_calls': null::STRUCT(id VARCHAR, name VARCHAR, arguments VARCHAR)[],
            'tool_call_id': null::VARCHAR,
            'is_error': null::BOOLEAN,
            'weight': 0.0::DOUBLE,
            'model': null::VARCHAR,
            'event_id': prompts.turn_id,
            'parts': null::VARCHAR
        }],
        windows.messages
    ) as messages,
    coalesce(windows.tools, prompts.tools) as tools,
    case
        when prompts.turn_id is not null then list_prepend(prompts.turn_id, windows.event_ids)
        else windows.event_ids
    end as origin_event_ids,
    case
        when prompts.prompt is null and rosters.shared_prompt is null then list_prepend('roster', windows.notes)
        else windows.notes
    end as notes,
    windows.window_index,
    windows.is_context_missing,
    bool_or(windows.is_final) over (partition by windows.subject_id, windows.conversation_id) as is_final,
    windows.started_at,
    windows.ended_at,

from windows

inner join rosters
    on rosters.subject_id = windows.subject_id
    and rosters.conversation_id = windows.conversation_id

left join prompts
    on prompts.subject_id = windows.subject_id
    and prompts.conversation_id = windows.conversation_id
    and prompts.agent = windows.target_agent
