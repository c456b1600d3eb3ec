-- Which models saw what they are measured by?
-- For whoever reports a model's numbers: held_out and assigned were trained on and are on another side now, merged was
-- validated on and is tied to what was trained on, suite was trained on and overlaps an eval suite's scenarios. Do not
-- quote the run's validation loss, or its result on that suite.
select
    coalesce(result_model, base_model) as model,
    run_id,
    dataset,
    dataset_version,
    kind,
    suite,
    example_count,
    scenario_count,
    an_example,

from curated.tainted_models

order by example_count desc, run_id, kind, suite;
