-- What is to be seen in an example itself: structure, repetition, wording.
--
-- grain:   one row per example
-- key:     example_id
-- scope:   subject
-- inputs:  curated.examples
-- order:   started_at
-- rules:
--   results     a result that a call needs: not for the last message's calls, and not for terminal calls (finish,
--               submit, exit, done, complete, final_result, transfer_*, handoff_*)
--   refusal     the last target makes no call, has fewer than 600 characters and declines in its first 120; it is
--               honest where tools are declared and it speaks of abilities or tools that are missing
--   hosted      a target holds the traces of a tool that the provider ran within the answer (search, fetch, code, MCP):
--               no training format has them, and the words rest on what they brought
--   echo        a target of 200 characters or more that is, white space aside, what another said to it before
--   given up    the last message is a target that ends the task (finish, submit, exit, done, complete) and says in the
--               call that it is not done, or opens its answer there with an apology or an inability
--   lines       of the target with the most repeats, without code blocks and lines of fewer than 12 characters
-- sources:
--   provider identity: open-instruct's filter by keywords; refusal opening and structure: curation.md §2b; key
--   patterns: the providers' published prefixes
-- columns:
--   example_id            VARCHAR      the example
--   subject_id            VARCHAR      the unit that a split never cuts through
--   ends_on               VARCHAR      role of the last message
--   call_count            BIGINT       tool calls
--   result_count          BIGINT       tool results
--   tool_error_count      BIGINT       results that are failures
--   unanswered_count      BIGINT       calls that lack a result
--   orphan_count          BIGINT       results that lack a call
--   bad_argument_count    BIGINT       calls whose arguments are no JSON
--   undeclared_count      BIGINT       calls in targets to tools that were not declared
--   role_order_count      BIGINT       tool messages that follow neither a call nor a result
--   empty_target_count    BIGINT       targets without text and calls
--   longest_repeat        BIGINT       longest run of equal calls
--   repeated_call_count   BIGINT       calls that stand in runs of three or more equal ones
--   line_count            BIGINT       lines, see rules
--   duplicate_line_rate   DOUBLE       share of them that are repeats, 0 to 1
--   is_refusal            BOOLEAN      the last target declines
--   is_honest_decline     BOOLEAN      it declines because no tool or ability fits
--   is_provider_identity  BOOLEAN      a target says which provider made it
--   has_secret            BOOLEAN      a raw key is left somewhere in the texts
--   started_at            TIMESTAMPTZ  first event of the example
--   hosted_tool_count     BIGINT       targets that rest on a tool which the provider ran, see rules
--   echo_count            BIGINT       targets that give back what they were told, see rules
--   is_given_up           BOOLEAN      the last target ends the task and says that it is not done
with spoken as (
    select
        example_id,
        unnest(messages) as message,
        generate_subscripts(messages, 1) as message_no,
        message_count,
        case when tools_origin = 'declared' then [tool.name for tool in tools] end as declared,

    from curated.examples
),

sequenced as (
    select
        *,
        lag(message.role) over place as role_before,
        lag(coalesce(len(message.tool_calls), 0)) over place as calls_before,
        lead(message.role) over place as role_after,

    from spoken

    window place as (partition by example_id order by message_no)
),

calls as (
    select
        example_id,
        message_no,
        message_no = message_count as is_last,
        message.weight > 0 as is_target,
        role_after,
        declared,
        unnest(message.tool_calls) as call,
        generate_subscripts(message.tool_calls, 1) as call_no,

    from sequenced

    where message.role = 'assistant'
),

results as (
    select example_id, message_no, message.tool_call_id as call_id, message.is_error as is_error

    from sequenced

    where message.role = 'tool'
),

runs as (
    select example_id, run_no, count(*) as run_length

    from (
        select
            *,
            count(*) filter (where not is_same) over (partition by example_id order by message_no, call_no) as run_no,

        from (
            select
                *,
                coalesce((call.name, call.arguments) = lag((call.name, call.arguments)) over (
                    partition by example_id
                    order by message_no, call_no
                ), false) as is_same,

            from calls
        )
    )

    group by example_id, run_no
),

repeats as (
    select
        example_id,
        max(run_length) as longest_repeat,
        coalesce(sum(run_length) filter (where run_length >= 3), 0) as repeated_count,

    from runs

    group by example_id
),

