-- How far event time has come: what ended a day before it is settled.
--
-- grain:   one row
-- key:     name
-- scope:   all
-- inputs:  curated.messages, curated.calls, curated.checkpoints, curated.generated, curated.outcomes,
--   curated.feedback, curated.reviews, curated.judgements, curated.swarm, curated.configs
-- rules:
--   an event counts with the earlier of its own time and the time it was appended: one clock in the future
--   would settle everything (design §5)
--   configuration of kind complete (weir ingest --complete) says that nothing more will come of what ended before it:
--   without it the last conversation of an old log would stay open for ever
-- columns:
--   name          VARCHAR      events
--   watermark_at  TIMESTAMPTZ  null where there are no events
with times as (
    select max(least(occurred_at, ingested_at)) as seen_at from curated.messages

    union all

    select max(least(occurred_at, ingested_at)) from curated.calls

    union all

    select max(least(occurred_at, ingested_at)) from curated.checkpoints

    union all

    select max(least(occurred_at, ingested_at)) from curated.generated

    union all

    select max(least(occurred_at, ingested_at)) from curated.outcomes

    union all

    select max(least(occurred_at, ingested_at)) from curated.feedback

    union all

    select max(least(occurred_at, ingested_at)) from curated.reviews

    union all

    select max(least(occurred_at, ingested_at)) from curated.judgements

    union all

    select max(least(occurred_at, ingested_at)) from curated.swarm

    union all

    -- What ended before the statement is settled, not only what ended a day before it.
    select max(ingested_at) + interval 24 hours from curated.configs where kind = 'complete'
)

select 'events' as name, max(seen_at) as watermark_at from times
