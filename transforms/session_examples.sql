-- Examples from coding sessions and plain chats: one per context window.
--
-- grain:   one row per context window with at least one model output
-- key:     example_id
-- scope:   subject
-- inputs:  curated.turns, curated.credits
-- order:   started_at
-- rules:   (semantics §2)
--   target          a logged output with text or calls; not one whose call a human refused
--   result          stands right after its call, wherever it was logged; pairs are made by id
--   summary         opens the window as a user message
--   queued          what a human typed while the agent worked is a user message at its place
--   left out        notices, interruptions, synthetic error lines, outputs that hold only reasoning
--   tail            everything after the last target is trimmed: unanswered prompts, trailing results
--   step credit     where threshold step_credit applies, no output from the mistake on is a target: see curated.credits
--   branch          a conversation that branches off another has the turns above as context, none of them a target
--   eval traffic    a conversation with a purpose (eval, suite, judge) gives no example
-- columns:
--   example_id          VARCHAR      md5 of the conversation and the window's first turn: stable as the window grows
--   subject_id          VARCHAR      the unit that a split never cuts through
--   conversation_id     VARCHAR      conversation that it comes from
--   source              VARCHAR      claude_code or chat
--   task_hint           VARCHAR      handoff: the conversation was started by another's call
--   task_id             VARCHAR      native task id, where the log has one
--   agent               VARCHAR      agent of the last output
--   source_uri          VARCHAR      URI of the origin
--   messages            MESSAGE[]    canonical messages; weight 1 is a target
--   tools               TOOL[]       tools that were declared
--   origin_event_ids    VARCHAR[]    the events that it was made from
--   notes               VARCHAR[]    opens_with_summary, branch, interrupted, refused_call, truncated, empty_output, tail_trimmed, step_credit
--   window_index        BIGINT       context window of the conversation, 0-based
--   is_context_missing  BOOLEAN      something that the model saw is not in the lake
--   is_final            BOOLEAN      a terminal event ended the conversation
--   started_at          TIMESTAMPTZ  first thing logged in the window
--   ended_at            TIMESTAMPTZ  of the last thing logged in the window, trimmed or not
with recursive judged as (
    select distinct subject_id, conversation_id from curated.turns where purpose is not null
),

own_turns as (
    select turns.*

    from curated.turns as turns

    anti join judged
        on judged.subject_id = turns.subject_id
        and judged.conversation_id = turns.conversation_id

    where turns.form = 'session'
),

branches as (
    select distinct
        own_turns.subject_id,
        own_turns.conversation_id,
        own_turns.branch_of,
        own_turns.branch_turn_index,
        points.window_index as branch_window_index,

    from own_turns

    inner join curated.turns as points
        on points.subject_id = own_turns.subject_id
        and points.conversation_id = own_turns.branch_of
        and points.turn_index = own_turns.branch_turn_index
),

-- The conversations above a branch, up to the one that the window opens in.
above as (
    select *, 1 as depth from branches

    union all

    select
        above.subject_id,
        above.conversation_id,
        branches.branch_of,
        branches.branch_turn_index,
        branches.branch_window_index,
        above.depth + 1 as depth,

    from above

    inner join branches
        on branches.subject_id = above.subject_id
        and branches.conversation_id = above.branch_of

    where above.branch_window_index = 0 and above.depth < 1000
),

session_turns as (
    select *, false as is_above from own_turns

    union all by name

    -- They stand before the branch's own turns, the farthest first.
    select
        turns.* replace (
            above.conversation_id as conversation_id,
            turns.turn_index - 1000000 * above.depth as turn_index,
            0 as window_index,
            false as is_final
        ),
        true as is_above,

    from above

    inner join own_turns as turns
        on turns.subject_id = above.subject_id
        and turns.conversation_id = above.branch_of
        and turns.window_index = above.branch_window_index
        and turns.turn_index <= above.branch_turn_index

    -- An output that forks within itself goes on in both.
    anti join own_turns as parts
        on parts.subject_id = turns.subject_id
        and parts.conversation_id = above.conversation_id
        and parts.response_id = turns.response_id
),

calls as (
    select subject_id, conversation_id, window_index, turn_id, turn_index, unnest(tool_calls).id as call_id

    from session_turns

    where kind = 'output'
),

-- An id that was used twice (providers without ids) names the latest call
-- before the result.
answered as (
    select
        results.turn_id,
        results.conversation_id,
        max(calls.turn_index) as call_turn_index,

    from session_turns as results

    inner join calls
        on calls.subject_id = results.subject_id
        and calls.conversation_id = results.conversation_id
        and calls.window_index = results.window_index
        and calls.call_id = results.tool_call_id
        and calls.turn_index < results.turn_index

    where results.kind in ('tool_result', 'refusal', 'environment')

    group by results.turn_id, results.conversation_id
),

