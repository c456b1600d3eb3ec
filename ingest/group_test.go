package ingest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/weir-lake/weir/lake"
)

// groupSession is short, so that a member that is silent is soon given up.
const groupSession = time.Second

// watcher is an observer that remembers.
type watcher struct {
	nobody
	mu          sync.Mutex
	generations int
	assigned    map[string][]int
	reported    SinkReport
	stale       int
	stalled     int
	failed      int // fetches
}

func newWatcher() *watcher { return &watcher{assigned: map[string][]int{}, reported: newSinkReport()} }

func (w *watcher) change(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

func (w *watcher) Generation(int32) { w.change(func() { w.generations++ }) }
func (w *watcher) Assigned(topic string, offsets map[int]int64) {
	w.change(func() { w.assigned[topic] = slices.Sorted(maps.Keys(offsets)) })
}
func (w *watcher) Committed(_ string, _ time.Duration, report SinkReport, _ map[int]int64) {
	w.change(func() { w.reported.add(report) })
}
func (w *watcher) Stale(string)   { w.change(func() { w.stale++ }) }
func (w *watcher) Stalled(string) { w.change(func() { w.stalled++ }) }
func (w *watcher) Fetched(_ string, err error) {
	w.change(func() {
		if err != nil {
			w.failed++
		}
	})
}

// see reads what the watcher knows.
func see[T any](w *watcher, f func(*watcher) T) T {
	w.mu.Lock()
	defer w.mu.Unlock()
	return f(w)
}

func chats(w *watcher) []int { return slices.Clone(w.assigned["weir.chat"]) }

// runningSink is a sink that runs until it is stopped.
type runningSink struct {
	*watcher
	stop  context.CancelFunc
	ended chan error
}

// run starts a sink with a connection of its own, as another process has it.
func run(t *testing.T, lk *lake.Lake, addr string, opts SinkOptions) *runningSink {
	t.Helper()
	return runOn(t, lk, keep(connect(t, lk, addr)), opts)
}

func runOn(t *testing.T, lk *lake.Lake, conn *Conn, opts SinkOptions) *runningSink {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	s := &runningSink{watcher: newWatcher(), stop: stop, ended: make(chan error, 1)}
	if opts.FlushEvery == 0 {
		opts.FlushEvery = 50 * time.Millisecond
	}
	opts.Observer, opts.sessionTimeout = s.watcher, groupSession
	go func() {
		_, err := Sink(ctx, lk, conn, opts)
		s.ended <- err
	}()
	t.Cleanup(stop)
	return s
}

// end stops a sink, which has to obey.
func (s *runningSink) end(t *testing.T) {
	t.Helper()
	s.stop()
	select {
	case err := <-s.ended:
		if err != nil {
			t.Errorf("the sink ended with %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Error("the sink does not end")
	}
}

// eventually waits for something to become true.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !f(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after half a minute still not: %s", what)
		}
	}
}

func landed(t *testing.T, lk *lake.Lake, positions []lake.Position) {
	t.Helper()
	eventually(t, "all records are in the lake", func() bool {
		missing, err := Landed(t.Context(), lk, positions)
		if err != nil {
			t.Fatal(err)
		}
		return len(missing) == 0
	})
}

// groupCluster is a cluster in memory whose members may be silent for a second
// only.
func groupCluster(t *testing.T, partitions int) (addr string, conn *Conn) {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.GroupMinSessionTimeout(groupSession/2))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	conn, err = Connect(t.Context(), newLake(t), ConnOptions{Brokers: cluster.ListenAddrs(), Partitions: partitions})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return cluster.ListenAddrs()[0], conn
}

