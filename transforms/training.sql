-- State changes of training runs: every event once, as its best parser read it.
--
-- grain:   one row per event: a state change of a training run
-- key:     event_id
-- scope:   row
-- inputs:  events.training_runs, curated.erased
-- order:   occurred_at
-- rules:
--   Of the events with one id the highest parser_version counts, then the first in Kafka: a file may be
--   ingested twice, and once more by a corrected parser.
--   Whoever was erased is left out: see curated.erased.
-- columns:
--   event_id            VARCHAR      event id, stable across re-ingestion
--   subject_id          VARCHAR      conversation, task or request: the unit that a split never cuts through
--   person_ids          VARCHAR[]    ids of the people who speak or are spoken of; an erasure names them
--   run_id              VARCHAR      training run
--   job_id              VARCHAR      provider's job id
--   provider            VARCHAR      provider or local trainer
--   base_model          VARCHAR      model that is trained
--   result_model        VARCHAR      model that came out
--   dataset             VARCHAR      dataset name
--   dataset_version     VARCHAR      dataset version
--   dataset_hash        VARCHAR      content hash of the version
--   method              VARCHAR      sft, dpo or rft
--   phase               VARCHAR      training phase of the plan
--   state               VARCHAR      planned, submitted, queued, running, succeeded, failed or cancelled
--   config              VARCHAR      JSON: hyperparameters and distillation rules
--   metrics             VARCHAR      JSON: metrics at this step
--   checkpoint          VARCHAR      where a checkpoint lies
--   error               VARCHAR      why it failed
--   plan                VARCHAR      planned run of runs.yaml; of a run: the one that it carries out
--   export_hash         VARCHAR      content hash of the exported files that are trained on
--   distill_hash        VARCHAR      hash of the distillation rules that the export was made by
--   weights             VARCHAR      where the resulting weights lie: a folder or a URI
--   artifact_hash       VARCHAR      sha256 of the weights or checkpoint: of a folder, over its files' hashes and names
--   step                BIGINT       optimiser step
--   trained_tokens      BIGINT       tokens billed or trained so far
--   cost_usd            DOUBLE       cost so far, USD
--   duration_s          DOUBLE       running time so far, s
--   planned_examples    BIGINT       of a planned run: examples to train on
--   planned_duration_s  DOUBLE       of a planned run: running time, s
--   planned_cost_usd    DOUBLE       of a planned run: cost, USD
--   artifact_bytes      BIGINT       size of the weights or checkpoint, bytes
--   keep_until          TIMESTAMPTZ  the weights or checkpoint are not to be deleted before
--   source_uri          VARCHAR      URI of the origin
--   event_type          VARCHAR      event type
--   ingested_at         TIMESTAMPTZ  when the record was appended to its topic
--   occurred_at         TIMESTAMPTZ  when it happened
select
    id as event_id,
    subject as subject_id,
    person_ids,
    run_id,
    job_id,
    provider,
    base_model,
    result_model,
    dataset,
    dataset_version,
    dataset_hash,
    method,
    phase,
    state,
    config,
    metrics,
    checkpoint,
    error,
    plan,
    export_hash,
    distill_hash,
    weights,
    artifact_hash,
    step,
    trained_tokens,
    cost_usd,
    duration_s,
    planned_examples,
    planned_duration_s,
    planned_cost_usd,
    artifact_bytes,
    keep_until,
    source as source_uri,
    type as event_type,
    ingested_at,
    time as occurred_at

from events.training_runs

where id not in (select event_id from curated.erased)

qualify row_number() over (
    partition by id
    order by parser_version desc, kafka_cluster, kafka_topic, kafka_partition, kafka_offset
) = 1;
