package ingest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/weir-lake/weir/lake"
)

// topicSink reads one topic. Its partitions are read, decoded and written in
// parallel, and committed together.
type topicSink struct {
	*sink
	topic   string
	tables  []*lake.Payload // that the topic feeds; the primary one last
	parts   []*partition    // by id
	ends    map[int]int64   // with Once: where to stop
	flushed time.Time       // last commit
	records int64           // read since then
	bytes   int64           // of their values
}

// primary is the payload whose table is committed last.
func (t *topicSink) primary() *lake.Payload { return t.tables[len(t.tables)-1] }

func (s *sink) newTopic(topic string) (*topicSink, error) {
	primary, err := primaryOf(topic)
	if err != nil {
		return nil, err
	}
	t := &topicSink{sink: s, topic: topic}
	for _, payload := range lake.Payloads() {
		if payload == primary {
			continue
		}
		if payload.Topic() == topic || payload.Type == deadLetterType {
			t.tables = append(t.tables, payload)
		}
	}
	t.tables = append(t.tables, primary)
	return t, nil
}

// seek drops what was read and not committed, and goes to the lake's offsets.
func (t *topicSink) seek(ctx context.Context) error {
	t.drop()
	offsets := map[string]map[string]int64{}
	for _, payload := range t.tables {
		var err error
		if offsets[payload.Table], err = tableOffsets(ctx, t.lk, payload.Table); err != nil {
			return fmt.Errorf("sink: %w", err)
		}
	}
	t.flushed = time.Now()
	return t.patiently(ctx, func() error { return t.place(ctx, offsets) })
}

// place puts the partitions at their offsets of the lake, by table and counter.
func (t *topicSink) place(ctx context.Context, offsets map[string]map[string]int64) error {
	counts, err := t.conn.partitionCounts(ctx, []string{t.topic})
	if err != nil {
		return err
	}
	t.parts = nil
	var fresh []int
	for id := range counts[t.topic] {
		p := &partition{topic: t, id: id, counters: map[string]int64{}}
		p.begin()
		app := lake.TxnAppID(t.conn.clusterID, t.topic, id)
		for table, txns := range offsets {
			p.counters[table] = -1
			if next, ok := txns[app]; ok {
				p.counters[table] = next
			}
		}
		if p.next = p.counters[t.primary().Table]; p.next < 0 {
			fresh = append(fresh, id)
		}
		t.parts = append(t.parts, p)
	}
	// A partition that the lake has not seen is read from where its log starts;
	// nothing was promised of what is gone.
	if len(fresh) > 0 {
		bounds, err := t.conn.allBounds(ctx, t.topic, fresh)
		if err != nil {
			return err
		}
		for _, id := range fresh {
			t.parts[id].next = bounds[id][0]
		}
	}
	for _, p := range t.parts {
		p.ahead = p.next
	}
	return nil
}

// markEnds remembers where the partitions end now.
func (t *topicSink) markEnds(ctx context.Context) error {
	if len(t.parts) == 0 {
		return nil
	}
	ids := make([]int, len(t.parts))
	for i := range ids {
		ids[i] = i
	}
	var bounds map[int][2]int64
	err := t.patiently(ctx, func() (err error) {
		bounds, err = t.conn.allBounds(ctx, t.topic, ids)
		return err
	})
	if err != nil {
		return err
	}
	t.ends = map[int]int64{}
	for _, p := range t.parts {
		first, last := bounds[p.id][0], bounds[p.id][1]
		if err := outside(p.next, first, last); err != nil {
			return t.explain(fmt.Errorf("%s/%d@%d: %w", t.topic, p.id, p.next, err))
		}
		t.ends[p.id] = last
		t.total += last - p.next
	}
	return nil
}

// patiently tries f again while the connection fails.
func (t *topicSink) patiently(ctx context.Context, f func() error) error {
	for failures := 1; ; failures++ {
		err := f()
		if err == nil {
			return nil
		}
		if err := t.pause(ctx, failures, err); err != nil {
			return err
		}
	}
}

// explain adds what an operator can do about records that are not there.
func (t *topicSink) explain(err error) error {
	switch {
	case errors.Is(err, errReset):
		err = lake.WithHint(err, "if the topic was created anew on purpose, start a new lake from it; otherwise restore the topic")
	case errors.Is(err, errGone):
		err = lake.WithHint(err, "restore the records, and set retention.ms=-1 on the topic; the lake was left as it is")
	}
	return fmt.Errorf("sink: %w", err)
}

// errGrown: the topic has got more partitions.
var errGrown = errors.New("the topic has more partitions")

// run reads until the ends (Once) or until ctx ends, and commits.
func (t *topicSink) run(ctx context.Context) error {
	defer t.drop()
	if !t.opts.Once {
		if err := t.seek(ctx); err != nil {
			return unlessStopped(ctx, err)
		}
	}
	for {
		err := t.read(ctx)
		switch {
		case errors.Is(err, errGrown):
			t.opts.Logger.Info("the topic has more partitions; reading them too", "topic", t.topic)
		case errors.Is(err, lake.ErrStale):
			t.opts.Logger.Warn("another sink has committed these records; reading on from its offsets", "topic", t.topic)
			t.committed(SinkReport{LostRaces: 1})
		default:
			return unlessStopped(ctx, err)
		}
		if err := t.seek(ctx); err != nil {
			return unlessStopped(ctx, err)
		}
	}
}

