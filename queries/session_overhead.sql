-- How much do coding sessions send with every call that their logs do not show, and what does it cost?
-- For whoever would train it away. A first call's input tokens less the words before it (characters / 4) is the client's own
-- system prompt and tools; every call of the session sends them again, mostly from the cache: money lies between the two columns.
with sessions as (
    select
        call_prompts.call_id,
        turns.conversation_id,
        turns.subject_id,
        turns.model,
        turns.started_at,
        call_prompts.input_tokens,
        call_prompts.overhead_tokens,

    from analysis.call_prompts as call_prompts
    inner join curated.turns as turns on call_prompts.call_id = turns.turn_id

    where call_prompts.token_basis = 'usage'
),

outputs as (
    select
        subject_id,
        conversation_id,
        count(*) as calls,
        sum(cached_tokens) as cached_tokens,
        sum(input_tokens) as input_tokens,

    from curated.turns

    where kind = 'output' and input_tokens is not null

    group by subject_id, conversation_id
),

session_prices as (
    select
        sessions.call_id,
        prices.input_usd_per_mtok,
        coalesce(prices.cached_usd_per_mtok, prices.input_usd_per_mtok) as cached_usd_per_mtok,

    from sessions
    inner join analysis.prices as prices on
        starts_with(sessions.model, prices.model_prefix)
        and regexp_matches(substr(sessions.model || '@', length(prices.model_prefix) + 1, 1), '[-:@]')
        and sessions.started_at >= prices.valid_from

    qualify row_number() over (
        partition by sessions.call_id
        order by length(prices.model_prefix) desc, prices.valid_from desc
    ) = 1
)

select
    sessions.conversation_id,
    sessions.model,
    outputs.calls,
    sessions.input_tokens as first_input_tokens,
    sessions.input_tokens - sessions.overhead_tokens as visible_tokens,
    sessions.overhead_tokens,
    outputs.calls * sessions.overhead_tokens as overhead_of_all_calls,
    round(outputs.cached_tokens / nullif(outputs.input_tokens, 0), 3) as cached_share,
    round(outputs.calls * sessions.overhead_tokens * session_prices.cached_usd_per_mtok / 1e6, 2) as cached_usd,
    round(outputs.calls * sessions.overhead_tokens * session_prices.input_usd_per_mtok / 1e6, 2) as full_usd,

from sessions
inner join outputs on sessions.subject_id = outputs.subject_id and sessions.conversation_id = outputs.conversation_id
left join session_prices on sessions.call_id = session_prices.call_id

order by sessions.overhead_tokens desc, sessions.conversation_id;
