package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
)

// weir runs a command and fails the test unless it exits as said.
func weir(t *testing.T, ctx context.Context, want int, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	if code := run(ctx, append([]string{"weir"}, args...), strings.NewReader(""), &out, &out); code != want {
		t.Fatalf("weir %s: exit %d, want %d\n%s", strings.Join(args, " "), code, want, out.String())
	}
	return out.String()
}

// A lake is made again from the topics of a Kafka that keeps them, and from its
// events: equal, also when a log or a table was damaged, and after an erasure.
func TestRebuild(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.ClusterID("rebuilt"))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	ctx, dir, brokers := t.Context(), filepath.Join(t.TempDir(), "lake"), cluster.ListenAddrs()[0]
	weir(t, ctx, 0, "init", "--lake", dir)
	weir(t, ctx, 0, "ingest", "--lake", dir, "--brokers", brokers, "--complete", "../../testdata/fleet/logs", "../../testdata/fleet/broken")
	weir(t, ctx, 0, "sink", "--lake", dir, "--brokers", brokers, "--once")
	weir(t, ctx, 0, "transform", "--lake", dir)
	weir(t, ctx, 0, "analyze", "--lake", dir)

	equal := func(from string, args ...string) {
		t.Helper()
		out := weir(t, ctx, 0, append([]string{"lake", "rebuild", "--lake", dir, "--brokers", brokers, "--from", from, "--dry-run"}, args...)...)
		if !strings.Contains(out, ", 0 different") {
			t.Errorf("from %s:\n%s", from, out)
		}
	}
	equal("topics")
	equal("events")

	// A log that has lost an entry, and a derived table that has lost rows.
	if err := os.Remove(filepath.Join(dir, "events/outcomes/_delta_log/00000000000000000000.json")); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "curated/quality")); err != nil {
		t.Fatal(err)
	}
	weir(t, ctx, 1, "lake", "rebuild", "--lake", dir, "--brokers", brokers, "--from", "events")
	out := weir(t, ctx, 0, "lake", "rebuild", "--lake", dir, "--brokers", brokers, "--from", "topics")
	for _, want := range []string{"events.outcomes", "curated.quality", "missing", "replaced"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %s in\n%s", want, out)
		}
	}
	weir(t, ctx, 0, "lake", "verify", "--lake", dir)
	equal("topics")
	equal("events")

	// The topics still have what was erased; the lake made from them does not.
	subject := firstLine(t, weir(t, ctx, 0, "query", "--lake", dir, "--format", "csv", "select subject from events.chat_messages group by all order by count(*) desc, subject limit 1"))
	sinking, stop := context.WithCancel(ctx)
	ended := make(chan int)
	go func() {
		var out bytes.Buffer
		ended <- run(sinking, []string{"weir", "sink", "--lake", dir, "--brokers", brokers, "--flush-every", "100ms"}, strings.NewReader(""), &out, &out)
	}()
	out = weir(t, ctx, 0, "erase", "--lake", dir, "--brokers", brokers, "--subject", subject, "--reason", "a test")
	if !strings.Contains(out, "another Kafka still holds these records") || !regexp.MustCompile(`weir\.chat +[0-9]+ +[0-9]+-[0-9]+`).MatchString(out) {
		t.Errorf("erase names no records of the topics:\n%s", out)
	}
	stop()
	<-ended
	weir(t, ctx, 0, "lake", "verify", "--lake", dir, "--erased", "--subject", subject)
	equal("topics")
	if err := os.RemoveAll(filepath.Join(dir, "events/chat_messages")); err != nil {
		t.Fatal(err)
	}
	weir(t, ctx, 0, "lake", "rebuild", "--lake", dir, "--brokers", brokers, "--from", "topics")
	weir(t, ctx, 0, "lake", "verify", "--lake", dir, "--erased", "--subject", subject)
	weir(t, ctx, 0, "lake", "verify", "--lake", dir)
}

func firstLine(t *testing.T, csv string) string {
	t.Helper()
	_, rest, _ := strings.Cut(csv, "\n")
	line, _, ok := strings.Cut(rest, "\n")
	if !ok {
		t.Fatalf("no row in %q", csv)
	}
	return line
}
