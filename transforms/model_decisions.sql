-- Decisions on models: every event once, as its best parser read it.
--
-- grain:   one row per event: a decision on a model
-- key:     event_id
-- scope:   row
-- inputs:  events.model_decisions, curated.erased
-- order:   occurred_at
-- rules:
--   Of the events with one id the highest parser_version counts, then the first in Kafka: a file may be
--   ingested twice, and once more by a corrected parser.
--   Whoever was erased is left out: see curated.erased.
-- columns:
--   event_id     VARCHAR      event id, stable across re-ingestion
--   subject_id   VARCHAR      conversation, task or request: the unit that a split never cuts through
--   person_ids   VARCHAR[]    ids of the people who speak or are spoken of; an erasure names them
--   run_id       VARCHAR      training run that made the model
--   model        VARCHAR      the model, as its calls name it
--   decision     VARCHAR      promoted, retired or tainted
--   alias        VARCHAR      of a promotion: the name that clients use, such as production; one model at a time bears it
--   reason       VARCHAR      why
--   decided_by   VARCHAR      who decided; weir for what it found itself
--   source_uri   VARCHAR      URI of the origin
--   event_type   VARCHAR      event type
--   ingested_at  TIMESTAMPTZ  when the record was appended to its topic
--   occurred_at  TIMESTAMPTZ  when it happened
select
    id as event_id,
    subject as subject_id,
    person_ids,
    run_id,
    model,
    decision,
    alias,
    reason,
    decided_by,
    source as source_uri,
    type as event_type,
    ingested_at,
    time as occurred_at

from events.model_decisions

where id not in (select event_id from curated.erased)

qualify row_number() over (
    partition by id
    order by parser_version desc, kafka_cluster, kafka_topic, kafka_partition, kafka_offset
) = 1;
