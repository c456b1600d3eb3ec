-- What agents leave for each other (traces, claims, proposals, votes, decisions, helps, hand-offs and
-- lessons): every event once, as its best parser read it.
--
-- grain:   one row per event: a trace left or read, a claim, a proposal, a vote, a decision, a help, a hand-off or a lesson
-- key:     event_id
-- scope:   row
-- inputs:  events.swarm, curated.erased
-- order:   occurred_at
-- rules:
--   Of the events with one id the highest parser_version counts, then the first in Kafka: a file may be
--   ingested twice, and once more by a corrected parser.
--   Whoever was erased is left out: see curated.erased.
-- columns:
--   event_id     VARCHAR      event id, stable across re-ingestion
--   subject_id   VARCHAR      conversation, task or request: the unit that a split never cuts through
--   person_ids   VARCHAR[]    ids of the people who speak or are spoken of; an erasure names them
--   kind         VARCHAR      trace, read, claim, release, proposal, vote, decision, help, handoff or lesson
--   agent        VARCHAR      agent that acts
--   recipient    VARCHAR      agent that is helped or handed to
--   topic        VARCHAR      what it is about: task, decision or domain
--   resource     VARCHAR      resource that a claim holds
--   parent_id    VARCHAR      event that this one answers: the trace read, the proposal voted for
--   choice       VARCHAR      what a vote or decision stands for
--   content      VARCHAR      the text left; '' where there is none
--   body         VARCHAR      JSON: anything else
--   domain       VARCHAR      domain of expertise
--   strength     DOUBLE       strength when left, 0 to 1
--   priority     DOUBLE       priority, 0 to 1
--   half_life_s  DOUBLE       half-life of the strength, s
--   expertise    DOUBLE       voter's weight when it voted
--   difficulty   DOUBLE       difficulty of the task, 0 to 1
--   granted      BOOLEAN      the claim was granted
--   is_assigned  BOOLEAN      the task was assigned, not claimed
--   expires_at   TIMESTAMPTZ  when a claim lapses
--   source_uri   VARCHAR      URI of the origin
--   event_type   VARCHAR      event type
--   ingested_at  TIMESTAMPTZ  when the record was appended to its topic
--   occurred_at  TIMESTAMPTZ  when it happened
select
    id as event_id,
    subject as subject_id,
    person_ids,
    kind,
    agent,
    recipient,
    topic,
    resource,
    parent_id,
    choice,
    coalesce(content, '') as content,
    body,
    domain,
    strength,
    priority,
    half_life_s,
    expertise,
    difficulty,
    granted,
    is_assigned,
    expires_at,
    source as source_uri,
    type as event_type,
    ingested_at,
    time as occurred_at

from events.swarm

where id not in (select event_id from curated.erased)

qualify row_number() over (
    partition by id
    order by parser_version desc, kafka_cluster, kafka_topic, kafka_partition, kafka_offset
) = 1;
