package metrics

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/weir-lake/weir/ingest/otlp"
	"github.com/weir-lake/weir/lake"
)

// appender takes everything, or nothing.
type appender struct{ err error }

func (a *appender) Append(context.Context, ...lake.Event) error { return a.err }
func (a *appender) Flush(context.Context) ([]lake.Position, error) {
	return nil, a.err
}

// newReceiver is for a receiver that writes to out, which may be nil.
func newReceiver(t *testing.T, out lake.Appender) *Receiver {
	c := &clock{time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	return receiverAt(t, out, c, nil)
}

func receiverAt(t *testing.T, out lake.Appender, c *clock, sink *Metrics) *Receiver {
	r := otlp.New(otlp.Options{Open: func(context.Context) (lake.Appender, error) { return out, nil }, Now: c.time})
	t.Cleanup(func() { r.Close(context.Background()) })
	return NewReceiver(r, sink, Options{Clock: c.time})
}

// span is a request with one call of a model.
const span = `{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"0102030405060708090a0b0c0d0e0f10","spanId":"0102030405060708","name":"chat m",
"startTimeUnixNano":"1772366400000000000","endTimeUnixNano":"1772366401000000000","attributes":[
{"key":"gen_ai.operation.name","value":{"stringValue":"chat"}},{"key":"gen_ai.request.model","value":{"stringValue":"m"}},
{"key":"gen_ai.input.messages","value":{"stringValue":"[{\"role\":\"user\",\"parts\":[{\"type\":\"text\",\"content\":\"hello\"}]}]"}}]}]}]}]}`

func post(t *testing.T, m *Receiver, want int) {
	t.Helper()
	req := httptest.NewRequest(http.MethodPost, "/v1/traces", strings.NewReader(span))
	req.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	m.receiver.ServeHTTP(w, req)
	if w.Code != want {
		t.Fatalf("answer %d, want %d: %s", w.Code, want, w.Body)
	}
}

func TestMetricsOfAReceiver(t *testing.T) {
	c := &clock{time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	out := &appender{}
	m := receiverAt(t, out, c, nil)
	get := served(t, m)
	c.now = c.now.Add(3 * time.Second)
	_, body := get("/metrics")
	expect(t, body, `weir_otlp_requests_total{result="ok"} 0`, `weir_otlp_last_produce_age_seconds 3`)
	post(t, m, http.StatusOK)
	c.now = c.now.Add(7 * time.Second)
	_, body = get("/metrics")
	expect(t, body, `weir_otlp_requests_total{result="ok"} 1`, `weir_otlp_requests_total{result="refused"} 0`, `weir_otlp_events_total 1`,
		`weir_otlp_dead_letters_total 0`, `weir_otlp_in_flight_bytes 0`, `weir_otlp_produce_errors_total 0`, `weir_otlp_last_produce_age_seconds 7`)
	if strings.Contains(body, "weir_otlp_bytes_total 0\n") {
		t.Error("no bytes were counted")
	}
	if status, _ := get("/readyz"); status != http.StatusOK {
		t.Errorf("readyz %d", status)
	}

	out.err = errors.New("away")
	post(t, m, http.StatusServiceUnavailable)
	_, body = get("/metrics")
	expect(t, body, `weir_otlp_requests_total{result="refused"} 1`, `weir_otlp_produce_errors_total 1`, `weir_otlp_events_total 1`)
	c.now = c.now.Add(30 * time.Second)
	if status, body := get("/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(body, "Kafka did not take a request 30s ago") {
		t.Errorf("readyz %d: %s", status, body)
	}
	if status, _ := get("/healthz"); status != http.StatusOK {
		t.Errorf("healthz %d", status)
	}
	c.now = c.now.Add(31 * time.Second) // or nobody would ever send it anything again
	if status, _ := get("/readyz"); status != http.StatusOK {
		t.Errorf("readyz %d a minute later", status)
	}
	out.err = nil
	post(t, m, http.StatusOK)
	if status, _ := get("/readyz"); status != http.StatusOK {
		t.Errorf("readyz %d after Kafka took a request", status)
	}
}

// A sink in the same process is shown too, and has to be ready.
func TestAReceiverWithItsSink(t *testing.T) {
	c := &clock{time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	sink := New(Options{Clock: c.time})
	get := served(t, receiverAt(t, &appender{}, c, sink))
	if status, body := get("/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(body, "no partitions are assigned yet") {
		t.Errorf("readyz %d: %s", status, body)
	}
	sink.Assigned("weir.chat", map[int]int64{0: 5})
	if status, _ := get("/readyz"); status != http.StatusOK {
		t.Errorf("readyz %d", status)
	}
	_, body := get("/metrics")
	expect(t, body, `weir_sink_offset{partition="0",topic="weir.chat"} 5`, `weir_otlp_events_total 0`)
}
