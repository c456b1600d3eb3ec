-- Why does an example have its fate and its score?
-- For whoever finds a line in a training set, or misses one. Choose it with  set variable example_id = '…';  the beginning
-- of the id is enough. Without it, it is the first example that is excluded. weir transform --explain asks this, too.
with chosen as (
    select min(funnel.example_id) as example_id

    from curated.funnel as funnel

    where case
        when getvariable('example_id') is null then funnel.fate = 'excluded'
        else starts_with(funnel.example_id, getvariable('example_id')::varchar)
    end
),

scored as (
    select quality.* from curated.quality as quality inner join chosen on quality.example_id = chosen.example_id
),

facts as (
    select 1 as part_no, 'fate' as part, unnest([
        {'name': 'example', 'value': funnel.example_id, 'about': funnel.source || ', ' || funnel.task_type},
        {'name': 'fate', 'value': funnel.fate, 'about': funnel.reason},
        {'name': 'side', 'value': splits.split, 'about': 'group ' || splits.group_id || ', by ' || splits.basis}
    ]) as fact

    from curated.funnel as funnel
    inner join chosen on funnel.example_id = chosen.example_id
    left join curated.splits as splits on funnel.example_id = splits.example_id

    union all

    select 2, 'score', unnest([
        {'name': 'success_score', 'value': success_score::varchar, 'about': 'rests on ' || score_basis},
        {'name': 'outcome', 'value': outcome, 'about': coalesce('says ' || outcome_origin, 'nobody says so')}
    ])

    from scored

    union all

    select 3, 'reason', unnest([{'name': reason, 'value': null::varchar, 'about': 'drops it'} for reason in reasons]) from scored

    union all

    select 4, 'warning', unnest([{'name': warning, 'value': null::varchar, 'about': 'lowers the score'} for warning in warnings])

    from scored

    union all

    -- Every signal that says something, in order of name.
    select 5, 'signal', {'name': signal, 'value': json_extract_string(signals, '$."' || signal || '"'), 'about': null::varchar}

    from (
        select to_json(scored) as signals, unnest(json_keys(to_json(scored))) as signal from scored
    )

    where signal not in (
        'example_id', 'subject_id', 'verdict', 'outcome', 'outcome_origin', 'score_basis', 'reasons', 'warnings',
        'success_score', 'started_at'
    )
        and coalesce(json_extract_string(signals, '$."' || signal || '"'), 'false') not in ('false', '0', '0.0')

    union all

    select 6, 'threshold', {
        'name': thresholds.name,
        'value': thresholds.value::varchar,
        'about': case when thresholds.value <> thresholds.default_value then 'set; default ' || thresholds.default_value end
    }

    from curated.thresholds as thresholds
    where exists (select 1 from scored)

    union all

    select 7, 'duplicate', {
        'name': case when pairs.accepted then 'of' else 'not of' end,
        'value': case when pairs.left_id = chosen.example_id then pairs.right_id else pairs.left_id end,
        'about': concat_ws(', ', pairs.kind, 'alike ' || round(pairs.jaccard, 3), pairs.reason)
    }

    from curated.duplicate_pairs as pairs
    cross join chosen
    where chosen.example_id in (pairs.left_id, pairs.right_id)

    union all

    select 7, 'suite', {
        'name': contamination.suite,
        'value': contamination.scenario_id,
        'about': concat_ws(
            ', ',
            contamination.verdict,
            contamination.part,
            'covered ' || round(contamination.ratio, 3),
            case when contamination.is_whole then 'word for word' end,
            case when contamination.is_seed then 'generated from it' end
        )
    }

    from curated.contamination as contamination
    inner join chosen on contamination.example_id = chosen.example_id

    union all

    select 8, 'review', {'name': decisions.verdict, 'value': decisions.reviewer, 'about': case when decisions.is_stale then 'of other content' end}

    from curated.review_decisions as decisions
    inner join chosen on decisions.example_id = chosen.example_id

    union all

    select 9, 'origin', {'name': 'event', 'value': event_id, 'about': source_uri}

    from (
        select unnest(examples.origin_event_ids[:10]) as event_id, examples.source_uri

        from curated.examples as examples
        inner join chosen on examples.example_id = chosen.example_id
    )
)

select part, fact.name as name, fact.value as value, fact.about as about from facts order by part_no, part, name, value;
