package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weir-lake/weir/ingest/otlp"
)

// lockedBuffer is written by a command and read by its test.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// TestListenOTLP: what is acknowledged is in the lake while the command runs,
// and a stop is no failure.
func TestListenOTLP(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "lake")
	if code := run(t.Context(), []string{"weir", "init", "--lake", dir}, nil, io.Discard, io.Discard); code != 0 {
		t.Fatal(code)
	}
	ctx, stop := context.WithCancel(t.Context())
	var stdout, stderr lockedBuffer
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"weir", "ingest", "--lake", dir, "--listen-otlp", ":0", "--metrics", ":0", "--json"}, nil, &stdout, &stderr)
	}()
	url := regexp.MustCompile(`listening on (http://127\.0\.0\.1:\d+)`)
	var found []string
	for deadline := time.Now().Add(20 * time.Second); found == nil; found = url.FindStringSubmatch(stderr.String()) {
		if time.Now().After(deadline) {
			t.Fatalf("it does not listen: %s", stderr.String())
		}
		time.Sleep(10 * time.Millisecond)
	}
	span := func(id string) string {
		return `{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"` + id +
			`","attributes":[{"key":"gen_ai.operation.name","value":{"stringValue":"chat"}},{"key":"gen_ai.completion.0.content","value":{"stringValue":"Hello."}}]}]}]}]}`
	}
	for _, id := range []string{"00f067aa0ba902b7", "00f067aa0ba902b8", ""} {
		resp, err := http.Post(found[1]+"/v1/traces", "application/json", strings.NewReader(span(id)))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Fatal(resp.Status)
		}
	}
	checkMetrics(t, stderr.String())
	stop()
	if code := <-ended; code != exitDone {
		t.Fatalf("exit code %d: %s", code, stderr.String())
	}
	var stats otlp.Stats
	if err := json.Unmarshal([]byte(stdout.String()), &stats); err != nil || stats != (otlp.Stats{Requests: 3, Events: 2, DeadLetters: 1, Bytes: stats.Bytes}) || stats.Bytes < 500 {
		t.Errorf("%+v, %v", stats, err)
	}
	var rows bytes.Buffer
	code := run(t.Context(), []string{"weir", "query", "--lake", dir, "--json",
		"select (select count(*) from events.gateway_calls) as calls, (select count(*) from events.dead_letters) as letters"}, nil, &rows, &stderr)
	if code != 0 || !strings.Contains(strings.Join(strings.Fields(rows.String()), ""), `"calls":"2","letters":"1"`) {
		t.Errorf("exit code %d: %s%s", code, rows.String(), stderr.String())
	}
}

// checkMetrics asks a process that has said where its metrics are: a receiver
// that took three requests, with the sink of the embedded broker.
func checkMetrics(t *testing.T, said string) {
	t.Helper()
	found := regexp.MustCompile(`metrics on (http://127\.0\.0\.1:\d+)/metrics`).FindStringSubmatch(said)
	if found == nil {
		t.Fatalf("it serves no metrics: %s", said)
	}
	resp, err := http.Get(found[1] + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`weir_otlp_requests_total{result="ok"} 3`, `weir_otlp_events_total 2`, "weir_sink_generations_total "} {
		if !strings.Contains(string(body), "\n"+want) {
			t.Errorf("no %s in the metrics", want)
		}
	}
}

// TestBrokerServesMetrics: and stops when it is told to.
func TestBrokerServesMetrics(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "lake")
	if code := run(t.Context(), []string{"weir", "init", "--lake", dir}, nil, io.Discard, io.Discard); code != 0 {
		t.Fatal(code)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var stdout, stderr lockedBuffer
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"weir", "broker", "--lake", dir, "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0"}, nil, &stdout, &stderr)
	}()
	url := regexp.MustCompile(`metrics on (http://127\.0\.0\.1:\d+)/metrics`)
	var found []string
	for deadline := time.Now().Add(20 * time.Second); found == nil; found = url.FindStringSubmatch(stdout.String()) {
		if time.Now().After(deadline) {
			t.Fatalf("it serves no metrics: %s%s", stdout.String(), stderr.String())
		}
		time.Sleep(10 * time.Millisecond)
	}
	for path, want := range map[string]string{"/metrics": `weir_broker_waiting_records{topic="weir.chat"} 0`, "/healthz": "ok", "/readyz": `"ready":true`} {
		resp, err := http.Get(found[1] + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
			t.Errorf("%s: %s, %v, no %s", path, resp.Status, err, want)
		}
	}
	stop()
	if code := <-ended; code != exitDone {
		t.Errorf("exit code %d: %s", code, stderr.String())
	}
}
