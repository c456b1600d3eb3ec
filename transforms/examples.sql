-- Candidate training examples from every source, in the canonical form.
--
-- grain:   one row per example
-- key:     example_id
-- scope:   subject
-- inputs:  curated.session_examples, curated.group_examples, curated.call_examples,
--   curated.checkpoint_examples, curated.generated_examples, curated.swarm
-- order:   started_at
-- rules:
--   task_type   the first that holds: generated → as its generator said; started by another's call → handoff; a
--               target that speaks of our own constitution, or of what the rules or principles say → constitutional
--               ("the constitution says" only in the mouth of a named agent: a country has one, too);
--               group chat → conflict_resolution where a claim was refused, or someone disagrees, objects or
--               points to an earlier claim; synthesis where the last target draws what was said together; handoff
--               where the agent hands over, as an event or in a target; else coordination. A call that transfers or
--               delegates → handoff; tool calls, coding sessions, runs of coding agents (SWE-agent and OpenHands act
--               in text, too) and checkpoints → task_completion; else other. A system prompt decides nothing: it is
--               the same in every task
--   tools       where the log declares none, one a tool that was called, with the argument names and types seen
--   content     content_hash covers role, name, text with white space folded, calls and weight of each message,
--               and tools and response format; ids, reasoning and models are left out
-- columns:
--   example_id           VARCHAR      the example
--   subject_id           VARCHAR      the unit that a split never cuts through
--   conversation_id      VARCHAR      conversation that it comes from
--   source               VARCHAR      claude_code, group_chat, chat, gateway, checkpoint or generated
--   task_type            VARCHAR      coordination, handoff, synthesis, task_completion, constitutional, conflict_resolution or other
--   task_id              VARCHAR      native task id, where the log has one
--   agent                VARCHAR      agent whose words are the targets
--   model                VARCHAR      of the last target
--   system_prompt_hash   VARCHAR      md5 of the system messages that open the example
--   content_hash         VARCHAR      md5 of the normalised content, see rules
--   source_uri           VARCHAR      URI of the origin
--   messages             MESSAGE[]    canonical messages; weight 1 is a target
--   tools                TOOL[]       tools declared, else those inferred from the calls
--   tools_origin         VARCHAR      declared, inferred or none
--   response_format      VARCHAR      JSON text as sent
--   tool_choice          VARCHAR      JSON text as sent
--   origin_event_ids     VARCHAR[]    the events that the example was made from
--   notes                VARCHAR[]    what was done to it
--   window_index         BIGINT       context window of the conversation, 0-based
--   target_count         BIGINT       messages of weight 1
--   message_count        BIGINT       messages
--   char_count           BIGINT       characters of texts and arguments
--   parallel_tool_calls  BOOLEAN      as sent
--   is_context_missing   BOOLEAN      something that the model saw is not in the lake
--   is_final             BOOLEAN      a terminal event ended the conversation
--   started_at           TIMESTAMPTZ  first event, trimmed or not
--   ended_at             TIMESTAMPTZ  last event, trimmed or not
with pieces as (
    select * from curated.session_examples

    union all by name

    select * from curated.group_examples

    union all by name

    select * from curated.call_examples

    union all by name

    select * from curated.checkpoint_examples

    union all by name

    select * from curated.generated_examples
),

called as (
    select
        example_id,
        unnest(flatten([coalesce(message.tool_calls, []) for message in messages if message.role = 'assistant'])) as call,

    from pieces

    where coalesce(len(tools), 0) = 0
),

arguments_seen as (
    select
        example_id,
        name,
        argument,
        list_sort(list(distinct case
            when json_type(value) in ('BIGINT', 'UBIGINT', 'HUGEINT') then 'integer'
            when json_type(value) = 'DOUBLE' then 'number'
            when json_type(value) = 'VARCHAR' then 'string'
            else lower(json_type(value))
        end)) as types,

    from (
        select
            example_id,
            name,
            argument,
            json_extract(arguments, '/' || replace(replace(argument, '~', '~0'), '/', '~1')) as value,

        from (
            select
                example_id,
                call.name as name,
                call.arguments as arguments,
                unnest(json_keys(call.arguments)) as argument,

            from called

            where case when json_valid(call.arguments) then json_type(call.arguments) = 'OBJECT' else false end
        )
    )

    group by example_id, name, argument
),

properties as (
    select
        example_id,
        name,
        string_agg(
            to_json(argument)::VARCHAR || ':' || case
                when len(types) = 1 and types[1] <> 'null' then '{"type":"' || types[1] || '"}'
                when types = ['integer', 'number'] then '{"type":"number"}'
                else '{}'
            end,
            ','
            order by argument
        ) as properties,

    from arguments_seen

    group by example_id, name
),

inferred as (
    select
        tools_called.example_id,
        list(
            {
                'name': tools_called.name,
                'description': null::VARCHAR,
                'parameters': '{"type":"object","properties":{' || coalesce(properties.properties, '') || '}}'
            }
            order by tools_called.name
        ) as tools,

    from (select distinct example_id, call.name as name from called where call.name is not null) as tools_called

    left join properties
        on properties.example_id = tools_called.example_id
        and properties.name = tools_called.name

    group by tools_called.example_id
),

