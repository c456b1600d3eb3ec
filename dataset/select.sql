-- The examples that each target of a mixture takes. Of the examples that go to
-- train or validation each counts for the first target that takes it. Quality
-- first: bands of a tenth of success_score, the highest first. Then diversity:
-- within a band every split group gives its best example before any gives its
-- second, so that no conversation or task fills the set. Ties by md5 of the
-- example id. A greater count keeps what a smaller one took.
-- A phase that is about some knowledge leaves out what was made from sections of
-- other kinds; what no section seeded, or one of kind other, is in every phase.
-- A filter is applied before anything is counted. Reviewed: a person has decided on
-- what the example holds now; accepted: and more accept it than reject or edit it.
with rule as (
    select
        unnest(from_json(?, '{"sources": ["VARCHAR"], "task_types": ["VARCHAR"], "min_success_score": "DOUBLE", "reviewed": "VARCHAR", "sides": ["VARCHAR"], "kinds": ["VARCHAR"]}')),
),

decided as (
    select
        example_id,
        count(*) filter (where verdict = 'accept') > count(*) filter (where verdict in ('reject', 'edit')) as is_accepted,

    from curated.review_decisions

    where not is_stale and verdict in ('accept', 'reject', 'edit')

    group by example_id
),

targets as (
    select
        unnest(from_json(?, '[{"no": "BIGINT", "name": "VARCHAR", "count": "BIGINT", "sources": ["VARCHAR"], "task_types": ["VARCHAR"]}]'), max_depth := 2)
),

matched as (
    select
        targets.no as target_no,
        targets.name as target,
        targets.count as target_count,
        funnel.example_id,
        funnel.subject_id,
        funnel.fate as split,
        example_keys.content_hash,
        splits.group_id,
        quality.success_score,
        md5(funnel.example_id) as draw,

    from curated.funnel as funnel

    inner join curated.example_keys as example_keys on example_keys.example_id = funnel.example_id

    inner join curated.splits as splits on splits.example_id = funnel.example_id

    inner join curated.quality as quality on quality.example_id = funnel.example_id

    left join curated.generated as generated on generated.event_id = funnel.example_id

    left join curated.knowledge as knowledge on knowledge.knowledge_id = generated.knowledge_id

    left join decided on decided.example_id = funnel.example_id

    cross join targets

    cross join rule

    where list_contains(rule.sides, funnel.fate)
        and (len(rule.kinds) = 0 or coalesce(knowledge.kind, 'other') = 'other' or list_contains(rule.kinds, knowledge.kind))
        and (len(rule.sources) = 0 or list_contains(rule.sources, funnel.source))
        and (len(rule.task_types) = 0 or list_contains(rule.task_types, funnel.task_type))
        and quality.success_score >= coalesce(rule.min_success_score, 0)
        and case rule.reviewed
            when 'reviewed' then decided.example_id is not null
            when 'accepted' then coalesce(decided.is_accepted, false)
            else true
        end
        and (len(targets.sources) = 0 or list_contains(targets.sources, funnel.source))
        and (len(targets.task_types) = 0 or list_contains(targets.task_types, funnel.task_type))

    qualify row_number() over (partition by funnel.example_id order by targets.no) = 1
),

taken_in_turn as (
    select
        *,
        floor(success_score * 10) as band,
        row_number() over (
            partition by target_no, floor(success_score * 10), group_id
            order by success_score desc, draw, example_id
        ) as turn,

    from matched
),

ranked as (
    select
        *,
        row_number() over (
            partition by target_no
            order by band desc, turn, success_score desc, draw, example_id
        ) as place,
        count(*) over (partition by target_no) as available_count,

    from taken_in_turn
)

select
    target_no,
    target,
    place,
    available_count,
    example_id,
    subject_id,
    content_hash,
    split,
    group_id,
    success_score,

from ranked

where place <= target_count or place = 1

order by target_no, place
