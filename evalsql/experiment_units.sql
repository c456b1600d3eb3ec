-- What became of each unit of an A/B test, whatever it ran on after it was assigned.
--
-- grain:   one row per experiment and unit
-- key:     experiment, unit_id
-- scope:   all
-- inputs:  analysis.charges, analysis.experiments, analysis.task_costs, curated.assignments, curated.feedback
-- columns:
--   experiment        VARCHAR      name of the A/B test
--   unit_id           VARCHAR      conversation, task or person
--   unit_kind         VARCHAR      which of them
--   arm               VARCHAR      that it was assigned to first; as logged by its first call where nobody assigned it
--   hashed_arm        VARCHAR      that the configured salt and shares give it; null: not configured
--   latencies_ms      DOUBLE[]     of the calls that did not fail, in their order
--   call_count        BIGINT       calls
--   failed_call_count BIGINT       of them
--   task_count        BIGINT       tasks with a known outcome
--   success_count     BIGINT       of them
--   reaction_count    BIGINT       thumbs and ratings of people
--   liked_count       BIGINT       of them: thumbs up, ratings of 0.5 and more
--   input_tokens      BIGINT       cached ones included
--   output_tokens     BIGINT       as reported
--   cost_usd          DOUBLE       null: a call's cost is not known
--   is_reassigned     BOOLEAN      it was assigned to another arm later; the first counts
--   assigned_at       TIMESTAMPTZ  first assignment, else first call
--
-- rules:
--   Units count by the arm that they were assigned to, also where they never called or fell back to another arm:
--   what is left out by what happens later makes arms unlike (intention to treat).
--   A reaction belongs to the unit that it names, to the conversation that it was given in, or to its author.
with assignments as (
    select
        assignments.experiment,
        assignments.unit_kind,
        assignments.unit_id,
        arg_min(assignments.arm, (assignments.occurred_at, assignments.event_id)) as arm,
        count(distinct assignments.arm) > 1 as is_reassigned,
        min(assignments.occurred_at) as assigned_at,

    from curated.assignments as assignments

    where assignments.experiment is not null and assignments.arm is not null and assignments.unit_id is not null

    group by assignments.experiment, assignments.unit_kind, assignments.unit_id
),

calls as (
    select
        charges.experiment,
        charges.unit_kind,
        charges.unit_id,
        arg_min(charges.arm, (charges.called_at, charges.call_id)) as arm,
        list(charges.latency_ms order by charges.called_at, charges.call_id) filter (not charges.is_failed and charges.latency_ms is not null) as latencies_ms,
        count(*) as call_count,
        count(*) filter (charges.is_failed) as failed_call_count,
        sum(charges.input_tokens)::bigint as input_tokens,
        sum(charges.output_tokens)::bigint as output_tokens,
        -- Whole nano-dollars: a sum of doubles depends on the number of threads.
        case when bool_and(charges.cost_usd is not null) then sum(round(charges.cost_usd * 1e9)::bigint)::double / 1e9 end as cost_usd,
        min(charges.called_at) as called_at,

    from analysis.charges as charges

    where charges.experiment <> 'none' and charges.unit_id is not null

    group by charges.experiment, charges.unit_kind, charges.unit_id
),

units as (
    select
        coalesce(assignments.experiment, calls.experiment) as experiment,
        coalesce(assignments.unit_kind, calls.unit_kind) as unit_kind,
        coalesce(assignments.unit_id, calls.unit_id) as unit_id,
        coalesce(assignments.arm, calls.arm) as arm,
        coalesce(assignments.is_reassigned, false) as is_reassigned,
        coalesce(assignments.assigned_at, calls.called_at) as assigned_at,
        calls.* exclude (experiment, unit_kind, unit_id, arm, called_at),

    from assignments
    full join calls on
        assignments.experiment = calls.experiment and assignments.unit_kind = calls.unit_kind and assignments.unit_id = calls.unit_id
),

tasks as (
    select
        unit_tasks.experiment,
        unit_tasks.unit_kind,
        unit_tasks.unit_id,
        count(*) as task_count,
        count(*) filter (task_costs.outcome = 'success') as success_count,

    from (select distinct experiment, unit_kind, unit_id, task_id from analysis.charges where experiment <> 'none') as unit_tasks
    inner join analysis.task_costs as task_costs on unit_tasks.task_id = task_costs.task_id

    where task_costs.outcome <> 'unknown'

    group by unit_tasks.experiment, unit_tasks.unit_kind, unit_tasks.unit_id
),

reactions as (
    select
        keys.kind as unit_kind,
        keys.id as unit_id,
        feedback.event_id,
        case when feedback.kind = 'thumb' then feedback.value > 0 else feedback.value >= 0.5 end as is_liked,

    from curated.feedback as feedback
    cross join lateral (
        select unnest([
            {'kind': feedback.unit_kind, 'id': feedback.unit_id},
            {'kind': 'conversation', 'id': feedback.subject_id},
            {'kind': 'person', 'id': feedback.author},
        ]) as key
    ) as each_key
    cross join lateral (select each_key.key.kind as kind, each_key.key.id as id) as keys

    where feedback.kind in ('thumb', 'rating') and feedback.value is not null and keys.id is not null

    group by all
),

liked as (
    select
        unit_kind,
        unit_id,
        count(*) as reaction_count,
        count(*) filter (is_liked) as liked_count,

    from reactions

    group by unit_kind, unit_id
),

hashed as (
    select
        units.experiment,
        units.unit_id,
        experiments.arm,

    from units
    inner join analysis.experiments as experiments on units.experiment = experiments.experiment

    where
        experiments.salt is not null
        and ('0x' || md5(experiments.salt || '/' || units.experiment || '/' || units.unit_id)[:13])::bigint / 4503599627370496 >= experiments.low
        and ('0x' || md5(experiments.salt || '/' || units.experiment || '/' || units.unit_id)[:13])::bigint / 4503599627370496 < experiments.high
)

select
    units.experiment,
    units.unit_id,
    units.unit_kind,
    units.arm,
    hashed.arm as hashed_arm,
    coalesce(units.latencies_ms, []) as latencies_ms,
    coalesce(units.call_count, 0) as call_count,
    coalesce(units.failed_call_count, 0) as failed_call_count,
    coalesce(tasks.task_count, 0) as task_count,
    coalesce(tasks.success_count, 0) as success_count,
    coalesce(liked.reaction_count, 0) as reaction_count,
    coalesce(liked.liked_count, 0) as liked_count,
    coalesce(units.input_tokens, 0) as input_tokens,
    coalesce(units.output_tokens, 0) as output_tokens,
    case when coalesce(units.call_count, 0) = 0 then 0 else units.cost_usd end as cost_usd,
    units.is_reassigned,
    units.assigned_at,

from units
left join tasks on units.experiment = tasks.experiment and units.unit_kind = tasks.unit_kind and units.unit_id = tasks.unit_id
left join liked on units.unit_kind = liked.unit_kind and units.unit_id = liked.unit_id
left join hashed on units.experiment = hashed.experiment and units.unit_id = hashed.unit_id
