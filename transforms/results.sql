-- Answers of models to scenarios, a trial each: every event once, as its best parser read it.
--
-- grain:   one row per event: one model on one scenario, one trial
-- key:     event_id
-- scope:   row
-- inputs:  events.eval_results, curated.erased
-- order:   occurred_at
-- rules:
--   Of the events with one id the highest parser_version counts, then the first in Kafka: a file may be
--   ingested twice, and once more by a corrected parser.
--   Whoever was erased is left out: see curated.erased.
-- columns:
--   event_id            VARCHAR      event id, stable across re-ingestion
--   subject_id          VARCHAR      conversation, task or request: the unit that a split never cuts through
--   person_ids          VARCHAR[]    ids of the people who speak or are spoken of; an erasure names them
--   suite               VARCHAR      suite
--   scenario_id         VARCHAR      scenario
--   category            VARCHAR      category of the scenario
--   eval_run_id         VARCHAR      run of the suite
--   experiment          VARCHAR      A/B test, where the run is part of one
--   arm                 VARCHAR      arm: what is compared
--   provider            VARCHAR      provider
--   model               VARCHAR      model that answered
--   phase               VARCHAR      training phase of the model
--   metric              VARCHAR      what the score measures
--   grader              VARCHAR      grader
--   judge_model         VARCHAR      model that graded, where one did
--   rubric              VARCHAR      rubric
--   prompt              VARCHAR      prompt as run
--   expected            VARCHAR      expected answer
--   output              VARCHAR      what the model answered
--   scores              VARCHAR      JSON: named scores beside the main one
--   reason              VARCHAR      the grader's reason
--   error               VARCHAR      why there is no answer; an error is not a failed answer
--   trial               BIGINT       trial number, 0-based
--   score               DOUBLE       score, 0 to 1 where the tool says so
--   passed              BOOLEAN      the grader's verdict
--   latency_ms          DOUBLE       latency, ms
--   is_cached           BOOLEAN      the answer came from the tool's cache: latency and cost say nothing
--   input_tokens        BIGINT       tokens sent, cached ones included
--   cached_tokens       BIGINT       tokens of the input that were read from the provider's cache
--   cache_write_tokens  BIGINT       tokens of the input that were written to the provider's cache
--   output_tokens       BIGINT       tokens generated, as reported
--   reasoning_tokens    BIGINT       reasoning tokens, as reported
--   total_tokens        BIGINT       total as reported; never recomputed
--   cost_usd            DOUBLE       cost at call time in USD, as reported
--   usage               VARCHAR      JSON: the native usage object as sent
--   source_uri          VARCHAR      URI of the origin
--   event_type          VARCHAR      event type
--   ingested_at         TIMESTAMPTZ  when the record was appended to its topic
--   occurred_at         TIMESTAMPTZ  when it happened
select
    id as event_id,
    subject as subject_id,
    person_ids,
    suite,
    scenario_id,
    category,
    eval_run_id,
    experiment,
    arm,
    provider,
    model,
    phase,
    metric,
    grader,
    judge_model,
    rubric,
    prompt,
    expected,
    output,
    scores,
    reason,
    error,
    trial,
    score,
    passed,
    latency_ms,
    is_cached,
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

from events.eval_results

where id not in (select event_id from curated.erased)

qualify row_number() over (
    partition by id
    order by parser_version desc, kafka_cluster, kafka_topic, kafka_partition, kafka_offset
) = 1;
