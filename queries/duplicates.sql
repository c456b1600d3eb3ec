-- Which examples say the same, and which of them stays?
-- For a reviewer of the deduplication: one line a cluster, the largest first, with the beginning of the survivor.
select
    clusters.cluster_size,
    clusters.representative_id as stays,
    any_value(examples.source) as source,
    any_value(left(list_extract([message.content for message in examples.messages if message.role = 'user'], 1), 80)) filter (clusters.is_representative) as begins,
    list(clusters.example_id order by clusters.example_id) filter (not clusters.is_representative) as leaves,

from curated.duplicate_clusters as clusters
inner join curated.examples as examples on clusters.example_id = examples.example_id

where clusters.cluster_size > 1

group by clusters.cluster_id, clusters.cluster_size, clusters.representative_id
order by clusters.cluster_size desc, stays
limit 50;
