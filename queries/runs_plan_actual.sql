-- What did the planned training runs cost, beside what the plan says?
-- For whoever holds the budget: a planned run of runs.yaml a row, with the runs that carried it out (weir train submit
-- --plan, weir train record --plan), those that nobody planned, and the sums. Differences are actual less planned, of
-- the plans that have run.
with planned as (
    select
        plan,
        arg_max(state, (occurred_at, event_id)) as state,
        arg_max(base_model, (occurred_at, event_id)) as base_model,
        arg_max(planned_examples, (occurred_at, event_id)) as examples,
        arg_max(planned_duration_s, (occurred_at, event_id)) / 3600 as hours,
        arg_max(planned_cost_usd, (occurred_at, event_id)) as cost_usd,

    from curated.training

    where run_id = 'plan:' || plan

    group by plan
),

actual as (
    select
        plan,
        count(*) as run_count,
        arg_max(status, (planned_at, run_id)) as status,
        arg_max(base_model, (planned_at, run_id)) as base_model,
        arg_max(example_count, (planned_at, run_id)) as examples,
        sum(duration_s) / 3600 as hours,
        sum(cost_usd) as cost_usd,

    from curated.models

    group by plan
),

compared as (
    select
        case when planned.plan is not null or actual.plan is not null then 1 else 2 end as place,
        coalesce(planned.plan, actual.plan, 'unplanned') as plan,
        coalesce(planned.base_model, case when actual.run_count = 1 then actual.base_model end) as base_model,
        case when actual.plan is null and actual.run_count > 1 then actual.run_count || ' runs' else coalesce(actual.status, planned.state) end as status,
        coalesce(actual.run_count, 0) as runs,
        planned.examples as planned_examples,
        case when actual.plan is not null or actual.run_count = 1 then actual.examples end as actual_examples,
        planned.hours as planned_hours,
        actual.hours as actual_hours,
        planned.cost_usd as planned_cost,
        actual.cost_usd as actual_cost,

    from (select * from planned where state <> 'cancelled') as planned

    full outer join actual on actual.plan = planned.plan
),

summed as (
    select * from compared

    union all

    select
        3, 'total', null, null, sum(runs)::bigint, sum(planned_examples)::bigint, sum(actual_examples)::bigint,
        sum(planned_hours), sum(actual_hours), sum(planned_cost), sum(actual_cost),

    from compared

    having count(*) > 0
),

differences as (
    select
        sum(actual_hours - planned_hours) as hours,
        sum(actual_cost - planned_cost) as cost_usd,

    from compared
)

select
    plan,
    base_model,
    status,
    runs,
    planned_examples as examples,
    actual_examples as used,
    round(planned_hours, 2) as hours,
    round(actual_hours, 2) as ran_h,
    round(case when place = 3 then differences.hours else actual_hours - planned_hours end, 2) as diff_h,
    round(planned_cost, 2) as usd,
    round(actual_cost, 2) as spent,
    round(case when place = 3 then differences.cost_usd else actual_cost - planned_cost end, 2) as diff,

from summed

cross join differences

order by place, plan;
