package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	fetchapi "github.com/segmentio/kafka-go/protocol/fetch"
)

const (
	// fetchBytes bounds one partition's part of a response, as compressed; a
	// single batch may be larger and comes whole.
	fetchBytes = 512 << 10
	// fetchWait is how long a broker holds a request when there is nothing.
	fetchWait = 500 * time.Millisecond
	// fetchPatience is how long it may take to answer beyond that.
	fetchPatience = 20 * time.Second
)

// record is one item of a topic.
type record struct {
	topic     string
	partition int
	offset    int64
	time      time.Time // when it was appended
	key       []byte
	value     []byte
}

// chunk is what one fetch brought from one partition.
type chunk struct {
	records []record // without those of aborted transactions
	unread  []Gap    // offsets of transactions' markers and of what was aborted
	next    int64    // offset to go on from
	end     int64    // where the partition ends for readers of committed records
}

// fetch reads on from an offset in each of a topic's partitions; where there is
// nothing the broker waits for a while. kafka-go's
// Reader is not used because it skips silently over what retention deleted,
// hands out records of aborted transactions, and waits for ever beyond the end
// of a log that was reset.
//
// A missing record is an error: errGone or errReset with the offsets.
func (c *Conn) fetch(ctx context.Context, topic string, from map[int]int64, wait time.Duration) (map[int]chunk, error) {
	client := c.client()
	leaders, err := c.leaders(ctx, topic)
	if err != nil {
		return nil, err
	}
	requests := map[int]*fetchapi.Request{}
	// In random order, which is wanted: where not all fits, a broker serves
	// those that come first.
	for partition, offset := range from {
		leader, ok := leaders[partition]
		if !ok {
			return nil, fmt.Errorf("kafka: fetch %s/%d: %w", topic, partition, kafka.LeaderNotAvailable)
		}
		request := requests[leader]
		if request == nil {
			request = &fetchapi.Request{
				ReplicaID: -1, MaxWaitTime: int32(wait.Milliseconds()), MinBytes: 1,
				MaxBytes:       int32(fetchBytes * len(from)),
				IsolationLevel: int8(kafka.ReadCommitted), SessionID: -1, SessionEpoch: -1,
				Topics: []fetchapi.RequestTopic{{Topic: topic}},
			}
			requests[leader] = request
		}
		request.Topics[0].Partitions = append(request.Topics[0].Partitions, fetchapi.RequestPartition{
			Partition: int32(partition), CurrentLeaderEpoch: -1, FetchOffset: offset, LogStartOffset: -1, PartitionMaxBytes: fetchBytes,
		})
	}

	var (
		group  sync.WaitGroup
		mu     sync.Mutex
		chunks = map[int]chunk{}
		failed []error
	)
	for _, request := range requests {
		group.Go(func() {
			// The client's own time limit is not for requests that it does not know.
			ctx, cancel := context.WithTimeout(ctx, wait+c.patience)
			defer cancel()
			response, err := client.Transport.RoundTrip(ctx, client.Addr, request)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed = append(failed, fmt.Errorf("kafka: fetch %s: %w", topic, err))
				return
			}
			for _, t := range response.(*fetchapi.Response).Topics {
				for _, p := range t.Partitions {
					partition := int(p.Partition)
					one, err := c.readPartition(ctx, topic, partition, from[partition], p)
					if err != nil {
						if !errors.Is(err, errGone) && !errors.Is(err, errReset) { // they say where
							err = fmt.Errorf("%s/%d@%d: %w", topic, partition, from[partition], err)
						}
						failed = append(failed, err)
						continue
					}
					chunks[partition] = one
				}
			}
		})
	}
	group.Wait()
	return chunks, first(failed)
}

// first is the first error there is. One is told of many that have one cause:
// a message is a line.
func first(errs []error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// leaders maps a topic's partitions to the ids of their brokers.
func (c *Conn) leaders(ctx context.Context, topic string) (map[int]int, error) {
	meta, err := c.client().Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
	if err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	leaders := map[int]int{}
	for _, p := range meta.Topics[0].Partitions {
		if p.Error == nil {
			leaders[p.ID] = p.Leader.ID
		}
	}
	return leaders, nil
}

// readPartition takes one partition's part of a response apart.
func (c *Conn) readPartition(ctx context.Context, topic string, partition int, from int64, p fetchapi.ResponsePartition) (chunk, error) {
	if p.ErrorCode == int16(kafka.OffsetOutOfRange) {
		return chunk{}, c.outOfRange(ctx, topic, partition, from)
	}
	if p.ErrorCode != 0 {
		return chunk{}, kafka.Error(p.ErrorCode)
	}
	one := chunk{next: from, end: p.LastStableOffset}
	stream, ok := p.RecordSet.Records.(*protocol.RecordStream)
	if !ok {
		return one, nil // nothing there
	}
	aborted := abortedBy(p.AbortedTransactions)
	var slab []byte
	for _, reader := range stream.Records {
		first := len(one.records)
		for {
			r, err := reader.ReadRecord()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return chunk{}, err
			}
			if r.Offset < from {
				discard(r) // a batch may begin before the offset that was asked for
				continue
			}
			if r.Offset != one.next {
				return chunk{}, &gapError{Gap{topic, partition, one.next, r.Offset - 1}, compactedHint}
			}
			one.next++
			rec := record{topic: topic, partition: partition, offset: r.Offset, time: r.Time.UTC()}
			if rec.key, slab, err = take(r.Key, slab); err == nil {
				rec.value, slab, err = take(r.Value, slab)
			}
			if err != nil {
				return chunk{}, err
			}
			one.records = append(one.records, rec)
		}
		if batch := one.records[first:]; aborted.drops(reader, batch) {
			if len(batch) > 0 {
				one.unread = join(one.unread, Gap{topic, partition, batch[0].offset, batch[len(batch)-1].offset})
			}
			one.records = one.records[:first]
		}
	}
	if len(stream.Records) > 0 && one.next == from {
		return chunk{}, fmt.Errorf("%s/%d@%d: %w: a batch holds none (is the topic compacted? weir needs cleanup.policy=delete)", topic, partition, from, errGone)
	}
	return one, nil
}

