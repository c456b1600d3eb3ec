package broker_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/weir-lake/weir/ingest/broker"
	"github.com/weir-lake/weir/lake"
)

const topic = "weir.chat"

// childLake names the lake of a child process that serves its broker until it
// is killed.
const childLake = "WEIR_TEST_BROKER_LAKE"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childLake); dir != "" {
		if err := serve(dir); err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

func serve(dir string) error {
	lk, err := lake.Open(dir)
	if err != nil {
		return err
	}
	b, err := broker.Open(context.Background(), lk, broker.Options{Advertise: true})
	if err != nil {
		return err
	}
	fmt.Println(b.Addr())
	select {}
}

// start runs a broker in a child process and returns its address.
func start(t *testing.T, lk *lake.Lake) (string, *exec.Cmd) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childLake+"="+lk.Dir())
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { child.Process.Kill(); child.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || strings.HasPrefix(line, "error:") {
		t.Fatalf("child: %q, %v", line, err)
	}
	return strings.TrimSpace(line), child
}

func newLake(t *testing.T) *lake.Lake {
	t.Helper()
	lk, err := lake.Init(t.TempDir(), lake.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return lk
}

func open(t *testing.T, lk *lake.Lake, opts broker.Options) *broker.Broker {
	t.Helper()
	b, err := broker.Open(t.Context(), lk, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// client is of another maker than weir's own.
func client(t *testing.T, addr string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append(opts, kgo.SeedBrokers(addr), kgo.ProducerBatchMaxBytes(broker.MaxBatchBytes))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func produce(t *testing.T, c *kgo.Client, partition int32, values ...[]byte) int64 {
	t.Helper()
	var last int64
	for _, value := range values {
		r, err := c.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Partition: partition, Value: value}).First()
		if err != nil {
			t.Fatal(err)
		}
		last = r.Offset
	}
	return last
}

// bounds are the first offset of a partition and the one after its last.
func bounds(t *testing.T, c *kgo.Client, partition int32) (first, last int64) {
	t.Helper()
	for _, at := range []int64{-2, -1} {
		req := kmsg.NewPtrListOffsetsRequest()
		rt := kmsg.NewListOffsetsRequestTopic()
		rp := kmsg.NewListOffsetsRequestTopicPartition()
		rp.Partition, rp.Timestamp = partition, at
		rt.Topic, rt.Partitions = topic, append(rt.Partitions, rp)
		req.Topics = append(req.Topics, rt)
		resp, err := req.RequestWith(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		p := resp.Topics[0].Partitions[0]
		if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
			t.Fatal(err)
		}
		if at == -2 {
			first = p.Offset
		} else {
			last = p.Offset
		}
	}
	return first, last
}

func manual() kgo.Opt { return kgo.RecordPartitioner(kgo.ManualPartitioner()) }

func TestSecondProcessIsRefused(t *testing.T) {
	lk := newLake(t)
	b := open(t, lk, broker.Options{})
	_, err := broker.Open(t.Context(), lk, broker.Options{})
	if !errors.Is(err, broker.ErrInUse) {
		t.Fatalf("second open: %v", err)
	}
	if !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) || lake.HintOf(err) == "" {
		t.Errorf("the error names no holder, or no way out: %v (%s)", err, lake.HintOf(err))
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, lk, broker.Options{})
}

func TestAddressFindsTheProcessThatShares(t *testing.T) {
	lk := newLake(t)
	if _, err := broker.Address(t.Context(), lk); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("no broker runs: %v", err)
	}
	addr, child := start(t, lk)
	if got, err := broker.Address(t.Context(), lk); err != nil || got != addr {
		t.Fatalf("Address = %q, %v; want %q", got, err, addr)
	}
	// Killed, it leaves its address behind, which must not be believed.
	child.Process.Kill()
	child.Wait()
	if _, err := broker.Address(t.Context(), lk); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("after the kill: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	open(t, lk, broker.Options{})
	if got, err := broker.Address(ctx, lk); err == nil {
		t.Fatalf("a broker that is not shared is found at %s", got)
	}
}

// Nothing acknowledged is lost, and offsets go on, when a broker is killed
// after everything was trimmed.
func TestKilledAfterTrimming(t *testing.T) {
	lk := newLake(t)
	next := int64(0)
	for round := range 3 {
		addr, child := start(t, lk)
		c := client(t, addr, manual())
		first, last := bounds(t, c, 1)
		if last != next {
			t.Fatalf("round %d: the log ends at %d, want %d", round, last, next)
		}
		if round > 0 && first == 0 {
			t.Errorf("round %d: nothing was trimmed", round)
		}
		// A segment and a half, so that there is one to drop.
		noise := make([]byte, 3<<20) // of the kind that does not compress
		rand.NewChaCha8([32]byte{byte(round)}).Read(noise)
		var values [][]byte
		for range 8 {
			values = append(values, noise)
		}
		next = produce(t, c, 1, values...) + 1
		trimmer, err := broker.NewTrimmer(addr)
		if err != nil {
			t.Fatal(err)
		}
		if err := trimmer.Trim(t.Context(), map[string]map[int]int64{topic: {1: next, 2: 0}}); err != nil {
			t.Fatal(err)
		}
		trimmer.Close()
		if first, last := bounds(t, c, 1); first != next-1 || last != next {
			t.Errorf("round %d: after trimming %d to %d, want %d to %d", round, first, last, next-1, next)
		}
		child.Process.Kill()
		child.Wait()
	}
}

func TestLargestEventFits(t *testing.T) {
	b := open(t, newLake(t), broker.Options{Partitions: 1})
	if b.ClusterID() == "" {
		t.Error("no cluster id")
	}
	c := client(t, b.Addr(), manual(), kgo.ProducerBatchCompression(kgo.NoCompression()))
	produce(t, c, 0, make([]byte, lake.MaxEventBytes))
}

func TestAnotherLakesDataAreRefused(t *testing.T) {
	lk, other := newLake(t), newLake(t)
	if err := open(t, lk, broker.Options{}).Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(other.BrokerDir(), os.DirFS(lk.BrokerDir())); err != nil {
		t.Fatal(err)
	}
	if _, err := broker.Open(t.Context(), other, broker.Options{}); err == nil || !strings.Contains(err.Error(), lk.ClusterID()) {
		t.Fatalf("opened with another lake's records: %v", err)
	}
}

func TestListensOnLoopbackOnly(t *testing.T) {
	for _, listen := range []string{"0.0.0.0:0", ":0", "192.0.2.1:0", "example.org:9092", "9092"} {
		if _, err := broker.Open(t.Context(), newLake(t), broker.Options{Listen: listen}); err == nil {
			t.Errorf("%s: no error", listen)
		}
	}
	b := open(t, newLake(t), broker.Options{Listen: "localhost:0"})
	if !strings.HasPrefix(b.Addr(), "127.0.0.1:") {
		t.Errorf("listens on %s", b.Addr())
	}
}

// Whatever is sent to the port, the process lives.
func TestGarbageDoesNotEndTheBroker(t *testing.T) {
	b := open(t, newLake(t), broker.Options{})
	frame := func(size uint32, key, version int16) []byte {
		f := binary.BigEndian.AppendUint32(nil, size)
		f = binary.BigEndian.AppendUint16(f, uint16(key))
		f = binary.BigEndian.AppendUint16(f, uint16(version))
		return append(f, 0, 0, 0, 1, 0xff, 0xff)
	}
	for name, bytes := range map[string][]byte{
		"http":           []byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
		"unknown key":    frame(10, 4242, 0),
		"negative key":   frame(10, -1, 0),
		"huge":           frame(1<<31, 0, 0),
		"empty":          frame(0, 0, 0),
		"known, then no": append(frame(10, 18, 0), frame(10, 999, 0)...),
	} {
		conn, err := net.Dial("tcp", b.Addr())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		conn.Write(bytes)
		conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		for buf := make([]byte, 1024); err == nil; _, err = conn.Read(buf) {
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: the connection stays open", name)
		}
		conn.Close()
	}
	c := client(t, b.Addr(), manual())
	produce(t, c, 0, []byte("still there"))
}
