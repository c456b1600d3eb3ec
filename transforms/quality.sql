-- The signals and the verdict of each example.
--
-- grain:   one row per example
-- key:     example_id
-- scope:   subject
-- inputs:  curated.examples, curated.example_checks, curated.example_texts, curated.exchanges, curated.turns,
--   curated.checkpoints, curated.evidence, curated.reviews,
--   curated.thresholds (whole)
-- order:   started_at
-- rules:
--   hard        each of these reasons drops the example and sets the score to 0, whatever else speaks for it, in
--               this order: context_missing, no_target, result_without_call, call_without_result, bad_arguments,
--               role_order, undeclared_tool, empty_target, truncated, bad_ending (something follows the last target),
--               think_tag (reasoning left in a text), secret, outcome_failure, review_reject, provider_identity,
--               hosted_tool (it rests on what no training line shows), echo (half of the targets or more give back
--               what they were told), repetition, repeated_calls; low_score last, where threshold least_score is set
--   score       the base times every fault's factor; then every merit closes a part of the gap to 1: monotone in
--               each signal
--   base        0.95 accepted by a reviewer, 0.90 outcome success, 0.50 nothing known
--   faults      refusal 0.9, repairs 1 − 0.5 × rate, frustration 1 − 0.3 × rate, interruptions 1 − 0.2 × rate,
--               tool failures 1 − 0.3 × rate, a failed step 0.8, bad feedback 0.6, a judge's failures 1 − 0.2 × rate,
--               equal calls in a row 0.8, repeated lines 1 − rate, repeated answers and echoes 1 − 0.5 × rate, a
--               trivial answer 0.8, an end that says itself that the task is not done 0.6
--   merits      thanks 0.2 × rate, good feedback 0.3, a judge's passes 0.1 × rate (an uncalibrated judge alone
--               never decides)
--   outcome     success or failure of the task as the latest evidence has it (outcome events, the log's own label,
--               a checkpoint's outcome); words such as submitted, finish or completed are none: unknown
--   step credit an example of a failed conversation that ends before the labelled mistake is no failure, and no
--               success: see curated.credits
--   reactions   of sessions curated.exchanges; of calls, checkpoints and generated examples what a user says right
--               after a target; in group chats nobody is asked
--   refusal     a signal, never a reason: to decline what no declared tool can do is right
-- thresholds:
--   quality.yaml has them with their defaults and sources, curated.thresholds as they count; one that is not there
--   decides nothing
-- columns:
--   example_id            VARCHAR      the example
--   subject_id            VARCHAR      the unit that a split never cuts through
--   verdict               VARCHAR      keep or drop
--   outcome               VARCHAR      success, failure or unknown
--   outcome_origin        VARCHAR      who says so
--   score_basis           VARCHAR      review, outcome or heuristics
--   ends_on               VARCHAR      role of the last message
--   reasons               VARCHAR[]    hard reasons, the first decides
--   warnings              VARCHAR[]    soft signals that lowered the score
--   success_score         DOUBLE       0 to 1
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
--   line_count            BIGINT       lines of the targets, empty ones and code fences aside
--   duplicate_line_rate   DOUBLE       share of them that are repeats, 0 to 1
--   repair_rate           DOUBLE       share of the person's prompts that are corrected by the next; null where unknown
--   frustration_rate      DOUBLE       share of prompts that meet complaints
--   interruption_rate     DOUBLE       share of prompts that were interrupted
--   thanks_rate           DOUBLE       share of prompts that are thanked for
--   feedback_score        DOUBLE       mean of thumbs and ratings, 0 to 1
--   judge_pass_rate       DOUBLE       share of judgements with a verdict that pass
--   review_count          BIGINT       reviews of exactly this content
--   failed_step_count     BIGINT       steps and turns of it that an outcome event calls failed
--   is_refusal            BOOLEAN      the last target declines
--   is_honest_decline     BOOLEAN      it declines because no tool or ability fits
--   is_provider_identity  BOOLEAN      a target says which provider made it
--   has_secret            BOOLEAN      a raw key is left somewhere in the texts
--   is_truncated          BOOLEAN      the last target was cut by length
--   is_context_missing    BOOLEAN      something that the model saw is not in the lake
--   started_at            TIMESTAMPTZ  first event of the example
--   score_before_review   DOUBLE       success_score as it would be without reviews, 0 to 1
--   language              VARCHAR      language of the targets, see curated.example_texts
--   prompt_chars          BIGINT       characters of the last user message before the last target
--   answer_chars          BIGINT       characters of the last target's text
--   token_estimate        BIGINT       tokens of the whole example, characters / 4
--   longest_sentence_run  BIGINT       equal sentences in a row within a target
--   repeated_target_count BIGINT       targets that say what an earlier one said
--   suspected_error_count BIGINT       results that the log does not rate and that look like failures
--   tool_success_rate     DOUBLE       share of results that are neither failures nor look so; null without results
--   think_tag_count       BIGINT       targets in whose text a think tag is left
--   judgement_count       BIGINT       judgements with a verdict
--   has_conflict          BOOLEAN      agents disagree, or claim the same
--   is_trivial            BOOLEAN      a long prompt met a very short answer without a call
--   is_step_credited      BOOLEAN      it holds only what was said before the labelled mistake of a failed conversation
--   hosted_tool_count     BIGINT       targets that rest on a tool which the provider ran
--   echo_count            BIGINT       targets that give back what they were told
--   is_given_up           BOOLEAN      the last target ends the task and says that it is not done
with limits as (
    select
        max(value) filter (where name = 'duplicate_lines') as duplicate_lines,
        max(value) filter (where name = 'duplicate_lines_least') as duplicate_lines_least,
        max(value) filter (where name = 'sentence_run') as sentence_run,
        max(value) filter (where name = 'repeated_calls') as repeated_calls,
        max(value) filter (where name = 'repeated_calls_share') as repeated_calls_share,
        max(value) filter (where name = 'repeated_calls_least') as repeated_calls_least,
        max(value) filter (where name = 'bad_feedback') as bad_feedback,
        max(value) filter (where name = 'good_feedback') as good_feedback,
        max(value) filter (where name = 'low_tool_success') as low_tool_success,
        max(value) filter (where name = 'low_tool_success_least') as low_tool_success_least,
        max(value) filter (where name = 'trivial_prompt') as trivial_prompt,
        max(value) filter (where name = 'trivial_answer') as trivial_answer,
        max(value) filter (where name = 'least_score') as least_score,

    from curated.thresholds
),

names as (
    -- Everything that an outcome, a reaction or a judgement may name an example by.
    select distinct
        example_id,
        subject_id,
        unnest(list_concat(
            [example_id, conversation_id, subject_id, coalesce(task_id, subject_id)], origin_event_ids
        )) as name,

    from curated.examples
),

parts as (
    select distinct example_id, subject_id, message.event_id as name

    from (select example_id, subject_id, unnest(messages) as message from curated.examples)

    where message.event_id is not null
),

said as (
    select named.example_id, evidence.* exclude (subject_id)

    from curated.evidence as evidence

    inner join (select * from names union select * from parts) as named
        on named.subject_id = evidence.subject_id
        and named.name = evidence.target_id

    where evidence.kind in ('feedback', 'judgement')
),

evidence as (
    select
        names.example_id,
        evidence.value,
        evidence.origin,
        evidence.occurred_at,
        coalesce(evidence.level, 'task') in ('turn', 'step') as is_part,

    from curated.evidence as evidence

    inner join names
        on names.subject_id = evidence.subject_id
        and names.name = evidence.target_id

    where evidence.kind = 'outcome' and evidence.value in ('success', 'failure')

    union all

    select examples.example_id, turns.outcome, 'label' as origin, max(turns.ended_at), false as is_part

    from curated.turns as turns

    inner join curated.examples as examples
        on examples.subject_id = turns.subject_id
        and examples.conversation_id = turns.conversation_id

    where turns.outcome in ('success', 'failure')

    group by examples.example_id, turns.outcome

    union all

    select examples.example_id, checkpoints.outcome, 'checkpoint' as origin, checkpoints.occurred_at, false as is_part

    from curated.checkpoints as checkpoints

    inner join curated.examples as examples
        on examples.subject_id = checkpoints.subject_id
        and examples.task_id = checkpoints.task_id

    where checkpoints.outcome in ('success', 'failure')
),

outcomes as (
    select
        example_id,
        arg_max(value, (occurred_at, value = 'failure')) filter (where not is_part) as outcome,
        arg_max(origin, (occurred_at, value = 'failure', origin)) filter (where not is_part) as outcome_origin,
        count(*) filter (where is_part and value = 'failure') as failed_step_count,

    from evidence

    group by example_id
),

-- A sum of doubles depends on the order that threads bring them in.
reactions as (
    select example_id, avg(rating order by rating) as feedback_score

    from said

    where kind = 'feedback' and rating is not null

    group by example_id
),

judged as (
    select example_id, avg(passed::INTEGER) as judge_pass_rate, count(*) as judgement_count

    from said

    where kind = 'judgement' and passed is not null

    group by example_id
),

-- Of each reviewer the last word counts, and only on what the example holds now.
reviewed as (
    select
        example_id,
        count(*) as review_count,
        count(*) filter (where verdict = 'accept') as accept_count,
        count(*) filter (where verdict in ('reject', 'edit')) as reject_count,

    from (
        select reviews.example_id, reviews.verdict

        from curated.reviews as reviews

        inner join curated.examples as examples
            on examples.example_id = reviews.example_id
            and examples.content_hash = reviews.content_hash
            and examples.subject_id = reviews.subject_id

        where reviews.verdict in ('accept', 'reject', 'edit', 'withdraw')

        qualify row_number() over (
            partition by reviews.example_id, reviews.reviewer
            order by reviews.occurred_at desc, reviews.event_id desc
        ) = 1
    )

    where verdict <> 'withdraw'

    group by example_id
),

asked as (
    select
        examples.example_id,
        avg(exchanges.is_repaired::INTEGER) as repair_rate,
        avg(exchanges.is_frustrated::INTEGER) as frustration_rate,
        avg(exchanges.is_interrupted::INTEGER) as interruption_rate,
        avg(exchanges.is_thanked::INTEGER) as thanks_rate,

    from curated.examples as examples

    inner join curated.exchanges as exchanges
        on exchanges.subject_id = examples.subject_id
        and exchanges.conversation_id = examples.conversation_id
        and exchanges.window_index = examples.window_index

    where examples.source in ('claude_code', 'chat')

    group by examples.example_id
),

told as (
    select
        texts.example_id,
        texts.repaired_count / texts.reaction_count as repair_rate,
        texts.frustrated_count / texts.reaction_count as frustration_rate,
        texts.thanked_count / texts.reaction_count as thanks_rate,

    from curated.example_texts as texts

    inner join curated.examples as examples on examples.example_id = texts.example_id

    where texts.reaction_count > 0 and examples.source in ('gateway', 'checkpoint', 'generated')
),

signals as (
    select
        examples.example_id,
        examples.subject_id,
        coalesce(outcomes.outcome, 'unknown') as outcome,
        outcomes.outcome_origin,
        checks.* exclude (example_id, subject_id, started_at),
        texts.* exclude (
            example_id, subject_id, target_chars, reaction_count, repaired_count, frustrated_count, thanked_count, started_at
        ),
        round(coalesce(asked.repair_rate, told.repair_rate), 4) as repair_rate,
        round(coalesce(asked.frustration_rate, told.frustration_rate), 4) as frustration_rate,
        round(asked.interruption_rate, 4) as interruption_rate,
        round(coalesce(asked.thanks_rate, told.thanks_rate), 4) as thanks_rate,
        coalesce(judged.judgement_count, 0) as judgement_count,
        examples.task_type = 'conflict_resolution' as has_conflict,
        round(reactions.feedback_score, 4) as feedback_score,
        round(judged.judge_pass_rate, 4) as judge_pass_rate,
        coalesce(reviewed.review_count, 0) as review_count,
        coalesce(reviewed.accept_count > reviewed.reject_count, false) as is_accepted,
        coalesce(reviewed.reject_count > 0 and reviewed.reject_count >= reviewed.accept_count, false) as is_rejected,
        coalesce(outcomes.failed_step_count, 0) as failed_step_count,
        list_contains(examples.notes, 'truncated') as is_truncated,
        list_contains(examples.notes, 'step_credit') as is_credited,
        examples.is_context_missing,
        examples.target_count,
        examples.started_at,

    from curated.examples as examples

    inner join curated.example_checks as checks on checks.example_id = examples.example_id

    inner join curated.example_texts as texts on texts.example_id = examples.example_id

    left join outcomes on outcomes.example_id = examples.example_id

    left join reactions on reactions.example_id = examples.example_id

    left join judged on judged.example_id = examples.example_id

    left join reviewed on reviewed.example_id = examples.example_id

    left join asked on asked.example_id = examples.example_id

    left join told on told.example_id = examples.example_id
),

-- What is a share or a verdict of its own.
rated as (
    select
        signals.*,
        limits.*,
        case
            when result_count > 0 then least(tool_error_count + suspected_error_count, result_count) / result_count
        end as tool_failure_rate,
        coalesce(
            prompt_chars >= limits.trivial_prompt and answer_chars <= limits.trivial_answer and call_count = 0, false
        ) as is_trivial,
        coalesce(longest_repeat >= limits.repeated_calls, false) as is_looping,

    from signals

    cross join limits
),

decided as (
    select
        *,
        [
            reason for reason in [
                case when is_context_missing then 'context_missing' end,
                case when target_count = 0 then 'no_target' end,
                case when orphan_count > 0 then 'result_without_call' end,
                case when unanswered_count > 0 then 'call_without_result' end,
                case when bad_argument_count > 0 then 'bad_arguments' end,
                case when role_order_count > 0 and orphan_count = 0 then 'role_order' end,
                case when undeclared_count > 0 then 'undeclared_tool' end,
                case when empty_target_count > 0 then 'empty_target' end,
                case when is_truncated then 'truncated' end,
                case when target_count > 0 and ends_on <> 'assistant' then 'bad_ending' end,
                case when think_tag_count > 0 then 'think_tag' end,
                case when has_secret then 'secret' end,
                case when outcome = 'failure' and not is_credited then 'outcome_failure' end,
                case when is_rejected then 'review_reject' end,
                case when is_provider_identity then 'provider_identity' end,
                case when hosted_tool_count > 0 then 'hosted_tool' end,
                case when echo_count > 0 and 2 * echo_count >= target_count then 'echo' end,
                case
                    when (line_count >= duplicate_lines_least and duplicate_line_rate > duplicate_lines)
                        or longest_sentence_run >= sentence_run then 'repetition'
                end,
                case
                    when call_count >= repeated_calls_least
                        and repeated_call_count >= repeated_calls_share * call_count then 'repeated_calls'
                end
            ] if reason is not null
        ] as reasons,
        case when is_accepted then 0.95 when outcome = 'success' then 0.9 else 0.5 end::DOUBLE as base,
        case when outcome = 'success' then 0.9 else 0.5 end::DOUBLE as base_before_review,

    from rated
),

weighed as (
    select
        *,
        case when is_refusal and not is_honest_decline then 0.9 else 1 end
            * (1 - 0.5 * coalesce(repair_rate, 0))
            * (1 - 0.3 * coalesce(frustration_rate, 0))
            * (1 - 0.2 * coalesce(interruption_rate, 0))
            * (1 - 0.3 * coalesce(tool_failure_rate, 0))
            * case when failed_step_count > 0 then 0.8 else 1 end
            * case when feedback_score < bad_feedback then 0.6 else 1 end
            * (1 - 0.2 * (1 - coalesce(judge_pass_rate, 1)))
            * case when is_looping then 0.8 else 1 end
            * case when is_trivial then 0.8 else 1 end
            * (1 - 0.5 * least(repeated_target_count + coalesce(echo_count, 0), target_count) / greatest(target_count, 1))
            * case when is_given_up then 0.6 else 1 end
            * (1 - duplicate_line_rate) as soundness,
        1 - (1 - 0.2 * coalesce(thanks_rate, 0))
            * case when feedback_score > good_feedback then 0.7 else 1 end
            * (1 - 0.1 * coalesce(judge_pass_rate, 0)) as merit,

    from decided
),

scored as (
    select
        * replace (
            case
                when len(reasons) = 0 and round(base * soundness + (1 - base * soundness) * merit, 4) < least_score
                    then ['low_score']
                else reasons
            end as reasons
        ),
        round(base * soundness + (1 - base * soundness) * merit, 4) as score,

    from weighed
)

select
    example_id,
    subject_id,
    case when len(reasons) > 0 then 'drop' else 'keep' end as verdict,
    outcome,
    outcome_origin,
    case when is_accepted or is_rejected then 'review' when outcome <> 'unknown' then 'outcome' else 'heuristics' end
        as score_basis,
    ends_on,
    reasons,
    [
        warning for warning in [
            case when is_refusal and not is_honest_decline then 'refusal' end,
            case when repair_rate > 0 then 'repaired' end,
            case when frustration_rate > 0 then 'frustrated' end,
            case when interruption_rate > 0 then 'interrupted' end,
            case when tool_error_count > 0 then 'tool_errors' end,
            case when failed_step_count > 0 then 'failed_step' end,
            case when feedback_score < bad_feedback then 'bad_feedback' end,
            case when judge_pass_rate < 1 then 'judge_failed' end,
            case
                when result_count >= low_tool_success_least and 1 - tool_failure_rate <= low_tool_success then 'low_tool_success'
            end,
            case when is_looping then 'looping' end,
            case when duplicate_line_rate > duplicate_lines then 'repeated_lines' end,
            case when repeated_target_count > 0 then 'repeated_answers' end,
            case when echo_count > 0 then 'echoes' end,
            case when is_given_up then 'gave_up' end,
            case when is_trivial then 'trivial_answer' end
        ] if warning is not null
    ] as warnings,
    case when len(reasons) > 0 then 0 else score end::DOUBLE as success_score,
    call_count,
    result_count,
    tool_error_count,
    unanswered_count,
    orphan_count,
    bad_argument_count,
    undeclared_count,
    role_order_count,
    empty_target_count,
    longest_repeat,
    line_count,
    duplicate_line_rate,
    repair_rate,
    frustration_rate,
    interruption_rate,
    thanks_rate,
    feedback_score,
    judge_pass_rate,
    review_count,
    failed_step_count,
    is_refusal,
    is_honest_decline,
    is_provider_identity,
    has_secret,
    is_truncated,
    is_context_missing,
    started_at,
    case
        when len([reason for reason in reasons if reason <> 'review_reject']) > 0 then 0
        else round(base_before_review * soundness + (1 - base_before_review * soundness) * merit, 4)
    end::DOUBLE as score_before_review,
    language,
    prompt_chars,
    answer_chars,
    token_estimate,
    longest_sentence_run,
    repeated_target_count,
    suspected_error_count,
    round(1 - tool_failure_rate, 4) as tool_success_rate,
    think_tag_count,
    judgement_count,
    has_conflict,
    is_trivial,
    is_credited as is_step_credited,
    hosted_tool_count,
    echo_count,
    is_given_up,

from scored
