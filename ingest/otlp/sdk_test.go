package otlp_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/weir-lake/weir/ingest"
	"github.com/weir-lake/weir/ingest/otlp"
	"github.com/weir-lake/weir/lake"
)

func connect(t *testing.T, brokers ...string) (*lake.Lake, *ingest.Conn) {
	t.Helper()
	lk, err := lake.Init(filepath.Join(t.TempDir(), "lake"), lake.Options{})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := ingest.Connect(t.Context(), lk, ingest.ConnOptions{Brokers: brokers, Partitions: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return lk, conn
}

func open(conn *ingest.Conn) func(context.Context) (lake.Appender, error) {
	return func(ctx context.Context) (lake.Appender, error) { return ingest.NewProducer(ctx, conn) }
}

// TestSDK sends with OpenTelemetry's own SDK, through a broker, into a lake;
// then stops while nothing is under way.
func TestSDK(t *testing.T) {
	lk, conn := connect(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	receiver := otlp.New(otlp.Options{Open: open(conn)})
	served := make(chan error, 1)
	go func() { served <- receiver.Serve(ctx, listener) }()

	for i, compression := range []otlptracehttp.Compression{otlptracehttp.NoCompression, otlptracehttp.GzipCompression} {
		exporter, err := otlptracehttp.New(t.Context(), otlptracehttp.WithEndpoint(listener.Addr().String()), otlptracehttp.WithInsecure(),
			otlptracehttp.WithCompression(compression), otlptracehttp.WithRetry(otlptracehttp.RetryConfig{Enabled: false}))
		if err != nil {
			t.Fatal(err)
		}
		provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter))
		tracer := provider.Tracer("test")
		for k := range 100 {
			parent, agent := tracer.Start(t.Context(), "invoke_agent demo")
			agent.SetAttributes(attribute.String("gen_ai.operation.name", "invoke_agent"))
			_, call := tracer.Start(parent, "chat gpt-demo")
			call.SetAttributes(
				attribute.String("gen_ai.operation.name", "chat"), attribute.String("gen_ai.provider.name", "openai"),
				attribute.String("gen_ai.request.model", "gpt-demo"), attribute.String("gen_ai.response.id", fmt.Sprintf("chatcmpl-%d-%09d", i, k)),
				attribute.String("gen_ai.input.messages", `[{"role":"user","parts":[{"type":"text","content":"hi"}]}]`),
				attribute.String("gen_ai.output.messages", `[{"role":"assistant","parts":[{"type":"text","content":"hello"}]}]`),
				attribute.Int("gen_ai.usage.input_tokens", 3), attribute.StringSlice("gen_ai.response.finish_reasons", []string{"stop"}),
			)
			call.End()
			agent.End()
		}
		if err := provider.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	if err := <-served; err != nil {
		t.Fatal(err)
	}
	if _, err := http.Get("http://" + listener.Addr().String()); err == nil {
		t.Error("it still listens")
	}
	if s := receiver.Stats(); s.Events != 200 || s.DeadLetters != 0 || s.Refused != 0 {
		t.Errorf("stats %+v", s)
	}
	report, err := ingest.Sink(t.Context(), lk, conn, ingest.SinkOptions{Once: true})
	if err != nil || report.Rows["events.gateway_calls"] != 200 || report.Records != 200 {
		t.Errorf("%+v, %v", report, err)
	}
}

// TestBrokerDies: with the broker gone nothing is acknowledged; the receiver
// says so in time and keeps running.
func TestBrokerDies(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	_, conn := connect(t, cluster.ListenAddrs()...)
	_, server := receiver(t, otlp.Options{Open: open(conn), AckTimeout: 300 * time.Millisecond}, nil)
	if resp, answer := post(t, server.URL+"/v1/traces", protobuf, traces(span(1, "x"))); resp.StatusCode != 200 {
		t.Fatalf("with a broker: %s %q", resp.Status, answer)
	}
	cluster.Close()
	for range 2 {
		began := time.Now()
		resp, answer := post(t, server.URL+"/v1/traces", protobuf, traces(span(2, "x")))
		if resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" || !strings.Contains(string(answer), "Kafka") {
			t.Fatalf("without: %s %q", resp.Status, answer)
		}
		if waited := time.Since(began); waited > 3*time.Second {
			t.Errorf("the answer took %s", waited)
		}
	}
}

// TestStopWaits: a request that is under way when the receiver stops is
// answered, and what comes later is not taken.
func TestStopWaits(t *testing.T) {
	a := &appender{gate: make(chan struct{})}
	r := otlp.New(otlp.Options{Open: func(context.Context) (lake.Appender, error) { return a, nil }})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- r.Serve(ctx, listener) }()
	code := make(chan int, 1)
	go func() {
		resp, _ := post(t, "http://"+listener.Addr().String()+"/v1/traces", protobuf, traces(span(1, "x")))
		code <- resp.StatusCode
	}()
	for n := 0; n == 0; n, _ = a.counts() {
		time.Sleep(5 * time.Millisecond)
	}
	stop()
	time.Sleep(50 * time.Millisecond)
	close(a.gate)
	if got := <-code; got != 200 {
		t.Errorf("the request under way: %d", got)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
	if _, acknowledged := a.counts(); acknowledged != 1 {
		t.Errorf("%d acknowledged", acknowledged)
	}
}
