-- What came in, per day and kind?
-- An operator's first look: a family that stops, or doubles, shows here. Events are counted once, by the day on which
-- they happened (UTC), not on which they were read.
with happened as (
    select 'chat' as family, id, time from events.chat_messages
    union all
    select 'checkpoint' as family, id, time from events.checkpoints
    union all
    select 'gateway' as family, id, time from events.gateway_calls
    union all
    select 'document' as family, id, time from events.documents
    union all
    select 'example' as family, id, time from events.generated_examples
    union all
    select 'judgement' as family, id, time from events.judgements
    union all
    select 'review' as family, id, time from events.reviews
    union all
    select 'swarm' as family, id, time from events.swarm
    union all
    select 'training' as family, id, time from events.training_runs
    union all
    select 'outcome' as family, id, time from events.outcomes
    union all
    select 'feedback' as family, id, time from events.feedback
    union all
    select 'scenario' as family, id, time from events.eval_scenarios
    union all
    select 'eval' as family, id, time from events.eval_results
    union all
    select 'experiment' as family, id, time from events.assignments
    union all
    select 'config' as family, id, time from events.configs
    union all
    select 'dead letter' as family, id, time from events.dead_letters
)

select
    strftime(time at time zone 'UTC', '%Y-%m-%d') as day,
    family,
    count(distinct id) as event_count,

from happened

group by day, family
order by day desc, event_count desc, family;
