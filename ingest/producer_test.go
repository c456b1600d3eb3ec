package ingest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/weir-lake/weir/ingest/broker"
	"github.com/weir-lake/weir/lake"
)

// fakeCluster is a cluster in memory whose answers a test can change.
func fakeCluster(t *testing.T, opts ...kfake.Opt) (*kfake.Cluster, *Conn) {
	t.Helper()
	cluster, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	conn, err := Connect(t.Context(), newLake(t), ConnOptions{Brokers: cluster.ListenAddrs()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return cluster, conn
}

func newProducer(t *testing.T, conn *Conn) *Producer {
	t.Helper()
	p, err := NewProducer(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// refuse answers every produce request with an error code for a number of
// times, or for ever below 0.
func refuse(cluster *kfake.Cluster, code kafka.Error, times int) {
	cluster.ControlKey(int16(kmsg.Produce), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		if times == 0 {
			return nil, nil, false
		}
		cluster.KeepControl()
		times--
		req := kreq.(*kmsg.ProduceRequest)
		resp := req.ResponseKind().(*kmsg.ProduceResponse)
		for _, topic := range req.Topics {
			rt := kmsg.NewProduceResponseTopic()
			rt.Topic = topic.Topic
			for _, p := range topic.Partitions {
				rp := kmsg.NewProduceResponseTopicPartition()
				rp.Partition, rp.ErrorCode = p.Partition, int16(code)
				rt.Partitions = append(rt.Partitions, rp)
			}
			resp.Topics = append(resp.Topics, rt)
		}
		return resp, nil, true
	})
}

func TestProducerSendsAgainWhatMayPass(t *testing.T) {
	cluster, conn := fakeCluster(t)
	refuse(cluster, kafka.NotLeaderForPartition, 2)
	positions := send(t, conn, message("s", 1), message("s", 2))
	if len(positions) != 1 || positions[0].Offset != 2 || positions[0].Cluster != conn.ClusterID() {
		t.Errorf("positions: %+v", positions)
	}
}

func TestProducerErrorIsShortAndFinal(t *testing.T) {
	cluster, conn := fakeCluster(t)
	refuse(cluster, kafka.MessageSizeTooLarge, -1)
	p := newProducer(t, conn)
	var events []lake.Event
	for i := range 500 {
		events = append(events, message("s", i))
	}
	if err := p.Append(t.Context(), events...); err != nil {
		t.Fatal(err)
	}
	_, err := p.Flush(t.Context())
	if !errors.Is(err, kafka.MessageSizeTooLarge) || !strings.Contains(err.Error(), "weir.chat/") {
		t.Fatalf("flush: %v", err)
	}
	if len(err.Error()) > 500 {
		t.Errorf("the error has %d bytes", len(err.Error()))
	}
	if !strings.Contains(lake.HintOf(err), "max.message.bytes") {
		t.Errorf("hint: %q", lake.HintOf(err))
	}
	if again := p.Append(t.Context(), message("s", 1)); !errors.Is(again, err) {
		t.Errorf("append after the error: %v", again)
	}
}

func TestProducerHoldsBack(t *testing.T) {
	cluster, conn := fakeCluster(t)
	release := make(chan struct{})
	cluster.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		cluster.SleepControl(func() { <-release })
		return nil, nil, false
	})
	p := newProducer(t, conn)
	big := message("s", 1)
	big.Data.(*lake.ChatMessage).Content = strings.Repeat("0123456789", 500_000)
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	var err error
	appended := 0
	for ; err == nil && appended < 100; appended++ {
		big.Subject = fmt.Sprint(appended)
		err = p.Append(ctx, big)
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("after %d events of 5 MB: %v", appended, err)
	}
	if p.queued > queueBytes {
		t.Errorf("%d bytes wait", p.queued)
	}
	close(release)
	if _, err := p.Flush(t.Context()); err != nil {
		t.Error(err)
	}
}

// A cluster that is slower than the producer gets full batches all the same.
func TestProducerFillsBatchesForASlowCluster(t *testing.T) {
	cluster, conn := fakeCluster(t)
	requests := 0
	cluster.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		requests++
		time.Sleep(15 * time.Millisecond)
		return nil, nil, false
	})
	p := newProducer(t, conn)
	const size, events = 20_000, 4000
	e := message("s", 1)
	e.Data.(*lake.ChatMessage).Content = strings.Repeat("0123456789", size/10)
	for i := range events {
		e.Subject = fmt.Sprint(i % 50) // all partitions
		if err := p.Append(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if full := events * size / batchBytes; requests > full*3/2 {
		t.Errorf("%d batches for %d full ones", requests, full)
	}
}

// Events of a subject stay in order, whoever else appends at the same time.
func TestProducerKeepsOrder(t *testing.T) {
	lk := newLake(t)
	conn := keep(connect(t, lk))
	p := newProducer(t, conn)
	var group sync.WaitGroup
	for worker := range 4 {
		group.Go(func() {
			for i := range 500 {
				if err := p.Append(t.Context(), message(fmt.Sprint("subject-", worker), i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if _, err := p.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	drain(t, lk, conn, SinkOptions{})
	next := map[string]int{}
	for _, row := range rows[struct {
		Subject string `parquet:"subject,optional"`
		Content string `parquet:"content,optional"`
	}](t, lk, "events.chat_messages") {
		if want := fmt.Sprintf("message %d of %s", next[row.Subject], row.Subject); row.Content != want {
			t.Fatalf("%q, want %q", row.Content, want)
		}
		next[row.Subject]++
	}
	if len(next) != 4 {
		t.Errorf("subjects: %v", next)
	}
}

func TestProducerRefusesWhatIsNoEvent(t *testing.T) {
	_, conn := fakeCluster(t)
	p := newProducer(t, conn)
	e := message("s", 1)
	e.Type = "weir.nothing.here.v1"
	if err := p.Append(t.Context(), e); !errors.Is(err, lake.ErrUnknownType) {
		t.Errorf("unknown type: %v", err)
	}
	if _, err := p.Flush(t.Context()); err != nil || p.Stats().Events != 0 {
		t.Errorf("after the refusal: %v, %+v", err, p.Stats())
	}
}

func TestConnect(t *testing.T) {
	lk := newLake(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	_, err := Connect(ctx, lk, ConnOptions{Brokers: []string{"127.0.0.1:1"}})
	if err == nil || lake.HintOf(err) == "" || strings.Contains(err.Error(), "\n") {
		t.Errorf("no cluster there: %v (%s)", err, lake.HintOf(err))
	}
	conn := connect(t, lk)
	if conn.ClusterID() != lk.ClusterID() {
		t.Errorf("cluster %q, the lake's is %q", conn.ClusterID(), lk.ClusterID())
	}
	if _, err := Connect(t.Context(), lk, ConnOptions{}); !errors.Is(err, broker.ErrInUse) {
		t.Errorf("second command on one lake: %v", err)
	}
}

// A running `weir broker` is shared by all commands.
func TestConnectFindsTheSharedBroker(t *testing.T) {
	lk := newLake(t)
	b, err := broker.Open(t.Context(), lk, broker.Options{Advertise: true, Partitions: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	first, second := connect(t, lk), connect(t, lk)
	send(t, first, message("s", 1))
	if report := drain(t, lk, second, SinkOptions{}); report.Records != 1 {
		t.Errorf("report: %+v", report)
	}
	if first.own != nil || first.trimmer == nil {
		t.Error("the shared broker is not taken for what it is")
	}
}
