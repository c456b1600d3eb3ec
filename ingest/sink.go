package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weir-lake/weir/lake"
)

// Defaults of SinkOptions.
const (
	DefaultMaxRows    = 1_000_000
	DefaultMaxBytes   = 256 << 20
	DefaultFlushEvery = 10 * time.Second
)

// StopWithin is how long a sink that is told to stop writes on to commit what
// it has read. What is not committed by then is read again the next time.
const StopWithin = 30 * time.Second

// errStopTimeout: the last batch took longer than StopWithin.
var errStopTimeout = fmt.Errorf("the last batch was not written within %v and was given up; it will be read again", StopWithin)

// SinkOptions say when the sink commits and what it does to events. The zero
// value runs until its context ends.
type SinkOptions struct {
	// Once drains the topics to the ends that they had at the start, then
	// returns.
	Once bool
	// A topic is committed when this many records or bytes of them wait, and
	// without Once this long after its last commit. MaxBytes holds for all
	// topics together. Zero values are the defaults.
	MaxRows    int
	MaxBytes   int64
	FlushEvery time.Duration
	// Group is the consumer group that shares the topics' partitions out among
	// sinks. Empty: this sink reads all partitions of all topics, as it always
	// does with Once and on an embedded broker in this process, which nobody
	// else can reach.
	Group string
	// AcceptGaps are losses that the sink may go past. Others stop it. Each is
	// recorded with the commit that goes past it, and as a dead letter.
	AcceptGaps []Gap
	// Redact removes secrets from an event, dead letters included. It is
	// called from several goroutines. Nil: nothing is removed.
	Redact func(*lake.Event)
	// Logger is told of retries, lost races and commits. Nil: nobody is.
	Logger *slog.Logger
	// Progress is told how many records were read and, with Once, of how many.
	// Calls do not overlap.
	Progress func(read, total int64)
	// Fault is called at the named steps of a commit, for tests that end the
	// process there: sink.after-parquet (the batch's files are durable),
	// sink.before-commit (of each table), sink.after-secondary (each table but
	// the last), sink.after-commit (before the group's offsets).
	Fault func(step string)
	// Observer is told what happens, for metrics. Nil: nobody is.
	Observer Observer

	sessionTimeout time.Duration // of a member of the group; tests shorten it
	growInterval   time.Duration // see generation.keep
	stallAfter     time.Duration // see watch
}

// SinkReport counts what a sink committed.
type SinkReport struct {
	Records     int64            // read from topics
	Bytes       int64            // of their values
	Commits     int64            // to tables
	Files       int64            // added by them
	Rows        map[string]int64 // by table
	DeadLetters map[string]int64 // by reason
	LostRaces   int64            // batches dropped because another sink had committed them
	Lost        int64            // records of accepted gaps
}

func (r *SinkReport) add(other SinkReport) {
	r.Records += other.Records
	r.Bytes += other.Bytes
	r.Commits += other.Commits
	r.Files += other.Files
	r.LostRaces += other.LostRaces
	r.Lost += other.Lost
	for table, n := range other.Rows {
		r.Rows[table] += n
	}
	for reason, n := range other.DeadLetters {
		r.DeadLetters[reason] += n
	}
}

func newSinkReport() SinkReport {
	return SinkReport{Rows: map[string]int64{}, DeadLetters: map[string]int64{}}
}

