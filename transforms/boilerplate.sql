-- The frozen list of boilerplate: word shingles that comparisons leave out.
--
-- grain:   one row per shingle of the latest list
-- key:     shingle
-- scope:   all
-- inputs:  curated.configs
-- rules:   (semantics §3)
--   a list is an event (kind boilerplate; weir transform --freeze-boilerplate); the latest one counts;
--   pairs carry its version, and a new list computes everything again
-- columns:
--   shingle  BIGINT   hash of three words, as in curated.example_sketches
--   version  VARCHAR  first 12 digits of the list's hash
with latest as (
    select content, left(hash, 12) as version

    from curated.configs

    where kind = 'boilerplate'

    qualify row_number() over (order by occurred_at desc, event_id desc) = 1
)

select distinct unnest(from_json(content, '["BIGINT"]')) as shingle, version

from latest
