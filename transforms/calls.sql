-- LLM calls, a choice each: every event once, as its best parser read it.
--
-- grain:   one row per event: one LLM call, one choice
-- key:     event_id
-- scope:   row
-- inputs:  events.gateway_calls, curated.erased
-- order:   occurred_at
-- rules:
--   Of the events with one id the highest parser_version counts, then the first in Kafka: a file may be
--   ingested twice, and once more by a corrected parser.
--   Whoever was erased is left out: see curated.erased.
-- columns:
--   event_id                VARCHAR          event id, stable across re-ingestion
--   subject_id              VARCHAR          conversation, task or request: the unit that a split never cuts through
--   person_ids              VARCHAR[]        ids of the people who speak or are spoken of; an erasure names them
--   request_id              VARCHAR          id of the call in the gateway or recorder
--   response_id             VARCHAR          provider's id of the reply
--   previous_response_id    VARCHAR          native link to the call that this one continues
--   conversation_id         VARCHAR          native conversation, session or trace id; empty where the log has none
--   task_id                 VARCHAR          native task id
--   agent                   VARCHAR          agent that called
--   provider                VARCHAR          provider: openai, anthropic, together, …
--   api                     VARCHAR          chat_completions, responses or messages
--   model                   VARCHAR          model asked for
--   response_model          VARCHAR          model that answered, as reported
--   experiment              VARCHAR          A/B test that the call was part of
--   arm                     VARCHAR          arm of that test
--   messages                EVENT_MESSAGE[]  the request, system prompt first
--   output                  EVENT_MESSAGE[]  the reply: one assistant message; empty on failure
--   tools                   TOOL[]           tools declared in the request
--   tool_choice             VARCHAR          tool choice, JSON text as sent
--   response_format         VARCHAR          output format asked for, JSON text as sent
--   parallel_tool_calls     BOOLEAN          as sent
--   params                  VARCHAR          JSON: other request parameters (temperature, …)
--   finish_reason           VARCHAR          why the model stopped, as sent
--   status                  VARCHAR          success or failure of the call itself, not of its task
--   error                   VARCHAR          error text of a failed call
--   http_status             BIGINT           HTTP status of the reply
--   purpose                 VARCHAR          eval, suite, judge or compaction: calls that never become examples
--   tags                    VARCHAR[]        tags of the gateway
--   choice_index            BIGINT           choice of the reply (n > 1: one event a choice; usage stands on choice 0)
--   position                BIGINT           place in the source file; orders calls of equal time
--   is_stream               BOOLEAN          reply was streamed
--   is_batch                BOOLEAN          call ran in a provider's batch API
--   latency_ms              DOUBLE           request to last byte, ms
--   time_to_first_token_ms  DOUBLE           request to first token, ms
--   is_final                BOOLEAN          ends its conversation: nothing will follow
--   input_tokens            BIGINT           tokens sent, cached ones included
--   cached_tokens           BIGINT           tokens of the input that were read from the provider's cache
--   cache_write_tokens      BIGINT           tokens of the input that were written to the provider's cache
--   output_tokens           BIGINT           tokens generated, as reported
--   reasoning_tokens        BIGINT           reasoning tokens, as reported
--   total_tokens            BIGINT           total as reported; never recomputed
--   cost_usd                DOUBLE           cost at call time in USD, as reported
--   usage                   VARCHAR          JSON: the native usage object as sent
--   source_uri              VARCHAR          URI of the origin
--   event_type              VARCHAR          event type
--   ingested_at             TIMESTAMPTZ      when the record was appended to its topic
--   occurred_at             TIMESTAMPTZ      when it happened
select
    id as event_id,
    subject as subject_id,
    person_ids,
    request_id,
    response_id,
    previous_response_id,
    conversation_id,
    task_id,
    agent,
    provider,
    api,
    model,
    response_model,
    experiment,
    arm,
    messages,
    output,
    tools,
    tool_choice,
    response_format,
    parallel_tool_calls,
    params,
    finish_reason,
    status,
    error,
    http_status,
    purpose,
    tags,
    choice_index,
    position,
    is_stream,
    is_batch,
    latency_ms,
    time_to_first_token_ms,
    is_final,
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

from events.gateway_calls

where id not in (select event_id from curated.erased)

qualify row_number() over (
    partition by id
    order by parser_version desc, kafka_cluster, kafka_topic, kafka_partition, kafka_offset
) = 1;
