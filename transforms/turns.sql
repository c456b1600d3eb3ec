-- Chat turns: what a model or a person said at one point, parts of a model
-- output joined, each in its context window.
--
-- grain:   one row per message of a conversation; the parts of one model output (response_id) are one row
-- key:     turn_id
-- scope:   subject
-- inputs:  curated.messages, curated.erased
-- order:   started_at
-- columns:
--   turn_id                 VARCHAR      event id of the first part
--   subject_id              VARCHAR      the unit that a split never cuts through
--   conversation_id         VARCHAR      conversation; the subject where the log names none
--   parent_conversation_id  VARCHAR      conversation whose call started this one
--   parent_call_id          VARCHAR      that call
--   branch_of               VARCHAR      conversation that this one branches off: its first message answers one there
--   response_id             VARCHAR      native id of the model output
--   form                    VARCHAR      group (several agents speak) or session
--   kind                    VARCHAR      as in events.chat_messages; notices are left out
--   agent                   VARCHAR      agent that speaks; null for humans
--   recipient               VARCHAR      agent that is addressed, where one is
--   role                    VARCHAR      as sent
--   name                    VARCHAR      speaker's display name; tool name of a result
--   content                 VARCHAR      texts of the parts, joined by an empty line; '' where there is none
--   reasoning               VARCHAR      readable reasoning of the parts, joined by an empty line
--   tool_call_id            VARCHAR      call that a result answers
--   parts                   VARCHAR      JSON array of what is not text
--   model                   VARCHAR      model that wrote it
--   finish_reason           VARCHAR      why the model stopped, as sent
--   task_id                 VARCHAR      native task id, where the log has one
--   outcome                 VARCHAR      success or failure where the log labels the conversation
--   purpose                 VARCHAR      eval, suite or judge: traffic that never becomes an example
--   source_uri              VARCHAR      URI of the origin
--   event_ids               VARCHAR[]    the events of the parts
--   tool_calls              TOOL_CALL[]  calls of all parts
--   tools                   TOOL[]       tools declared at this point, where the log says
--   turn_index              BIGINT       place in the conversation, 0-based
--   window_index            BIGINT       context window of the conversation, 0-based
--   branch_turn_index       BIGINT       last turn of branch_of that this conversation goes on from
--   input_tokens            BIGINT       largest of the parts: every part repeats the output's usage
--   cached_tokens           BIGINT       tokens read from the cache
--   cache_write_tokens      BIGINT       tokens written to the cache
--   output_tokens           BIGINT       tokens generated, as reported
--   reasoning_tokens        BIGINT       reasoning tokens, as reported
--   cost_usd                DOUBLE       cost at call time in USD, as reported
--   is_error                BOOLEAN      the tool failed; null where the log does not say; a human's refusal is no failure
--   is_final                BOOLEAN      ends the conversation
--   is_refused              BOOLEAN      a human refused a call of this output
--   is_context_missing      BOOLEAN      the window opens at a message whose parent is not in the lake, or words were erased
--   started_at              TIMESTAMPTZ  first part
--   ended_at                TIMESTAMPTZ  last part
with known as (
    select
        subject_id,
        message_id,
        coalesce(conversation_id, subject_id) as conversation,
        max((ordered_at, position, event_id)) as place,

    from curated.messages

    where message_id is not null

    group by all
),

lines as (
    select
        messages.* replace (nullif(messages.content, '') as content),
        coalesce(messages.conversation_id, messages.subject_id) as conversation,
        case
            when messages.kind = 'output' and messages.response_id is not null
                then 'response:' || messages.response_id
            else messages.event_id
        end as turn_key,
        messages.parent_id is not null and parents.message_id is null as is_dangling,

    from curated.messages as messages

    left join (select distinct subject_id, message_id from known) as parents
        on parents.subject_id = messages.subject_id
        and parents.message_id = messages.parent_id
),

-- A window opens at a compaction summary, and where a slice begins whose
-- parent the lake has not (yet): what stands before it was not all seen here.
-- Notices take part, for a slice may begin with one.
windowed as (
    select
        *,
        count(*) filter (where is_dangling or kind = 'summary') over place as opener_count,
        last_value(case when is_dangling or kind = 'summary' then kind <> 'summary' end ignore nulls) over place
            as opened_by_hole,

    from lines

    window place as (
        partition by subject_id, conversation
        order by ordered_at, position, event_id
        rows between unbounded preceding and current row
    )
),

