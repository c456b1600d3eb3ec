package metrics

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weir-lake/weir/ingest"
	"github.com/weir-lake/weir/ingest/broker"
	"github.com/weir-lake/weir/lake"
)

// clock is set by hand.
type clock struct{ now time.Time }

func (c *clock) time() time.Time { return c.now }

func newMetrics() (*Metrics, *clock) {
	c := &clock{time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	return New(Options{Clock: c.time}), c
}

// served is a server and what it answers.
func served(t *testing.T, m Source) func(path string) (status int, body string) {
	t.Helper()
	s, err := Serve(":0", m)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if host, _, _ := net.SplitHostPort(s.Addr()); host != "127.0.0.1" {
		t.Errorf("listens on %s, and nobody said so", s.Addr())
	}
	return func(path string) (int, string) {
		t.Helper()
		resp, err := http.Get("http://" + s.Addr() + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body)
	}
}

// expect looks for lines of /metrics.
func expect(t *testing.T, body string, lines ...string) {
	t.Helper()
	all := strings.Split(body, "\n")
	for _, line := range lines {
		if !slices.Contains(all, line) {
			t.Errorf("no line %q", line)
		}
	}
	if t.Failed() {
		t.Log(regexp.MustCompile(`(?m)^(#|go_|process_).*\n`).ReplaceAllString(body, ""))
	}
}

func report(records int64) ingest.SinkReport {
	return ingest.SinkReport{
		Records: records, Bytes: 100 * records, Commits: 2, Files: 3, Lost: 1,
		Rows: map[string]int64{"events.chat_messages": records}, DeadLetters: map[string]int64{"not_json": 4},
	}
}

func TestMetricsOfASink(t *testing.T) {
	m, clock := newMetrics()
	get := served(t, m)
	m.Generation(1)
	m.Assigned("weir.chat", map[int]int64{0: 10, 3: 100})
	m.Assigned("weir.gateway", nil)
	m.Fetched("weir.chat", nil)
	m.Fetched("weir.chat", errors.New("away"))
	m.Read("weir.chat", 0, 15, 17)
	m.Read("weir.chat", 3, 100, 100)
	m.Read("weir.chat", 1, 5, 500) // is not ours any more
	clock.now = clock.now.Add(7 * time.Second)
	_, body := get("/metrics")
	expect(t, body, `weir_sink_last_commit_age_seconds 7`, `weir_sink_lag{partition="0",topic="weir.chat"} 7`, `weir_sink_lag{partition="3",topic="weir.chat"} 0`,
		`weir_sink_offset{partition="0",topic="weir.chat"} 10`, `weir_sink_generations_total 1`, `weir_sink_assigned_partitions 2`,
		`weir_sink_fetch_errors_total{topic="weir.chat"} 1`)
	if strings.Contains(body, `partition="1"`) {
		t.Error("shows a partition that is not read")
	}

	m.Committed("weir.chat", 300*time.Millisecond, report(5), map[int]int64{0: 15})
	m.Stale("weir.chat")
	m.Stalled("weir.chat")
	m.Redacted("openai_key", 2)
	m.Published(nil)
	m.Published(errors.New("full"))
	_, body = get("/metrics")
	expect(t, body, `weir_sink_last_commit_age_seconds 0`, `weir_sink_lag{partition="0",topic="weir.chat"} 2`, `weir_sink_offset{partition="0",topic="weir.chat"} 15`,
		`weir_sink_records_total{topic="weir.chat"} 5`, `weir_sink_bytes_total{topic="weir.chat"} 500`, `weir_sink_files_total{topic="weir.chat"} 3`,
		`weir_sink_commits_total{topic="weir.chat"} 2`, `weir_sink_lost_records_total{topic="weir.chat"} 1`, `weir_sink_rows_total{table="events.chat_messages"} 5`,
		`weir_sink_dead_letters_total{reason="not_json"} 4`, `weir_sink_stale_batches_total{topic="weir.chat"} 1`, `weir_sink_stalls_total{topic="weir.chat"} 1`,
		`weir_sink_commit_seconds_bucket{le="0.25"} 0`, `weir_sink_commit_seconds_bucket{le="0.5"} 1`, `weir_redactions_total{kind="openai_key"} 2`,
		`weir_catalog_publications_total{result="error"} 1`)

	// Another sink has the partitions now, and shows them.
	m.Assigned("weir.chat", map[int]int64{3: 100})
	if _, body = get("/metrics"); strings.Contains(body, `partition="0"`) {
		t.Error("shows a partition that was given away")
	}
}

func TestReadiness(t *testing.T) {
	m, clock := newMetrics()
	get := served(t, m)
	ready := func(want bool, reason string) {
		t.Helper()
		status, body := get("/readyz")
		var r Readiness
		if err := json.Unmarshal([]byte(body), &r); err != nil {
			t.Fatal(err)
		}
		if r.Ready != want || (status == http.StatusOK) != want || !strings.Contains(strings.Join(r.Reasons, "\n"), reason) {
			t.Errorf("status %d: %s; want %v because of %q", status, body, want, reason)
		}
	}
	ready(false, "no partitions")
	m.Assigned("weir.gateway", nil)
	ready(true, "") // more sinks than partitions
	m.Assigned("weir.chat", map[int]int64{0: 0})
	ready(true, "")
	clock.now = clock.now.Add(DefaultFetchBound + time.Second)
	m.Fetched("weir.chat", errors.New("away"))
	ready(false, "weir.chat: no answer from the cluster for 1m1s")
	m.Fetched("weir.chat", nil)
	ready(true, "")
	if status, body := get("/healthz"); status != http.StatusOK || body != "ok\n" {
		t.Errorf("healthz: %d %q", status, body)
	}
}

func TestServeErrors(t *testing.T) {
	m, _ := newMetrics()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, address := range []string{"9464", taken.Addr().String()} {
		if s, err := Serve(address, m); err == nil || lake.HintOf(err) == "" {
			t.Errorf("%s: %v, %v", address, s, err)
		}
	}
}

// busyMetrics show every metric of a sink.
func busyMetrics() *Metrics {
	m, _ := newMetrics()
	m.Assigned("weir.chat", map[int]int64{0: 0})
	m.Read("weir.chat", 0, 0, 0)
	m.Committed("weir.chat", time.Second, report(1), nil)
	m.Fetched("weir.chat", errors.New("away"))
	m.Stale("weir.chat")
	m.Stalled("weir.chat")
	m.Redacted("openai_key", 1)
	m.Published(nil)
	return m
}

// names are those of the metrics of ours that registries show, sorted.
func names(t *testing.T, registries ...*prometheus.Registry) []string {
	t.Helper()
	var have []string
	for _, registry := range registries {
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if strings.HasPrefix(f.GetName(), "weir_") {
				have = append(have, f.GetName())
			}
		}
	}
	slices.Sort(have)
	return slices.Compact(have)
}