// unlessStopped is err, unless it only says that the sink was told to stop.
func unlessStopped(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	return err
}

// read is the loop: while what one fetch brought is decoded and written, the
// next is on its way.
func (t *topicSink) read(ctx context.Context) error {
	ahead, cancel := context.WithCancel(ctx)
	var coming chan fetched
	defer func() {
		cancel()
		if coming != nil {
			<-coming
		}
	}()
	// What is being written is not left half done.
	work := context.WithoutCancel(ctx)
	for failures := 0; ; {
		if coming == nil {
			coming = t.fetchAhead(ahead)
		}
		got := <-coming
		coming = nil
		if ctx.Err() != nil {
			// Told to stop: what was read is committed all the same.
			return t.flush(work)
		}
		if got.err != nil {
			failures++
			if err := t.pause(ctx, failures, got.err); err != nil && ctx.Err() == nil {
				return err
			}
			continue
		}
		failures = 0
		for _, p := range t.parts {
			if one, ok := got.chunks[p.id]; ok {
				p.fetched, p.ahead = one, one.next
			}
		}
		if len(t.wanted()) > 0 {
			coming = t.fetchAhead(ahead)
		}
		if err := t.take(work); err != nil {
			return err
		}
		done := len(t.wanted()) == 0
		if done || t.due() {
			if err := t.flush(work); err != nil {
				return err
			}
			if err := t.grown(ctx); err != nil {
				return err
			}
		}
		if done {
			return nil
		}
	}
}

// wanted are the offsets to fetch from: of all partitions, with Once of those
// that are not at their end.
func (t *topicSink) wanted() map[int]int64 {
	from := map[int]int64{}
	for _, p := range t.parts {
		if !t.opts.Once || p.ahead < t.ends[p.id] {
			from[p.id] = p.ahead
		}
	}
	return from
}

type fetched struct {
	chunks map[int]chunk
	err    error
}

func (t *topicSink) fetchAhead(ctx context.Context) chan fetched {
	from := t.wanted()
	coming := make(chan fetched, 1)
	if len(from) == 0 {
		coming <- fetched{}
		return coming
	}
	wait := fetchWait
	if t.opts.Once {
		wait = 0 // the records are there
	}
	go func() {
		chunks, err := t.conn.fetch(ctx, t.topic, from, wait)
		coming <- fetched{chunks, err}
	}()
	return coming
}

const (
	// onceFailures with doubling pauses from firstPause are half a minute.
	onceFailures = 8
	firstPause   = 250 * time.Millisecond
	longestPause = 10 * time.Second
)

// pause waits after a failure, or says that there is no point.
func (t *topicSink) pause(ctx context.Context, failures int, cause error) error {
	if errors.Is(cause, errGone) || errors.Is(cause, errReset) {
		return t.explain(cause)
	}
	if !retriable(cause) || t.opts.Once && failures >= onceFailures {
		return fmt.Errorf("sink: %w", cause)
	}
	pause := min(firstPause<<min(failures-1, 16), longestPause)
	t.opts.Logger.Warn("kafka does not answer; trying again", "topic", t.topic, "in", pause, "error", cause)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(pause):
		return nil
	}
}

// take decodes what was fetched, the partitions in parallel.
func (t *topicSink) take(ctx context.Context) error {
	var group sync.WaitGroup
	errs := make([]error, len(t.parts))
	var records, bytes int64
	for i, p := range t.parts {
		if p.ahead == p.next {
			continue
		}
		records += p.ahead - p.next
		for _, r := range p.fetched.records {
			bytes += int64(len(r.value))
		}
		group.Go(func() { errs[i] = p.take(ctx) })
	}
	group.Wait()
	t.records += records
	t.bytes += bytes
	t.waiting.Add(bytes)
	t.progress(records)
	return first(errs)
}

// due tells whether it is time to commit.
func (t *topicSink) due() bool {
	if t.records == 0 {
		return false
	}
	if slices.ContainsFunc(t.parts, func(p *partition) bool { return p.full }) {
		return true
	}
	return t.records >= int64(t.opts.MaxRows) || t.bytes >= t.opts.MaxBytes ||
		!t.opts.Once && time.Since(t.flushed) >= t.opts.FlushEvery ||
		// Together they are too much: some topic has at least its share.
		t.waiting.Load() >= t.opts.MaxBytes && t.bytes*int64(len(lake.Topics())) >= t.opts.MaxBytes
}

// grown is errGrown if there are partitions that are not read yet.
func (t *topicSink) grown(ctx context.Context) error {
	if t.opts.Once {
		return nil // their records came after the start
	}
	counts, err := t.conn.partitionCounts(ctx, []string{t.topic})
	if err == nil && counts[t.topic] > len(t.parts) {
		return errGrown
	}
	return nil // an error of the connection comes up in the next fetch
}

// drop forgets what was read and not committed.
func (t *topicSink) drop() {
	for _, p := range t.parts {
		p.drop()
	}
	t.waiting.Add(-t.bytes)
	t.records, t.bytes = 0, 0
}
