-- The fate of each example: the counts add up to the number of examples.
--
-- grain:   one row per example
-- key:     example_id
-- scope:   all
-- inputs:  curated.example_keys, curated.quality, curated.duplicate_clusters, curated.lineage, curated.splits,
--   curated.training, curated.watermark, curated.contamination
-- rules:   the first that holds
--   open        the subject is not settled: no terminal event ended what was said last, and something was said in
--               the last 24 hours of event time before the watermark; generated examples are settled
--   excluded    the first reason of curated.quality
--   excluded    duplicate: another example with the same content survives
--   excluded    own_model: a target was written by a model that came out of our own training
--   excluded    contamination: it, or what it was made from, overlaps a scenario of an eval suite, see
--               curated.contamination; on the side of test it may: suites are drafted from there
--   excluded    side_conflict: its group was trained on and held out in recorded versions, see curated.splits
--   excluded    augmented_validation: validation and test hold originals only, and children of their roots go nowhere
--   excluded    augmented_cap: a better variation of the same root comes first, or the share of generated examples
--               is reached; the best score first, then the least id
--   else        the side of curated.splits
-- thresholds:
--   augmented_cap   3 variations of one root, 50 % generated among those that train (semantics §3)
-- columns:
--   example_id  VARCHAR  the example
--   subject_id  VARCHAR  the unit that a split never cuts through
--   source      VARCHAR  claude_code, group_chat, chat, gateway, checkpoint or generated
--   task_type   VARCHAR  as in curated.examples
--   fate        VARCHAR  train, validation, test, open or excluded
--   reason      VARCHAR  why it is excluded or open; null for the rest
with recursive contaminated as (
    select distinct example_id from curated.contamination where verdict = 'contaminated'

    union

    select lineage.child_id

    from curated.lineage as lineage

    inner join contaminated on contaminated.example_id = lineage.parent_id
),

settled as (
    select
        example_keys.subject_id,
        coalesce(max(example_keys.ended_at) filter (where example_keys.is_final) = max(example_keys.ended_at), false)
            or max(example_keys.ended_at) <= any_value(watermark.watermark_at) - interval 24 hours as is_settled,

    from curated.example_keys as example_keys

    cross join curated.watermark as watermark

    where example_keys.source <> 'generated'

    group by example_keys.subject_id
),

own_models as (
    select distinct result_model as model from curated.training where result_model is not null
),

own_outputs as (
    select distinct written.example_id

    from (select example_id, unnest(models) as model from curated.example_keys) as written

    inner join own_models on own_models.model = written.model
),

children as (
    select child_id, min(root_id) as root_id from curated.lineage group by child_id
),

judged as materialized (
    select
        example_keys.example_id,
        example_keys.subject_id,
        example_keys.source,
        example_keys.task_type,
        splits.split,
        quality.success_score,
        children.root_id,
        example_keys.source = 'generated' or coalesce(settled.is_settled, false) as is_settled,
        case
            when quality.verdict = 'drop' then quality.reasons[1]
            when not duplicate_clusters.is_representative then 'duplicate'
            when own_outputs.example_id is not null then 'own_model'
            when contaminated.example_id is not null and splits.split <> 'test' then 'contamination'
            when splits.is_conflicting then 'side_conflict'
            when splits.split <> 'train' and (children.child_id is not null or example_keys.source = 'generated')
                then 'augmented_validation'
        end as reason,

    from curated.example_keys as example_keys

    left join settled on settled.subject_id = example_keys.subject_id

    inner join curated.quality as quality on quality.example_id = example_keys.example_id

    inner join curated.splits as splits on splits.example_id = example_keys.example_id

    left join curated.duplicate_clusters as duplicate_clusters
        on duplicate_clusters.example_id = example_keys.example_id

    left join own_outputs on own_outputs.example_id = example_keys.example_id

    left join children on children.child_id = example_keys.example_id

    left join contaminated on contaminated.example_id = example_keys.example_id
),

within_root as (
    select
        *,
        source = 'generated' and is_settled and reason is null and split = 'train' as is_augmented,
        row_number() over (
            partition by source = 'generated' and is_settled and reason is null and split = 'train', root_id
            order by success_score desc, example_id
        ) as rank_in_root,

    from judged
),

-- Not a window: a filtered count over all rows takes a time that grows with their square.
originals as (
    select count(*) as original_count

    from judged

    where source <> 'generated' and is_settled and reason is null and split = 'train'
),

ranked as (
    select
        within_root.* exclude (is_augmented),
        is_augmented and (root_id is null or rank_in_root <= 3) as is_candidate,
        is_augmented and root_id is not null and rank_in_root > 3 as is_over_root,
        row_number() over (
            partition by is_augmented and (root_id is null or rank_in_root <= 3)
            order by success_score desc, example_id
        ) as rank_of_all,
        originals.original_count,

    from within_root

    cross join originals
),

capped as (
    select
        * exclude (reason),
        case when is_over_root or is_candidate and rank_of_all > original_count then 'augmented_cap' else reason end as reason,

    from ranked
)

select
    example_id,
    subject_id,
    source,
    task_type,
    case
        when not is_settled then 'open'
        when reason is not null then 'excluded'
        else split
    end as fate,
    case when is_settled then reason else 'not_settled' end as reason,

from capped
