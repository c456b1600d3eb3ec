-- Scenarios of eval suites: every event once, as its best parser read it.
--
-- grain:   one row per event: a scenario of an eval suite
-- key:     event_id
-- scope:   row
-- inputs:  events.eval_scenarios, curated.erased
-- order:   occurred_at
-- rules:
--   Of the events with one id the highest parser_version counts, then the first in Kafka: a file may be
--   ingested twice, and once more by a corrected parser.
--   Whoever was erased is left out: see curated.erased.
-- columns:
--   event_id       VARCHAR          event id, stable across re-ingestion
--   subject_id     VARCHAR          conversation, task or request: the unit that a split never cuts through
--   person_ids     VARCHAR[]        ids of the people who speak or are spoken of; an erasure names them
--   suite          VARCHAR          suite
--   suite_version  VARCHAR          version of the suite
--   scenario_id    VARCHAR          id in the suite
--   category       VARCHAR          coordination, handoff, conflict, constitutional, …
--   prompt         VARCHAR          the prompt as text
--   messages       EVENT_MESSAGE[]  the prompt as messages, where it has several
--   tools          TOOL[]           tools declared
--   expected       VARCHAR          expected answer
--   grader         VARCHAR          exact, regex, json_schema, tool_call or judge
--   grader_config  VARCHAR          JSON: the grader's settings
--   origin         VARCHAR          shipped, imported or drafted from the test split
--   review_status  VARCHAR          draft, reviewed or retired
--   source_uri     VARCHAR          URI of the origin
--   event_type     VARCHAR          event type
--   ingested_at    TIMESTAMPTZ      when the record was appended to its topic
--   occurred_at    TIMESTAMPTZ      when it happened
select
    id as event_id,
    subject as subject_id,
    person_ids,
    suite,
    suite_version,
    scenario_id,
    category,
    prompt,
    messages,
    tools,
    expected,
    grader,
    grader_config,
    origin,
    review_status,
    source as source_uri,
    type as event_type,
    ingested_at,
    time as occurred_at

from events.eval_scenarios

where id not in (select event_id from curated.erased)

qualify row_number() over (
    partition by id
    order by parser_version desc, kafka_cluster, kafka_topic, kafka_partition, kafka_offset
) = 1;
