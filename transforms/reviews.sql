-- Human decisions on examples: every event once, as its best parser read it.
--
-- grain:   one row per event: one human decision
-- key:     event_id
-- scope:   row
-- inputs:  events.reviews, curated.erased
-- order:   occurred_at
-- rules:
--   Of the events with one id the highest parser_version counts, then the first in Kafka: a file may be
--   ingested twice, and once more by a corrected parser.
--   Whoever was erased is left out: see curated.erased.
-- columns:
--   event_id         VARCHAR          event id, stable across re-ingestion
--   subject_id       VARCHAR          conversation, task or request: the unit that a split never cuts through
--   person_ids       VARCHAR[]        ids of the people who speak or are spoken of; an erasure names them
--   example_id       VARCHAR          example that was reviewed
--   content_hash     VARCHAR          content that was seen; another hash makes the review stale
--   reviewer         VARCHAR          who decided
--   verdict          VARCHAR          accept, reject, edit or skip
--   edited_messages  EVENT_MESSAGE[]  on edit: the messages as they should be
--   rubric           VARCHAR          rubric that was shown
--   note             VARCHAR          the reviewer's note
--   queue            VARCHAR          queue that the item came from
--   duration_ms      DOUBLE           time spent, ms
--   source_uri       VARCHAR          URI of the origin
--   event_type       VARCHAR          event type
--   ingested_at      TIMESTAMPTZ      when the record was appended to its topic
--   occurred_at      TIMESTAMPTZ      when it happened
select
    id as event_id,
    subject as subject_id,
    person_ids,
    example_id,
    content_hash,
    reviewer,
    verdict,
    edited_messages,
    rubric,
    note,
    queue,
    duration_ms,
    source as source_uri,
    type as event_type,
    ingested_at,
    time as occurred_at

from events.reviews

where id not in (select event_id from curated.erased)

qualify row_number() over (
    partition by id
    order by parser_version desc, kafka_cluster, kafka_topic, kafka_partition, kafka_offset
) = 1;
