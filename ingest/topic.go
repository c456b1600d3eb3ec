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
	ids     []int           // of the partitions that the group has assigned; nil: all
	parts   []*partition    // by id
	ends    map[int]int64   // with Once: where to stop
	flushed time.Time       // last commit
	records int64           // read since then
	bytes   int64           // of their values

	generation *generation // of the group; nil: without one
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
	ids := t.ids
	if ids == nil {
		counts, err := t.conn.partitionCounts(ctx, []string{t.topic})
		if err != nil {
			return err
		}
		for id := range counts[t.topic] {
			ids = append(ids, id)
		}
	}
	t.parts = nil
	var fresh []int
	for _, id := range ids {
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
		for _, p := range t.parts {
			if p.next < 0 {
				p.next = bounds[p.id][0]
			}
		}
	}
	at := map[int]int64{}
	for _, p := range t.parts {
		p.ahead = p.next
		at[p.id] = p.next
	}
	t.opts.Observer.Assigned(t.topic, at)
	return nil
}

// markEnds remembers where the partitions end now.
func (t *topicSink) markEnds(ctx context.Context) error {
	if len(t.parts) == 0 {
		return nil
	}
	ids := make([]int, len(t.parts))
	for i, p := range t.parts {
		ids[i] = p.id
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
		if err := outside(t.topic, p.id, p.next, bounds[p.id]); err != nil {
			if _, ok := t.accepted(err); !ok {
				return t.explain(err)
			}
		}
		t.ends[p.id] = bounds[p.id][1]
		t.total += t.ends[p.id] - p.next
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
			t.opts.Observer.Stale(t.topic)
			t.committed(SinkReport{LostRaces: 1})
		default:
			return unlessStopped(ctx, err)
		}
		if err := t.seek(ctx); err != nil {
			return unlessStopped(ctx, err)
		}
	}
}

// unlessStopped is err, unless it only says that the sink was told to stop, or
// that the partitions are another's now.
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
	// What is being written is not left half done, but not waited for without
	// end either: a batch that is not committed is read again.
	work, giveUp := context.WithCancelCause(context.WithoutCancel(ctx))
	defer giveUp(nil)
	defer context.AfterFunc(ctx, func() {
		time.AfterFunc(StopWithin, func() { giveUp(errStopTimeout) })
	})()
	for failures := 0; ; {
		if coming == nil {
			coming = t.fetchAhead(ahead)
		}
		got := <-coming
		coming = nil
		if errors.Is(context.Cause(ctx), errRevoked) {
			return nil
		}
		if ctx.Err() != nil {
			// Told to stop: what was read is committed all the same.
			return t.flush(work)
		}
		t.opts.Observer.Fetched(t.topic, got.err)
		if got.err != nil {
			if gap, ok := t.accepted(got.err); ok {
				if err := t.skip(work, gap); err != nil {
					return err
				}
				continue
			}
			failures++
			if err := t.pause(ctx, failures, got.err); err != nil && ctx.Err() == nil {
				return err
			}
			continue
		}
		failures = 0
		t.watch(got.chunks)
		for _, p := range t.parts {
			if one, ok := got.chunks[p.id]; ok {
				p.fetched, p.ahead = one, one.next
				t.opts.Observer.Read(t.topic, p.id, one.next, one.end)
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
	if errors.Is(cause, context.DeadlineExceeded) {
		t.conn.renew() // a connection on which nothing comes is not tried again
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
	if t.opts.Once || t.ids != nil {
		return nil // their records came after the start; or the group looks after them
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
