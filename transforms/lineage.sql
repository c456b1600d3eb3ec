-- Who was made from whom: augmented and synthetic examples and their parents.
--
-- grain:   one row per generated example and parent
-- key:     child_id, parent_id
-- scope:   all
-- inputs:  curated.generated
-- rules:
--   a parent need not exist (any more): its children still belong together
--   more than 32 generations are not followed: damaged ids could form a loop
-- columns:
--   child_id    VARCHAR  example
--   parent_id   VARCHAR  example it was made from
--   root_id     VARCHAR  the oldest ancestor by this parent; the least where there are several
--   method      VARCHAR  how the child was made
--   generation  BIGINT   longest way to an example that was not generated: 1 for a direct child
with recursive edges as (
    select distinct event_id as child_id, unnest(parent_ids) as parent_id, method

    from curated.generated
),

ways as (
    select child_id, parent_id, parent_id as ancestor_id, 1 as generation

    from edges

    union

    select ways.child_id, ways.parent_id, edges.parent_id, ways.generation + 1

    from ways

    inner join edges on edges.child_id = ways.ancestor_id

    where ways.generation < 32
)

select
    edges.child_id,
    edges.parent_id,
    coalesce(
        min(ways.ancestor_id) filter (where ways.ancestor_id not in (select child_id from edges)), edges.parent_id
    ) as root_id,
    any_value(edges.method) as method,
    max(max(ways.generation)) over (partition by edges.child_id)::BIGINT as generation,

from edges

inner join ways
    on ways.child_id = edges.child_id
    and ways.parent_id = edges.parent_id

where edges.parent_id is not null

group by edges.child_id, edges.parent_id
