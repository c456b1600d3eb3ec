-- Which models do we have, from what, and what was decided on them?
-- For the team that trains: the model registry, a training run a row, the newest first; runs that made nothing are there.
select
    coalesce(result_model, run_id) as model,
    base_model,
    dataset || '@' || left(dataset_version, 8) as dataset,
    status,
    standing,
    array_to_string(aliases, ', ') as aliases,
    array_to_string(taints, ', ') as taints,
    round(best_eval_loss, 3) as eval_loss,
    round(cost_usd, 2) as usd,

from curated.models

order by planned_at desc, run_id;
