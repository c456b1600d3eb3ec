-- Model calls, each charged once, with the arm that they count for.
--
-- grain:   one row per model call that is charged
-- key:     call_id
-- scope:   all
-- inputs:  analysis.call_costs, curated.assignments
-- columns:
--   call_id         VARCHAR      event id of the call
--   subject_id      VARCHAR      the unit that a split never cuts through
--   task_id         VARCHAR      native task id, else the conversation, else the subject
--   agent           VARCHAR      agent that called
--   model           VARCHAR      model that answered, else that was asked
--   experiment      VARCHAR      none: part of no A/B test
--   arm             VARCHAR      none: part of no A/B test
--   arm_basis       VARCHAR      assigned, logged or none
--   unit_kind       VARCHAR      of the A/B test: conversation, task or person; null: part of none
--   unit_id         VARCHAR      what was assigned; the conversation where the arm is as logged
--   basis           VARCHAR      of the cost: see analysis.call_costs
--   input_tokens    BIGINT       tokens sent, cached ones included
--   cached_tokens   BIGINT       tokens of the input that were read from the provider's cache
--   output_tokens   BIGINT       tokens generated, as reported
--   cost_usd        DOUBLE       cost in USD; null: unknown
--   latency_ms      DOUBLE       request to last byte, ms
--   time_to_first_token_ms DOUBLE  request to first token, ms
--   is_failed       BOOLEAN      the call itself failed, not its task
--   is_lower_bound  BOOLEAN      the output usage cannot be: the true cost is higher
--   called_at       TIMESTAMPTZ  when the call was made
--
-- rules:
--   One family is charged per call: a reply that the gateway logged is not charged again from a chat transcript.
--   Checkpoints repeat the usage of calls and are never charged.
--   The arm is the one that the unit (conversation, task or person) was assigned to, even where the call ran on
--   another; without an assignment it is the arm as logged.
--   Calls that ran for evals, suites or judges are no work: analysis.results tell what those cost.
with charged as (
    select
        call_costs.*,
        coalesce(call_costs.task_id, call_costs.conversation_id, call_costs.subject_id) as task,

    from analysis.call_costs as call_costs
    -- One equality: with a second condition on one side alone DuckDB compares every pair of rows.
    left join (
        select distinct response_id from analysis.call_costs where family = 'gateway' and response_id is not null
    ) as gateway_replies on case when call_costs.family = 'chat' then call_costs.response_id end = gateway_replies.response_id

    where gateway_replies.response_id is null and coalesce(call_costs.purpose, '') not in ('eval', 'suite', 'judge')
),

units as (
    select call_id, experiment, 'conversation' as unit_kind, conversation_id as unit_id from charged
    union
    select call_id, experiment, 'conversation' as unit_kind, subject_id as unit_id from charged
    union
    select call_id, experiment, 'task' as unit_kind, task_id as unit_id from charged
    union
    select call_id, experiment, 'person' as unit_kind, unnest(person_ids) as unit_id from charged
),

assigned as (
    select
        units.call_id,
        assignments.experiment,
        assignments.arm,
        assignments.unit_kind,
        assignments.unit_id,

    from units
    inner join curated.assignments as assignments on units.unit_kind = assignments.unit_kind and units.unit_id = assignments.unit_id

    where
        assignments.experiment is not null and assignments.arm is not null
        and (units.experiment is null or units.experiment = assignments.experiment)

    -- A unit is assigned once; the first assignment stays, whatever came later.
    qualify row_number() over (
        partition by units.call_id
        order by assignments.occurred_at, assignments.event_id
    ) = 1
)

select
    charged.call_id,
    charged.subject_id,
    charged.task as task_id,
    charged.agent,
    charged.model,
    coalesce(assigned.experiment, case when charged.arm is not null then charged.experiment end, 'none') as experiment,
    coalesce(assigned.arm, case when charged.experiment is not null then charged.arm end, 'none') as arm,
    case
        when assigned.arm is not null then 'assigned'
        when charged.experiment is not null and charged.arm is not null then 'logged'
        else 'none'
    end as arm_basis,
    case
        when assigned.arm is not null then assigned.unit_kind
        when charged.experiment is not null and charged.arm is not null then 'conversation'
    end as unit_kind,
    case
        when assigned.arm is not null then assigned.unit_id
        when charged.experiment is not null and charged.arm is not null then coalesce(charged.conversation_id, charged.subject_id)
    end as unit_id,
    charged.basis,
    charged.input_tokens,
    charged.cached_tokens,
    charged.output_tokens,
    charged.cost_usd,
    charged.latency_ms,
    charged.time_to_first_token_ms,
    charged.is_failed,
    charged.is_lower_bound,
    charged.called_at,

from charged
left join assigned on charged.call_id = assigned.call_id
