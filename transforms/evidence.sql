-- What was said of the work: outcomes, reactions and judgements, with the
-- subjects that they speak of.
--
-- grain:   one row per event and subject that it speaks of
-- key:     event_id, subject_id
-- scope:   all
-- inputs:  curated.names, curated.outcomes, curated.feedback, curated.judgements
-- rules:
--   subject   the event's own, and each that its target is a name of: tests that know a task's id know nothing of the
--             conversation. So the tables made from this one need only look at the rows of their own subject
-- columns:
--   event_id     VARCHAR      the event
--   subject_id   VARCHAR      subject that it speaks of
--   kind         VARCHAR      outcome, feedback or judgement
--   target_id    VARCHAR      what exactly it speaks of
--   level        VARCHAR      of an outcome: task, turn or step
--   value        VARCHAR      of an outcome: success or failure
--   origin       VARCHAR      of an outcome: who says so
--   agent        VARCHAR      of an outcome: agent that is credited or blamed
--   rating       DOUBLE       of feedback, 0 to 1: thumbs are 0 or 1
--   passed       BOOLEAN      of a judgement: its verdict
--   occurred_at  TIMESTAMPTZ  when it was said
with said as (
    select
        event_id,
        subject_id,
        'outcome' as kind,
        target_id,
        level,
        value,
        origin,
        agent,
        null::DOUBLE as rating,
        null::BOOLEAN as passed,
        occurred_at,

    from curated.outcomes

    union all

    select
        event_id,
        subject_id,
        'feedback',
        unit_id,
        null,
        null,
        null,
        null,
        case when kind = 'thumb' then (value + 1) / 2 else value end,
        null,
        occurred_at,

    from curated.feedback

    union all

    select event_id, subject_id, 'judgement', target_id, null, null, null, null, null, passed, occurred_at

    from curated.judgements
)

select * from said

union

select said.* replace (names.subject_id as subject_id)

from said

inner join curated.names as names on names.name = said.target_id
