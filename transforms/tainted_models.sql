-- Training runs whose numbers cannot be trusted any more: they saw what is now
-- held out, or what an eval suite asks, or validated on what they trained on.
--
-- grain:   one row per training run, kind of taint and eval suite
-- key:     run_id, kind, suite
-- scope:   all
-- inputs:  curated.training, curated.dataset_members, curated.example_keys, curated.splits, curated.contamination,
--   curated.lineage
-- rules:   (semantics §3)
--   run         by its latest event; planned and cancelled runs saw nothing
--   saw         members on the side of train of the version that the run names, by its hash, else by name and version
--   member      an example with its subject or content, as it is now; what is gone taints nothing
--   held_out    a member of the side of train whose group is in validation or test now
--   assigned    a member of the side of train whose subject is held out for test now, see curated.splits
--   merged      a member that the version held out, in one group with one that it trained on: what the run was
--               validated on was not new to it
--   suite       a member of the side of train that overlaps a scenario, or was made from one that does
-- columns:
--   run_id           VARCHAR  training run
--   kind             VARCHAR  held_out, assigned, merged or suite
--   suite            VARCHAR  eval suite; none for the other kinds
--   result_model     VARCHAR  model that came out; null until it has
--   base_model       VARCHAR  model that was trained
--   dataset          VARCHAR  dataset
--   dataset_version  VARCHAR  version
--   an_example       VARCHAR  the least of the examples, to look at
--   example_count    BIGINT   examples
--   scenario_count   BIGINT   scenarios of the suite that they overlap; 0 for the other kinds
with recursive runs as (
    select
        coalesce(run_id, job_id, subject_id) as run_id,
        arg_max(state, (occurred_at, event_id)) as state,
        arg_max(result_model, (occurred_at, event_id)) as result_model,
        arg_max(base_model, (occurred_at, event_id)) as base_model,
        arg_max(dataset, (occurred_at, event_id)) as dataset,
        arg_max(dataset_version, (occurred_at, event_id)) as dataset_version,
        arg_max(dataset_hash, (occurred_at, event_id)) as dataset_hash,

    from curated.training

    group by coalesce(run_id, job_id, subject_id)
),

batches as (
    select distinct runs.run_id, batches.event_id

    from runs

    inner join curated.dataset_members as batches on batches.content_hash = runs.dataset_hash

    where coalesce(runs.state, '') not in ('planned', 'cancelled')

    union

    select runs.run_id, batches.event_id

    from runs

    inner join curated.dataset_members as batches
        on batches.dataset = runs.dataset
        and batches.version = runs.dataset_version

    where runs.dataset_hash is null and coalesce(runs.state, '') not in ('planned', 'cancelled')
),

seen as (
    select batches.run_id, unnest(dataset_members.members) as member

    from batches

    inner join curated.dataset_members as dataset_members on dataset_members.event_id = batches.event_id
),

matched as (
    select seen.run_id, seen.member.side as side, example_keys.example_id

    from seen

    inner join curated.example_keys as example_keys on example_keys.subject_id = seen.member.subject_id

    union

    select seen.run_id, seen.member.side, example_keys.example_id

    from seen

    inner join curated.example_keys as example_keys on example_keys.content_hash = seen.member.content_hash
),

placed as (
    select
        matched.*,
        splits.split,
        splits.is_assigned,
        bool_or(matched.side = 'train') over (partition by matched.run_id, splits.group_id) as is_trained_group,

    from matched

    inner join curated.splits as splits on splits.example_id = matched.example_id
),

contaminated as (
    select example_id, suite, scenario_id from curated.contamination where verdict = 'contaminated'

    union

    select lineage.child_id, contaminated.suite, contaminated.scenario_id

    from curated.lineage as lineage

    inner join contaminated on contaminated.example_id = lineage.parent_id
),

taints as (
    select run_id, 'held_out' as kind, 'none' as suite, example_id, null::VARCHAR as scenario_id

    from placed

    where side = 'train' and split <> 'train'

    union all

    select run_id, 'assigned', 'none', example_id, null from placed where side = 'train' and is_assigned

    union all

    select run_id, 'merged', 'none', example_id, null from placed where side <> 'train' and is_trained_group

    union all

    select placed.run_id, 'suite', contaminated.suite, placed.example_id, contaminated.scenario_id

    from placed

    inner join contaminated on contaminated.example_id = placed.example_id

    where placed.side = 'train'
)

select
    runs.run_id,
    taints.kind,
    taints.suite,
    any_value(runs.result_model) as result_model,
    any_value(runs.base_model) as base_model,
    any_value(runs.dataset) as dataset,
    any_value(runs.dataset_version) as dataset_version,
    min(taints.example_id) as an_example,
    count(distinct taints.example_id) as example_count,
    count(distinct taints.scenario_id) as scenario_count,

from taints

inner join runs on runs.run_id = taints.run_id

group by runs.run_id, taints.kind, taints.suite
