package broker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/weir-lake/weir/lake"
)

// ErrBehind: the broker's log ends before what the lake has read from it.
var ErrBehind = errors.New("the broker's log ends before the lake's offset")

// checkOffsets refuses a folder whose log is not the one that the lake was read
// from, such as that of a lake that was copied without it. A sink would find out,
// but not once enough has been sent: it would take the new records up to the
// lake's offset for read.
func (b *Broker) checkOffsets(ctx context.Context, lk *lake.Lake) error {
	ends := map[string]int64{}
	for _, p := range b.Stats().Partitions {
		ends[lake.TxnAppID(b.id, p.Topic, p.Partition)] = p.End
	}
	for _, payload := range lake.Payloads() {
		table, err := lk.Table(payload.Table)
		if err != nil {
			return err
		}
		head, err := table.Snapshot(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			continue // no table yet; or its log is broken, and the topics may be what it is to be made from
		}
		for _, app := range slices.Sorted(maps.Keys(head.Txns)) {
			at, ok := lake.ParseTxnAppID(app)
			if ok && at.Cluster == b.id && ends[app] < head.Txns[app] {
				return lake.WithHint(
					fmt.Errorf("broker: %s/%d ends at %d, the lake has read up to %d: %w", at.Topic, at.Partition, ends[app], head.Txns[app], ErrBehind),
					"put the lake's _broker folder back; a copy without it can be read, or go on with a real Kafka (--brokers)")
			}
		}
	}
	return nil
}
