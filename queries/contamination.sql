-- What do the examples share with the eval suites?
-- For whoever trusts a suite: by suite and scenario, the examples that are contaminated (they go neither to train nor to
-- validation) and those that come near, the worst of them first. Look at one of each before you trust the threshold.
select
    contamination.suite,
    contamination.scenario_id,
    contamination.part,
    count(*) filter (contamination.verdict = 'contaminated') as contaminated,
    count(*) filter (contamination.verdict = 'below') as below,
    count(*) filter (contamination.is_whole) as word_for_word,
    round(max(contamination.ratio), 3) as highest_ratio,
    arg_max(contamination.example_id, (contamination.ratio, contamination.example_id)) as an_example,
    count(*) filter (funnel.fate = 'test') as on_the_test_side,

from curated.contamination as contamination

inner join curated.funnel as funnel on funnel.example_id = contamination.example_id

group by contamination.suite, contamination.scenario_id, contamination.part

order by contaminated desc, highest_ratio desc, contamination.suite, contamination.scenario_id, contamination.part;
