package ingest

import "time"

// Observer is told what a sink does, for metrics and health checks. Its methods
// are called from several goroutines, also within a commit: they must not wait.
type Observer interface {
	// Generation: the consumer group has given out its partitions anew.
	Generation(id int32)
	// Assigned: the sink reads these partitions of a topic and no others, each
	// from the lake's offset.
	Assigned(topic string, offsets map[int]int64)
	// Fetched: the cluster has answered for a topic, or not.
	Fetched(topic string, err error)
	// Read: a partition was read up to offset next, and ends before end.
	Read(topic string, partition int, next, end int64)
	// Committed: a batch is in the lake, up to the next offsets by partition.
	// It took from the end of reading to the last table's commit.
	Committed(topic string, took time.Duration, report SinkReport, next map[int]int64)
	// Stale: a batch was dropped because another sink had committed it.
	Stale(topic string)
	// Stalled: the cluster has had more for a while and has not sent it; the
	// sink begins again with new connections.
	Stalled(topic string)
}

// nobody observes.
type nobody struct{}

func (nobody) Generation(int32)                                           {}
func (nobody) Assigned(string, map[int]int64)                             {}
func (nobody) Fetched(string, error)                                      {}
func (nobody) Read(string, int, int64, int64)                             {}
func (nobody) Committed(string, time.Duration, SinkReport, map[int]int64) {}
func (nobody) Stale(string)                                               {}
func (nobody) Stalled(string)                                             {}
