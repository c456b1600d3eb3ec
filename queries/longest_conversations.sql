-- Which conversations are the longest?
-- For whoever sets the context limit: these are divided first, and a stuck agent shows here, too.
select
    examples.subject_id,
    any_value(examples.source) as source,
    any_value(examples.agent) as agent,
    count(*) as examples,
    sum(examples.message_count) as messages,
    sum(examples.target_count) as targets,
    sum(examples.char_count) as characters,
    sum(examples.char_count)::bigint // 4 as tokens_about,
    max(quality.longest_repeat) as longest_run_of_equal_calls,

from curated.examples as examples
left join curated.quality as quality on examples.example_id = quality.example_id

group by examples.subject_id
order by characters desc, examples.subject_id
limit 20;
