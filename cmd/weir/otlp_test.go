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
		ended <- run(ctx, []string{"weir", "ingest", "--lake", dir, "--listen-otlp", ":0", "--json"}, nil, &stdout, &stderr)
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
	stop()
	if code := <-ended; code != exitDone {
		t.Fatalf("exit code %d: %s", code, stderr.String())
	}
	var stats otlp.Stats
	if err := json.Unmarshal([]byte(stdout.String()), &stats); err != nil || stats != (otlp.Stats{Requests: 3, Events: 2, DeadLetters: 1}) {
		t.Errorf("%+v, %v", stats, err)
	}
	var rows bytes.Buffer
	code := run(t.Context(), []string{"weir", "query", "--lake", dir, "--json",
		"select (select count(*) from events.gateway_calls) as calls, (select count(*) from events.dead_letters) as letters"}, nil, &rows, &stderr)
	if code != 0 || !strings.Contains(strings.Join(strings.Fields(rows.String()), ""), `"calls":"2","letters":"1"`) {
		t.Errorf("exit code %d: %s%s", code, rows.String(), stderr.String())
	}
}
