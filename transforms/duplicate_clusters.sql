-- Clusters of duplicates, and who survives in each.
--
-- grain:   one row per example that has a duplicate
-- key:     example_id
-- scope:   all
-- inputs:  curated.duplicate_pairs
-- rules:
--   an example is only ever dropped against the survivor that it was compared with
-- columns:
--   example_id         VARCHAR  the example
--   cluster_id         VARCHAR  least example id of the cluster
--   representative_id  VARCHAR  the survivor
--   cluster_size       BIGINT   examples of the cluster
--   is_representative  BOOLEAN  it is the survivor
with members as (
    select left_id as representative_id, right_id as example_id from curated.duplicate_pairs where accepted

    union

    select left_id, left_id from curated.duplicate_pairs where accepted
)

select
    example_id,
    min(example_id) over cluster as cluster_id,
    representative_id,
    count(*) over cluster as cluster_size,
    example_id = representative_id as is_representative,

from members

window cluster as (partition by representative_id)
