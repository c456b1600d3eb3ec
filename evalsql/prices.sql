-- Prices of model calls: a built-in list, and what configuration adds to it.
--
-- grain:   one row per model prefix and start of validity
-- key:     model_prefix, valid_from
-- scope:   all
-- inputs:  curated.configs
-- columns:
--   model_prefix             VARCHAR      the longest prefix of a model's name that has a price decides
--   price_source             VARCHAR      built-in, or the event that set it
--   input_usd_per_mtok       DOUBLE       USD per million input tokens that were not cached
--   cached_usd_per_mtok      DOUBLE       … that were read from the provider's cache; null: as input
--   cache_write_usd_per_mtok DOUBLE       … that were written to it; null: as input
--   output_usd_per_mtok      DOUBLE       … that were generated, reasoning included
--   batch_factor             DOUBLE       factor for calls in a batch API
--   valid_from               TIMESTAMPTZ  built-in prices are taken to have held for ever
--
-- rules:
--   Configuration of kind prices (weir.config.set.v1) is a JSON array of objects with these columns' names; valid_from
--   defaults to the event's time. Of several events of one name the latest counts. On equal terms configuration
--   beats the built-in list.
-- sources:
--   OpenAI and Anthropic: github.com/pydantic/genai-prices at 47df840 (2026-08-21), each checked there on the date in the
--   list. Tuned gpt-4.1 models: a copy of OpenAI's price page of late 2025. Long-context tiers are left out.
--   Batch: half price, as OpenAI and Anthropic both state.
with built_in (model_prefix, input_usd_per_mtok, cached_usd_per_mtok, cache_write_usd_per_mtok, output_usd_per_mtok, checked_on) as (
    values
        ('gpt-4.1', 2.0, 0.5, null, 8.0, '2025-07-04'),
        ('gpt-4.1-mini', 0.4, 0.1, null, 1.6, '2025-07-04'),
        ('gpt-4.1-nano', 0.1, 0.025, null, 0.4, '2025-07-04'),
        ('ft:gpt-4.1', 3.0, 0.75, null, 12.0, '2025-11-30'),
        ('ft:gpt-4.1-mini', 0.8, 0.2, null, 3.2, '2025-11-30'),
        ('ft:gpt-4.1-nano', 0.2, 0.05, null, 0.8, '2025-11-30'),
        ('gpt-4o', 2.5, 1.25, null, 10.0, '2025-07-04'),
        ('gpt-4o-mini', 0.15, 0.075, null, 0.6, '2025-07-04'),
        ('ft:gpt-4o', 3.75, 1.875, null, 15.0, '2025-11-30'),
        ('ft:gpt-4o-mini', 0.3, 0.15, null, 1.2, '2025-11-30'),
        ('gpt-5', 1.25, 0.125, null, 10.0, '2025-11-13'),
        ('gpt-5-mini', 0.25, 0.025, null, 2.0, '2025-11-13'),
        ('gpt-5-nano', 0.05, 0.005, null, 0.4, '2025-11-13'),
        ('gpt-5-pro', 15.0, null, null, 120.0, '2025-11-13'),
        ('gpt-5.1', 1.25, 0.125, null, 10.0, '2025-11-13'),
        ('gpt-5.2', 1.75, 0.175, null, 14.0, '2025-12-11'),
        ('o4-mini', 1.1, 0.275, null, 4.4, '2025-07-04'),
        ('claude-3-haiku', 0.25, 0.03, 0.3, 1.25, '2026-07-29'),
        ('claude-3-5-haiku', 0.8, 0.08, 1.0, 4.0, '2026-07-29'),
        ('claude-3-5-sonnet', 3.0, 0.3, 3.75, 15.0, '2026-07-29'),
        ('claude-3-7-sonnet', 3.0, 0.3, 3.75, 15.0, '2026-07-29'),
        ('claude-sonnet-4', 3.0, 0.3, 3.75, 15.0, '2026-07-29'),
        ('claude-haiku-4-5', 1.0, 0.1, 1.25, 5.0, '2026-07-29'),
        ('claude-opus-4', 15.0, 1.5, 18.75, 75.0, '2026-07-29'),
        ('claude-opus-4-5', 5.0, 0.5, 6.25, 25.0, '2026-07-29'),
        ('claude-opus-4-6', 5.0, 0.5, 6.25, 25.0, '2026-07-29'),
        ('claude-opus-4-7', 5.0, 0.5, 6.25, 25.0, '2026-07-29'),
        ('claude-opus-4-8', 5.0, 0.5, 6.25, 25.0, '2026-07-29'),
        ('claude-opus-5', 5.0, 0.5, 6.25, 25.0, '2026-07-29')
),

latest_configs as (
    select
        configs.event_id,
        configs.occurred_at,
        configs.content,

    from curated.configs as configs

    where configs.kind = 'prices' and json_valid(configs.content)

    qualify row_number() over (
        partition by configs.name
        order by configs.occurred_at desc, configs.event_id
    ) = 1
),

configured_items as (
    select
        latest_configs.event_id,
        latest_configs.occurred_at,
        unnest(from_json(latest_configs.content, '["json"]')) as item,

    from latest_configs

    where json_type(latest_configs.content) = 'ARRAY'
),

configured as (
    select
        item ->> '$.model_prefix' as model_prefix,
        event_id as price_source,
        try_cast(item ->> '$.input_usd_per_mtok' as double) as input_usd_per_mtok,
        try_cast(item ->> '$.cached_usd_per_mtok' as double) as cached_usd_per_mtok,
        try_cast(item ->> '$.cache_write_usd_per_mtok' as double) as cache_write_usd_per_mtok,
        try_cast(item ->> '$.output_usd_per_mtok' as double) as output_usd_per_mtok,
        coalesce(try_cast(item ->> '$.batch_factor' as double), 0.5) as batch_factor,
        coalesce(
            -- A time without a zone is UTC, whatever the session's zone is.
            try_strptime(item ->> '$.valid_from', ['%Y-%m-%d', '%Y-%m-%dT%H:%M:%S', '%Y-%m-%d %H:%M:%S']) at time zone 'UTC',
            try_cast(item ->> '$.valid_from' as timestamptz),
            occurred_at
        ) as valid_from,

    from configured_items
)

select
    model_prefix,
    price_source,
    input_usd_per_mtok,
    cached_usd_per_mtok,
    cache_write_usd_per_mtok,
    output_usd_per_mtok,
    batch_factor,
    valid_from,

from (
    select
        configured.*,
        1 as precedence,

    from configured

    union all by name

    select
        built_in.model_prefix,
        'built-in, checked ' || built_in.checked_on as price_source,
        built_in.input_usd_per_mtok::double as input_usd_per_mtok,
        built_in.cached_usd_per_mtok::double as cached_usd_per_mtok,
        built_in.cache_write_usd_per_mtok::double as cache_write_usd_per_mtok,
        built_in.output_usd_per_mtok::double as output_usd_per_mtok,
        0.5 as batch_factor,
        '1970-01-01 00:00:00+00'::timestamptz as valid_from,
        2 as precedence,

    from built_in
)

where model_prefix is not null and input_usd_per_mtok is not null and output_usd_per_mtok is not null

qualify row_number() over (
    partition by model_prefix, valid_from
    order by precedence, price_source
) = 1