// slabBytes is how much is allocated at once for keys and values.
const slabBytes = 256 << 10

// take copies what kafka-go hands out from its own pages, which it reuses.
func take(b protocol.Bytes, slab []byte) (taken, rest []byte, err error) {
	if b == nil {
		return nil, slab, nil
	}
	defer b.Close()
	n := b.Len()
	if n > len(slab) {
		slab = make([]byte, max(n, slabBytes))
	}
	_, err = io.ReadFull(b, slab[:n])
	return slab[:n:n], slab[n:], err
}

func discard(r *protocol.Record) {
	if r.Key != nil {
		r.Key.Close()
	}
	if r.Value != nil {
		r.Value.Close()
	}
}

// abortedTransactions filters the records of transactions that were aborted.
// A broker sends them along with a list; the client has to leave them out.
type abortedTransactions struct {
	pending []fetchapi.ResponseTransaction // by first offset
	active  map[int64]bool                 // producer ids
}

func abortedBy(list []fetchapi.ResponseTransaction) *abortedTransactions {
	pending := slices.Clone(list)
	slices.SortFunc(pending, func(a, b fetchapi.ResponseTransaction) int { return int(a.FirstOffset - b.FirstOffset) })
	return &abortedTransactions{pending: pending, active: map[int64]bool{}}
}

// drops tells whether a batch's records are not for readers.
func (a *abortedTransactions) drops(reader protocol.RecordReader, records []record) bool {
	if len(records) == 0 {
		return true
	}
	last := records[len(records)-1].offset
	for len(a.pending) > 0 && a.pending[0].FirstOffset <= last {
		a.active[a.pending[0].ProducerID] = true
		a.pending = a.pending[1:]
	}
	switch batch := reader.(type) {
	case *protocol.ControlBatch:
		// A marker's key is its version and its type: 0 is an abort.
		if key := records[0].key; len(key) >= 4 && key[2] == 0 && key[3] == 0 {
			delete(a.active, batch.ProducerID)
		}
		return true
	case *protocol.RecordBatch:
		return batch.Attributes.Transactional() && a.active[batch.ProducerID]
	}
	return false
}

// compactedHint is why records are missing between others.
const compactedHint = "inside the log (is the topic compacted? weir needs cleanup.policy=delete)"

// outOfRange says why an offset is not in a partition.
func (c *Conn) outOfRange(ctx context.Context, topic string, partition int, offset int64) error {
	bounds, err := c.allBounds(ctx, topic, []int{partition})
	if err != nil {
		return err
	}
	if err := outside(topic, partition, offset, bounds[partition]); err != nil {
		return err
	}
	return errUnavailable // it moved meanwhile; ask again
}

// outside is the error of an offset that is not between a partition's first
// offset and the one after its last, which bounds holds.
func outside(topic string, partition int, offset int64, bounds [2]int64) error {
	switch {
	case offset < bounds[0]:
		return &gapError{Gap{topic, partition, offset, bounds[0] - 1}, "deleted by the topic's retention"}
	case offset > bounds[1]:
		return fmt.Errorf("%s/%d@%d: %w: it ends at %d, before the lake's offset", topic, partition, offset, errReset, bounds[1])
	}
	return nil
}

// allBounds asks for the first offset of each partition and the one after its
// last committed record.
func (c *Conn) allBounds(ctx context.Context, topic string, partitions []int) (map[int][2]int64, error) {
	var ask []kafka.OffsetRequest
	for _, p := range partitions {
		ask = append(ask, kafka.FirstOffsetOf(p), kafka.LastOffsetOf(p))
	}
	response, err := c.client().ListOffsets(ctx, &kafka.ListOffsetsRequest{
		Topics: map[string][]kafka.OffsetRequest{topic: ask}, IsolationLevel: kafka.ReadCommitted,
	})
	if err != nil {
		return nil, fmt.Errorf("kafka: offsets of %s: %w", topic, err)
	}
	bounds := map[int][2]int64{}
	for _, p := range response.Topics[topic] {
		if errors.Is(p.Error, kafka.Unknown) {
			p.Error = errUnavailable // kafka-go's word for a broken connection here
		}
		if p.Error != nil {
			return nil, fmt.Errorf("kafka: offsets of %s/%d: %w", topic, p.Partition, p.Error)
		}
		bounds[p.Partition] = [2]int64{p.FirstOffset, p.LastOffset}
	}
	for _, p := range partitions {
		if _, ok := bounds[p]; !ok {
			return nil, fmt.Errorf("kafka: offsets of %s/%d: %w", topic, p, errUnavailable)
		}
	}
	return bounds, nil
}