// Sink reads the topics of all families into the lake, each record exactly
// once (see the package comment). It returns when the topics are drained with
// opts.Once, else when ctx ends: then it commits what it has read and returns
// no error. The report counts what is committed, also beside an error.
//
// Errors of the connection are retried: for half a minute with opts.Once, else
// for ever. Missing records and errors of the lake end the sink.
func Sink(ctx context.Context, lk *lake.Lake, conn *Conn, opts SinkOptions) (SinkReport, error) {
	if opts.MaxRows <= 0 {
		opts.MaxRows = DefaultMaxRows
	}
	if opts.MaxBytes <= 0 {
		opts.MaxBytes = DefaultMaxBytes
	}
	if opts.FlushEvery <= 0 {
		opts.FlushEvery = DefaultFlushEvery
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Fault == nil {
		opts.Fault = func(string) {}
	}
	if opts.Observer == nil {
		opts.Observer = nobody{}
	}
	if opts.sessionTimeout == 0 {
		opts.sessionTimeout = sessionTimeout
	}
	if opts.growInterval == 0 {
		opts.growInterval = growInterval
	}
	if opts.stallAfter == 0 {
		opts.stallAfter = stallAfter
	}
	s := &sink{lk: lk, conn: conn, opts: opts, report: newSinkReport(), ownFiles: make(chan struct{}, ownFiles)}
	err := s.run(ctx)
	return s.report, err
}

// sink is one run: what its topics share.
type sink struct {
	lk      *lake.Lake
	conn    *Conn
	opts    SinkOptions
	waiting atomic.Int64 // bytes of records that are read and not committed

	ownFiles chan struct{} // holds an item for each open file of a single partition
	large    sync.Mutex    // held while a large record is decoded

	mu     sync.Mutex // guards what follows, and calls of Progress
	report SinkReport
	read   int64
	total  int64
}

func (s *sink) run(ctx context.Context) error {
	if !s.opts.Once && s.opts.Group != "" && s.conn.own == nil {
		return s.runGroup(ctx)
	}
	var topics []*topicSink
	for _, name := range lake.Topics() {
		t, err := s.newTopic(name)
		if err != nil {
			return err
		}
		topics = append(topics, t)
	}
	if s.opts.Once {
		return s.drain(ctx, topics)
	}
	return s.runTopics(ctx, topics)
}

// runTopics reads topics side by side until ctx ends. The first error stops the
// others, which commit what they have.
func (s *sink) runTopics(ctx context.Context, topics []*topicSink) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var group sync.WaitGroup
	failed := make(chan error, len(topics))
	for _, t := range topics {
		group.Go(func() {
			if err := t.run(ctx); err != nil {
				failed <- err
				stop()
			}
		})
	}
	group.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// drain takes the topics one after the other, which bounds the data files that
// are open at once; a topic's partitions keep all cores busy.
func (s *sink) drain(ctx context.Context, topics []*topicSink) error {
	// All ends are taken before anything is read, so that "what was there at
	// the start" is one moment.
	for _, t := range topics {
		if err := t.seek(ctx); err != nil {
			return err
		}
		if err := t.markEnds(ctx); err != nil {
			return err
		}
	}
	for _, t := range topics {
		if err := t.run(ctx); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// progress counts records that were read.
func (s *sink) progress(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read += n
	if s.opts.Progress == nil {
		return
	}
	if s.opts.Once {
		// What came after the start may have been read along.
		s.opts.Progress(min(s.read, s.total), s.total)
		return
	}
	s.opts.Progress(s.read, 0)
}

func (s *sink) committed(one SinkReport) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.report.add(one)
}

// Landed tells which of the positions are not in the lake yet: each names the
// next offset of a partition, as lake.Appender's Flush returns them.
func Landed(ctx context.Context, lk *lake.Lake, positions []lake.Position) (missing []lake.Position, err error) {
	offsets := map[string]map[string]int64{} // by topic, then by txn id
	for _, p := range positions {
		txns, ok := offsets[p.Topic]
		if !ok {
			primary, err := primaryOf(p.Topic)
			if err != nil {
				return nil, err
			}
			if txns, err = tableOffsets(ctx, lk, primary.Table); err != nil {
				return nil, err
			}
			offsets[p.Topic] = txns
		}
		if offset, ok := txns[lake.TxnAppID(p.Cluster, p.Topic, p.Partition)]; !ok || offset < p.Offset {
			missing = append(missing, p)
		}
	}
	return missing, nil
}

// primaryOf is the payload whose table's offsets are the topic's.
func primaryOf(topic string) (*lake.Payload, error) {
	for _, payload := range lake.Payloads() {
		if payload.Topic() == topic {
			return payload, nil
		}
	}
	return nil, fmt.Errorf("sink: %s is no topic of weir's", topic)
}

// tableOffsets reads a table's counters; a table that does not exist has none.
func tableOffsets(ctx context.Context, lk *lake.Lake, table string) (map[string]int64, error) {
	t, err := lk.Table(table)
	if err != nil {
		return nil, err
	}
	snapshot, err := t.Snapshot(ctx)
	if errors.Is(err, lake.ErrNoTable) {
		return map[string]int64{}, nil
	}
	if err != nil {
		return nil, err
	}
	return maps.Clone(snapshot.Txns), nil
}
