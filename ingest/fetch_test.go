package ingest

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/weir-lake/weir/lake"
)

// A batch may begin before the offset that is asked for: the broker sends it
// whole.
func TestFetchFromTheMiddleOfABatch(t *testing.T) {
	_, conn := fakeCluster(t)
	c := kafkaClient(t, address(conn), kgo.ProducerLinger(50*time.Millisecond))
	var batch []*kgo.Record
	for i := range 10 {
		batch = append(batch, &kgo.Record{Topic: "weir.chat", Partition: 1, Value: []byte(encoded(t, message("s", i)))})
	}
	if err := c.ProduceSync(t.Context(), batch...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	for from := range int64(10) {
		chunks, err := conn.fetch(t.Context(), "weir.chat", map[int]int64{1: from}, 0)
		if err != nil {
			t.Fatal(err)
		}
		one := chunks[1]
		if int64(len(one.records)) != 10-from || one.records[0].offset != from || one.next != 10 || one.end != 10 {
			t.Errorf("from %d: %d records, next %d, end %d", from, len(one.records), one.next, one.end)
		}
	}
}

// Producers that are not weir's compress as they like.
func TestEveryCompressionIsRead(t *testing.T) {
	lk := newLake(t)
	conn := keep(connect(t, lk))
	for name, codec := range map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	} {
		c := kafkaClient(t, address(conn), kgo.ProducerBatchCompression(codec), kgo.ProducerLinger(20*time.Millisecond))
		var batch []*kgo.Record
		for i := range 200 {
			batch = append(batch, &kgo.Record{Topic: "weir.chat", Partition: 1, Value: []byte(encoded(t, message(name, i)))})
		}
		if err := c.ProduceSync(t.Context(), batch...).FirstErr(); err != nil {
			t.Fatal(name, err)
		}
	}
	report := drain(t, lk, conn, SinkOptions{})
	if report.Rows["events.chat_messages"] != 1000 || len(report.DeadLetters) > 0 {
		t.Errorf("report: %+v", report)
	}
	same(t, inTopics(t, address(conn)), inLake(t, lk))
}

// A broker that says it has more and sends nothing, for ever, on the old
// connections.
func TestStalledReaderConnectsAnew(t *testing.T) {
	lk := newLake(t)
	cluster, conn := fakeCluster(t)
	before := conn.client()
	silent := true
	cluster.ControlKey(int16(kmsg.Fetch), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		if silent = silent && conn.client() == before; !silent {
			return nil, nil, false
		}
		time.Sleep(5 * time.Millisecond)
		req := kreq.(*kmsg.FetchRequest)
		resp := req.ResponseKind().(*kmsg.FetchResponse)
		for _, topic := range req.Topics {
			rt := kmsg.NewFetchResponseTopic()
			rt.Topic, rt.TopicID = topic.Topic, topic.TopicID
			for _, p := range topic.Partitions {
				rp := kmsg.NewFetchResponseTopicPartition()
				rp.Partition, rp.HighWatermark, rp.LastStableOffset = p.Partition, p.FetchOffset+1, p.FetchOffset+1
				rt.Partitions = append(rt.Partitions, rp)
			}
			resp.Topics = append(resp.Topics, rt)
		}
		return resp, nil, true
	})
	positions := send(t, conn, message("s", 1), message("s", 2))
	s := runOn(t, lk, conn, SinkOptions{stallAfter: 200 * time.Millisecond})
	landed(t, lk, positions)
	s.end(t)
	if n := see(s.watcher, func(w *watcher) int { return w.stalled }); n == 0 {
		t.Error("the watchdog saw nothing")
	}
}

// A broker that takes a request and never answers.
func TestSilentBrokerIsGivenUp(t *testing.T) {
	lk := newLake(t)
	cluster, conn := fakeCluster(t)
	conn.patience = 100 * time.Millisecond
	var asked atomic.Int32
	release := make(chan struct{})
	cluster.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
		if asked.Add(1) == 1 {
			cluster.KeepControl()
			cluster.SleepControl(func() { <-release })
		} else {
			cluster.DropControl()
		}
		return nil, nil, false
	})
	positions := send(t, conn, message("s", 1), message("s", 2))
	s := runOn(t, lk, conn, SinkOptions{})
	defer close(release)
	landed(t, lk, positions)
	eventually(t, "the request without an answer is given up", func() bool {
		return see(s.watcher, func(w *watcher) int { return w.failed }) > 0
	})
	s.end(t)
}

// Leaders move between brokers while a sink reads.
func TestLeadersMove(t *testing.T) {
	lk := newLake(t)
	cluster, conn := fakeCluster(t, kfake.NumBrokers(3))
	s := runOn(t, lk, conn, SinkOptions{FlushEvery: 20 * time.Millisecond})
	for round := range 2 {
		for partition := range int32(4) {
			if err := cluster.MoveTopicPartition("weir.chat", partition, (int32(round)+partition)%3); err != nil {
				t.Fatal(err)
			}
		}
		landed(t, lk, send(t, conn, fleet(fmt.Sprint(t.Name(), round), 50)...))
	}
	s.end(t)
	same(t, inTopics(t, address(conn)), inLake(t, lk))
}

// Every batch is asked to be on all replicas, and goes where Java's producer
// puts the subject.
func TestProducerDefaults(t *testing.T) {
	cluster, conn := fakeCluster(t)
	var acks []int16
	cluster.ControlKey(int16(kmsg.Produce), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		acks = append(acks, kreq.(*kmsg.ProduceRequest).Acks)
		return nil, nil, false
	})
	var events []lake.Event
	want := map[int]int64{}
	java := kgo.StickyKeyPartitioner(nil).ForTopic("weir.chat")
	for i := range 50 {
		e := message(fmt.Sprintf("subject %d", i), 1)
		events = append(events, e)
		want[java.Partition(&kgo.Record{Key: []byte(e.Subject)}, 4)]++
	}
	for _, position := range send(t, conn, events...) {
		if position.Offset != want[position.Partition] {
			t.Errorf("partition %d has %d records, want %d", position.Partition, position.Offset, want[position.Partition])
		}
	}
	for _, n := range acks {
		if n != -1 {
			t.Errorf("acks %d: not all replicas", n)
		}
	}
	if len(acks) == 0 {
		t.Error("nothing was produced")
	}
}
