-- The model registry: what each training run made, from what, at what price, and what was decided on it.
--
-- grain:   one row per training run that was begun; what is only planned is none
-- key:     run_id
-- scope:   all
-- inputs:  curated.training, curated.model_decisions, curated.dataset_versions, curated.tainted_models, curated.results
-- rules:
--   run         by its events; a final state is its last word whatever its clock says, before that the latest counts
--   metrics     last: at the highest step that has the metric; best: the least of what is named loss, error or
--               perplexity, the greatest of an accuracy, reward, score or margin; others have none. What a provider
--               tells beside its words stands under data
--   alias       of the latest promotion to it, unless that model was retired since: one model at a time
--   standing    promoted: an alias names it; retired: the last decision on it; superseded: another took its alias;
--               candidate: it succeeded and nobody has decided; none: there is no model
--   taints      the kinds of curated.tainted_models, and erased: an erasure found that it had seen who was erased
--   evals       results whose model is the run's result
-- columns:
--   run_id             VARCHAR      training run
--   job_id             VARCHAR      provider's job id
--   provider           VARCHAR      provider or local trainer
--   base_model         VARCHAR      model that was trained
--   result_model       VARCHAR      model that came out, as its calls name it; null until it has
--   dataset            VARCHAR      dataset
--   dataset_version    VARCHAR      version
--   dataset_hash       VARCHAR      content hash of the version
--   export_hash        VARCHAR      content hash of the exported files
--   distill_hash       VARCHAR      hash of the distillation rules that the export was made by
--   method             VARCHAR      sft, dpo or rft
--   phase              VARCHAR      training phase of the plan
--   plan               VARCHAR      planned run that it carries out
--   status             VARCHAR      planned, submitted, queued, running, succeeded, failed or cancelled
--   standing           VARCHAR      promoted, superseded, retired, candidate or none
--   decision_reason    VARCHAR      why it was promoted or retired last
--   decided_by         VARCHAR      who decided that
--   config             VARCHAR      JSON: hyperparameters and distillation rules
--   metrics            VARCHAR      JSON: by metric its last, best and best_step
--   error              VARCHAR      why it failed
--   last_checkpoint    VARCHAR      where the checkpoint of the highest step lies
--   weights            VARCHAR      where the resulting weights lie
--   weights_hash       VARCHAR      their sha256
--   example_count      BIGINT       examples of the dataset version
--   trained_tokens     BIGINT       tokens billed or trained
--   checkpoint_count   BIGINT       checkpoints on record
--   eval_result_count  BIGINT       eval results of the model that have a verdict
--   eval_passed_count  BIGINT       of those the passed ones
--   weights_bytes      BIGINT       size of the weights
--   final_loss         DOUBLE       training loss, the last
--   best_eval_loss     DOUBLE       validation loss, the least
--   cost_usd           DOUBLE       cost, USD
--   duration_s         DOUBLE       running time, s
--   aliases            VARCHAR[]    names that clients use for it; empty unless promoted
--   taints             VARCHAR[]    why its numbers, or it, cannot be trusted; empty: nothing is known
--   planned_at         TIMESTAMPTZ  first event
--   started_at         TIMESTAMPTZ  first seen running, else ordered
--   finished_at        TIMESTAMPTZ  its end
--   decided_at         TIMESTAMPTZ  last promotion or retirement
--   keep_until         TIMESTAMPTZ  the weights are not to be deleted before
with changes as (
    select
        *,
        coalesce(run_id, job_id, subject_id) as the_run,
        (coalesce(state, '') in ('succeeded', 'failed', 'cancelled'), occurred_at, event_id) as place,

    from curated.training

    where run_id is null or run_id <> 'plan:' || coalesce(plan, '')
),

runs as (
    select
        the_run as run_id,
        arg_max(job_id, place) as job_id,
        arg_max(provider, place) as provider,
        arg_max(base_model, place) as base_model,
        arg_max(result_model, place) as result_model,
        arg_max(dataset, place) as dataset,
        arg_max(dataset_version, place) as dataset_version,
        arg_max(dataset_hash, place) as dataset_hash,
        arg_max(export_hash, place) as export_hash,
        arg_max(distill_hash, place) as distill_hash,
        arg_max(method, place) as method,
        arg_max(phase, place) as phase,
        arg_max(plan, place) as plan,
        arg_max(state, place) as status,
        arg_max(config, place) as config,
        arg_max(error, place) filter (where state is not null) as error,
        arg_max(checkpoint, (coalesce(step, -1), place)) as last_checkpoint,
        arg_max(weights, place) as weights,
        -- These speak of the weights where an event names them, else of a checkpoint.
        arg_max(struct_pack(hash := artifact_hash, bytes := artifact_bytes, keep := keep_until), place) filter (where weights is not null) as kept,
        arg_max(trained_tokens, place) as trained_tokens,
        count(distinct checkpoint) as checkpoint_count,
        arg_max(cost_usd, place) as cost_usd,
        arg_max(duration_s, place) as duration_s,
        min(occurred_at) as planned_at,
        coalesce(
            min(occurred_at) filter (where state = 'running'),
            min(occurred_at) filter (where state in ('submitted', 'queued'))
        ) as started_at,
        max(occurred_at) filter (where state in ('succeeded', 'failed', 'cancelled')) as finished_at,

    from changes

    group by the_run
),

