-- What each reviewer stands by: the last word on each example.
--
-- grain:   one row per example and reviewer
-- key:     example_id, reviewer
-- scope:   all
-- inputs:  curated.reviews, curated.example_keys
-- rules:
--   last word  the latest decision by time, then by event id; withdraw takes an earlier one back and leaves no row;
--              to skip is no word beside another
--   stale      the example holds other content now than what was seen, or is no more
-- columns:
--   example_id    VARCHAR      the example
--   reviewer      VARCHAR      who decided
--   verdict       VARCHAR      accept, reject, edit or skip
--   content_hash  VARCHAR      content that was seen
--   event_id      VARCHAR      the decision
--   queue         VARCHAR      queue that the item came from
--   is_stale      BOOLEAN      of other content than the example holds now
--   decided_at    TIMESTAMPTZ  when
with last_words as (
    select *

    from curated.reviews

    where verdict in ('accept', 'reject', 'edit', 'skip', 'withdraw')
        and example_id is not null
        and reviewer is not null

    qualify row_number() over (
        partition by example_id, reviewer
        order by verdict = 'skip', occurred_at desc, event_id desc
    ) = 1
)

select
    last_words.example_id,
    last_words.reviewer,
    last_words.verdict,
    last_words.content_hash,
    last_words.event_id,
    last_words.queue,
    coalesce(last_words.content_hash <> example_keys.content_hash, true) as is_stale,
    last_words.occurred_at as decided_at,

from last_words

left join curated.example_keys as example_keys on example_keys.example_id = last_words.example_id

where last_words.verdict <> 'withdraw'
