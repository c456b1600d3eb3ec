-- The preference pairs of a side of the split, as the chosen example with the context that both share and then the
-- better way to go on; beside it the worse way, and the example that it is from. Both examples are on the pair's side.
select
    chosen.example_id,
    chosen.subject_id,
    chosen.content_hash,
    chosen.source,
    chosen.task_type,
    pairs.split,
    chosen.tools_origin,
    chosen.response_format,
    chosen.tool_choice,
    list_concat(
        chosen.messages[1:pairs.context_count],
        chosen.messages[pairs.chosen_from:coalesce(pairs.chosen_to, len(chosen.messages))]
    ) as messages,
    chosen.tools,
    chosen.origin_event_ids,
    chosen.parallel_tool_calls,
    quality.success_score,
    pairs.pair_id,
    pairs.basis,
    pairs.context_count,
    rejected.messages[pairs.rejected_from:coalesce(pairs.rejected_to, len(rejected.messages))] as rejected_messages,
    rejected.example_id as rejected_example_id,
    rejected.subject_id as rejected_subject_id,
    rejected.content_hash as rejected_content_hash,
    rejected.origin_event_ids as rejected_origin_event_ids,

from curated.preference_pairs as pairs

inner join curated.examples as chosen on chosen.example_id = pairs.chosen_example_id

inner join curated.examples as rejected on rejected.example_id = pairs.rejected_example_id

inner join curated.quality as quality on quality.example_id = pairs.chosen_example_id

inner join curated.splits as chosen_side
    on chosen_side.example_id = pairs.chosen_example_id
    and chosen_side.split = pairs.split

inner join curated.splits as rejected_side
    on rejected_side.example_id = pairs.rejected_example_id
    and rejected_side.split = pairs.split

where pairs.split in ('train', 'validation')