swarms as (
    select
        subject_id,
        bool_or(kind = 'claim' and granted = false) as has_refused_claim,
        list(distinct agent) filter (where kind = 'handoff') as handing_agents,

    from curated.swarm

    group by subject_id
),

read as (
    select
        pieces.*,
        inferred.tools as inferred_tools,
        coalesce(swarms.has_refused_claim, false) as has_refused_claim,
        coalesce(list_contains(swarms.handing_agents, pieces.agent), false) as hands_over,
        [message for message in pieces.messages if message.weight > 0] as targets,
        array_to_string(
            [
                message.content
                for message, message_no in pieces.messages
                if message.role in ('system', 'developer')
                    and message_no <= coalesce(
                        list_position([other.role not in ('system', 'developer') for other in pieces.messages], true),
                        len(pieces.messages) + 1
                    )
            ],
            chr(10)
        ) as system_prompt,

    from pieces

    left join inferred on inferred.example_id = pieces.example_id

    left join swarms on swarms.subject_id = pieces.subject_id
)

select
    example_id,
    subject_id,
    conversation_id,
    source,
    case
        when source = 'generated' then
            case
                when task_hint in (
                    'coordination', 'handoff', 'synthesis', 'task_completion', 'constitutional', 'conflict_resolution'
                ) then task_hint
                else 'other'
            end
        when task_hint = 'handoff' then 'handoff'
        when len([
            message for message in targets if regexp_matches(
                message.content,
                '\b((our|my) constitution|constitutional (principle|rule)s?|(the|our|my) (rules?|principles?) '
                    || '(say|require|forbid|ask)s?|against (the|our|my) (rules?|principles?))\b',
                'i'
            ) or (agent is not null and regexp_matches(
                message.content, '\bthe constitution (says|asks|requires|forbids|tells|demands)\b', 'i'
            ))
        ]) > 0 then 'constitutional'
        when source = 'group_chat' and (has_refused_claim or len([
            message for message in messages if message.role in ('assistant', 'user') and regexp_matches(
                message.content,
                '\b(i (strongly |respectfully )?(disagree|object)|veto|overrul(e|ed|ing)|both claim(ed)?|'
                    || '(claim|decision) stands|(is|was) already (mine|claimed)|(is|was) mine since|'
                    || 'conflict(s|ing)? (claim|proposal|plan|instruction|priorit|with (my|your|our|the) (claim|plan|proposal)))',
                'i'
            )
        ]) > 0) then 'conflict_resolution'
        when source = 'group_chat' and regexp_matches(
            targets[-1].content,
            '\b(synthesi|in summary|to sum up|taken together|consensus|'
                || 'combining (the|our|your|both|these|all)( \w+)? (finding|result|report|view|proposal|answer|point)s?|'
                || 'put(ting)? (both|all|it all|everything) together)',
            'i'
        ) then 'synthesis'
        when source = 'group_chat' and (hands_over or len([
            message for message in targets if regexp_matches(
                message.content,
                '\b(hand(ing|ed)?( it| this| that)? (over|off)|hand-?(over|off)|over to you|passing (it|this) to)\b',
                'i'
            )
        ]) > 0) then 'handoff'
        when len([
            call for call in flatten([coalesce(message.tool_calls, []) for message in targets])
            if regexp_matches(call.name, '(^|_)(transfer|hand_?off|delegate)', 'i')
        ]) > 0 then 'handoff'
        when source = 'group_chat' then 'coordination'
        when source in ('claude_code', 'checkpoint')
            or regexp_matches(source_uri, '^(swe-agent|openhands):')
            or len([message for message in targets if len(message.tool_calls) > 0]) > 0 then 'task_completion'
        else 'other'
    end as task_type,
    task_id,
    agent,
    targets[-1].model as model,
    case when system_prompt <> '' then md5(system_prompt) end as system_prompt_hash,
    md5(concat(
        array_to_string(
            [
                concat_ws(
                    chr(31),
                    message.role,
                    coalesce(message.name, ''),
                    trim(regexp_replace(message.content, '\s+', ' ', 'g')),
                    array_to_string(
                        [
                            concat_ws(chr(29), coalesce(call.name, ''), coalesce(call.arguments, ''))
                            for call in coalesce(message.tool_calls, [])
                        ],
                        chr(28)
                    ),
                    coalesce(message.parts, ''),
                    case when message.weight > 0 then '1' else '0' end
                )
                for message in messages
            ],
            chr(30)
        ),
        chr(4),
        coalesce(tools, [])::VARCHAR,
        chr(4),
        response_format
    )) as content_hash,
    source_uri,
    messages,
    case when len(tools) > 0 then tools else inferred_tools end as tools,
    case
        when len(tools) > 0 then 'declared'
        when len(inferred_tools) > 0 then 'inferred'
        else 'none'
    end as tools_origin,
    response_format,
    tool_choice,
    origin_event_ids,
    notes,
    window_index,
    len(targets)::BIGINT as target_count,
    len(messages)::BIGINT as message_count,
    list_sum([
        len(message.content) + coalesce(
            list_sum([len(coalesce(call.arguments, '')) for call in coalesce(message.tool_calls, [])]), 0
        )
        for message in messages
    ])::BIGINT as char_count,
    parallel_tool_calls,
    is_context_missing,
    is_final,
    started_at,
    ended_at,

from read
