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
