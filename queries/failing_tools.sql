-- Which tools fail, and how often?
-- For the owners of tools: calls in all conversations that the lake has, with the share that came back as an error. A call
-- that a person refused is no failure.
with steps as (
    select
        examples.example_id,
        unnest(examples.messages) as message,

    from curated.examples as examples
),

calls as (
    select
        example_id,
        unnest(message.tool_calls) as tool_call,

    from steps
),

answers as (
    select
        example_id,
        message.tool_call_id as call_id,
        bool_or(coalesce(message.is_error, false)) as is_error,

    from steps

    where message.role = 'tool'

    group by example_id, message.tool_call_id
)

select
    calls.tool_call.name as tool,
    count(*) as calls,
    count(answers.call_id) as answered,
    count(*) filter (answers.is_error) as errors,
    round(count(*) filter (answers.is_error) / nullif(count(answers.call_id), 0), 3) as error_rate,

from calls
left join answers on calls.example_id = answers.example_id and calls.tool_call.id = answers.call_id

group by tool
order by errors desc, calls desc, tool;
