package broker

import (
	"time"

	"github.com/weir-lake/weir/lake"
)

// Stats are what a broker holds now.
type Stats struct {
	Partitions []PartitionStats // by topic, then partition
	// Warnings count what the broker has warned of since it was opened: a write
	// that did not reach the disk shows nowhere else.
	Warnings int64
}

// PartitionStats are of one partition.
type PartitionStats struct {
	Topic      string
	Partition  int
	Start, End int64     // offsets that it holds: from Start up to End
	Bytes      int64     // of them, as they lie on disk
	LastRecord time.Time // the youngest record's own time, which is when it was sent; zero: there is none
}

// Stats asks the broker, which must not be closed yet.
func (b *Broker) Stats() Stats {
	stats := Stats{Warnings: b.warnings.Load()}
	for _, topic := range lake.Topics() {
		for _, p := range b.cluster.PartitionInfos(topic) {
			one := PartitionStats{Topic: topic, Partition: int(p.Partition), Start: p.LogStartOffset, End: p.HighWatermark, Bytes: p.NumBytes}
			if p.MaxTimestamp > 0 {
				one.LastRecord = time.UnixMilli(p.MaxTimestamp).UTC()
			}
			stats.Partitions = append(stats.Partitions, one)
		}
	}
	return stats
}
