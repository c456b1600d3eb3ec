-- Did the arms of an A/B test get the units that they were to get? Where not, no other number of it holds.
--
-- grain:   one row per experiment and arm
-- key:     experiment, arm
-- scope:   all
-- inputs:  analysis.experiments, analysis.experiment_units
-- columns:
--   experiment       VARCHAR  name of the A/B test
--   arm              VARCHAR  arm
--   verdict          VARCHAR  as planned, mismatch, or unknown (no shares are known)
--   warning          VARCHAR  what else is odd about the assignment; null: nothing to say
--   n                BIGINT   units of the arm
--   unit_count       BIGINT   units of the experiment
--   reassigned_count BIGINT   of the arm's units: assigned to another arm later
--   other_hash_count BIGINT   of the arm's units: the configured hash gives another arm
--   share            DOUBLE   that the arm was to get, 0 to 1
--   observed_share   DOUBLE   that it got
--   p_value          DOUBLE   that such a split, or a stranger one, comes of these shares; of the experiment
--
-- rules:
--   The p-value may be looked at every day and stays valid: the ratio of a uniform Dirichlet mixture of shares to the
--   planned ones (Lindon and Malek, Advances in Neural Information Processing Systems 35, 2022).
-- thresholds:
--   Mismatch below 0.001.
with counts as (
    select
        experiments.experiment,
        experiments.arm,
        experiments.share,
        count(experiment_units.unit_id) as n,
        count(*) filter (experiment_units.is_reassigned) as reassigned_count,
        count(*) filter (experiment_units.hashed_arm <> experiment_units.arm) as other_hash_count,

    from analysis.experiments as experiments
    left join analysis.experiment_units as experiment_units
        on experiments.experiment = experiment_units.experiment and experiments.arm = experiment_units.arm

    group by experiments.experiment, experiments.arm, experiments.share
),

strangers as (
    select
        experiment_units.experiment,
        count(*) as n,

    from analysis.experiment_units as experiment_units
    left join analysis.experiments as experiments
        on experiment_units.experiment = experiments.experiment and experiment_units.arm = experiments.arm

    where experiments.arm is null

    group by experiment_units.experiment
),

tests as (
    select
        experiment,
        sum(n)::bigint as unit_count,
        count(*) as arm_count,
        count(*) = count(share) and abs(sum(share) - 1) < 1e-6 as has_shares,
        sum(lgamma(1.0 + n) - n * ln(share) order by arm) + lgamma(count(*)::double) - lgamma((count(*) + sum(n))::double) as log_evidence,

    from counts

    group by experiment
)

select
    counts.experiment,
    counts.arm,
    case
        when not tests.has_shares then 'unknown'
        when tests.log_evidence > ln(1000) then 'mismatch'
        else 'as planned'
    end as verdict,
    nullif(concat_ws(
        '; ',
        case when strangers.n > 0 then strangers.n || ' units are of arms that the configuration does not know' end,
        case when counts.reassigned_count > 0 then counts.reassigned_count || ' units were assigned to another arm later' end,
        case when counts.other_hash_count > 0 then counts.other_hash_count || ' units are not where the configured hash puts them' end
    ), '') as warning,
    counts.n,
    tests.unit_count,
    counts.reassigned_count,
    counts.other_hash_count,
    round(counts.share, 9) as share,
    round(counts.n / nullif(tests.unit_count, 0), 6) as observed_share,
    case when tests.has_shares then round(least(1, exp(-tests.log_evidence)), 9) end as p_value,

from counts
inner join tests on counts.experiment = tests.experiment
left join strangers on counts.experiment = strangers.experiment
