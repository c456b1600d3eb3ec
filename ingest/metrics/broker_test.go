package metrics

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weir-lake/weir/ingest"
	"github.com/weir-lake/weir/ingest/broker"
	"github.com/weir-lake/weir/lake"
)

func newBroker(t *testing.T) *Broker {
	t.Helper()
	lk, err := lake.Init(filepath.Join(t.TempDir(), "lake"), lake.Options{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := broker.Open(t.Context(), lk, broker.Options{Partitions: 1, Advertise: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return NewBroker(b, lk, Options{})
}

// What was sent waits until it is in the lake.
func TestMetricsOfABroker(t *testing.T) {
	m := newBroker(t)
	m.started = time.Now().Add(-time.Hour)
	get := served(t, m)
	_, body := get("/metrics")
	expect(t, body, `weir_broker_waiting_records{topic="weir.chat"} 0`, `weir_broker_records_total{partition="0",topic="weir.chat"} 0`, `weir_broker_warnings_total 0`)
	if !strings.Contains(body, "weir_broker_last_produce_age_seconds 36") {
		t.Error("the age does not count from the start")
	}

	conn, err := ingest.Connect(t.Context(), m.lake, ingest.ConnOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	produce(t, conn, "a", "b", "c")
	_, body = get("/metrics")
	expect(t, body, `weir_broker_waiting_records{topic="weir.chat"} 3`, `weir_broker_records_total{partition="0",topic="weir.chat"} 3`)
	if strings.Contains(body, "weir_broker_last_produce_age_seconds 36") || strings.Contains(body, `weir_broker_bytes{topic="weir.chat"} 0`) {
		t.Error("the records' time or bytes do not count")
	}
	if _, err := ingest.Sink(t.Context(), m.lake, conn, ingest.SinkOptions{Once: true}); err != nil {
		t.Fatal(err)
	}
	_, body = get("/metrics")
	expect(t, body, `weir_broker_waiting_records{topic="weir.chat"} 0`, `weir_broker_records_total{partition="0",topic="weir.chat"} 3`)
	if status, body := get("/readyz"); status != http.StatusOK || !strings.Contains(body, `"weir.chat":[0]`) {
		t.Errorf("readyz %d: %s", status, body)
	}
}
