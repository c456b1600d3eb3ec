-- How often was a rule right to exclude?
-- For whoever trusts no filter unseen: people looked at a sample of what each rule excludes in each source (weir quality
-- audit, weir review export --queue audit). Who rejects or edits says that it was right, who accepts that it was not. The
-- interval is Wilson's, 95 %.
with verdicts as (
    select
        decisions.example_id,
        count(*) as reviews,
        count(*) filter (where decisions.verdict in ('reject', 'edit')) as against,

    from curated.review_decisions as decisions

    where not decisions.is_stale and decisions.verdict in ('accept', 'reject', 'edit')

    group by decisions.example_id
),

counted as (
    select
        audit_sample.rule,
        audit_sample.source,
        max(audit_sample.stratum_size) as excluded,
        count(*) as drawn,
        count(verdicts.example_id) as reviewed,
        -- Where reviewers disagree evenly, the rule has the benefit of no doubt.
        count(*) filter (where verdicts.against * 2 > verdicts.reviews) as agreed,

    from curated.audit_sample as audit_sample
    left join verdicts on audit_sample.example_id = verdicts.example_id

    group by audit_sample.rule, audit_sample.source
)

select
    rule,
    source,
    excluded,
    drawn,
    reviewed,
    agreed,
    round(agreed / nullif(reviewed, 0), 3) as precision,
    round(
        (agreed + 1.9208 - 1.96 * sqrt(agreed * (reviewed - agreed) / nullif(reviewed, 0) + 0.9604))
            / (nullif(reviewed, 0) + 3.8416), 3
    ) as low,
    round(
        (agreed + 1.9208 + 1.96 * sqrt(agreed * (reviewed - agreed) / nullif(reviewed, 0) + 0.9604))
            / (nullif(reviewed, 0) + 3.8416), 3
    ) as high,

from counted

order by rule, source;
