package ingest

import (
	"context"
	"fmt"
	"time"

	"github.com/weir-lake/weir/lake"
)

// partition is one partition of a topic and what was read of it since the last
// commit.
type partition struct {
	topic    *topicSink
	id       int
	counters map[string]int64   // by table: the lake's offset, -1 where it has none
	next     int64              // offset after the last record that was taken
	ahead    int64              // offset after the last record that was fetched
	fetched  chunk              // what lies between them
	lost     []Gap              // accepted gaps that the batch goes past
	unread   []Gap              // what of it is not for readers
	behind   time.Time          // since when nothing has come though there is more; zero: it comes
	buffers  map[string]*buffer // rows that wait, by table
	full     bool               // more rows wait than should
	report   SinkReport         // of those rows
}

// take turns the fetched records into rows.
func (p *partition) take(ctx context.Context) error {
	for _, r := range p.fetched.records {
		if err := p.add(ctx, r); err != nil {
			return fmt.Errorf("sink: %s/%d@%d: %w", r.topic, r.partition, r.offset, err)
		}
	}
	for _, g := range p.fetched.unread {
		p.unread = join(p.unread, g)
	}
	p.report.Records += p.ahead - p.next
	p.next, p.fetched = p.ahead, chunk{}
	return nil
}

// largeRecord is the size from which records are decoded one at a time.
const largeRecord = 1 << 20

func (p *partition) add(ctx context.Context, r record) error {
	t := p.topic
	if len(r.value) >= largeRecord {
		// Decoding takes a multiple of the value; one at a time bounds it.
		t.large.Lock()
		defer t.large.Unlock()
	}
	event, err := lake.DecodeEvent(r.value)
	var payload *lake.Payload
	if err == nil {
		if payload, _ = lake.PayloadOf(event.Type); payload.Topic() != t.topic {
			err = fmt.Errorf("%s: %w", event.Type, errWrongTopic)
		}
	}
	if err != nil {
		event = unreadable(t.conn.clusterID, r, err, t.opts.Redact)
		payload, _ = lake.PayloadOf(deadLetterType)
	} else if t.opts.Redact != nil {
		t.opts.Redact(&event)
	}
	p.report.Bytes += int64(len(r.value))
	return p.put(ctx, payload, event, r)
}

// put adds a row for what a record became, unless the table has it.
func (p *partition) put(ctx context.Context, payload *lake.Payload, event lake.Event, r record) error {
	if r.offset < p.counters[payload.Table] {
		return nil // committed there before a crash
	}
	p.report.Rows[payload.Table]++
	if payload.Type == deadLetterType {
		p.report.DeadLetters[event.Data.(*lake.DeadLetter).Reason]++
	}
	b := p.buffers[payload.Table]
	if b == nil {
		b = &buffer{sink: p.topic.sink, payload: payload}
		p.buffers[payload.Table] = b
	}
	full, err := b.add(ctx, row{event, lake.RecordPosition{
		Cluster: p.topic.conn.clusterID, Topic: r.topic, Partition: r.partition, Offset: r.offset, AppendedAt: r.time,
	}}, len(r.value))
	p.full = p.full || full
	return err
}

// moved tells whether the batch has anything of this partition, be it that it
// is lost.
func (p *partition) moved() bool { return p.report.Records > 0 || len(p.lost) > 0 }

// drop forgets the rows that wait.
func (p *partition) drop() {
	for _, b := range p.buffers {
		b.drop()
	}
	p.begin()
}

// begin starts a new batch.
func (p *partition) begin() {
	p.lost, p.unread = nil, nil
	p.buffers, p.full, p.report = map[string]*buffer{}, false, newSinkReport()
}
