package ingest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/weir-lake/weir/ingest/broker"
	"github.com/weir-lake/weir/lake"
)

func newLake(t *testing.T) *lake.Lake {
	t.Helper()
	lk, err := lake.Init(filepath.Join(t.TempDir(), "lake"), lake.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return lk
}

func connect(t *testing.T, lk *lake.Lake, brokers ...string) *Conn {
	t.Helper()
	conn, err := Connect(t.Context(), lk, ConnOptions{Brokers: brokers})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// address is where a connection's cluster answers.
func address(conn *Conn) string { return conn.brokers[0] }

// keep stops the embedded broker from being trimmed, so that an independent
// reader finds everything afterwards.
func keep(conn *Conn) *Conn {
	if conn.trimmer != nil {
		conn.trimmer.Close()
		conn.trimmer = nil
	}
	return conn
}

// kafkaClient is of another maker than what weir reads and writes with.
func kafkaClient(t *testing.T, addr string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(addr), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchMaxBytes(broker.MaxBatchBytes), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// put writes raw records to a partition and returns the last one's offset.
func put(t *testing.T, c *kgo.Client, topic string, partition int32, values ...string) int64 {
	t.Helper()
	var last int64
	for _, value := range values {
		r, err := c.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Partition: partition, Value: []byte(value)}).First()
		if err != nil {
			t.Fatal(err)
		}
		last = r.Offset
	}
	return last
}

// deleteBefore does what retention does.
func deleteBefore(t *testing.T, c *kgo.Client, topic string, partition int32, offset int64) {
	t.Helper()
	req := kmsg.NewPtrDeleteRecordsRequest()
	req.TimeoutMillis = 10_000
	rt := kmsg.NewDeleteRecordsRequestTopic()
	rp := kmsg.NewDeleteRecordsRequestTopicPartition()
	rt.Topic, rp.Partition, rp.Offset = topic, partition, offset
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	resp, err := req.RequestWith(t.Context(), c)
	if err == nil {
		err = kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// place is where a record lies.
type place struct {
	topic     string
	partition int
	offset    int64
}

func byPlace(a, b place) int {
	return cmp.Or(cmp.Compare(a.topic, b.topic), cmp.Compare(a.partition, b.partition), cmp.Compare(a.offset, b.offset))
}

// inTopics reads what is committed in all of weir's topics, with a client that
// is not weir's.
func inTopics(t *testing.T, addr string) []place {
	t.Helper()
	admin := kafkaClient(t, addr)
	start := map[string]map[int32]kgo.Offset{}
	ends := map[string]map[int32]int64{} // of the partitions that hold something
	for _, at := range []int64{-2, -1} {
		for topic, partitions := range listOffsets(t, admin, at) {
			for partition, offset := range partitions {
				if at == -2 {
					put3(start, topic, partition, kgo.NewOffset().At(offset))
				} else if start[topic][partition] != kgo.NewOffset().At(offset) {
					put3(ends, topic, partition, offset)
				}
			}
		}
	}
	// Markers of transactions are kept, so that a partition that ends in one is
	// seen to end.
	c := kafkaClient(t, addr, kgo.ConsumePartitions(start), kgo.KeepControlRecords(), kgo.FetchMaxWait(100*time.Millisecond))
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	var places []place
	for len(ends) > 0 {
		fetches := c.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("independent reader: %v", err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				places = append(places, place{r.Topic, int(r.Partition), r.Offset})
			}
			if r.Offset+1 >= ends[r.Topic][r.Partition] {
				delete(ends[r.Topic], r.Partition)
				if len(ends[r.Topic]) == 0 {
					delete(ends, r.Topic)
				}
			}
		})
	}
	slices.SortFunc(places, byPlace)
	return places
}

func put3[V any](m map[string]map[int32]V, topic string, partition int32, v V) {
	if m[topic] == nil {
		m[topic] = map[int32]V{}
	}
	m[topic][partition] = v
}

// listOffsets asks for an offset of every partition of weir's topics: at -2
// the first one, at -1 the one after the last.
func listOffsets(t *testing.T, c *kgo.Client, at int64) map[string]map[int32]int64 {
	t.Helper()
	meta := kmsg.NewPtrMetadataRequest()
	for _, topic := range lake.Topics() {
		mt := kmsg.NewMetadataRequestTopic()
		mt.Topic = kmsg.StringPtr(topic)
		meta.Topics = append(meta.Topics, mt)
	}
	found, err := meta.RequestWith(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	req := kmsg.NewPtrListOffsetsRequest()
	for _, topic := range found.Topics {
		rt := kmsg.NewListOffsetsRequestTopic()
		rt.Topic = *topic.Topic
		for _, p := range topic.Partitions {
			rp := kmsg.NewListOffsetsRequestTopicPartition()
			rp.Partition, rp.Timestamp = p.Partition, at
			rt.Partitions = append(rt.Partitions, rp)
		}
		req.Topics = append(req.Topics, rt)
	}
	offsets := map[string]map[int32]int64{}
	for _, shard := range c.RequestSharded(t.Context(), req) {
		if shard.Err != nil {
			t.Fatal(shard.Err)
		}
		for _, topic := range shard.Resp.(*kmsg.ListOffsetsResponse).Topics {
			for _, p := range topic.Partitions {
				if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
					t.Fatal(err)
				}
				put3(offsets, topic.Topic, p.Partition, p.Offset)
			}
		}
	}
	return offsets
}

// files lists a table's live files; a table that does not exist has none.
func files(t *testing.T, lk *lake.Lake, name string) (dir string, files []lake.DataFile) {
	t.Helper()
	table, err := lk.Table(name)
	if err != nil {
		t.Fatal(err)
	}
	snapshot, err := table.Snapshot(t.Context())
	if errors.Is(err, lake.ErrNoTable) {
		return "", nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return table.Dir(), snapshot.Files
}

// rows reads some columns of a table.
func rows[T any](t *testing.T, lk *lake.Lake, table string) []T {
	t.Helper()
	var all []T
	dir, files := files(t, lk, table)
	for _, file := range files {
		rows, err := parquet.ReadFile[T](filepath.Join(dir, file.Path))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, rows...)
	}
	return all
}

// inLake reads the positions of all event rows, file by file, and checks that
// each file holds what the log says, in order. Rows that are twice in a table
// are in the list twice.
func inLake(t *testing.T, lk *lake.Lake) []place {
	t.Helper()
	var places []place
	for _, payload := range lake.Payloads() {
		dir, files := files(t, lk, payload.Table)
		for _, file := range files {
			rows, err := parquet.ReadFile[struct {
				Topic     string `parquet:"kafka_topic,optional"`
				Partition int64  `parquet:"kafka_partition,optional"`
				Offset    int64  `parquet:"kafka_offset,optional"`
			}](filepath.Join(dir, file.Path))
			if err != nil {
				t.Fatal(err)
			}
			if int64(len(rows)) != file.Rows {
				t.Errorf("%s/%s: %d rows, the log says %d", payload.Table, file.Path, len(rows), file.Rows)
			}
			var before place
			for i, row := range rows {
				at := place{row.Topic, int(row.Partition), row.Offset}
				if i > 0 && byPlace(before, at) >= 0 {
					t.Errorf("%s/%s: row %d at %v comes after %v", payload.Table, file.Path, i, at, before)
				}
				before = at
				places = append(places, at)
			}
		}
	}
	slices.SortFunc(places, byPlace)
	return places
}

// same compares what the topics hold with what the lake holds.
func same(t *testing.T, topics, lake []place) {
	t.Helper()
	if slices.Equal(topics, lake) {
		return
	}
	count := map[place]int{}
	for _, p := range topics {
		count[p]++
	}
	for _, p := range lake {
		count[p]--
	}
	shown := 0
	for _, p := range slices.SortedFunc(maps.Keys(count), byPlace) {
		if n := count[p]; n != 0 && shown < 10 {
			shown++
			t.Errorf("%v: missing %d times from the lake (below 0: there too often)", p, n)
		}
	}
	t.Errorf("the topics hold %d records, the lake %d", len(topics), len(lake))
}

// message is a small event of a conversation.
func message(subject string, n int) lake.Event {
	at := time.Date(2026, 3, 1, 12, 0, n, 0, time.UTC)
	return lake.Event{
		ID: lake.StableID("test", subject, fmt.Sprint(n)), Source: "test://here", Type: "weir.chat.message.v1",
		Subject: subject, Time: at,
		Data: &lake.ChatMessage{ConversationID: subject, Kind: lake.KindPrompt, Role: "user", Content: fmt.Sprintf("message %d of %s", n, subject), OrderedAt: at},
	}
}

// fleet is a mix of families: n events over some twenty subjects.
func fleet(tag string, n int) []lake.Event {
	var events []lake.Event
	for i := range n {
		subject := fmt.Sprintf("%s-%d", tag, i%19)
		e := message(subject, i)
		switch i % 10 {
		case 3:
			e.Type, e.Data = "weir.outcome.recorded.v1", &lake.Outcome{TargetKind: "task", TargetID: subject, Value: "success"}
		case 5:
			e.Type, e.Data = "weir.dataset.members.v1", &lake.DatasetMembers{Dataset: tag, Members: []lake.DatasetMember{{ExampleID: e.ID}}}
		case 6:
			e.Type, e.Data = "weir.dataset.version.v1", &lake.DatasetVersion{Dataset: tag, Version: fmt.Sprint(i)}
		}
		events = append(events, e)
	}
	return events
}

// send appends events and waits for their acknowledgement.
func send(t *testing.T, conn *Conn, events ...lake.Event) []lake.Position {
	t.Helper()
	p, err := NewProducer(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Append(t.Context(), events...); err != nil {
		t.Fatal(err)
	}
	positions, err := p.Flush(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return positions
}

// drain runs a sink once.
func drain(t *testing.T, lk *lake.Lake, conn *Conn, opts SinkOptions) SinkReport {
	t.Helper()
	opts.Once = true
	report, err := Sink(t.Context(), lk, conn, opts)
	if err != nil {
		t.Fatal(err)
	}
	return report
}
