-- What each task cost, and what became of it.
--
-- grain:   one row per task: the native task id, else the conversation, else the subject
-- key:     task_id
-- scope:   all
-- inputs:  analysis.charges, curated.outcomes, curated.checkpoints
-- columns:
--   task_id            VARCHAR      native task id, else the conversation, else the subject
--   experiment         VARCHAR      none: part of no A/B test
--   arm                VARCHAR      none: part of no A/B test; mixed: calls of several arms
--   outcome            VARCHAR      success, failure or unknown
--   outcome_origin     VARCHAR      who says so
--   cost_basis         VARCHAR      reported, priced, mixed (both), or incomplete (some calls have no cost)
--   warning            VARCHAR      why the numbers must be read with care; null: nothing to say
--   call_count         BIGINT       calls
--   failed_call_count  BIGINT       calls that failed
--   unknown_cost_count BIGINT       calls without a cost
--   input_tokens       BIGINT       tokens sent, cached ones included
--   cached_tokens      BIGINT       tokens of the input that were read from the provider's cache
--   output_tokens      BIGINT       tokens generated, as reported
--   cost_usd           DOUBLE       of the calls whose cost is known
--   started_at         TIMESTAMPTZ  first call
--   ended_at           TIMESTAMPTZ  last call
--
-- rules:
--   An outcome of level task (or without a level) counts for the task, conversation or subject that it names; the
--   latest one decides. A checkpoint's outcome counts like one. Without evidence it is unknown: neither 0 nor 1.
with outcomes as (
    select
        outcomes.target_id,
        outcomes.value as outcome,
        outcomes.origin,
        outcomes.occurred_at,
        outcomes.event_id,

    from curated.outcomes as outcomes

    where
        outcomes.value in ('success', 'failure')
        and coalesce(outcomes.level, 'task') = 'task'
        and coalesce(outcomes.target_kind, 'task') in ('task', 'conversation')

    union all

    select
        unnest(list_distinct([checkpoints.task_id, checkpoints.conversation_id, checkpoints.subject_id])) as target_id,
        checkpoints.outcome,
        'checkpoint' as origin,
        checkpoints.occurred_at,
        checkpoints.event_id,

    from curated.checkpoints as checkpoints

    where checkpoints.outcome in ('success', 'failure')
),

task_subjects as (
    select distinct
        charges.task_id,
        unnest([charges.task_id, charges.subject_id]) as target_id,

    from analysis.charges as charges
),

task_outcomes as (
    select
        task_subjects.task_id,
        outcomes.outcome,
        outcomes.origin,

    from task_subjects
    inner join outcomes on task_subjects.target_id = outcomes.target_id

    qualify row_number() over (
        partition by task_subjects.task_id
        order by outcomes.occurred_at desc, outcomes.event_id
    ) = 1
),

task_sums as (
    select
        charges.task_id,
        min(charges.experiment) as experiment,
        case when count(distinct charges.experiment || chr(31) || charges.arm) > 1 then 'mixed' else min(charges.arm) end as arm,
        count(*) as call_count,
        count(*) filter (charges.is_failed) as failed_call_count,
        count(*) filter (charges.cost_usd is null) as unknown_cost_count,
        count(*) filter (charges.basis = 'reported') as reported_count,
        count(*) filter (charges.basis = 'priced') as priced_count,
        count(*) filter (charges.is_lower_bound) as lower_bound_count,
        sum(charges.input_tokens)::bigint as input_tokens,
        sum(charges.cached_tokens)::bigint as cached_tokens,
        sum(charges.output_tokens)::bigint as output_tokens,
        -- Whole nano-dollars: a sum of doubles depends on the number of threads.
        sum(round(charges.cost_usd * 1e9)::bigint)::double / 1e9 as cost_usd,
        min(charges.called_at) as started_at,
        max(charges.called_at) as ended_at,

    from analysis.charges as charges

    group by charges.task_id
)

select
    task_sums.task_id,
    task_sums.experiment,
    task_sums.arm,
    coalesce(task_outcomes.outcome, 'unknown') as outcome,
    task_outcomes.origin as outcome_origin,
    case
        when task_sums.unknown_cost_count > 0 then 'incomplete'
        when task_sums.reported_count > 0 and task_sums.priced_count > 0 then 'mixed'
        when task_sums.priced_count > 0 then 'priced'
        else 'reported'
    end as cost_basis,
    case
        when task_sums.unknown_cost_count > 0 then 'a lower bound: ' || task_sums.unknown_cost_count || ' of ' || task_sums.call_count || ' calls have no cost'
        when task_sums.lower_bound_count > 0 then 'a lower bound: ' || task_sums.lower_bound_count || ' of ' || task_sums.call_count || ' calls count too few output tokens'
        when task_sums.arm = 'mixed' then 'calls of several arms'
    end as warning,
    task_sums.call_count,
    task_sums.failed_call_count,
    task_sums.unknown_cost_count,
    task_sums.input_tokens,
    task_sums.cached_tokens,
    task_sums.output_tokens,
    task_sums.cost_usd,
    task_sums.started_at,
    task_sums.ended_at,

from task_sums
left join task_outcomes on task_sums.task_id = task_outcomes.task_id
