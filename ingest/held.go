package ingest

import (
	"context"

	"github.com/weir-lake/weir/lake"
)

// Held tells which of the positions the cluster cannot be read from any more:
// retention or a trim has deleted what stood there, or they are another cluster's.
func (c *Conn) Held(ctx context.Context, positions []lake.Position) (missing []lake.Position, err error) {
	partitions := map[string][]int{}
	for _, p := range positions {
		if p.Cluster == c.clusterID {
			partitions[p.Topic] = append(partitions[p.Topic], p.Partition)
		}
	}
	bounds := map[string]map[int][2]int64{}
	for _, p := range positions {
		if p.Cluster != c.clusterID {
			missing = append(missing, p)
			continue
		}
		if bounds[p.Topic] == nil {
			if bounds[p.Topic], err = c.allBounds(ctx, p.Topic, partitions[p.Topic]); err != nil {
				return nil, err
			}
		}
		if at := bounds[p.Topic][p.Partition]; p.Offset < at[0] || p.Offset > at[1] {
			missing = append(missing, p)
		}
	}
	return missing, nil
}

// Ends gives where topics end now: the next offset of each partition that has
// records. What Landed or Wait says of these tells whether all of it is in a lake.
func (c *Conn) Ends(ctx context.Context, topics ...string) (ends []lake.Position, err error) {
	counts, err := c.partitionCounts(ctx, topics)
	if err != nil {
		return nil, err
	}
	for _, topic := range topics {
		var partitions []int
		for p := range counts[topic] {
			partitions = append(partitions, p)
		}
		if len(partitions) == 0 {
			continue
		}
		bounds, err := c.allBounds(ctx, topic, partitions)
		if err != nil {
			return nil, err
		}
		for _, p := range partitions {
			if bounds[p][1] > bounds[p][0] {
				ends = append(ends, lake.Position{Cluster: c.clusterID, Topic: topic, Partition: p, Offset: bounds[p][1]})
			}
		}
	}
	return ends, nil
}
