-- A/B tests and their arms, with the share of units that each is to get.
--
-- grain:   one row per experiment and arm
-- key:     experiment, arm
-- scope:   all
-- inputs:  curated.configs, curated.assignments, analysis.charges
-- columns:
--   experiment     VARCHAR      name of the A/B test
--   arm            VARCHAR      arm
--   control_arm    VARCHAR      arm that differences are counted from
--   unit_kind      VARCHAR      what is assigned: conversation, task or person
--   salt           VARCHAR      of the assignment hash; null: not configured
--   basis          VARCHAR      configured (weir experiment set), assigned (the shares that assignments bear) or logged (no share is known)
--   effects        VARCHAR      JSON: least difference of interest by metric, as configured; {} where nothing is
--   planned_units  BIGINT       units in all that the test was planned for; null: not stated
--   place          BIGINT       of the arm, from 1: shares add up in this order
--   share          DOUBLE       of the units, 0 to 1; null: not known
--   low            DOUBLE       a unit is of this arm where low <= its hash < high; null: not configured
--   high           DOUBLE       upper end of that
--
-- rules:
--   A unit's hash is the first 13 hexadecimal digits of md5(salt || '/' || experiment || '/' || unit_id), over 2^52. The same
--   in Go: evalsql/experiment; in other languages: docs/experiments.md.
--   The latest configuration of a name counts. The control is the configured one, else the arm named control, else
--   baseline, else the one with the largest share, else the first by name.
with configured as (
    select
        configs.name as experiment,
        configs.content,
        json_extract_string(configs.content, '$.control') as control_arm,
        json_extract_string(configs.content, '$.unit') as unit_kind,
        json_extract_string(configs.content, '$.salt') as salt,
        json_extract(configs.content, '$.effects') as effects,
        json_extract(configs.content, '$.planned_units')::bigint as planned_units,
        json_transform(json_extract(configs.content, '$.arms'), '[{"name":"VARCHAR","share":"DOUBLE"}]') as arms,

    from curated.configs as configs

    where configs.kind = 'experiment' and json_valid(configs.content)

    qualify row_number() over (
        partition by configs.name
        order by configs.occurred_at desc, configs.event_id
    ) = 1
),

configured_arms as (
    select
        configured.experiment,
        unnest(configured.arms).name as arm,
        configured.control_arm,
        configured.unit_kind,
        configured.salt,
        'configured' as basis,
        configured.effects::varchar as effects,
        configured.planned_units,
        unnest(range(1, len(configured.arms) + 1)) as place,
        unnest(configured.arms).share as share,

    from configured
),

seen as (
    select experiment, arm, unit_kind, 'assigned' as basis, weight as share, occurred_at as seen_at, event_id as seen_id
    from curated.assignments
    where experiment is not null and arm is not null

    union all

    select experiment, arm, unit_kind, 'logged' as basis, null as share, called_at as seen_at, call_id as seen_id
    from analysis.charges
    where experiment <> 'none' and arm_basis = 'logged'
),

seen_arms as (
    select
        seen.experiment,
        seen.arm,
        arg_max(seen.unit_kind, (seen.basis = 'assigned', seen.seen_at, seen.seen_id)) as unit_kind,
        min(seen.basis) as basis,
        arg_max(seen.share, (seen.seen_at, seen.seen_id)) as share,

    from seen
    -- Not: an arm that the configuration does not know would shift the others' shares.
    left join configured on seen.experiment = configured.experiment

    where configured.experiment is null

    group by seen.experiment, seen.arm
),

arms as (
    select
        configured_arms.*,

    from configured_arms

    union all by name

    select
        seen_arms.experiment,
        seen_arms.arm,
        seen_arms.unit_kind,
        seen_arms.basis,
        '{}' as effects,
        row_number() over (partition by seen_arms.experiment order by seen_arms.arm) as place,
        seen_arms.share,

    from seen_arms
)

select
    arms.experiment,
    arms.arm,
    coalesce(arms.control_arm, first_value(arms.arm) over (
        partition by arms.experiment
        order by arms.arm = 'control' desc, arms.arm = 'baseline' desc, arms.share desc nulls last, arms.arm
    )) as control_arm,
    arms.unit_kind,
    arms.salt,
    arms.basis,
    coalesce(arms.effects, '{}') as effects,
    arms.planned_units,
    arms.place,
    arms.share,
    case when arms.basis = 'configured' then coalesce(sum(arms.share) over before, 0) end as low,
    case when arms.basis = 'configured' then case when arms.place = count(*) over whole then 1 else coalesce(sum(arms.share) over before, 0) + arms.share end end as high,

from arms

window
    whole as (partition by arms.experiment),
    before as (partition by arms.experiment order by arms.place rows between unbounded preceding and 1 preceding)
