-- What each model call cost, and how that is known.
--
-- grain:   one row per model call, as one family of logs saw it
-- key:     call_id
-- scope:   subject
-- inputs:  curated.calls, curated.turns, analysis.prices (whole)
-- columns:
--   call_id             VARCHAR      event id of the gateway call, or of the first part of a chat output
--   subject_id          VARCHAR      the unit that a split never cuts through
--   conversation_id     VARCHAR      conversation of the call
--   task_id             VARCHAR      native task id, else the conversation, else the subject
--   response_id         VARCHAR      provider's id of the reply; the same reply may stand in two families
--   family              VARCHAR      gateway or chat
--   agent               VARCHAR      agent that called
--   model               VARCHAR      that answered, else that was asked
--   experiment          VARCHAR      as logged
--   arm                 VARCHAR      as logged
--   purpose             VARCHAR      eval, judge, compaction, …; null for work
--   basis               VARCHAR      reported, priced (analysis.prices), unbilled (failed, no usage), or unknown
--   price_source        VARCHAR      where the price is from, on basis priced
--   warning             VARCHAR      why the cost is less sure than it looks
--   person_ids          VARCHAR[]    people in the call
--   input_tokens        BIGINT       cached ones included
--   cached_tokens       BIGINT       tokens of the input that were read from the provider's cache
--   cache_write_tokens  BIGINT       tokens of the input that were written to the provider's cache
--   output_tokens       BIGINT       tokens generated, as reported
--   cost_usd            DOUBLE       null on basis unknown
--   latency_ms          DOUBLE       request to last byte, ms
--   time_to_first_token_ms DOUBLE    request to first token, ms
--   is_failed           BOOLEAN      the call itself, not its task
--   is_lower_bound      BOOLEAN      output usage cannot be: the content is longer than what was counted
--   called_at           TIMESTAMPTZ  when the call was made
--
-- rules:
--   A price belongs to a model whose name, with or without a provider before the last slash, is the prefix or goes on
--   after it with -, : or @; the longest prefix decides, then the latest start before the call.
--   Of n choices of one call only the first is a row: usage stands on it alone.
-- thresholds:
--   Output usage below a third of content / 4 characters cannot be (coding sessions log placeholders: 430 tokens for
--   62,000 tokens of content in one real file).
with calls as (
    select
        calls.event_id as call_id,
        calls.subject_id,
        calls.conversation_id,
        calls.task_id,
        calls.response_id,
        'gateway' as family,
        calls.agent,
        coalesce(calls.response_model, calls.model) as model,
        calls.experiment,
        calls.arm,
        calls.purpose,
        calls.person_ids,
        calls.input_tokens,
        calls.cached_tokens,
        calls.cache_write_tokens,
        calls.output_tokens,
        calls.cost_usd,
        calls.latency_ms,
        calls.time_to_first_token_ms,
        coalesce(calls.status = 'failure', false) as is_failed,
        coalesce(calls.is_batch, false) as is_batch,
        list_sum([coalesce(length(message.content), 0) + coalesce(length(message.reasoning), 0) for message in calls.output]) as output_chars,
        calls.occurred_at as called_at,

    from curated.calls as calls

    where calls.choice_index = 0

    union all by name

    select
        turns.turn_id as call_id,
        turns.subject_id,
        turns.conversation_id,
        turns.task_id,
        turns.response_id,
        'chat' as family,
        turns.agent,
        turns.model,
        null::varchar as experiment,
        null::varchar as arm,
        turns.purpose,
        null::varchar[] as person_ids,
        turns.input_tokens,
        turns.cached_tokens,
        turns.cache_write_tokens,
        turns.output_tokens,
        turns.cost_usd,
        null::double as latency_ms,
        null::double as time_to_first_token_ms,
        false as is_failed,
        false as is_batch,
        coalesce(length(turns.content), 0) + coalesce(length(turns.reasoning), 0) as output_chars,
        turns.started_at as called_at,

    from curated.turns as turns

    where turns.kind = 'output' and (turns.input_tokens is not null or turns.output_tokens is not null or turns.cost_usd is not null)
),

models as (
    select distinct
        calls.model,
        regexp_replace(calls.model, '^.*/', '') as bare_model,

    from calls
),

model_prices as (
    select
        models.model,
        prices.*,

    from models
    inner join analysis.prices as prices on
        regexp_matches(substr(models.model || '@', length(prices.model_prefix) + 1, 1), '[-:@]') and starts_with(models.model, prices.model_prefix)
        or regexp_matches(substr(models.bare_model || '@', length(prices.model_prefix) + 1, 1), '[-:@]') and starts_with(models.bare_model, prices.model_prefix)

    qualify rank() over (
        partition by models.model
        order by length(prices.model_prefix) desc
    ) = 1
),

priced as (
    select
        calls.*,
        model_prices.price_source,
        (
            greatest(calls.input_tokens - coalesce(calls.cached_tokens, 0) - coalesce(calls.cache_write_tokens, 0), 0) * model_prices.input_usd_per_mtok
            + coalesce(calls.cached_tokens, 0) * coalesce(model_prices.cached_usd_per_mtok, model_prices.input_usd_per_mtok)
            + coalesce(calls.cache_write_tokens, 0) * coalesce(model_prices.cache_write_usd_per_mtok, model_prices.input_usd_per_mtok)
            + calls.output_tokens * model_prices.output_usd_per_mtok
        ) * case when calls.is_batch then model_prices.batch_factor else 1 end / 1e6 as price_usd,
        coalesce(calls.output_tokens < calls.output_chars / 12, false) as is_lower_bound,

    from calls
    left join model_prices on calls.model = model_prices.model and calls.called_at >= model_prices.valid_from

    qualify row_number() over (
        partition by calls.call_id
        order by model_prices.valid_from desc nulls last
    ) = 1
)

select
    call_id,
    subject_id,
    conversation_id,
    task_id,
    response_id,
    family,
    agent,
    model,
    experiment,
    arm,
    purpose,
    case
        when cost_usd is not null then 'reported'
        when price_usd is not null then 'priced'
        when is_failed and output_tokens is null then 'unbilled'
        else 'unknown'
    end as basis,
    case when cost_usd is null and price_usd is not null then price_source end as price_source,
    case
        when is_lower_bound and cost_usd is null then 'a lower bound: fewer output tokens were counted than the content has'
        when cost_usd is null and price_usd is null and input_tokens is null and not is_failed then 'no usage was logged'
        when cost_usd is null and price_usd is null and not is_failed then 'no price is known for the model'
    end as warning,
    person_ids,
    input_tokens,
    cached_tokens,
    cache_write_tokens,
    output_tokens,
    round(coalesce(cost_usd, price_usd, case when is_failed and output_tokens is null then 0 end), 9) as cost_usd,
    latency_ms,
    time_to_first_token_ms,
    is_failed,
    is_lower_bound,
    called_at,

from priced
