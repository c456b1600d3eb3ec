-- Which events was an example made from?
-- For an auditor: back to the record in the topic. Choose one with  set variable example_id = '…';  without it, it is the
-- first example that goes to validation or train.
with chosen as (
    select
        examples.example_id,
        unnest(examples.origin_event_ids) as event_id,

    from curated.examples as examples

    where examples.example_id = coalesce(
        getvariable('example_id')::varchar,
        (select min(funnel.example_id) from curated.funnel as funnel where funnel.fate in ('train', 'validation'))
    )
),

happened as (
    select id, type, source, subject, time, kafka_topic, kafka_partition, kafka_offset from events.chat_messages
    union all
    select id, type, source, subject, time, kafka_topic, kafka_partition, kafka_offset from events.gateway_calls
    union all
    select id, type, source, subject, time, kafka_topic, kafka_partition, kafka_offset from events.checkpoints
    union all
    select id, type, source, subject, time, kafka_topic, kafka_partition, kafka_offset from events.generated_examples
)

select
    chosen.example_id,
    chosen.event_id,
    happened.type,
    happened.source,
    happened.subject,
    strftime(happened.time at time zone 'UTC', '%Y-%m-%d %H:%M:%S') as happened_at,
    happened.kafka_topic || '/' || happened.kafka_partition || '@' || happened.kafka_offset as record,

from chosen
left join happened on chosen.event_id = happened.id

order by happened_at, record;
