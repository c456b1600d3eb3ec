-- Who hands work to whom, and does it go well?
-- For whoever designs the team: hand-offs as agents left them, with what became of the conversation.
with latest_outcomes as (
    select
        outcomes.subject_id,
        outcomes.value,

    from curated.outcomes as outcomes

    qualify row_number() over (
        partition by outcomes.subject_id
        order by outcomes.occurred_at desc, outcomes.event_id
    ) = 1
),

room_outcomes as (
    select
        messages.subject_id,
        max(messages.outcome) as value,

    from curated.messages as messages

    where messages.outcome is not null

    group by messages.subject_id
)

select
    swarm.agent as hands_over,
    swarm.recipient as takes_over,
    count(*) as handoffs,
    count(*) filter (coalesce(latest_outcomes.value, room_outcomes.value) = 'success') as succeeded,
    count(*) filter (coalesce(latest_outcomes.value, room_outcomes.value) = 'failure') as failed,
    count(*) filter (coalesce(latest_outcomes.value, room_outcomes.value) is null) as unknown,

from curated.swarm as swarm
left join latest_outcomes on swarm.subject_id = latest_outcomes.subject_id
left join room_outcomes on swarm.subject_id = room_outcomes.subject_id

where swarm.kind = 'handoff'

group by hands_over, takes_over
order by handoffs desc, hands_over, takes_over;
