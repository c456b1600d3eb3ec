-- Saved states of tasks: every event once, as its best parser read it.
--
-- grain:   one row per event: a saved state of a task
-- key:     event_id
-- scope:   row
-- inputs:  events.checkpoints, curated.erased
-- order:   occurred_at
-- rules:
--   Of the events with one id the highest parser_version counts, then the first in Kafka: a file may be
--   ingested twice, and once more by a corrected parser.
--   Whoever was erased is left out: see curated.erased.
-- columns:
--   event_id              VARCHAR          event id, stable across re-ingestion
--   subject_id            VARCHAR          conversation, task or request: the unit that a split never cuts through
--   person_ids            VARCHAR[]        ids of the people who speak or are spoken of; an erasure names them
--   task_id               VARCHAR          task or thread whose state it is
--   checkpoint_id         VARCHAR          native checkpoint id
--   parent_checkpoint_id  VARCHAR          native id of the checkpoint before
--   namespace             VARCHAR          sub-graph; empty for the root graph
--   agent                 VARCHAR          agent or node that saved it
--   status                VARCHAR          native status word; not an outcome
--   cause                 VARCHAR          input, loop, update or fork
--   instruction           VARCHAR          what the task asks for, where the log says
--   summary               VARCHAR          running summary in the state; the model saw it as context
--   state                 VARCHAR          JSON: the other channels of the state
--   messages              EVENT_MESSAGE[]  messages in the state at this checkpoint, in order
--   outcome               VARCHAR          success or failure where there is evidence; else empty
--   evidence              VARCHAR          what the outcome rests on
--   step                  BIGINT           step number, -1 for the input
--   is_final              BOOLEAN          the task ended here
--   files                 VARCHAR[]        files that the task touched
--   conversation_id       VARCHAR          conversation whose state it is, where another id than the task's
--   input_tokens          BIGINT           tokens sent, cached ones included
--   cached_tokens         BIGINT           tokens of the input that were read from the provider's cache
--   cache_write_tokens    BIGINT           tokens of the input that were written to the provider's cache
--   output_tokens         BIGINT           tokens generated, as reported
--   reasoning_tokens      BIGINT           reasoning tokens, as reported
--   total_tokens          BIGINT           total as reported; never recomputed
--   cost_usd              DOUBLE           cost at call time in USD, as reported
--   usage                 VARCHAR          JSON: the native usage object as sent
--   source_uri            VARCHAR          URI of the origin
--   event_type            VARCHAR          event type
--   ingested_at           TIMESTAMPTZ      when the record was appended to its topic
--   occurred_at           TIMESTAMPTZ      when it happened
select
    id as event_id,
    subject as subject_id,
    person_ids,
    task_id,
    checkpoint_id,
    parent_checkpoint_id,
    namespace,
    agent,
    status,
    cause,
    instruction,
    summary,
    state,
    messages,
    outcome,
    evidence,
    step,
    is_final,
    files,
    conversation_id,
    input_tokens,
    cached_tokens,
    cache_write_tokens,
    output_tokens,
    reasoning_tokens,
    total_tokens,
    cost_usd,
    usage,
    source as source_uri,
    type as event_type,
    ingested_at,
    time as occurred_at

from events.checkpoints

where id not in (select event_id from curated.erased)

qualify row_number() over (
    partition by id
    order by parser_version desc, kafka_cluster, kafka_topic, kafka_partition, kafka_offset
) = 1;
