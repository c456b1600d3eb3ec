-- How far does each judge agree with people?
-- For whoever would let a judge decide: its verdicts beside those of reviewers on the same examples with the same content.
-- A person says that an example is right as it is (accept) or not (reject, edit). Kappa is Cohen's: what they agree beyond
-- chance; its interval is the large-sample one, 95 %, and means little below some 30 examples. Where people are divided
-- evenly they do not count.
with people as (
    select
        decisions.example_id,
        decisions.content_hash,
        avg((decisions.verdict = 'accept')::INTEGER) as accepted,

    from curated.review_decisions as decisions

    where not decisions.is_stale and decisions.verdict in ('accept', 'reject', 'edit')

    group by decisions.example_id, decisions.content_hash

    having accepted <> 0.5
),

judged as (
    select rubric, rubric_version, judge_model, target_id, content_hash, arg_max(passed, (occurred_at, event_id)) as passed

    from curated.judgements

    where passed is not null

    group by rubric, rubric_version, judge_model, target_id, content_hash
),

counted as (
    select
        judged.rubric,
        judged.rubric_version,
        judged.judge_model,
        count(*) as judged,
        count(people.example_id) as reviewed,
        avg((judged.passed = (people.accepted > 0.5))::INTEGER) as agreement,
        avg(judged.passed::INTEGER) filter (where people.example_id is not null) as passes,
        avg((people.accepted > 0.5)::INTEGER) as accepts,

    from judged

    left join people
        on people.example_id = judged.target_id
        and people.content_hash = judged.content_hash

    group by judged.rubric, judged.rubric_version, judged.judge_model
),

measured as (
    select *, passes * accepts + (1 - passes) * (1 - accepts) as by_chance from counted
)

select
    rubric,
    rubric_version,
    judge_model,
    judged,
    reviewed,
    round(agreement, 3) as agreement,
    round((agreement - by_chance) / nullif(1 - by_chance, 0), 3) as kappa,
    round(greatest(
        (agreement - by_chance - 1.96 * sqrt(agreement * (1 - agreement) / reviewed)) / nullif(1 - by_chance, 0), -1
    ), 3) as low,
    round(least(
        (agreement - by_chance + 1.96 * sqrt(agreement * (1 - agreement) / reviewed)) / nullif(1 - by_chance, 0), 1
    ), 3) as high,

from measured

order by rubric, rubric_version, judge_model;
