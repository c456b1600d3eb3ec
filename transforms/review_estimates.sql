-- How much of the set is defective, extrapolated from the review sample.
--
-- grain:   one row per part of the set: the whole, each source, each task type
-- key:     part, value
-- scope:   all
-- inputs:  curated.review_sample, curated.review_decisions, curated.splits
-- rules:
--   defect      of the standing decisions on what the example holds now, some reject or edit it, and as many as accept
--   rate        the strata's rates, weighted by their sizes. Strata in which nobody was reviewed are left out and
--               counted: the rate says nothing about them. Who was drawn but not yet reviewed is taken as like the
--               others of its stratum
--   interval    95 %, Wilson's at the effective number of reviews p (1 - p) / v, at most the number of reviews;
--               v is the variance by design (strata, without replacement), linearised over split groups, whose
--               members are not independent. A stratum with one review is centred on the whole rate. Where no or
--               every reviewed example is defective, v says nothing: then the effective number is that of the
--               strata's weights, at most the number of groups. A part that was reviewed whole has no interval
-- sources:
--   effective number in a binomial interval: Korn and Graubard, Survey Methodology 24 (1998), 193-201; Wilson at it:
--   Dean and Pagano, Journal of Survey Statistics and Methodology 3 (2015), 484-503; one-review strata: Lumley, R
--   package survey, lonely.psu "adjust"
-- columns:
--   part              VARCHAR  all, source or task_type
--   value             VARCHAR  all, or which
--   set_count         BIGINT   examples of the set in it
--   covered_count     BIGINT   of these in strata with a review
--   sample_count      BIGINT   drawn
--   reviewed_count    BIGINT   drawn, and with a decision that counts
--   group_count       BIGINT   split groups of the reviewed
--   defect_count      BIGINT   reviewed and defective
--   defect_rate       DOUBLE   share of the covered examples that is defective, 0 to 1; null without a review
--   defect_rate_low   DOUBLE   lower end of its interval
--   defect_rate_high  DOUBLE   upper end of its interval
--   effective_count   DOUBLE   reviews of a simple random sample that would tell as much
--   warning           VARCHAR  what to be careful about; null if nothing
with decided as (
    select
        example_id,
        count(*) filter (where verdict = 'accept') as accept_count,
        count(*) filter (where verdict in ('reject', 'edit')) as reject_count,

    from curated.review_decisions

    where not is_stale and verdict in ('accept', 'reject', 'edit')

    group by example_id
),

drawn as (
    select
        review_sample.example_id,
        review_sample.stratum,
        review_sample.stratum_size,
        coalesce(splits.group_id, review_sample.example_id) as group_id,
        decided.example_id is not null as is_reviewed,
        case
            when decided.example_id is null then null
            when decided.reject_count > 0 and decided.reject_count >= decided.accept_count then 1.0
            else 0.0
        end::DOUBLE as defect,

    from curated.review_sample as review_sample

    left join decided on decided.example_id = review_sample.example_id

    left join curated.splits as splits on splits.example_id = review_sample.example_id
),

parted as (
    select 'all' as part, 'all' as value, * from drawn

    union all

    select 'source', split_part(stratum, '/', 1), * from drawn

    union all

    select 'task_type', split_part(stratum, '/', 2), * from drawn
),

strata as (
    select
        part,
        value,
        stratum,
        any_value(stratum_size) as stratum_size,
        count(*) as sample_count,
        count(*) filter (where is_reviewed) as reviewed_count,
        avg(defect) as rate,

    from parted

    group by part, value, stratum
),

parts as (
    select
        part,
        value,
        sum(stratum_size)::BIGINT as set_count,
        coalesce(sum(stratum_size) filter (where reviewed_count > 0), 0)::BIGINT as covered_count,
        sum(sample_count)::BIGINT as sample_count,
        sum(reviewed_count)::BIGINT as reviewed_count,
        sum(stratum_size * rate order by stratum) / sum(stratum_size) filter (where reviewed_count > 0) as rate,
        sum(stratum_size * (stratum_size - reviewed_count) / reviewed_count order by stratum)
            filter (where reviewed_count > 0)
            / pow(sum(stratum_size) filter (where reviewed_count > 0), 2) as variance_of_even,

    from strata

    group by part, value
),

-- What each group contributes to the variance of the rate.
groups as (
    select
        parted.part,
        parted.value,
        parted.group_id,
        sum(parted.defect)::BIGINT as defect_count,
        sum(
            strata.stratum_size / parts.covered_count / strata.reviewed_count
                * sqrt(1 - strata.reviewed_count / strata.stratum_size)
                * case
                    when strata.reviewed_count > 1
                        then sqrt(strata.reviewed_count / (strata.reviewed_count - 1)) * (parted.defect - strata.rate)
                    else parted.defect - parts.rate
                end
            order by parted.example_id
        ) as residual,

    from parted

    inner join strata
        on strata.part = parted.part
        and strata.value = parted.value
        and strata.stratum = parted.stratum

    inner join parts
        on parts.part = parted.part
        and parts.value = parted.value

    where parted.is_reviewed

    group by parted.part, parted.value, parted.group_id
),

variances as (
    select
        part,
        value,
        count(*) as group_count,
        sum(defect_count)::BIGINT as defect_count,
        sum(residual * residual order by group_id) as variance,

    from groups

    group by part, value
),

effective as (
    select
        parts.*,
        coalesce(variances.group_count, 0) as group_count,
        coalesce(variances.defect_count, 0) as defect_count,
        case
            when parts.rate is null then null
            when parts.rate > 0 and parts.rate < 1 and variances.variance > 0
                then least(parts.reviewed_count, parts.rate * (1 - parts.rate) / variances.variance)
            when parts.variance_of_even > 0
                then least(parts.reviewed_count, variances.group_count, 1 / parts.variance_of_even)
        end as effective_count,
        1.959963984540054 as z,

    from parts

    left join variances
        on variances.part = parts.part
        and variances.value = parts.value
),

intervals as (
    select
        *,
        (rate + z * z / (2 * effective_count)) / (1 + z * z / effective_count) as centre,
        z * sqrt(rate * (1 - rate) / effective_count + z * z / (4 * effective_count * effective_count))
            / (1 + z * z / effective_count) as half_width,

    from effective
)

select
    part,
    value,
    set_count,
    covered_count,
    sample_count,
    reviewed_count,
    group_count,
    defect_count,
    round(rate, 6) as defect_rate,
    round(case when centre is null then rate else greatest(centre - half_width, 0) end, 6) as defect_rate_low,
    round(case when centre is null then rate else least(centre + half_width, 1) end, 6) as defect_rate_high,
    round(effective_count, 2) as effective_count,
    nullif(
        concat_ws(
            '; ',
            case when reviewed_count = 0 then 'no reviews' end,
            case when reviewed_count > 0 and covered_count < set_count then 'strata without a review' end,
            case when reviewed_count > 0 and group_count < 30 then 'fewer than 30 groups reviewed' end
        ),
        ''
    ) as warning,

from intervals