// Three sinks share two partitions of each topic: one has nothing to do until
// another leaves.
func TestSinksShareAGroup(t *testing.T) {
	lk := newLake(t)
	addr, conn := groupCluster(t, 2)
	var sinks []*runningSink
	for range 3 {
		sinks = append(sinks, run(t, lk, addr, SinkOptions{Group: "weir-test"}))
	}
	shared := func(want ...int) func() bool {
		return func() bool {
			var all []int
			var sizes []int
			for _, s := range sinks {
				ids := see(s.watcher, chats)
				all, sizes = append(all, ids...), append(sizes, len(ids))
			}
			slices.Sort(all)
			slices.Sort(sizes)
			return slices.Equal(all, []int{0, 1}) && slices.Equal(sizes, want)
		}
	}
	eventually(t, "two have a partition, one has none", shared(0, 1, 1))
	landed(t, lk, send(t, conn, fleet(t.Name(), 200)...))

	busy := slices.IndexFunc(sinks, func(s *runningSink) bool { return len(see(s.watcher, chats)) == 1 })
	sinks[busy].end(t)
	sinks = slices.Delete(sinks, busy, busy+1)
	eventually(t, "the idle one has a partition", shared(1, 1))
	landed(t, lk, send(t, conn, fleet(t.Name()+"again", 200)...))
	for _, s := range sinks {
		s.end(t)
	}
	same(t, inTopics(t, addr), inLake(t, lk))

	// What tools for lag see, though weir does not look at it.
	offsets := groupOffsets(t, addr, "weir-test", "weir.chat")
	want := map[int32]int64{}
	maps.Copy(want, listOffsets(t, kafkaClient(t, addr), -1)["weir.chat"])
	if !maps.Equal(offsets, want) {
		t.Errorf("group offsets %v, the topic ends at %v", offsets, want)
	}
}

func groupOffsets(t *testing.T, addr, group, topic string) map[int32]int64 {
	t.Helper()
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Group = group
	rg := kmsg.NewOffsetFetchRequestGroup()
	rg.Group = group
	req.Groups = append(req.Groups, rg)
	resp, err := req.RequestWith(t.Context(), kafkaClient(t, addr))
	if err != nil {
		t.Fatal(err)
	}
	offsets := map[int32]int64{}
	for _, rt := range resp.Topics {
		if rt.Topic == topic {
			for _, p := range rt.Partitions {
				offsets[p.Partition] = p.Offset
			}
		}
	}
	for _, rg := range resp.Groups {
		for _, rt := range rg.Topics {
			if rt.Topic == topic {
				for _, p := range rt.Partitions {
					offsets[p.Partition] = p.Offset
				}
			}
		}
	}
	return offsets
}

// A commit that takes longer than the session costs neither the membership nor
// a record: heartbeats go on beside it, and a generation that ends does not
// wait for it.
func TestSlowCommitKeepsItsPlace(t *testing.T) {
	lk := newLake(t)
	addr, conn := groupCluster(t, 2)
	slow := make(chan struct{})
	var once sync.Once
	release := func() { once.Do(func() { close(slow) }) }
	defer release()
	first := run(t, lk, addr, SinkOptions{Group: "weir-test", Fault: func(step string) {
		if step == "sink.after-parquet" {
			<-slow
		}
	}})
	eventually(t, "the first sink reads both partitions", func() bool { return len(see(first.watcher, chats)) == 2 })
	positions := send(t, conn, fleet(t.Name(), 100)...)
	time.Sleep(3 * groupSession)
	if n := see(first.watcher, func(w *watcher) int { return w.generations }); n != 1 {
		t.Errorf("%d generations while it writes, want 1", n)
	}

	second := run(t, lk, addr, SinkOptions{Group: "weir-test"})
	eventually(t, "the second sink gets its part though the first still writes", func() bool { return len(see(second.watcher, chats)) == 1 })
	eventually(t, "what the second sink has is in the lake", func() bool {
		return see(second.watcher, func(w *watcher) int64 { return w.reported.Records }) > 0
	})
	release()
	landed(t, lk, positions)
	first.end(t)
	second.end(t)
	if n := see(first.watcher, func(w *watcher) int { return w.generations }); n != 2 {
		t.Errorf("the first sink saw %d generations, want 2", n)
	}
	same(t, inTopics(t, addr), inLake(t, lk))
}

