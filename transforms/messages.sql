-- Messages and parts of model outputs, of conversations and group chats: every event once, as its best
-- parser read it.
--
-- grain:   one row per event: a message, or a part of a model output, of a conversation or group chat
-- key:     event_id
-- scope:   row
-- inputs:  events.chat_messages, curated.erased
-- order:   occurred_at
-- rules:
--   Of the events with one id the highest parser_version counts, then the first in Kafka: a file may be
--   ingested twice, and once more by a corrected parser.
--   Whoever was erased is left out: see curated.erased.
-- columns:
--   event_id                VARCHAR      event id, stable across re-ingestion
--   subject_id              VARCHAR      conversation, task or request: the unit that a split never cuts through
--   person_ids              VARCHAR[]    ids of the people who speak or are spoken of; an erasure names them
--   conversation_id         VARCHAR      conversation; a sub-agent's run is a conversation of its own under its parent's subject
--   parent_conversation_id  VARCHAR      conversation that started this one
--   parent_call_id          VARCHAR      tool call of the parent conversation that this one answers
--   message_id              VARCHAR      native id of the line
--   parent_id               VARCHAR      native id of the line before; may point at one not (yet) in the lake
--   response_id             VARCHAR      native id of the model output that the line is part of
--   kind                    VARCHAR      prompt, output, tool_result, summary, context, queued, refusal, interrupt, error, notice, system or environment
--   agent                   VARCHAR      agent that speaks; empty for humans
--   recipient               VARCHAR      agent that is addressed, where one is
--   channel                 VARCHAR      channel, phase or branch
--   role                    VARCHAR      role as sent; relative to one agent's view in group chats
--   name                    VARCHAR      speaker's display name; tool name of a result
--   content                 VARCHAR      text as sent; '' where there is none
--   reasoning               VARCHAR      readable reasoning
--   tool_calls              TOOL_CALL[]  calls that the message makes
--   tool_call_id            VARCHAR      call that a result answers
--   is_error                BOOLEAN      the tool failed
--   is_final                BOOLEAN      ends the conversation (a terminal event)
--   parts                   VARCHAR      JSON array of what is not text
--   tools                   TOOL[]       tools declared at this point, where the log says
--   model                   VARCHAR      model that wrote the message
--   finish_reason           VARCHAR      why the model stopped, as sent
--   task_id                 VARCHAR      native task id (instance, question, task); joins split groups
--   outcome                 VARCHAR      success or failure where the log labels the conversation
--   purpose                 VARCHAR      eval, suite or judge: traffic that never becomes an example
--   position                BIGINT       place in the source file: record ordinal × 1000 + place in the record
--   ordered_at              TIMESTAMPTZ  running maximum of time in the source file: the order key across files
--   latency_ms              DOUBLE       time that the turn took, ms
--   input_tokens            BIGINT       tokens sent, cached ones included
--   cached_tokens           BIGINT       tokens of the input that were read from the provider's cache
--   cache_write_tokens      BIGINT       tokens of the input that were written to the provider's cache
--   output_tokens           BIGINT       tokens generated, as reported
--   reasoning_tokens        BIGINT       reasoning tokens, as reported
--   total_tokens            BIGINT       total as reported; never recomputed
--   cost_usd                DOUBLE       cost at call time in USD, as reported
--   usage                   VARCHAR      JSON: the native usage object as sent
--   source_uri              VARCHAR      URI of the origin
--   event_type              VARCHAR      event type
--   ingested_at             TIMESTAMPTZ  when the record was appended to its topic
--   occurred_at             TIMESTAMPTZ  when it happened
select
    id as event_id,
    subject as subject_id,
    person_ids,
    conversation_id,
    parent_conversation_id,
    parent_call_id,
    message_id,
    parent_id,
    response_id,
    kind,
    agent,
    recipient,
    channel,
    role,
    name,
    coalesce(content, '') as content,
    reasoning,
    tool_calls,
    tool_call_id,
    is_error,
    is_final,
    parts,
    tools,
    model,
    finish_reason,
    task_id,
    outcome,
    purpose,
    position,
    ordered_at,
    latency_ms,
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

from events.chat_messages

where id not in (select event_id from curated.erased)

qualify row_number() over (
    partition by id
    order by parser_version desc, kafka_cluster, kafka_topic, kafka_partition, kafka_offset
) = 1;
