package ingest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/weir-lake/weir/lake"
)

const (
	// sessionTimeout is how long a member may be silent before the group gives
	// its partitions away: two missed heartbeats of a busy machine, not three.
	sessionTimeout    = 10 * time.Second
	heartbeatInterval = 2 * time.Second
	// rebalanceTimeout is how long the group waits for members to join anew.
	// They do so at once, also while they write: see generation.
	rebalanceTimeout = 30 * time.Second
	rejoinPause      = time.Second
	// keepInterval is how often group offsets are told to the cluster, and
	// growInterval how often topics are looked at for more partitions.
	keepInterval = time.Second
	growInterval = 10 * time.Second
	// leaveWithin bounds the goodbye to a cluster that may be away.
	leaveWithin = 5 * time.Second
)

// errRevoked ends the reading of a generation: its partitions may be another
// member's now, who begins at the lake's offsets. What was read and is not
// being committed is dropped.
var errRevoked = errors.New("the group gives out its partitions anew")

// runGroup reads what a consumer group assigns, one generation after the other.
// Membership only spreads the work; what is committed is decided by the lake's
// counters, so a member that was given up and still writes does no harm.
func (s *sink) runGroup(ctx context.Context) error {
	group, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID:                s.opts.Group,
		Brokers:           s.conn.brokers,
		Dialer:            &kafka.Dialer{ClientID: "weir", Timeout: leaveWithin, DualStack: true, TLS: s.conn.secured.tls, SASLMechanism: s.conn.secured.sasl},
		Topics:            lake.Topics(),
		GroupBalancers:    []kafka.GroupBalancer{kafka.RangeGroupBalancer{}},
		HeartbeatInterval: min(heartbeatInterval, s.opts.sessionTimeout/3),
		SessionTimeout:    s.opts.sessionTimeout,
		RebalanceTimeout:  rebalanceTimeout,
		JoinGroupBackoff:  rejoinPause,
	})
	if err != nil {
		return fmt.Errorf("sink: group %s: %w", s.opts.Group, err)
	}
	defer leave(group)

	// The first error stops everything; what was read is committed.
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	idle := make(chan struct{})
	close(idle)
	last := &generation{sink: s, done: idle}
	for {
		// Next is called without delay all the time: kafka-go can neither
		// rejoin nor leave while a generation waits to be taken.
		gen, err := group.Next(ctx)
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			if !joinable(err) {
				fail(s.conn.explain(fmt.Errorf("sink: join group %s: %w", s.opts.Group, err)))
				break
			}
			s.opts.Logger.Warn("the group cannot be joined; trying again", "group", s.opts.Group, "error", err)
			continue
		}
		last = s.begin(ctx, gen, last.done, fail)
	}
	<-last.done
	last.tell()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

// joinable tells whether joining the group may work the next time.
func joinable(err error) bool {
	var code kafka.Error
	if !errors.As(err, &code) {
		return true // the connection
	}
	switch code {
	case kafka.RebalanceInProgress, kafka.UnknownMemberId, kafka.IllegalGeneration, kafka.MemberIDRequired, kafka.Unknown:
		return true
	}
	return code.Temporary()
}

// leave says goodbye, so that others need not wait for the session to end.
func leave(group *kafka.ConsumerGroup) {
	left := make(chan struct{})
	go func() {
		defer close(left)
		group.Close()
	}()
	select {
	case <-left:
	case <-time.After(leaveWithin):
		// The cluster is away: the session will end by itself.
	}
}

// generation is one assignment of partitions to this member. It ends for the
// group at once: nothing that writes is waited for, or a slow disk would cost
// the membership. What a commit under way does after that is up to the lake's
// counters; the next generation begins to read when it has ended.
type generation struct {
	sink *sink
	told func(map[string]map[int]int64) error // commits group offsets
	done chan struct{}                        // nothing of it runs any more

	mu   sync.Mutex
	next map[string]map[int]int64 // by topic and partition: committed and not told
}

// begin reads a generation's partitions once all before it have ended.
func (s *sink) begin(ctx context.Context, gen *kafka.Generation, before <-chan struct{}, fail func(error)) *generation {
	g := &generation{sink: s, told: gen.CommitOffsets, done: make(chan struct{}), next: map[string]map[int]int64{}}
	s.opts.Observer.Generation(gen.ID)
	work, end := context.WithCancelCause(ctx)
	gen.Start(func(over context.Context) {
		g.keep(over)
		end(errRevoked)
	})
	go func() {
		defer close(g.done)
		<-before
		if err := s.readGeneration(work, g, assigned(gen)); err != nil {
			fail(err)
		}
		end(nil)
	}()
	return g
}

// assigned are the partitions by topic, of all topics, ascending.
func assigned(gen *kafka.Generation) map[string][]int {
	partitions := map[string][]int{}
	for _, topic := range lake.Topics() {
		partitions[topic] = []int{}
		for _, p := range gen.Assignments[topic] {
			partitions[topic] = append(partitions[topic], p.ID)
		}
		slices.Sort(partitions[topic])
	}
	return partitions
}

// readGeneration reads the topics of which something is assigned.
func (s *sink) readGeneration(ctx context.Context, g *generation, partitions map[string][]int) error {
	if ctx.Err() != nil {
		return nil // the next generation is there already
	}
	var topics []*topicSink
	var named []string
	for _, name := range lake.Topics() {
		ids := partitions[name]
		if len(ids) == 0 {
			s.opts.Observer.Assigned(name, nil)
			continue
		}
		t, err := s.newTopic(name)
		if err != nil {
			return err
		}
		t.ids, t.generation = ids, g
		topics = append(topics, t)
		named = append(named, fmt.Sprintf("%s%v", name, ids))
	}
	s.opts.Logger.Info("partitions assigned", "group", s.opts.Group, "partitions", strings.Join(named, " "))
	return s.runTopics(ctx, topics)
}

// committed remembers a topic's offsets for the group.
func (g *generation) committed(topic string, next map[int]int64) {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.next[topic] == nil {
		g.next[topic] = map[int]int64{}
	}
	maps.Copy(g.next[topic], next)
}

// tell commits the group's offsets. Nobody in weir reads them: they are for
// tools that show lag, and it does not matter whether they arrive.
func (g *generation) tell() {
	g.mu.Lock()
	next := g.next
	g.next = map[string]map[int]int64{}
	g.mu.Unlock()
	if len(next) == 0 || g.told == nil {
		return
	}
	if err := g.told(next); err != nil {
		g.sink.opts.Logger.Debug("the group's offsets were not committed", "error", err)
	}
}

// keep tells the group's offsets until the generation is over. It returns
// before that where a topic has got more partitions: kafka-go then joins anew.
func (g *generation) keep(over context.Context) {
	counts := g.partitions(over)
	tell, grow := time.NewTicker(keepInterval), time.NewTicker(g.sink.opts.growInterval)
	defer tell.Stop()
	defer grow.Stop()
	for {
		select {
		case <-over.Done():
			return
		case <-tell.C:
			g.tell()
		case <-grow.C:
			now := g.partitions(over)
			if counts != nil && now != nil && !maps.Equal(counts, now) {
				g.sink.opts.Logger.Info("the topics have other partitions; joining the group anew", "group", g.sink.opts.Group)
				return
			}
			counts = now
		}
	}
}

// partitions counts them by topic; nil where the cluster does not answer.
func (g *generation) partitions(ctx context.Context) map[string]int {
	counts, err := g.sink.conn.partitionCounts(ctx, lake.Topics())
	if err != nil {
		return nil
	}
	return counts
}
