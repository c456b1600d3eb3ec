-- How far event time has come: what ended a day before it is settled.
--
-- grain:   one row
-- key:     name
-- scope:   all
-- inputs:  curated.messages, curated.calls, curated.checkpoints, curated.generated, curated.outcomes,
--   curated.feedback, curated.reviews, curated.judgements, curated.swarm
-- rules:
--   an event counts with the earlier of its own time and the time it was appended: one clock in the future
--   would settle everything (design §5)
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
)

select 'events' as name, max(seen_at) as watermark_at from times