told as (
    select
        the_run,
        step,
        place,
        case when json_type(metrics, '$.data') = 'OBJECT' then json_extract(metrics, '$.data') else metrics::json end as metrics,

    from changes

    where json_valid(metrics) and json_type(metrics) = 'OBJECT'
),

named as (
    select *, unnest(json_keys(metrics)) as metric from told
),

measured as (
    select
        the_run,
        step,
        place,
        metric,
        try_cast(json_extract_string(metrics, '$."' || metric || '"') as double) as value,
        case
            when regexp_matches(metric, 'loss|error|perplexity') then 'least'
            when regexp_matches(metric, 'accura|acc$|reward|score|margin|f1') then 'greatest'
        end as best,

    from named

    where metric not in ('step', 'epoch', 'total_steps', 'current_steps') and metric not like '%"%'
),

curves as (
    select
        the_run,
        metric,
        arg_max(value, (coalesce(step, -1), place)) as last_value,
        case any_value(best) when 'least' then min(value) when 'greatest' then max(value) end as best_value,
        case any_value(best) when 'least' then arg_min(step, (value, step)) when 'greatest' then arg_max(step, (value, -step)) end as best_step,

    from measured

    where isfinite(value)

    group by the_run, metric
),

metrics as (
    select
        the_run,
        '{' || string_agg(
            to_json(metric) || ':' || json_object('last', round(last_value, 6), 'best', round(best_value, 6), 'best_step', best_step), ',' order by metric
        ) || '}' as metrics,
        arg_min(last_value, metric) filter (where metric in ('loss', 'train_loss', 'training_loss')) as final_loss,
        min(best_value) filter (where metric in ('eval_loss', 'valid_loss', 'validation_loss', 'full_valid_loss')) as best_eval_loss,

    from curves

    group by the_run
),

decisions as (
    select *, (occurred_at, event_id) as place from curated.model_decisions
),

decided as (
    select
        run_id,
        arg_max(decision, place) as decision,
        arg_max(reason, place) as reason,
        arg_max(decided_by, place) as decided_by,
        max(occurred_at) as decided_at,
        max(place) filter (where decision = 'retired') as retired_place,

    from decisions

    where decision in ('promoted', 'retired')

    group by run_id
),

holders as (
    select alias, arg_max(run_id, place) as run_id, max(place) as promoted_place

    from decisions

    where decision = 'promoted'

    group by alias
),

aliases as (
    select holders.run_id, list(holders.alias order by holders.alias) as aliases

    from holders

    inner join decided on decided.run_id = holders.run_id

    where decided.retired_place is null or decided.retired_place < holders.promoted_place

    group by holders.run_id
),

tainted as (
    select run_id, kind from curated.tainted_models

    union

    select run_id, 'erased' from decisions where decision = 'tainted'
),

taints as (
    select run_id, list(kind order by kind) as taints from tainted group by run_id
),

versions as (
    select dataset, version, max(member_count) as member_count from curated.dataset_versions group by dataset, version
),

verdicts as (
    select model, count(*) as result_count, count(*) filter (where passed) as passed_count

    from curated.results

    where passed is not null

    group by model
)

select
    runs.run_id,
    runs.job_id,
    runs.provider,
    runs.base_model,
    runs.result_model,
    runs.dataset,
    runs.dataset_version,
    runs.dataset_hash,
    runs.export_hash,
    runs.distill_hash,
    runs.method,
    runs.phase,
    runs.plan,
    runs.status,
    case
        when aliases.aliases is not null then 'promoted'
        when decided.decision = 'retired' then 'retired'
        when decided.decision = 'promoted' then 'superseded'
        when runs.status = 'succeeded' then 'candidate'
        else 'none'
    end as standing,
    decided.reason as decision_reason,
    decided.decided_by,
    runs.config,
    metrics.metrics,
    runs.error,
    runs.last_checkpoint,
    runs.weights,
    runs.kept.hash as weights_hash,
    versions.member_count as example_count,
    runs.trained_tokens,
    runs.checkpoint_count,
    coalesce(verdicts.result_count, 0) as eval_result_count,
    coalesce(verdicts.passed_count, 0) as eval_passed_count,
    runs.kept.bytes as weights_bytes,
    round(metrics.final_loss, 6) as final_loss,
    round(metrics.best_eval_loss, 6) as best_eval_loss,
    runs.cost_usd,
    runs.duration_s,
    coalesce(aliases.aliases, []) as aliases,
    coalesce(taints.taints, []) as taints,
    runs.planned_at,
    runs.started_at,
    runs.finished_at,
    decided.decided_at,
    runs.kept.keep as keep_until,

from runs

left join metrics on metrics.the_run = runs.run_id
left join decided on decided.run_id = runs.run_id
left join aliases on aliases.run_id = runs.run_id
left join taints on taints.run_id = runs.run_id
left join versions on versions.dataset = runs.dataset and versions.version = runs.dataset_version
left join verdicts on verdicts.model = runs.result_model
