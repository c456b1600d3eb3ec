-- Members of dataset versions, in batches: every event once, as its best parser read it.
--
-- grain:   one row per event: up to 5,000 members of a dataset version
-- key:     event_id
-- scope:   row
-- inputs:  events.dataset_members, curated.erased
-- order:   occurred_at
-- rules:
--   Of the events with one id the highest parser_version counts, then the first in Kafka: a file may be
--   ingested twice, and once more by a corrected parser.
--   Whoever was erased is left out: see curated.erased.
-- columns:
--   event_id      VARCHAR      event id, stable across re-ingestion
--   subject_id    VARCHAR      conversation, task or request: the unit that a split never cuts through
--   person_ids    VARCHAR[]    ids of the people who speak or are spoken of; an erasure names them
--   dataset       VARCHAR      dataset
--   version       VARCHAR      version
--   content_hash  VARCHAR      hash of the version
--   members       MEMBER[]     the members
--   batch         BIGINT       number of the batch, 0-based
--   source_uri    VARCHAR      URI of the origin
--   event_type    VARCHAR      event type
--   ingested_at   TIMESTAMPTZ  when the record was appended to its topic
--   occurred_at   TIMESTAMPTZ  when it happened
select
    id as event_id,
    subject as subject_id,
    person_ids,
    dataset,
    version,
    content_hash,
    members,
    batch,
    source as source_uri,
    type as event_type,
    ingested_at,
    time as occurred_at

from events.dataset_members

where id not in (select event_id from curated.erased)

qualify row_number() over (
    partition by id
    order by parser_version desc, kafka_cluster, kafka_topic, kafka_partition, kafka_offset
) = 1;