placed as (
    select
        session_turns.*,
        coalesce(answered.call_turn_index, session_turns.turn_index) as major,
        case when answered.turn_id is null then 0 else 1 end as minor,
        session_turns.kind = 'output'
            and not session_turns.is_refused
            and not session_turns.is_above
            and (session_turns.content <> '' or len(session_turns.tool_calls) > 0)
            and (credits.turn_index is null or session_turns.turn_index < credits.turn_index) as is_target,
        credits.turn_index is not null as is_credited,

    from session_turns

    left join answered
        on answered.turn_id = session_turns.turn_id
        and answered.conversation_id = session_turns.conversation_id

    left join (select * from curated.credits where is_applied) as credits
        on credits.subject_id = session_turns.subject_id
        and credits.conversation_id = session_turns.conversation_id

    -- A call is answered once: what repeats the answer is left out.
    qualify answered.turn_id is null
        or row_number() over (
            partition by
                session_turns.subject_id, session_turns.conversation_id, session_turns.window_index,
                answered.call_turn_index, session_turns.tool_call_id
            order by session_turns.turn_index
        ) = 1
),

spoken as (
    select
        *,
        max(case when is_target then (major, minor, turn_index) end) over (
            partition by subject_id, conversation_id, window_index
        ) as last_target,
        case
            when kind = 'output' then 'assistant'
            when kind in ('tool_result', 'refusal') and tool_call_id is not null then 'tool'
            when kind = 'system' then 'system'
            when kind = 'context' and role in ('system', 'developer', 'assistant') then role
            else 'user'
        end as message_role,
        kind not in ('interrupt', 'error')
            and (content <> '' or parts is not null or len(tool_calls) > 0
                or (kind in ('tool_result', 'refusal') and tool_call_id is not null)) as is_message,

    from placed
),

kept as (
    select
        *,
        is_message and (last_target is null or (major, minor, turn_index) <= last_target) as is_kept,

    from spoken
)

select
    md5('session' || chr(31) || conversation_id || chr(31) || arg_min(turn_id, turn_index)) as example_id,
    subject_id,
    conversation_id,
    case when bool_or(starts_with(source_uri, 'claude-code:')) then 'claude_code' else 'chat' end as source,
    case when bool_or(parent_conversation_id is not null) then 'handoff' end as task_hint,
    min(task_id) as task_id,
    arg_max(agent, turn_index) filter (where kind = 'output' and agent is not null) as agent,
    arg_min(source_uri, turn_index) as source_uri,
    list(
        {
            'role': message_role,
            'name': case when message_role in ('tool', 'user') then name end,
            'content': content,
            'reasoning': case when message_role = 'assistant' then reasoning end,
            'tool_calls': case when len(tool_calls) > 0 and message_role = 'assistant' then tool_calls end,
            'tool_call_id': case when message_role = 'tool' then tool_call_id end,
            'is_error': case when message_role = 'tool' then is_error end,
            'weight': case when is_target then 1.0 else 0.0 end::DOUBLE,
            'model': case when kind = 'output' then model end,
            'event_id': turn_id,
            'parts': parts
        }
        order by major, minor, turn_index
    ) filter (where is_kept) as messages,
    arg_max(tools, turn_index) filter (where len(tools) > 0) as tools,
    flatten(list(event_ids order by turn_index) filter (where is_kept)) as origin_event_ids,
    [
        note for note in [
            case when bool_or(kind = 'summary') then 'opens_with_summary' end,
            case when bool_or(is_above) then 'branch' end,
            case when bool_or(kind = 'interrupt') then 'interrupted' end,
            case when bool_or(is_refused) then 'refused_call' end,
            case
                when arg_max(finish_reason, turn_index) filter (where is_target) in ('length', 'max_tokens')
                    then 'truncated'
            end,
            case
                when bool_or(kind = 'output' and content = '' and coalesce(len(tool_calls), 0) = 0 and parts is null)
                    then 'empty_output'
            end,
            case when bool_or(is_message and not is_kept) then 'tail_trimmed' end,
            case when bool_or(is_credited) then 'step_credit' end
        ] if note is not null
    ] as notes,
    window_index,
    bool_or(is_context_missing) as is_context_missing,
    bool_or(bool_or(is_final)) over (partition by subject_id, conversation_id) as is_final,
    min(started_at) as started_at,
    max(ended_at) as ended_at,

from kept

group by subject_id, conversation_id, window_index

having bool_or(kind = 'output' and not is_above)