call_checks as (
    select
        calls.example_id,
        count(*) as call_count,
        count(*) filter (
            where not calls.is_last
                and not regexp_matches(
                    calls.call.name, '^(finish|submit|exit|done|complete|final_result|transfer_.*|hand_?off.*)$', 'i'
                )
                and case
                    when calls.call.id is null then calls.role_after is distinct from 'tool'
                    else answers.example_id is null
                end
        ) as unanswered_count,
        count(*) filter (
            where trim(coalesce(calls.call.arguments, '')) <> '' and not json_valid(calls.call.arguments)
        ) as bad_argument_count,
        count(*) filter (where calls.is_target and not list_contains(calls.declared, calls.call.name))
            as undeclared_count,
        coalesce(bool_or(
            calls.is_last
            and calls.is_target
            and regexp_matches(calls.call.name, '^(finish|submit|exit|done|complete)$', 'i')
            and regexp_matches(
                calls.call.arguments,
                '"task_completed": ?"?(false|partial)|"give_?up|'
                    || '"(final_answer|answer|message|result|output|summary)": ?"[^"]{0,60}\b(sorry|unable to|'
                    || 'could(n''t| not)|can(not|''t)|not able to)\b',
                'i'
            )
        ), false) as is_given_up,

    from calls

    left join (
        select example_id, call_id, max(message_no) as message_no from results group by example_id, call_id
    ) as answers
        on answers.example_id = calls.example_id
        and answers.call_id = calls.call.id
        and answers.message_no > calls.message_no

    group by calls.example_id
),

result_checks as (
    select
        results.example_id,
        count(*) as result_count,
        count(*) filter (where results.is_error) as tool_error_count,
        count(*) filter (where results.call_id is not null and made.example_id is null) as orphan_count,

    from results

    left join (
        select example_id, call.id as call_id, min(message_no) as message_no from calls group by example_id, call.id
    ) as made
        on made.example_id = results.example_id
        and made.call_id = results.call_id
        and made.message_no < results.message_no

    group by results.example_id
),

text_checks as (
    select
        example_id,
        arg_max(message.role, message_no) as ends_on,
        count(*) filter (
            where message.role = 'tool'
                and not (coalesce(role_before, '') = 'tool' or (role_before = 'assistant' and calls_before > 0))
        ) as role_order_count,
        count(*) filter (
            where message.weight > 0 and trim(message.content) = '' and coalesce(len(message.tool_calls), 0) = 0
                and message.parts is null
        ) as empty_target_count,
        count(*) filter (
            where message.weight > 0 and regexp_matches(
                message.parts,
                '"type": ?"(server_tool_use|(web_search|file_search|code_interpreter|mcp|image_generation)_call)"|'
                    || '"(executableCode|codeExecutionResult)"'
            )
        ) as hosted_tool_count,
        coalesce(bool_or(
            message.weight > 0 and regexp_matches(
                message.content,
                '(\b(i am|i''m|as) (an? )?(ai )?(language )?(model|assistant)?[^.\n]{0,40}\b(trained|developed|'
                    || 'created|made|built) by|\bi am|\bi''m|\bcalled) (chatgpt|gpt-[0-9]|openai|claude\b|anthropic|'
                    || 'gemini\b|google deepmind|llama\b|meta ai|mistral ai|deepseek|qwen\b|alibaba cloud|cohere|grok\b)',
                'i'
            )
        ), false) as is_provider_identity,
        coalesce(bool_or(
            regexp_matches(
                concat_ws(
                    ' ',
                    message.content,
                    message.reasoning,
                    array_to_string([call.arguments for call in coalesce(message.tool_calls, [])], ' ')
                ),
                '(^|[^A-Za-z0-9_/+.-])(sk-(proj-|ant-|or-)?[A-Za-z0-9_-]{20,}|AKIA[0-9A-Z]{16}|'
                    || 'gh[pousr]_[A-Za-z0-9]{36}|xox[abprs]-[A-Za-z0-9-]{20,}|AIza[0-9A-Za-z_-]{35}|'
                    || 'glpat-[A-Za-z0-9_-]{20}|hf_[A-Za-z0-9]{34})($|[^A-Za-z0-9_/+=-])|'
                    || '-----BEGIN [A-Z ]*PRIVATE KEY-----|'
                    || '\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}'
            )
        ), false) as has_secret,
        arg_max(message.content, message_no) filter (where message.weight > 0) as last_text,
        arg_max(coalesce(len(message.tool_calls), 0), message_no) filter (where message.weight > 0) as last_calls,
        any_value(declared) as declared,

    from sequenced

    group by example_id
),

