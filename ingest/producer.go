package ingest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/weir-lake/weir/ingest/broker"
	"github.com/weir-lake/weir/lake"
)

const (
	// batchBytes is the size, before compression, at which a batch is sent.
	// The embedded broker syncs every batch, so small ones are dear; what a
	// reader holds grows with them.
	batchBytes   = 1 << 20
	batchRecords = 10_000
	// queueBytes bounds what is appended and not yet acknowledged.
	queueBytes = 48 << 20
	// recordOverhead is what a queued record costs beside its value.
	recordOverhead = 128
	// sendAttempts with doubling pauses from sendPause outlast the election of
	// a leader, some 30 s.
	sendAttempts = 9
	sendPause    = 100 * time.Millisecond
)

// Producer sends events to the topics of their families. It implements
// lake.Appender and is safe for concurrent use.
//
// Every batch is acknowledged by all replicas. A batch whose acknowledgement
// was lost is sent again, so a record may be in its topic twice; its event id
// is the same, and the lake's staging tables keep one. An error is final: the
// producer takes nothing more, and Flush returns it.
//
// The partition is chosen by the subject as Java clients do it, so that
// producers that are not weir's put a subject where weir puts it.
type Producer struct {
	conn       *Conn
	partitions map[string][]int // by topic

	mu      sync.Mutex
	changed *sync.Cond // queued sank, or err was set
	queues  map[topicPartition]*queue
	queued  int // bytes that are appended and not acknowledged
	sealed  int // of these, bytes in batches that are closed
	err     error
	stats   ProducerStats
}

// ProducerStats counts what a Producer took.
type ProducerStats struct {
	Events   int64 // appended, dead letters included
	Bytes    int64 // of their JSON
	TooLarge int64 // events that became dead letters for their size
}

type topicPartition struct {
	topic     string
	partition int
}

// queue holds one partition's batches. One goroutine sends them in order while
// there are any.
type queue struct {
	open    batch
	sealed  []batch
	sending bool
	next    int64 // offset after the last acknowledged record
}

type batch struct {
	values [][2][]byte // key and value; a kafka.Record can be read once only
	bytes  int
}

// NewProducer is a producer on a connection.
func NewProducer(ctx context.Context, conn *Conn) (*Producer, error) {
	topics := lake.Topics()
	counts, err := conn.partitionCounts(ctx, topics)
	if err != nil {
		return nil, err
	}
	p := &Producer{conn: conn, partitions: map[string][]int{}, queues: map[topicPartition]*queue{}}
	p.changed = sync.NewCond(&p.mu)
	for _, topic := range topics {
		if counts[topic] == 0 {
			return nil, fmt.Errorf("kafka: topic %s does not exist", topic)
		}
		for i := range counts[topic] {
			p.partitions[topic] = append(p.partitions[topic], i)
		}
	}
	return p, nil
}

// Append queues events and sends the batches that are full. It blocks while
// 48 MiB wait for their acknowledgement. An event that lacks an attribute or
// has an unknown type is an error; one that is larger than lake.MaxEventBytes
// becomes a dead letter with its first 256 KiB.
func (p *Producer) Append(ctx context.Context, events ...lake.Event) error {
	for _, e := range events {
		value, err := e.Encode()
		if err != nil {
			return fmt.Errorf("kafka: append: %w", err)
		}
		var large int64
		if len(value) > lake.MaxEventBytes {
			large, e = 1, tooLarge(e, value)
			if value, err = e.Encode(); err != nil {
				return fmt.Errorf("kafka: append: %w", err)
			}
		}
		if err := p.append(ctx, e, value, large); err != nil {
			return err
		}
	}
	return nil
}

func (p *Producer) append(ctx context.Context, e lake.Event, value []byte, large int64) error {
	payload, _ := lake.PayloadOf(e.Type) // Encode checked it
	topic, key := payload.Topic(), []byte(e.Subject)
	at := topicPartition{topic, kafka.Murmur2Balancer{Consistent: true}.Balance(kafka.Message{Key: key}, p.partitions[topic]...)}
	size := len(value) + len(key) + recordOverhead

	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.room(ctx, size); err != nil {
		return err
	}
	q := p.queues[at]
	if q == nil {
		q = &queue{}
		p.queues[at] = q
	}
	// A batch is closed before it grows too large, so that only an event that
	// is larger than a batch by itself makes one.
	if q.open.bytes+size > batchBytes || len(q.open.values) == batchRecords {
		p.seal(at, q)
	}
	q.open.values = append(q.open.values, [2][]byte{key, value})
	q.open.bytes += size
	p.queued += size
	p.stats.Events++
	p.stats.Bytes += int64(len(value))
	p.stats.TooLarge += large
	return nil
}

