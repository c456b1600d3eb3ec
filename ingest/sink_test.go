package ingest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/weir-lake/weir/ingest/broker"
	"github.com/weir-lake/weir/lake"
)

// Of a child process: the lake, the broker, and where to die.
const (
	childLake    = "WEIR_TEST_SINK_LAKE"
	childBrokers = "WEIR_TEST_SINK_BROKERS"
	childFault   = "WEIR_TEST_SINK_FAULT" // step:n, the n-th time it is reached
	childGroup   = "WEIR_TEST_SINK_GROUP" // run in this group, and stop there instead
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childLake); dir != "" {
		if err := sinkUntilKilled(dir, os.Getenv(childBrokers), os.Getenv(childFault)); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func sinkUntilKilled(dir, brokers, fault string) error {
	ctx := context.Background()
	lk, err := lake.Open(dir)
	if err != nil {
		return err
	}
	conn, err := Connect(ctx, lk, ConnOptions{Brokers: []string{brokers}})
	if err != nil {
		return err
	}
	var reached atomic.Int32
	opts := SinkOptions{Once: true, MaxRows: 50, Fault: func(step string) {
		name, n, _ := strings.Cut(fault, ":")
		if step == name && fmt.Sprint(reached.Add(1)) == n {
			self, _ := os.FindProcess(os.Getpid())
			if os.Getenv(childGroup) != "" {
				self.Signal(syscall.SIGSTOP)
				return
			}
			self.Kill() // SIGKILL: no deferred call runs
			select {}
		}
	}}
	if group := os.Getenv(childGroup); group != "" {
		var stop context.CancelFunc
		ctx, stop = signal.NotifyContext(ctx, syscall.SIGTERM)
		defer stop()
		opts.Once, opts.Group, opts.FlushEvery, opts.sessionTimeout = false, group, 50*time.Millisecond, groupSession
	}
	report, err := Sink(ctx, lk, conn, opts)
	fmt.Println("lost races:", report.LostRaces)
	return err
}

// A sink that is killed between any two steps of a commit loses nothing and
// doubles nothing.
func TestKilledSink(t *testing.T) {
	lk := newLake(t)
	conn := keep(connect(t, lk))
	raw := kafkaClient(t, address(conn))
	var want []place
	kills, runs := 0, 0
	for _, step := range []string{"sink.after-parquet", "sink.after-secondary", "sink.after-commit"} {
		for n := 1; n <= 3; n++ {
			send(t, conn, fleet(fmt.Sprint(t.Name(), runs), 60)...)
			for partition := range int32(4) {
				put(t, raw, "weir.dataset", partition, "no event", "nor this")
				put(t, raw, "weir.chat", partition, "no event")
			}
			// Before the child trims them.
			want = append(want, inTopics(t, address(conn))...)
			child := exec.Command(os.Args[0])
			child.Env = append(os.Environ(), childLake+"="+lk.Dir(), childBrokers+"="+address(conn), fmt.Sprintf("%s=%s:%d", childFault, step, n))
			out, err := child.CombinedOutput()
			runs++
			var exit *exec.ExitError
			switch {
			case err == nil: // there were fewer commits
			case errors.As(err, &exit) && exit.ExitCode() == -1:
				kills++
			default:
				t.Fatalf("%s:%d: %v\n%s", step, n, err, out)
			}
		}
	}
	slices.SortFunc(want, byPlace)
	want = slices.Compact(want)
	drain(t, lk, conn, SinkOptions{})
	same(t, want, inLake(t, lk))
	if kills < 7 {
		t.Errorf("%d kills only", kills)
	}
	t.Logf("%d kills, %d records", kills, len(want))
}

// What retention deleted before it was read is a loud error.
func TestRetentionGapStopsTheSink(t *testing.T) {
	lk := newLake(t)
	conn := keep(connect(t, lk))
	c := kafkaClient(t, address(conn))
	value := encoded(t, message("s", 1))
	put(t, c, "weir.chat", 2, value, value)
	drain(t, lk, conn, SinkOptions{})
	put(t, c, "weir.chat", 2, value, value, value)
	deleteBefore(t, c, "weir.chat", 2, 4)
	for _, once := range []bool{true, false} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		_, err := Sink(ctx, lk, conn, SinkOptions{Once: once})
		cancel()
		if !errors.Is(err, errGone) || !strings.Contains(err.Error(), "weir.chat/2@2") || !strings.Contains(err.Error(), "2 to 3") || lake.HintOf(err) == "" {
			t.Errorf("once %v: %v (%s)", once, err, lake.HintOf(err))
		}
	}
}

