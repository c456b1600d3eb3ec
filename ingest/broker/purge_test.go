package broker_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/weir-lake/weir/ingest/broker"
	"github.com/weir-lake/weir/lake"
)

// plain sends what it is given as it is, so that it can be looked for.
func plain() kgo.Opt { return kgo.ProducerBatchCompression(kgo.NoCompression()) }

// files are those below a broker's folder that hold a text.
func files(t *testing.T, lk *lake.Lake, text string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(lk.BrokerDir(), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if bytes.Contains(data, []byte(text)) {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func trim(t *testing.T, addr string, offsets map[int]int64) {
	t.Helper()
	trimmer, err := broker.NewTrimmer(addr)
	if err != nil {
		t.Fatal(err)
	}
	defer trimmer.Close()
	if err := trimmer.Trim(t.Context(), map[string]map[int]int64{topic: offsets}); err != nil {
		t.Fatal(err)
	}
}

// consumed are the values that a reader of the topic sees from offsets on.
func consumed(t *testing.T, addr string, from map[int32]int64, want int) []string {
	t.Helper()
	offsets := map[int32]kgo.Offset{}
	for partition, at := range from {
		offsets[partition] = kgo.NewOffset().At(at)
	}
	c := client(t, addr, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: offsets}), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var values []string
	for len(values) < want {
		fetches := c.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("%d of %d records: %v", len(values), want, err)
		}
		fetches.EachRecord(func(r *kgo.Record) { values = append(values, string(r.Value)) })
	}
	return values
}

// After a roll, trimming takes away every byte of the records before it, also
// those in files that were being written; what is sent later stays, at offsets
// that go on, and no reader sees what the roll itself wrote.
func TestRollLetsTrimmingDeleteEverything(t *testing.T) {
	const secret, later = "what the zither told the organ", "what the ferry carries"
	lk := newLake(t)
	b := open(t, lk, broker.Options{Partitions: 3})
	c := client(t, b.Addr(), manual(), plain())
	for i := range 5 {
		produce(t, c, 0, fmt.Append(nil, secret, i))
	}
	produce(t, c, 2, []byte(secret)) // a log of one record; partition 1 has none
	trim(t, b.Addr(), map[int]int64{0: 5, 2: 1})
	if len(files(t, lk, secret)) == 0 {
		t.Fatal("trimming alone deletes it: nothing is left to roll for")
	}

	if err := broker.Roll(t.Context(), b.Addr()); err != nil {
		t.Fatal(err)
	}
	ends := map[int]int64{}
	for partition, before := range map[int]int64{0: 5, 1: 0, 2: 1} {
		_, end := bounds(t, c, int32(partition))
		if end < before || end > before && before == 0 {
			t.Errorf("partition %d ends at %d, was %d", partition, end, before)
		}
		ends[partition] = end
	}
	trim(t, b.Addr(), ends)
	if left := files(t, lk, secret); len(left) > 0 {
		t.Errorf("still in %v", left)
	}

	if at := produce(t, c, 0, []byte(later)); at != ends[0] {
		t.Errorf("the next record is at %d, not %d", at, ends[0])
	}
	produce(t, c, 1, []byte(later))
	first, _ := bounds(t, c, 0)
	if values := consumed(t, b.Addr(), map[int32]int64{0: first, 1: 0}, 2); len(values) != 2 || values[0] != later || values[1] != later {
		t.Errorf("a reader sees %q", values)
	}
	if got := segmentBytes(t, c); got != "16777216" {
		t.Errorf("segments of %s bytes after the roll", got)
	}

	// It is still so for a broker that opens the folder again.
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, lk, broker.Options{})
	if left := files(t, lk, secret); len(left) > 0 {
		t.Errorf("after opening again, still in %v", left)
	}
	if _, end := bounds(t, client(t, again.Addr()), 0); end != ends[0]+1 {
		t.Errorf("after opening again the log ends at %d, not %d", end, ends[0]+1)
	}
	if err := broker.Roll(t.Context(), again.Addr()); err != nil {
		t.Errorf("a second roll: %v", err)
	}
}

func TestRollOfAnEmptyBrokerWritesNothing(t *testing.T) {
	b := open(t, newLake(t), broker.Options{Partitions: 1})
	if err := broker.Roll(t.Context(), b.Addr()); err != nil {
		t.Fatal(err)
	}
	if _, end := bounds(t, client(t, b.Addr()), 0); end != 0 {
		t.Errorf("the log ends at %d", end)
	}
}

// A roll that does not get through says so, in time, and leaves segments as they
// were for the next one.
func TestRollOfABrokerThatIsGone(t *testing.T) {
	lk := newLake(t)
	addr, child := start(t, lk)
	produce(t, client(t, addr, manual()), 0, []byte("something"))
	child.Process.Kill()
	child.Wait()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := broker.Roll(ctx, addr); err == nil || !strings.HasPrefix(err.Error(), "broker: roll: ") {
		t.Errorf("a broker that was killed: %v", err)
	}
	b := open(t, lk, broker.Options{})
	done, stop := context.WithCancel(t.Context())
	stop()
	if err := broker.Roll(done, b.Addr()); err == nil {
		t.Error("rolled for a caller that had gone")
	}
	c := client(t, b.Addr())
	if got := segmentBytes(t, c); got != "16777216" {
		t.Errorf("segments of %s bytes", got)
	}
	if err := broker.Roll(t.Context(), b.Addr()); err != nil {
		t.Errorf("the next one: %v", err)
	}
}

// A process that is killed within a roll leaves a setting by which every batch
// gets a file of its own.
func TestOpenUndoesARollThatWasKilled(t *testing.T) {
	lk := newLake(t)
	b := open(t, lk, broker.Options{})
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	resource := kmsg.NewIncrementalAlterConfigsRequestResource()
	resource.ResourceType, resource.ResourceName = kmsg.ConfigResourceTypeTopic, topic
	config := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	config.Name, config.Op, config.Value = "segment.bytes", kmsg.IncrementalAlterConfigOpSet, kmsg.StringPtr("14")
	resource.Configs = append(resource.Configs, config)
	req.Resources = append(req.Resources, resource)
	c := client(t, b.Addr())
	if _, err := req.RequestWith(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if got := segmentBytes(t, c); got != "14" {
		t.Fatalf("segments of %s bytes", got)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if got := segmentBytes(t, client(t, open(t, lk, broker.Options{}).Addr())); got != "16777216" {
		t.Errorf("after opening again: segments of %s bytes", got)
	}
}

func segmentBytes(t *testing.T, c *kgo.Client) string {
	t.Helper()
	req := kmsg.NewPtrDescribeConfigsRequest()
	resource := kmsg.NewDescribeConfigsRequestResource()
	resource.ResourceType, resource.ResourceName = kmsg.ConfigResourceTypeTopic, topic
	req.Resources = append(req.Resources, resource)
	resp, err := req.RequestWith(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	for _, config := range resp.Resources[0].Configs {
		if config.Name == "segment.bytes" && config.Value != nil {
			return *config.Value
		}
	}
	t.Fatal("no segment.bytes")
	return ""
}