// The manual has each metric, and no other.
func TestManualHasEveryMetric(t *testing.T) {
	m := busyMetrics()
	manual, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	have := names(t, m.registry, newReceiver(t, nil).registry, newBroker(t).registry)
	documented := map[string]bool{}
	for _, found := range regexp.MustCompile("(?m)^\\| `(weir_[a-z_]+)").FindAllStringSubmatch(string(manual), -1) {
		documented[found[1]] = true
	}
	for _, name := range have {
		if !documented[name] {
			t.Errorf("docs/operations.md does not have %s", name)
		}
		delete(documented, name)
	}
	for name := range documented {
		t.Errorf("docs/operations.md has %s, and there is none", name)
	}
}

// produce sends messages with these ids.
func produce(t *testing.T, conn *ingest.Conn, ids ...string) {
	t.Helper()
	p, err := ingest.NewProducer(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, id := range ids {
		if err := p.Append(t.Context(), lake.Event{
			ID: id, Source: "test://here", Type: "weir.chat.message.v1", Subject: "s", Time: at,
			Data: &lake.ChatMessage{ConversationID: "s", Kind: lake.KindPrompt, Role: "user", Content: id, OrderedAt: at},
		}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// A real sink shows what it did.
func TestSinkIsObserved(t *testing.T) {
	lk, err := lake.Init(t.TempDir()+"/lake", lake.Options{})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := ingest.Connect(t.Context(), lk, ingest.ConnOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	produce(t, conn, "a", "b")
	m := New(Options{})
	if _, err := ingest.Sink(t.Context(), lk, conn, ingest.SinkOptions{Once: true, Observer: m}); err != nil {
		t.Fatal(err)
	}
	_, body := served(t, m)("/metrics")
	expect(t, body, `weir_sink_records_total{topic="weir.chat"} 2`, `weir_sink_rows_total{table="events.chat_messages"} 2`, `weir_sink_files_total{topic="weir.chat"} 1`,
		fmt.Sprintf("weir_sink_assigned_partitions %d", broker.DefaultPartitions*len(lake.Topics())))
	if !regexp.MustCompile(`weir_sink_offset\{partition="\d",topic="weir.chat"\} 2\n`).MatchString(body) || strings.Contains(body, "weir_sink_lag{partition=\"0\",topic=\"weir.chat\"} 2") {
		t.Error("offset 2 and lag 0 are not shown")
	}
}
