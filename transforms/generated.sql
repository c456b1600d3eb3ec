-- Augmented and synthetic examples, as they were made: every event once, as its best parser read it.
--
-- grain:   one row per event: an augmented or synthetic example
-- key:     event_id
-- scope:   row
-- inputs:  events.generated_examples, curated.erased
-- order:   occurred_at
-- rules:
--   Of the events with one id the highest parser_version counts, then the first in Kafka: a file may be
--   ingested twice, and once more by a corrected parser.
--   Whoever was erased is left out, and what an erased document seeded: see curated.erased.
-- columns:
--   event_id         VARCHAR          event id, stable across re-ingestion
--   subject_id       VARCHAR          conversation, task or request: the unit that a split never cuts through
--   person_ids       VARCHAR[]        ids of the people who speak or are spoken of; an erasure names them
--   method           VARCHAR          how it was made: paraphrase, persona_swap, …
--   generator_model  VARCHAR          model that wrote it; empty for a deterministic method
--   prompt_hash      VARCHAR          sha256 of the generator's prompt
--   parent_ids       VARCHAR[]        examples that it was made from
--   document_ids     VARCHAR[]        documents that seeded it: provenance, not a split edge
--   scenario_id      VARCHAR          scenario that seeded it; a split edge
--   task_type        VARCHAR          task type of the example
--   messages         EVENT_MESSAGE[]  the example's messages, weights set
--   tools            TOOL[]           tools declared
--   seed             BIGINT           seed of a deterministic method
--   cost_usd         DOUBLE           what generating it cost, USD
--   input_tokens     BIGINT           tokens that the generator read, as it counts them
--   output_tokens    BIGINT           tokens that the generator wrote, as it counts them
--   variation        BIGINT           which of several by one method from one root, from 0
--   source_uri       VARCHAR          URI of the origin
--   event_type       VARCHAR          event type
--   ingested_at      TIMESTAMPTZ      when the record was appended to its topic
--   occurred_at      TIMESTAMPTZ      when it happened
--   response_format  VARCHAR          JSON: the parent's response format, which the answers still follow
--   tool_choice      VARCHAR          JSON: the parent's tool choice
--   knowledge_id     VARCHAR          section of curated.knowledge that seeded it: provenance, not a split edge
--   parallel_tool_calls  BOOLEAN      as sent with the parent
select
    id as event_id,
    subject as subject_id,
    person_ids,
    method,
    generator_model,
    prompt_hash,
    parent_ids,
    document_ids,
    scenario_id,
    task_type,
    messages,
    tools,
    seed,
    cost_usd,
    input_tokens,
    output_tokens,
    variation,
    source as source_uri,
    type as event_type,
    ingested_at,
    time as occurred_at,
    response_format,
    tool_choice,
    knowledge_id,
    parallel_tool_calls

from events.generated_examples

where id not in (select event_id from curated.erased)

qualify row_number() over (
    partition by id
    order by parser_version desc, kafka_cluster, kafka_topic, kafka_partition, kafka_offset
) = 1;