// A topic that was created anew ends before the lake's offset.
func TestResetTopicStopsTheSink(t *testing.T) {
	lk := newLake(t)
	conn := keep(connect(t, lk))
	c := kafkaClient(t, address(conn))
	value := encoded(t, message("s", 1))
	put(t, c, "weir.chat", 2, value, value, value)
	drain(t, lk, conn, SinkOptions{})
	remove := kmsg.NewPtrDeleteTopicsRequest()
	remove.TopicNames = []string{"weir.chat"}
	rt := kmsg.NewDeleteTopicsRequestTopic()
	rt.Topic = kmsg.StringPtr("weir.chat")
	remove.Topics = append(remove.Topics, rt)
	if _, err := remove.RequestWith(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	create := kmsg.NewPtrCreateTopicsRequest()
	ct := kmsg.NewCreateTopicsRequestTopic()
	ct.Topic, ct.NumPartitions, ct.ReplicationFactor = "weir.chat", 4, 1
	create.Topics = append(create.Topics, ct)
	if _, err := create.RequestWith(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	put(t, kafkaClient(t, address(conn)), "weir.chat", 2, value)
	again := keep(connect(t, lk, address(conn)))
	for _, once := range []bool{true, false} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		_, err := Sink(ctx, lk, again, SinkOptions{Once: once})
		cancel()
		if !errors.Is(err, errReset) || !strings.Contains(err.Error(), "weir.chat/2@3") {
			t.Errorf("once %v: %v", once, err)
		}
	}
}

// A compacted topic has lost records that nobody has read.
func TestCompactedTopicStopsTheSink(t *testing.T) {
	cluster, conn := fakeCluster(t)
	c := kafkaClient(t, address(conn))
	alter := kmsg.NewPtrIncrementalAlterConfigsRequest()
	resource := kmsg.NewIncrementalAlterConfigsRequestResource()
	config := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	config.Name, config.Value = "cleanup.policy", kmsg.StringPtr("compact")
	resource.ResourceType, resource.ResourceName, resource.Configs = kmsg.ConfigResourceTypeTopic, "weir.chat", append(resource.Configs, config)
	alter.Resources = append(alter.Resources, resource)
	if _, err := alter.RequestWith(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	for i, key := range []string{"kept", "twice", "twice", "last"} { // a batch each
		record := &kgo.Record{Topic: "weir.chat", Partition: 1, Key: []byte(key), Value: []byte(encoded(t, message(key, i)))}
		if err := c.ProduceSync(t.Context(), record).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	cluster.Compact()
	_, err := Sink(t.Context(), newLake(t), conn, SinkOptions{Once: true})
	if !errors.Is(err, errGone) || !strings.Contains(err.Error(), "1 to 1") || !strings.Contains(err.Error(), "compacted") {
		t.Errorf("sink: %v", err)
	}
}

// Partitions that the lake has not seen are read from where their logs start.
func TestFirstReadOfATrimmedTopic(t *testing.T) {
	lk := newLake(t)
	conn := keep(connect(t, lk))
	c := kafkaClient(t, address(conn))
	value := encoded(t, message("s", 1))
	put(t, c, "weir.chat", 2, value, value, value)
	deleteBefore(t, c, "weir.chat", 2, 2)
	if report := drain(t, lk, conn, SinkOptions{}); report.Records != 1 {
		t.Errorf("read %d records, want 1", report.Records)
	}
}

// The embedded broker forgets what is in the lake.
func TestEmbeddedBrokerIsTrimmed(t *testing.T) {
	lk := newLake(t)
	conn := connect(t, lk)
	c := kafkaClient(t, address(conn))
	value := encoded(t, message("s", 1))
	put(t, c, "weir.chat", 2, value, value, value, value, value)
	drain(t, lk, conn, SinkOptions{})
	if first := listOffsets(t, c, -2)["weir.chat"][2]; first != 4 {
		t.Errorf("the log starts at %d, want 4", first)
	}
	put(t, c, "weir.chat", 2, value)
	if report := drain(t, lk, conn, SinkOptions{}); report.Records != 1 {
		t.Errorf("read %d records after trimming, want 1", report.Records)
	}
}

// Another process goes on with the same cluster's offsets.
func TestReopenedBroker(t *testing.T) {
	lk := newLake(t)
	first := keep(connect(t, lk))
	send(t, first, fleet(t.Name(), 100)...)
	drain(t, lk, first, SinkOptions{})
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := keep(connect(t, lk))
	if report := drain(t, lk, second, SinkOptions{}); report.Records != 0 {
		t.Errorf("%d records were read again", report.Records)
	}
	send(t, second, fleet(t.Name(), 50)...)
	drain(t, lk, second, SinkOptions{})
	same(t, inTopics(t, address(second)), inLake(t, lk))
}

// A running sink and a producer go on when the broker was away for a while.
func TestBrokerComesBack(t *testing.T) {
	lk := newLake(t)
	open := func(listen string) *broker.Broker {
		b, err := broker.Open(t.Context(), lk, broker.Options{Listen: listen})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { b.Close() })
		return b
	}
	b := open("")
	conn := keep(connect(t, lk, b.Addr()))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() {
		_, err := Sink(ctx, lk, conn, SinkOptions{FlushEvery: 50 * time.Millisecond})
		ended <- err
	}()
	p := newProducer(t, conn)
	var positions []lake.Position
	for round := range 3 {
		if round > 0 {
			b.Close()
			time.Sleep(300 * time.Millisecond)
		}
		if err := p.Append(t.Context(), fleet(fmt.Sprint(t.Name(), round), 50)...); err != nil {
			t.Fatal(err)
		}
		if round > 0 {
			b = open(b.Addr())
		}
		var err error
		if positions, err = p.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		missing, err := Landed(t.Context(), lk, positions)
		if err != nil {
			t.Fatal(err)
		}
		if len(missing) == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("not in the lake after half a minute: %v", missing)
		}
		select {
		case err := <-ended:
			t.Fatalf("the sink ended: %v", err)
		default:
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	same(t, inTopics(t, b.Addr()), inLake(t, lk))
}

// Secrets are removed from events and from dead letters, also where a broken
// byte stands beside them.
func TestSinkRedacts(t *testing.T) {
	lk := newLake(t)
	conn := keep(connect(t, lk))
	c := kafkaClient(t, address(conn))
	e := message("s", 1)
	e.Data.(*lake.ChatMessage).Content = "the key is hunter2"
	put(t, c, "weir.chat", 0, encoded(t, e), `{"key":"hunter2"`, "hunter2 \xff", "harmless \xff")
	drain(t, lk, conn, SinkOptions{Redact: func(e *lake.Event) {
		switch d := e.Data.(type) {
		case *lake.ChatMessage:
			d.Content = strings.ReplaceAll(d.Content, "hunter2", "***")
		case *lake.DeadLetter:
			d.Body = strings.ReplaceAll(d.Body, "hunter2", "***")
		}
	}})
	found := map[string]bool{}
	for _, row := range rows[struct {
		Content string `parquet:"content,optional"`
	}](t, lk, "events.chat_messages") {
		found[row.Content] = true
	}
	for _, row := range rows[struct {
		Body string `parquet:"body,optional"`
	}](t, lk, "events.dead_letters") {
		found[row.Body] = true
	}
	for _, want := range []string{"the key is ***", `{"key":"***"`, "*** \uFFFD", "aGFybWxlc3Mg/w=="} {
		if !found[want] {
			t.Errorf("no %q among %v", want, found)
		}
	}
	if len(found) != 4 {
		t.Errorf("rows: %v", found)
	}
}

// A slow trickle over many partitions makes one file a commit.
func TestTrickleMakesFewFiles(t *testing.T) {
	lk := newLake(t)
	conn := keep(connect(t, lk))
	send(t, conn, fleet(t.Name(), 100)...)
	drain(t, lk, conn, SinkOptions{})
	table, err := lk.Table("events.chat_messages")
	if err != nil {
		t.Fatal(err)
	}
	snapshot, err := table.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(snapshot.Files) != 1 || len(snapshot.Txns) != 4 {
		t.Errorf("%d files, %d counters; want 1 and 4", len(snapshot.Files), len(snapshot.Txns))
	}
}

// Busy partitions get files of their own while there are some to be had; the
// others make the topic commit.
func TestBusyPartitions(t *testing.T) {
	lk := newLake(t)
	conn, err := Connect(t.Context(), lk, ConnOptions{Partitions: 7})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	keep(conn)
	p := newProducer(t, conn)
	for i := range 7 * ownFileRows * 5 / 4 {
		if err := p.Append(t.Context(), message(fmt.Sprint(i%97), i)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	report := drain(t, lk, conn, SinkOptions{})
	same(t, inTopics(t, address(conn)), inLake(t, lk))
	own, shared := 0, 0
	_, live := files(t, lk, "events.chat_messages")
	for _, file := range live {
		if strings.Count(file.Path, "p") == 3 { // p0-p6-….parquet
			shared++
		} else {
			own++
		}
	}
	if own < ownFiles || shared == 0 || report.Commits > 10 {
		t.Errorf("%d files of single partitions, %d shared, %d commits", own, shared, report.Commits)
	}
}

func encoded(t *testing.T, e lake.Event) string {
	t.Helper()
	value, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return string(value)
}
