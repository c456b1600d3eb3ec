-- Is an arm better than the control? The mean difference over the scenarios that both ran.
--
-- grain:   one row per experiment, suite, metric and arm other than the control
-- key:     experiment, suite, metric, arm
-- scope:   all
-- inputs:  analysis.scenario_results
-- columns:
--   experiment   VARCHAR  none: the run was part of no A/B test
--   suite        VARCHAR  eval suite
--   metric       VARCHAR  what is measured
--   arm          VARCHAR  arm of the experiment
--   control_arm  VARCHAR  arm that the difference is counted from
--   warning      VARCHAR  why the numbers must be read with care; null: nothing to say
--   n            BIGINT   scenarios that both arms have a graded trial of
--   better       BIGINT   of them, those on which the arm did better than the control
--   worse        BIGINT   of them, those on which it did worse
--   estimate     DOUBLE   mean difference, arm less control; 0.02 is two points
--   low          DOUBLE   95 % interval
--   high         DOUBLE   upper end of the 95 % interval
--
-- rules:
--   The scenario is the unit: trials are averaged in it first, so more trials of one scenario do not pass for more
--   scenarios. Pass rates: the interval for matched proportions of Agresti and Min (Statistics in Medicine 24, 2005), which
--   adds two scenarios, half of one on each side and one in the middle: without them sixteen equal pairs would claim a
--   difference of exactly 0. Scores: Student's for paired differences.
--   t quantiles by Cornish and Fisher's expansion (Abramowitz and Stegun 26.7.5), within 0.02 % from 5 degrees of freedom on.
--   "No significant difference" is not parity: read whether the whole interval lies above minus the margin.
-- thresholds:
--   Below 6 scenarios there is no interval.
with pairs as (
    select
        scenario_results.experiment,
        scenario_results.suite,
        scenario_results.metric,
        scenario_results.arm,
        scenario_results.control_arm,
        scenario_results.scenario_id,
        scenario_results.statistic,
        scenario_results.difference,

    from analysis.scenario_results as scenario_results

    where scenario_results.difference is not null
),

means as (
    select
        experiment,
        suite,
        metric,
        arm,
        min(control_arm) as control_arm,
        bool_and(statistic = 'pass_rate') as is_rate,
        count(*) as n,
        count(*) filter (difference > 0) as better,
        count(*) filter (difference < 0) as worse,
        sum(difference order by scenario_id) / count(*) as mean,

    from pairs

    group by experiment, suite, metric, arm
),

spreads as (
    select
        means.experiment,
        means.suite,
        means.metric,
        means.arm,
        sum((pairs.difference - means.mean) ** 2 order by pairs.scenario_id) as squares,
        sum(pairs.difference ** 2 order by pairs.scenario_id) as raw_squares,

    from means
    inner join pairs on means.experiment = pairs.experiment and means.suite = pairs.suite and means.metric = pairs.metric and means.arm = pairs.arm

    group by means.experiment, means.suite, means.metric, means.arm
),

centres as (
    select
        means.*,
        spreads.squares,
        case when means.is_rate then means.mean * means.n / (means.n + 2) else means.mean end as centre,
        case
            when means.is_rate then sqrt(greatest(0, (spreads.raw_squares + 1) / (means.n + 2) - (means.mean * means.n / (means.n + 2)) ** 2) / (means.n + 2))
            else sqrt(spreads.squares / nullif(means.n - 1, 0) / means.n)
        end as error,
        -- The expansion at z = 1.95996398, in powers of 1 / degrees of freedom.
        case
            when means.n >= 6
                then 1.95996398 + 2.37227 / (means.n - 1) + 2.82250 / (means.n - 1) ** 2 + 2.55585 / (means.n - 1) ** 3 + 1.58953 / (means.n - 1) ** 4
        end as t_quantile,

    from means
    inner join spreads on means.experiment = spreads.experiment and means.suite = spreads.suite and means.metric = spreads.metric and means.arm = spreads.arm
)

select
    experiment,
    suite,
    metric,
    arm,
    control_arm,
    case
        when n < 6 then 'few shared scenarios: ' || n || '; no interval'
        when squares = 0 and not is_rate then 'all differences are equal: the interval has no width'
        when n < 30 then 'few shared scenarios: ' || n
    end as warning,
    n,
    better,
    worse,
    round(mean, 6) as estimate,
    -- greatest() and least() skip nulls: where there is no interval there is no bound either.
    round(case when n < 6 then null when is_rate then greatest(-1, centre - t_quantile * error) else centre - t_quantile * error end, 6) as low,
    round(case when n < 6 then null when is_rate then least(1, centre + t_quantile * error) else centre + t_quantile * error end, 6) as high,

from centres
