-- The examples that are exported: those that the funnel sends to a side of the split.
select
    examples.example_id,
    examples.subject_id,
    examples.content_hash,
    examples.source,
    examples.task_type,
    funnel.fate as split,
    examples.tools_origin,
    examples.response_format,
    examples.tool_choice,
    examples.messages,
    examples.tools,
    examples.origin_event_ids,
    examples.parallel_tool_calls,
    quality.success_score,

from curated.examples as examples

inner join curated.funnel as funnel on funnel.example_id = examples.example_id

inner join curated.quality as quality on quality.example_id = examples.example_id

where funnel.fate in ('train', 'validation')