// A process that is stopped in the middle of a commit, loses its partitions and
// wakes up is refused.
func TestZombieIsFenced(t *testing.T) {
	lk := newLake(t)
	addr, conn := groupCluster(t, 2)
	want := send(t, conn, fleet(t.Name(), 200)...)
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childLake+"="+lk.Dir(), childBrokers+"="+addr, childFault+"=sink.after-parquet:1", childGroup+"=weir-test")
	var out strings.Builder
	child.Stdout, child.Stderr = &out, &out
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- child.Wait() }()
	defer child.Process.Kill()
	eventually(t, "the child is stopped", func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", child.Process.Pid))
		if err != nil {
			t.Skipf("no /proc here: %v", err)
		}
		_, state, _ := strings.Cut(string(stat), ") ")
		return strings.HasPrefix(state, "T")
	})

	heir := run(t, lk, addr, SinkOptions{Group: "weir-test"})
	landed(t, lk, want)
	child.Process.Signal(syscall.SIGCONT)
	want = send(t, conn, fleet(t.Name()+"again", 200)...)
	landed(t, lk, want)
	child.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("the zombie: %v\n%s", err, out.String())
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the zombie does not end")
	}
	heir.end(t)
	same(t, inTopics(t, addr), inLake(t, lk))
	if !strings.Contains(out.String(), "lost races: ") || strings.Contains(out.String(), "lost races: 0") {
		t.Errorf("the zombie was not refused: %s", out.String())
	}
}

// What stops one member stops it, not the group's reading in silence.
func TestGroupStopsAtAGap(t *testing.T) {
	lk := newLake(t)
	addr, conn := groupCluster(t, 2)
	c := kafkaClient(t, addr)
	send(t, conn, fleet(t.Name(), 100)...)
	drain(t, lk, keep(connect(t, lk, addr)), SinkOptions{})
	last := put(t, c, "weir.chat", 1, "a", "b", "c")
	deleteBefore(t, c, "weir.chat", 1, last)
	s := run(t, lk, addr, SinkOptions{Group: "weir-test"})
	select {
	case err := <-s.ended:
		if !errors.Is(err, errGone) || !strings.Contains(lake.HintOf(err), "--accept-gap weir.chat/1:") {
			t.Errorf("the sink ended with %v (%s)", err, lake.HintOf(err))
		}
	case <-time.After(30 * time.Second):
		t.Fatal("the sink goes on")
	}
}

// More partitions are read soon after they are there.
func TestGroupReadsNewPartitions(t *testing.T) {
	lk := newLake(t)
	addr, conn := groupCluster(t, 1)
	s := run(t, lk, addr, SinkOptions{Group: "weir-test", growInterval: 200 * time.Millisecond})
	eventually(t, "the sink reads", func() bool { return len(see(s.watcher, chats)) == 1 })
	if _, err := conn.client().CreatePartitions(t.Context(), &kafka.CreatePartitionsRequest{
		Topics: []kafka.TopicPartitionsConfig{{Name: "weir.chat", Count: 3}},
	}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the sink reads all three", func() bool { return len(see(s.watcher, chats)) == 3 })
	put(t, kafkaClient(t, addr), "weir.chat", 2, encoded(t, message("s", 1)))
	eventually(t, "the record is in the lake", func() bool { return len(inLake(t, lk)) == 1 })
	s.end(t)
}

// A group that must not be joined stops the sink; the rest passes.
func TestWhichJoinErrorsPass(t *testing.T) {
	for err, want := range map[error]bool{
		kafka.RebalanceInProgress: true, kafka.UnknownMemberId: true, kafka.IllegalGeneration: true,
		kafka.GroupCoordinatorNotAvailable: true, errors.New("connection refused"): true,
		kafka.GroupAuthorizationFailed: false, kafka.InvalidSessionTimeout: false,
		kafka.InconsistentGroupProtocol: false, kafka.SASLAuthenticationFailed: false,
	} {
		if got := joinable(fmt.Errorf("join: %w", err)); got != want {
			t.Errorf("%v: %v, want %v", err, got, want)
		}
	}
}
