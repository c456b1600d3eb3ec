-- Automatic scores: every event once, as its best parser read it.
--
-- grain:   one row per event: one automatic score
-- key:     event_id
-- scope:   row
-- inputs:  events.judgements, curated.erased
-- order:   occurred_at
-- rules:
--   Of the events with one id the highest parser_version counts, then the first in Kafka: a file may be
--   ingested twice, and once more by a corrected parser.
--   Whoever was erased is left out: see curated.erased.
-- columns:
--   event_id          VARCHAR      event id, stable across re-ingestion
--   subject_id        VARCHAR      conversation, task or request: the unit that a split never cuts through
--   person_ids        VARCHAR[]    ids of the people who speak or are spoken of; an erasure names them
--   target_kind       VARCHAR      example, conversation, call, message or result
--   target_id         VARCHAR      what was judged
--   rubric            VARCHAR      rubric name
--   rubric_version    VARCHAR      rubric version or hash
--   judge_model       VARCHAR      model that judged; empty for a program
--   reasons           VARCHAR      the judge's reasons
--   error             VARCHAR      why there is no score: a judge that fails gives none
--   score             DOUBLE       score as given
--   higher_is_better  BOOLEAN      polarity of the score
--   passed            BOOLEAN      verdict, where the rubric has one
--   cost_usd          DOUBLE       what judging cost, USD
--   compared_id       VARCHAR      what the target was compared with, where the rubric takes two
--   content_hash      VARCHAR      content hash of the example that was judged
--   prompt_hash       VARCHAR      sha256 of the judge's prompt
--   input_tokens      BIGINT       tokens that the judge read, as it counts them
--   output_tokens     BIGINT       tokens that the judge wrote, as it counts them
--   source_uri        VARCHAR      URI of the origin
--   event_type        VARCHAR      event type
--   ingested_at       TIMESTAMPTZ  when the record was appended to its topic
--   occurred_at       TIMESTAMPTZ  when it happened
select
    id as event_id,
    subject as subject_id,
    person_ids,
    target_kind,
    target_id,
    rubric,
    rubric_version,
    judge_model,
    reasons,
    error,
    score,
    higher_is_better,
    passed,
    cost_usd,
    compared_id,
    content_hash,
    prompt_hash,
    input_tokens,
    output_tokens,
    source as source_uri,
    type as event_type,
    ingested_at,
    time as occurred_at

from events.judgements

where id not in (select event_id from curated.erased)

qualify row_number() over (
    partition by id
    order by parser_version desc, kafka_cluster, kafka_topic, kafka_partition, kafka_offset
) = 1;
