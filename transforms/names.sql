-- What a subject is called by: the ids under which an outcome, a reaction or a
-- judgement may speak of it.
--
-- grain:   one row per subject and name
-- key:     subject_id, name
-- scope:   subject
-- inputs:  curated.messages, curated.calls, curated.checkpoints, curated.generated
-- order:   started_at
-- rules:
--   name  the subject itself, its events, conversations and tasks, and the messages of its saved states; not the
--         examples: whoever names one has read it, and says its subject
-- columns:
--   subject_id  VARCHAR      the unit that a split never cuts through
--   name        VARCHAR      id of an event, conversation, task or message
--   started_at  TIMESTAMPTZ  first event of that name
with named as (
    select subject_id, unnest([subject_id, event_id, conversation_id, task_id]) as name, occurred_at from curated.messages

    union all

    select subject_id, unnest([subject_id, event_id, conversation_id, task_id]), occurred_at from curated.calls

    union all

    select
        subject_id,
        unnest(list_concat(
            [subject_id, event_id, conversation_id, task_id], [message.event_id for message in coalesce(messages, [])]
        )),
        occurred_at,

    from curated.checkpoints

    union all

    select subject_id, unnest([subject_id, event_id]), occurred_at from curated.generated
)

select subject_id, name, min(occurred_at) as started_at

from named

where name is not null

group by subject_id, name
