-- What became of tasks, turns and steps: every event once, as its best parser read it.
--
-- grain:   one row per event: what became of a task, turn or step
-- key:     event_id
-- scope:   row
-- inputs:  events.outcomes, curated.erased
-- order:   occurred_at
-- rules:
--   Of the events with one id the highest parser_version counts, then the first in Kafka: a file may be
--   ingested twice, and once more by a corrected parser.
--   Whoever was erased is left out: see curated.erased.
-- columns:
--   event_id     VARCHAR      event id, stable across re-ingestion
--   subject_id   VARCHAR      conversation, task or request: the unit that a split never cuts through
--   person_ids   VARCHAR[]    ids of the people who speak or are spoken of; an erasure names them
--   target_kind  VARCHAR      conversation, task, call, message or example
--   target_id    VARCHAR      what the outcome is of
--   level        VARCHAR      task, turn or step
--   value        VARCHAR      success or failure
--   evidence     VARCHAR      what it rests on
--   origin       VARCHAR      who says so: tests, merge, label, reward, person
--   agent        VARCHAR      agent that is credited or blamed
--   score        DOUBLE       graded outcome, 0 to 1
--   step         BIGINT       step that decided, 0-based
--   source_uri   VARCHAR      URI of the origin
--   event_type   VARCHAR      event type
--   ingested_at  TIMESTAMPTZ  when the record was appended to its topic
--   occurred_at  TIMESTAMPTZ  when it happened
select
    id as event_id,
    subject as subject_id,
    person_ids,
    target_kind,
    target_id,
    level,
    value,
    evidence,
    origin,
    agent,
    score,
    step,
    source as source_uri,
    type as event_type,
    ingested_at,
    time as occurred_at

from events.outcomes

where id not in (select event_id from curated.erased)

qualify row_number() over (
    partition by id
    order by parser_version desc, kafka_cluster, kafka_topic, kafka_partition, kafka_offset
) = 1;