// room waits until size bytes may be queued. A single event may exceed the
// bound when nothing else is queued. It is called with mu held.
func (p *Producer) room(ctx context.Context, size int) error {
	fits := func() bool { return p.queued == 0 || p.queued+size <= queueBytes }
	for !fits() {
		// Open batches are closed only where nothing else is under way that
		// will make room: a queue that is full for long would be sent event by
		// event.
		if p.sealed == 0 {
			p.sealAll()
		}
		if err := p.wait(ctx, func() bool { return fits() || p.sealed == 0 }); err != nil {
			return err
		}
	}
	return p.err
}

// wait sleeps until done, an error of the producer, or the end of ctx. It is
// called with mu held.
func (p *Producer) wait(ctx context.Context, done func() bool) error {
	stop := context.AfterFunc(ctx, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.changed.Broadcast()
	})
	defer stop()
	for p.err == nil && !done() {
		if err := ctx.Err(); err != nil {
			return err
		}
		p.changed.Wait()
	}
	return p.err
}

// Flush sends what is queued and waits until all of it is acknowledged. It
// returns the next offset of every partition that the producer ever wrote to,
// by topic and partition.
func (p *Producer) Flush(ctx context.Context) ([]lake.Position, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sealAll()
	if err := p.wait(ctx, func() bool { return p.queued == 0 }); err != nil {
		return nil, err
	}
	var positions []lake.Position
	for at, q := range p.queues {
		positions = append(positions, lake.Position{
			Cluster: p.conn.clusterID, Topic: at.topic, Partition: at.partition, Offset: q.next,
		})
	}
	slices.SortFunc(positions, func(a, b lake.Position) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return positions, nil
}

// Stats counts what was appended so far.
func (p *Producer) Stats() ProducerStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stats
}

// sealAll closes every open batch. It is called with mu held.
func (p *Producer) sealAll() {
	for at, q := range p.queues {
		p.seal(at, q)
	}
}

// seal closes the open batch and sees that it is sent. It is called with mu
// held.
func (p *Producer) seal(at topicPartition, q *queue) {
	if len(q.open.values) == 0 {
		return
	}
	q.sealed = append(q.sealed, q.open)
	p.sealed += q.open.bytes
	q.open = batch{}
	if !q.sending {
		q.sending = true
		go p.send(at, q)
	}
}

// send sends a partition's batches until there are none.
func (p *Producer) send(at topicPartition, q *queue) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(q.sealed) > 0 && p.err == nil {
		next := q.sealed[0]
		q.sealed[0] = batch{}
		q.sealed = q.sealed[1:]
		p.mu.Unlock()
		base, err := p.produce(at, next)
		p.mu.Lock()
		if err != nil && p.err == nil {
			p.err = err
		}
		if err == nil {
			q.next = base + int64(len(next.values))
		}
		p.queued -= next.bytes
		p.sealed -= next.bytes
		p.changed.Broadcast()
	}
	q.sending = false
}

// produce sends one batch, again if need be, and returns its first offset.
func (p *Producer) produce(at topicPartition, b batch) (int64, error) {
	// Append time, not event time: a log of last year would be past a
	// retention at once.
	now := p.conn.clock()
	pause := sendPause
	for attempt := 1; ; attempt++ {
		records := make([]kafka.Record, len(b.values))
		for i, v := range b.values {
			records[i] = kafka.Record{Time: now, Key: kafka.NewBytes(v[0]), Value: kafka.NewBytes(v[1])}
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		resp, err := p.conn.client().Produce(ctx, &kafka.ProduceRequest{
			Topic: at.topic, Partition: at.partition, RequiredAcks: kafka.RequireAll,
			Records: kafka.NewRecordReader(records...), Compression: kafka.Zstd,
		})
		cancel()
		if err == nil {
			err = resp.Error
		}
		if err == nil {
			return resp.BaseOffset, nil
		}
		if attempt == sendAttempts || !retriable(err) {
			err = fmt.Errorf("kafka: produce %s/%d: %w", at.topic, at.partition, err)
			if errors.Is(err, kafka.MessageSizeTooLarge) {
				err = lake.WithHint(err, fmt.Sprintf("set max.message.bytes of %s to at least %d", at.topic, broker.MaxBatchBytes))
			}
			return 0, err
		}
		time.Sleep(pause)
		pause *= 2
	}
}

// errUnavailable: the cluster gave no answer that says anything.
var errUnavailable = errors.New("no answer from the broker")

// retriable tells whether an error may pass: the cluster says so, or the
// connection failed.
func retriable(err error) bool {
	var code kafka.Error
	if errors.As(err, &code) {
		return code.Temporary()
	}
	// Not net.Error: the errors of files are that too.
	var network *net.OpError
	return errors.As(err, &network) || errors.Is(err, errUnavailable) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, context.DeadlineExceeded)
}