merged as (
    select
        arg_min(event_id, (ordered_at, position, event_id)) as turn_id,
        subject_id,
        conversation,
        min(parent_conversation_id) as parent_conversation_id,
        min(parent_call_id) as parent_call_id,
        min(response_id) as response_id,
        min(kind) as kind,
        min(agent) as agent,
        min(recipient) as recipient,
        min(role) as role,
        min(name) as name,
        string_agg(content, chr(10) || chr(10) order by ordered_at, position, event_id) as content,
        string_agg(reasoning, chr(10) || chr(10) order by ordered_at, position, event_id) as reasoning,
        min(tool_call_id) as tool_call_id,
        case
            when count(parts) > 1
                then '[' || string_agg(trim(parts)[2:-2], ',' order by ordered_at, position, event_id) || ']'
            else min(parts)
        end as parts,
        min(model) as model,
        arg_max(finish_reason, (ordered_at, position, event_id)) filter (where finish_reason is not null)
            as finish_reason,
        min(task_id) as task_id,
        min(outcome) as outcome,
        min(purpose) as purpose,
        min(source_uri) as source_uri,
        list(event_id order by ordered_at, position, event_id) as event_ids,
        flatten(list(tool_calls order by ordered_at, position, event_id) filter (where len(tool_calls) > 0))
            as tool_calls,
        arg_max(tools, (ordered_at, position, event_id)) filter (where len(tools) > 0) as tools,
        min(opener_count) as opener_count,
        bool_or(opened_by_hole) as opened_by_hole,
        max(input_tokens) as input_tokens,
        max(cached_tokens) as cached_tokens,
        max(cache_write_tokens) as cache_write_tokens,
        max(output_tokens) as output_tokens,
        max(reasoning_tokens) as reasoning_tokens,
        max(cost_usd) as cost_usd,
        bool_or(is_error) as is_error,
        bool_or(is_final) as is_final,
        min((ordered_at, position, event_id)) as place,
        min(occurred_at) as started_at,
        max(occurred_at) as ended_at,

    from windowed

    where kind <> 'notice'

    group by subject_id, conversation, turn_key
),

-- A regenerated answer, an edited question, what follows a rollback: a
-- conversation whose first message has its parent in another of the subject,
-- and which no call started.
branches as (
    select
        firsts.subject_id,
        firsts.conversation,
        arg_max(known.conversation, known.place) as branch_of,
        max(known.place) as branch_place,

    from (
        select subject_id, conversation, parent_id

        from lines

        where parent_id is not null and parent_conversation_id is null

        qualify row_number() over (
            partition by subject_id, conversation
            order by ordered_at, position, event_id
        ) = 1
    ) as firsts

    inner join known
        on known.subject_id = firsts.subject_id
        and known.message_id = firsts.parent_id

    group by firsts.subject_id, firsts.conversation

    having not bool_or(known.conversation = firsts.conversation)
),

indexed as (
    select
        *,
        row_number() over (partition by subject_id, conversation order by place) - 1 as turn_index,
        dense_rank() over (partition by subject_id, conversation order by opener_count) - 1 as window_index,

    from merged
),

branch_points as (
    select
        branches.subject_id,
        branches.conversation,
        branches.branch_of,
        max(indexed.turn_index) as branch_turn_index,

    from branches

    inner join indexed
        on indexed.subject_id = branches.subject_id
        and indexed.conversation = branches.branch_of
        and indexed.place <= branches.branch_place

    group by all
),

forms as (
    select
        subject_id,
        coalesce(conversation_id, subject_id) as conversation,
        count(distinct agent) filter (where kind in ('output', 'context', 'prompt', 'system')) > 1
            or bool_or(starts_with(source_uri, 'groupchat:')) as is_group,

    from curated.messages

    group by all
),

refused as (
    select distinct
        subject_id,
        coalesce(conversation_id, subject_id) as conversation,
        tool_call_id,

    from curated.messages

    where kind = 'refusal' and tool_call_id is not null
),

refused_turns as (
    select distinct called.turn_id

    from (
        select turn_id, subject_id, conversation, unnest(tool_calls).id as call_id from merged where kind = 'output'
    ) as called

    inner join refused
        on refused.subject_id = called.subject_id
        and refused.conversation = called.conversation
        and refused.tool_call_id = called.call_id
)

select
    indexed.turn_id,
    indexed.subject_id,
    indexed.conversation as conversation_id,
    indexed.parent_conversation_id,
    indexed.parent_call_id,
    branch_points.branch_of,
    indexed.response_id,
    case when forms.is_group then 'group' else 'session' end as form,
    indexed.kind,
    indexed.agent,
    indexed.recipient,
    indexed.role,
    indexed.name,
    coalesce(indexed.content, '') as content,
    indexed.reasoning,
    indexed.tool_call_id,
    indexed.parts,
    indexed.model,
    indexed.finish_reason,
    indexed.task_id,
    indexed.outcome,
    indexed.purpose,
    indexed.source_uri,
    indexed.event_ids,
    indexed.tool_calls,
    indexed.tools,
    indexed.turn_index,
    indexed.window_index,
    branch_points.branch_turn_index,
    indexed.input_tokens,
    indexed.cached_tokens,
    indexed.cache_write_tokens,
    indexed.output_tokens,
    indexed.reasoning_tokens,
    indexed.cost_usd,
    indexed.is_error and indexed.kind <> 'refusal' as is_error,
    coalesce(indexed.is_final, false) as is_final,
    refused_turns.turn_id is not null as is_refused,
    coalesce(indexed.opened_by_hole, false)
    -- A person was erased from the conversation: the answers rest on words that are gone.
    or indexed.subject_id in (
        select erased.subject_id from curated.erased as erased where erased.event_table = 'events.chat_messages'
    ) as is_context_missing,
    indexed.started_at,
    indexed.ended_at,

from indexed

inner join forms
    on forms.subject_id = indexed.subject_id
    and forms.conversation = indexed.conversation

left join branch_points
    on branch_points.subject_id = indexed.subject_id
    and branch_points.conversation = indexed.conversation

left join refused_turns on refused_turns.turn_id = indexed.turn_id
