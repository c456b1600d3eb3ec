package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// written are the topics that the suite writes to. The second holds rows of two
// tables, each with a counter of its own.
var written = []string{"weir.chat", "weir.dataset", "weir.outcome"}

// topics writes to the broker and reads everything back, with a client that
// weir does not use.
type topics struct {
	address  string
	producer *kgo.Client
	random   *rand.Rand
	serial   int

	mu   sync.Mutex
	read map[place]string // committed records, with their events' ids
	next map[place]int64  // next offset of each partition, under offset 0
	stop func()
}

func openTopics(t *testing.T, address string) *topics {
	t.Helper()
	s := &topics{address: address, random: rand.New(rand.NewPCG(1, 2)), read: map[place]string{}, next: map[place]int64{}}
	var err error
	s.producer, err = kgo.NewClient(kgo.SeedBrokers(address), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.RecordDeliveryTimeout(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	reader, err := kgo.NewClient(kgo.SeedBrokers(address), kgo.ConsumeTopics(written...), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(), kgo.FetchMaxWait(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			reader.PollFetches(ctx).EachRecord(s.take)
		}
	}()
	s.stop = func() {
		cancel()
		<-done
		reader.Close()
		s.producer.Close()
	}
	t.Cleanup(s.stop)
	return s
}

// take keeps one record that the independent reader saw.
func (s *topics) take(r *kgo.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := place{r.Topic, int64(r.Partition), r.Offset}
	s.next[place{at.topic, at.partition, 0}] = r.Offset + 1
	if r.Attrs.IsControl() {
		return
	}
	var event struct{ ID string }
	if json.Unmarshal(r.Value, &event) != nil || event.ID == "" {
		event.ID = garbage
	}
	s.read[at] = event.ID
}

// everything gives all committed records, once the reader has come to the end.
func (s *topics) everything(t *testing.T) map[place]string {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		behind := ""
		for partition, end := range s.ends(t) {
			s.mu.Lock()
			if s.next[partition] < end {
				behind = fmt.Sprintf("%s of %d", partition, end)
			}
			s.mu.Unlock()
		}
		if behind == "" {
			s.mu.Lock()
			defer s.mu.Unlock()
			return maps.Clone(s.read)
		}
		if time.Now().After(deadline) {
			t.Fatalf("the independent reader does not reach the end: %s", behind)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// ends asks for the offset behind the last record of each partition.
func (s *topics) ends(t *testing.T) map[place]int64 {
	t.Helper()
	req := kmsg.NewPtrListOffsetsRequest()
	for _, topic := range written {
		rt := kmsg.NewListOffsetsRequestTopic()
		rt.Topic = topic
		for partition := range int32(partitions) {
			rp := kmsg.NewListOffsetsRequestTopicPartition()
			rp.Partition, rp.Timestamp = partition, -1
			rt.Partitions = append(rt.Partitions, rp)
		}
		req.Topics = append(req.Topics, rt)
	}
	ends := map[place]int64{}
	for _, shard := range s.producer.RequestSharded(t.Context(), req) {
		if shard.Err != nil {
			t.Fatal(shard.Err)
		}
		for _, topic := range shard.Resp.(*kmsg.ListOffsetsResponse).Topics {
			for _, p := range topic.Partitions {
				if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
					t.Fatalf("%s/%d: %v", topic.Topic, p.Partition, err)
				}
				ends[place{topic.Topic, int64(p.Partition), 0}] = p.Offset
			}
		}
	}
	return ends
}

// send writes n records, events of several families and some that are none.
func (s *topics) send(t *testing.T, n int) {
	t.Helper()
	var records []*kgo.Record
	for range n {
		records = append(records, s.record())
	}
	if err := s.producer.ProduceSync(context.WithoutCancel(t.Context()), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

func (s *topics) record() *kgo.Record {
	s.serial++
	n := s.serial
	r := &kgo.Record{Topic: written[0], Partition: int32(s.random.IntN(partitions))}
	subject := fmt.Sprintf("s-%d", n%97)
	kind, data := "weir.chat.message.v1", map[string]any{"conversation_id": subject, "kind": "prompt", "role": "user", "content": fmt.Sprintf("message %d of %s", n, subject)}
	switch n % 12 {
	case 3:
		r.Topic = "weir.outcome"
		kind, data = "weir.outcome.recorded.v1", map[string]any{"target_kind": "task", "target_id": subject, "value": "success"}
	case 5:
		r.Topic = "weir.dataset"
		kind, data = "weir.dataset.members.v1", map[string]any{"dataset": "d", "members": []any{map[string]any{"example_id": subject}}}
	case 6:
		r.Topic = "weir.dataset"
		kind, data = "weir.dataset.version.v1", map[string]any{"dataset": "d", "version": fmt.Sprint(n), "member_count": 1}
	case 8:
		r.Value = fmt.Appendf(nil, "no event %d", n)
		return r
	case 11:
		r.Topic, r.Value = "weir.dataset", []byte(`{"specversion":"1.0"}`)
		return r
	}
	r.Key = []byte(subject)
	r.Value, _ = json.Marshal(map[string]any{ // of strings and numbers: cannot fail
		"specversion": "1.0", "id": fmt.Sprintf("event-%09d", n), "source": "faults://suite", "type": kind, "subject": subject,
		"time": time.Date(2026, 3, 1, 12, 0, n, 0, time.UTC).Format(time.RFC3339), "data": data,
	})
	return r
}

// transaction writes records in a transaction and ends it one way or the other.
func (s *topics) transaction(t *testing.T, n int, commit bool) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(s.address), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.TransactionalID(fmt.Sprintf("faults-%d", s.serial)))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	var records []*kgo.Record
	for range n {
		records = append(records, s.record())
	}
	if err := client.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if err := client.EndTransaction(t.Context(), kgo.TransactionEndTry(commit)); err != nil {
		t.Fatal(err)
	}
}
