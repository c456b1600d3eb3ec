-- The mistake that a conversation failed by, where someone labelled the step.
--
-- grain:   one row per failed conversation with a labelled step
-- key:     conversation_id, subject_id
-- scope:   subject
-- inputs:  curated.turns, curated.evidence, curated.thresholds (whole)
-- order:   started_at
-- rules:   (semantics §1)
--   failed      the latest outcome of the task, of the log's label or of a later event, is failure
--   mistake     the earliest turn that an outcome of level step or turn calls failed; where it is not of the agent
--               that is blamed, that agent's last output before it (labels count a script's line now and then)
--   applied     threshold step_credit: outputs before the mistake may be targets, those from it on may not
-- columns:
--   conversation_id  VARCHAR      the conversation
--   subject_id       VARCHAR      the unit that a split never cuts through
--   turn_id          VARCHAR      the mistake
--   agent            VARCHAR      who is blamed
--   turn_index       BIGINT       the mistake's place in the conversation, 0-based
--   is_applied       BOOLEAN      what was said before it may train
--   started_at       TIMESTAMPTZ  the mistake
with settings as (
    select coalesce(max(value) filter (where name = 'step_credit'), 0) >= 1 as is_applied from curated.thresholds
),

conversations as (
    select
        subject_id,
        conversation_id,
        unnest(list_distinct([conversation_id, subject_id, coalesce(min(task_id), subject_id)])) as name,

    from curated.turns

    group by subject_id, conversation_id
),

failed as (
    select conversations.subject_id, conversations.conversation_id

    from conversations

    inner join (select * from curated.evidence where kind = 'outcome') as outcomes
        on outcomes.subject_id = conversations.subject_id
        and outcomes.target_id = conversations.name

    where outcomes.value in ('success', 'failure') and coalesce(outcomes.level, 'task') = 'task'

    group by conversations.subject_id, conversations.conversation_id

    having arg_max(outcomes.value, (outcomes.occurred_at, outcomes.value = 'failure')) = 'failure'
),

said as (
    select
        turns.subject_id,
        turns.conversation_id,
        turns.turn_id,
        turns.agent,
        turns.kind,
        turns.turn_index,
        turns.started_at,
        unnest(turns.event_ids) as event_id,

    from curated.turns as turns

    inner join failed
        on failed.subject_id = turns.subject_id
        and failed.conversation_id = turns.conversation_id
),

labelled as (
    select
        said.subject_id,
        said.conversation_id,
        coalesce(outcomes.agent, said.agent) as agent,
        said.turn_index,

    from (select * from curated.evidence where kind = 'outcome') as outcomes

    inner join said
        on said.subject_id = outcomes.subject_id
        and said.event_id = outcomes.target_id

    where outcomes.value = 'failure' and outcomes.level in ('step', 'turn')

    qualify row_number() over (
        partition by said.subject_id, said.conversation_id
        order by said.turn_index, outcomes.event_id
    ) = 1
),

-- The blamed agent's last output up to the label; without one the label itself.
mistakes as (
    select
        said.subject_id,
        said.conversation_id,
        labelled.agent,
        said.turn_id,
        said.turn_index,
        said.started_at,

    from labelled

    inner join said
        on said.subject_id = labelled.subject_id
        and said.conversation_id = labelled.conversation_id
        and said.turn_index <= labelled.turn_index

    where said.turn_index = labelled.turn_index or (said.kind = 'output' and said.agent = labelled.agent)

    qualify row_number() over (
        partition by said.subject_id, said.conversation_id
        order by coalesce(said.kind = 'output' and said.agent = labelled.agent, false) desc, said.turn_index desc, said.event_id
    ) = 1
)

select
    mistakes.conversation_id,
    mistakes.subject_id,
    mistakes.turn_id,
    mistakes.agent,
    mistakes.turn_index,
    settings.is_applied,
    mistakes.started_at,

from mistakes

cross join settings