echoes as (
    select example_id, count(*) as echo_count

    from (
        select
            example_id,
            message_no,
            is_target,
            min(message_no) filter (where is_heard) over (partition by example_id, text_hash) as heard_no,

        from (
            select
                example_id,
                message_no,
                message.weight > 0 as is_target,
                message.role = 'user' as is_heard,
                md5(trim(regexp_replace(message.content, '\s+', ' ', 'g'))) as text_hash,

            from spoken

            where len(message.content) >= 200 and (message.weight > 0 or message.role = 'user')
        )
    )

    where is_target and heard_no < message_no

    group by example_id
),

-- An answer that restates code with a change is no loop: each target is looked
-- at by itself, without its code.
lines as (
    select
        example_id,
        arg_max(len(said), (len(said) - len(list_distinct(said)), len(said), -message_no))::BIGINT as line_count,
        arg_max(
            case when len(said) > 0 then 1 - len(list_distinct(said)) / len(said) else 0 end,
            (len(said) - len(list_distinct(said)), len(said), -message_no)
        ) as duplicate_line_rate,

    from (
        select
            example_id,
            message_no,
            [
                trim(line)
                for line in string_split(regexp_replace(message.content, '(?s)```.*?(```|$)', '', 'g'), chr(10))
                if len(trim(line)) >= 12 and regexp_matches(line, '\pL')
            ] as said,

        from spoken

        where message.weight > 0
    )

    group by example_id
),

worded as (
    select
        *,
        coalesce(
            last_calls = 0 and len(last_text) < 600 and regexp_matches(
                left(last_text, 120),
                '\b(i''?m sorry|i am sorry|i apologi[sz]e|unfortunately,? i|(i''?m|i am) (not able|unable) to|'
                    || 'i won''?t (help|do|be able)|'
                    || 'i (can(no|''?)t|can not) (help|assist|do that|provide|comply|fulfil|answer|share|create|write|generate))',
                'i'
            ),
            false
        ) as is_refusal,
        coalesce(
            regexp_matches(
                last_text,
                '\b(capabilit|do(n''t| not) have (the |an? |any )?(abilit|access|tool|function)|not able to|'
                    || 'unable to|no (suitable )?tool|functions? (available|provided)|current(ly)? (function|tool|'
                    || 'abilit))',
                'i'
            ),
            false
        ) and len(declared) > 0 as is_tool_decline,

    from text_checks
)

select
    examples.example_id,
    examples.subject_id,
    worded.ends_on,
    coalesce(call_checks.call_count, 0) as call_count,
    coalesce(result_checks.result_count, 0) as result_count,
    coalesce(result_checks.tool_error_count, 0) as tool_error_count,
    coalesce(call_checks.unanswered_count, 0) as unanswered_count,
    coalesce(result_checks.orphan_count, 0) as orphan_count,
    coalesce(call_checks.bad_argument_count, 0) as bad_argument_count,
    coalesce(call_checks.undeclared_count, 0) as undeclared_count,
    worded.role_order_count,
    worded.empty_target_count,
    coalesce(repeats.longest_repeat, 0) as longest_repeat,
    coalesce(repeats.repeated_count, 0)::BIGINT as repeated_call_count,
    coalesce(lines.line_count, 0) as line_count,
    round(coalesce(lines.duplicate_line_rate, 0), 4) as duplicate_line_rate,
    worded.is_refusal,
    worded.is_refusal and coalesce(worded.is_tool_decline, false) as is_honest_decline,
    worded.is_provider_identity,
    worded.has_secret,
    examples.started_at,
    worded.hosted_tool_count,
    coalesce(echoes.echo_count, 0) as echo_count,
    coalesce(call_checks.is_given_up, false) as is_given_up,

from curated.examples as examples

inner join worded on worded.example_id = examples.example_id

left join call_checks on call_checks.example_id = examples.example_id

left join result_checks on result_checks.example_id = examples.example_id

left join repeats on repeats.example_id = examples.example_id

left join lines on lines.example_id = examples.example_id

left join echoes on echoes.example_id = examples.example_id
