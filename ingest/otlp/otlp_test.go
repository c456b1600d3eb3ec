package otlp_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	collogspb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/weir-lake/weir/ingest/otlp"
	"github.com/weir-lake/weir/ingest/source/llm/llmtest"
	"github.com/weir-lake/weir/ingest/source/otel"
	"github.com/weir-lake/weir/lake"
)

// appender keeps what is appended; acknowledged is what was flushed too.
type appender struct {
	mu           sync.Mutex
	appended     []lake.Event
	acknowledged []lake.Event
	flushes      int
	failure      error
	gate         chan struct{} // not nil: a flush waits for it
}

func (a *appender) Append(_ context.Context, events ...lake.Event) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.appended = append(a.appended, events...)
	return a.failure
}

func (a *appender) Flush(ctx context.Context) ([]lake.Position, error) {
	if a.gate != nil {
		select {
		case <-a.gate:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.flushes++
	a.acknowledged = slices.Clone(a.appended)
	return nil, a.failure
}

func (a *appender) counts() (appended, acknowledged int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.appended), len(a.acknowledged)
}

// receiver is a receiver over a, and its server.
func receiver(t *testing.T, opts otlp.Options, a *appender) (*otlp.Receiver, *httptest.Server) {
	t.Helper()
	if opts.Open == nil {
		opts.Open = func(context.Context) (lake.Appender, error) { return a, nil }
	}
	r := otlp.New(opts)
	server := httptest.NewServer(r)
	t.Cleanup(func() {
		server.Close()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		r.Close(ctx)
	})
	return r, server
}

// span is a span of a call that says text.
func span(id byte, text string) *tracepb.Span {
	attribute := func(key, value string) *commonpb.KeyValue {
		return &commonpb.KeyValue{Key: key, Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: value}}}
	}
	return &tracepb.Span{
		TraceId: bytes.Repeat([]byte{7}, 16), SpanId: []byte{0, 0, 0, 0, 0, 0, 1, id}, Name: "chat",
		StartTimeUnixNano: 1770000000000000000, EndTimeUnixNano: 1770000001000000000,
		Attributes: []*commonpb.KeyValue{
			attribute("gen_ai.operation.name", "chat"), attribute("gen_ai.provider.name", "openai"), attribute("gen_ai.request.model", "gpt-demo"),
			attribute("gen_ai.input.messages", `[{"role":"user","parts":[{"type":"text","content":"Say it."}]}]`),
			attribute("gen_ai.output.messages", string(must(json.Marshal([]any{map[string]any{
				"role": "assistant", "parts": []any{map[string]any{"type": "text", "content": text}},
			}})))),
		},
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func traces(spans ...*tracepb.Span) []byte {
	return must(proto.Marshal(&coltracepb.ExportTraceServiceRequest{
		ResourceSpans: []*tracepb.ResourceSpans{{ScopeSpans: []*tracepb.ScopeSpans{{Spans: spans}}}},
	}))
}

func post(t *testing.T, url, contentType string, body []byte, headers ...string) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, answer
}

const protobuf = "application/x-protobuf"

// TestLiveIsLikeAFile: protobuf and JSON, live and from a file, are the same events.
func TestLiveIsLikeAFile(t *testing.T) {
	document := `{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"07070707070707070707070707070707","spanId":"0000000000000101","name":"chat",
		"startTimeUnixNano":"1770000000000000000","endTimeUnixNano":"1770000001000000000","attributes":[
		{"key":"gen_ai.operation.name","value":{"stringValue":"chat"}},{"key":"gen_ai.provider.name","value":{"stringValue":"openai"}},
		{"key":"gen_ai.request.model","value":{"stringValue":"gpt-demo"}},
		{"key":"gen_ai.input.messages","value":{"stringValue":"[{\"role\":\"user\",\"parts\":[{\"type\":\"text\",\"content\":\"Say it.\"}]}]"}},
		{"key":"gen_ai.output.messages","value":{"stringValue":"[{\"role\":\"assistant\",\"parts\":[{\"type\":\"text\",\"content\":\"It.\"}]}]"}}]}]}]}]}`
	file := llmtest.Read(t, otel.Format(), document).Events[0]
	file.ParserVersion = otel.Format().Version
	want := string(must(file.Encode()))

	for _, sent := range []struct {
		contentType string
		body        []byte
	}{{protobuf, traces(span(1, "It."))}, {"application/json; charset=utf-8", []byte(document)}} {
		var a appender
		_, server := receiver(t, otlp.Options{}, &a)
		resp, answer := post(t, server.URL+"/v1/traces", sent.contentType, sent.body)
		if resp.StatusCode != http.StatusOK || len(a.acknowledged) != 1 {
			t.Fatalf("%s: %s %q, %d events", sent.contentType, resp.Status, answer, len(a.acknowledged))
		}
		if got := string(must(a.acknowledged[0].Encode())); got != want {
			t.Errorf("%s:\n%s\nfrom a file:\n%s", sent.contentType, got, want)
		}
	}
}

func TestAnswers(t *testing.T) {
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	w.Write(bytes.Repeat([]byte(" "), 1<<20))
	w.Close()
	large := []byte(`{"resourceSpans":[],"x":"` + strings.Repeat("x", 1<<16) + `"}`)

	for name, c := range map[string]struct {
		method, path, contentType, encoding string
		body                                []byte
		want                                int
	}{
		"empty protobuf":   {"POST", "/v1/traces", protobuf, "", nil, 200},
		"empty JSON":       {"POST", "/v1/logs", "application/json", "", []byte("{}"), 200},
		"another path":     {"POST", "/v1/metrics", protobuf, "", nil, 404},
		"GET":              {"GET", "/v1/traces", protobuf, "", nil, 405},
		"text":             {"POST", "/v1/traces", "text/plain", "", nil, 415},
		"no type":          {"POST", "/v1/traces", "", "", nil, 415},
		"brotli":           {"POST", "/v1/traces", protobuf, "br", nil, 415},
		"broken protobuf":  {"POST", "/v1/traces", protobuf, "", []byte("\xff\xff"), 400},
		"broken JSON":      {"POST", "/v1/traces", "application/json", "", []byte(`{"resourceSpans":`), 400},
		"a list":           {"POST", "/v1/traces", "application/json", "", []byte(`[]`), 400},
		"no gzip":          {"POST", "/v1/traces", "application/json", "gzip", []byte(`{}`), 400},
		"cut gzip":         {"POST", "/v1/traces", "application/json", "gzip", zipped.Bytes()[:zipped.Len()-12], 400},
		"large":            {"POST", "/v1/traces", "application/json", "", large, 413},
		"large, unpacked":  {"POST", "/v1/traces", "application/json", "gzip", zipped.Bytes(), 413},
		"too much at once": {"POST", "/v1/traces", "application/json", "", large[:30<<10], 429},
	} {
		t.Run(name, func(t *testing.T) {
			opts := otlp.Options{MaxBody: 60 << 10, MaxInFlight: 1 << 20}
			switch name {
			case "too much at once":
				opts.MaxInFlight = 20 << 10
			case "cut gzip":
				opts.MaxBody = 2 << 20
				opts.MaxInFlight = 2 << 20
			}
			var a appender
			r, server := receiver(t, opts, &a)
			req := must(http.NewRequest(c.method, server.URL+c.path, bytes.NewReader(c.body)))
			req.Header.Set("Content-Type", c.contentType)
			if c.encoding != "" {
				req.Header.Set("Content-Encoding", c.encoding)
			}
			resp := must(http.DefaultClient.Do(req))
			defer resp.Body.Close()
			answer := must(io.ReadAll(resp.Body))
			if resp.StatusCode != c.want {
				t.Fatalf("%s: %q, want %d", resp.Status, answer, c.want)
			}
			if retry := resp.Header.Get("Retry-After"); (retry != "") != (c.want == 429) {
				t.Errorf("Retry-After %q", retry)
			}
			if resp.StatusCode == 405 && resp.Header.Get("Allow") != "POST" {
				t.Errorf("Allow %q", resp.Header.Get("Allow"))
			}
			if s := r.Stats(); (s.Refused == 1) != (c.want != 200) {
				t.Errorf("stats %+v", s)
			}
			if appended, _ := a.counts(); appended > 0 {
				t.Errorf("%d events", appended)
			}
			// What a refused request held is free again.
			if again, answer := post(t, server.URL+"/v1/traces", protobuf, traces(span(1, "x"))); again.StatusCode != 200 {
				t.Errorf("the next request: %s %q", again.Status, answer)
			}
		})
	}
}

// TestPartialSuccess: what becomes a dead letter is counted, in the encoding
// and under the name of the signal.
func TestPartialSuccess(t *testing.T) {
	nameless := span(2, "x")
	nameless.SpanId = nil
	body := traces(span(1, "x"), nameless)
	var a appender
	_, server := receiver(t, otlp.Options{}, &a)
	resp, answer := post(t, server.URL+"/v1/traces", protobuf, body)
	var got coltracepb.ExportTraceServiceResponse
	if err := proto.Unmarshal(answer, &got); err != nil || resp.StatusCode != 200 || got.GetPartialSuccess().GetRejectedSpans() != 1 ||
		got.GetPartialSuccess().GetErrorMessage() == "" {
		t.Errorf("%s %v %v", resp.Status, &got, err)
	}
	if len(a.acknowledged) != 2 {
		t.Fatalf("%d events", len(a.acknowledged))
	}
	letter, ok := a.acknowledged[1].Data.(*lake.DeadLetter)
	if !ok || letter.Reason != "incomplete" || letter.File != "otlp://127.0.0.1" || letter.Format != "otel" {
		t.Errorf("dead letter %+v", a.acknowledged[1].Data)
	}
	// Sent again, it is the same letter: protojson's random spaces do not count.
	post(t, server.URL+"/v1/traces", protobuf, body)
	if a.acknowledged[3].ID != a.acknowledged[1].ID {
		t.Error("the same span is two dead letters")
	}

	record := &logspb.LogRecord{EventName: "gen_ai.user.message"}
	logs := must(proto.Marshal(&collogspb.ExportLogsServiceRequest{ResourceLogs: []*logspb.ResourceLogs{{ScopeLogs: []*logspb.ScopeLogs{{LogRecords: []*logspb.LogRecord{record}}}}}}))
	_, answer = post(t, server.URL+"/v1/logs", protobuf, logs)
	var gotLogs collogspb.ExportLogsServiceResponse
	if err := proto.Unmarshal(answer, &gotLogs); err != nil || gotLogs.GetPartialSuccess().GetRejectedLogRecords() != 1 {
		t.Errorf("%v %v", &gotLogs, err)
	}
	_, answer = post(t, server.URL+"/v1/logs", "application/json", []byte(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[17]}]}]}`))
	var asJSON struct {
		PartialSuccess struct{ RejectedLogRecords, ErrorMessage string }
	}
	if err := json.Unmarshal(answer, &asJSON); err != nil || asJSON.PartialSuccess.RejectedLogRecords != "1" {
		t.Errorf("%s %v", answer, err)
	}
}

func TestSecretsAreTakenOut(t *testing.T) {
	secret := "sk" + "-proj-A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6"
	var a appender
	_, server := receiver(t, otlp.Options{}, &a)
	nameless := span(2, secret)
	nameless.SpanId = nil
	post(t, server.URL+"/v1/traces", protobuf, traces(span(1, "the key is "+secret), nameless))
	if len(a.acknowledged) != 2 {
		t.Fatalf("%d events", len(a.acknowledged))
	}
	for _, e := range a.acknowledged {
		if wire := must(e.Encode()); bytes.Contains(wire, []byte(secret)) || !bytes.Contains(wire, []byte("REDACTED")) {
			t.Errorf("%s", wire)
		}
	}
}

// TestNoAnswerBeforeKafka: success is not said before the flush, and not at all
// when it does not come.
func TestNoAnswerBeforeKafka(t *testing.T) {
	a := &appender{gate: make(chan struct{})}
	_, server := receiver(t, otlp.Options{AckTimeout: 150 * time.Millisecond}, a)
	resp, answer := post(t, server.URL+"/v1/traces", protobuf, traces(span(1, "x")))
	if appended, acknowledged := a.counts(); resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" || appended != 1 || acknowledged != 0 {
		t.Fatalf("%s %q with %d appended, %d acknowledged", resp.Status, answer, appended, acknowledged)
	}
	close(a.gate)
	resp, answer = post(t, server.URL+"/v1/traces", protobuf, traces(span(1, "x")))
	if _, acknowledged := a.counts(); resp.StatusCode != 200 || acknowledged != 2 {
		t.Fatalf("%s %q with %d acknowledged", resp.Status, answer, acknowledged)
	}
	if a.appended[0].ID != a.appended[1].ID {
		t.Error("sent again, it is another event")
	}
}

// TestSlowKafkaHoldsBack: requests that wait count as under way; when there are
// too many the next is told to come back.
func TestSlowKafkaHoldsBack(t *testing.T) {
	a := &appender{gate: make(chan struct{})}
	body := traces(span(1, strings.Repeat("x", 40<<10)))
	_, server := receiver(t, otlp.Options{MaxInFlight: 100 << 10, AckTimeout: 5 * time.Second}, a)
	codes := make(chan int)
	for range 2 {
		go func() {
			for {
				resp, _ := post(t, server.URL+"/v1/traces", protobuf, body)
				if resp.StatusCode != 429 {
					codes <- resp.StatusCode
					return
				}
				// A probe below took its room; senders ask again.
				time.Sleep(time.Millisecond)
			}
		}()
	}
	deadline := time.Now().Add(3 * time.Second)
	for { // until both wait
		resp, _ := post(t, server.URL+"/v1/traces", protobuf, body[:0])
		if resp.StatusCode != 200 {
			t.Fatalf("an empty request: %s", resp.Status)
		}
		if resp, _ = post(t, server.URL+"/v1/traces", "application/json", append([]byte(`{"resourceSpans":[]}`), bytes.Repeat([]byte(" "), 40<<10)...)); resp.StatusCode == 429 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("never held back")
		}
	}
	close(a.gate)
	for range 2 {
		if code := <-codes; code != 200 {
			t.Errorf("a request that waited: %d", code)
		}
	}
	if resp, _ := post(t, server.URL+"/v1/traces", protobuf, body); resp.StatusCode != 200 {
		t.Errorf("after it: %s", resp.Status)
	}
}

// TestAnotherAppenderAfterAFailure: a producer that failed takes nothing more,
// so the next request opens one.
func TestAnotherAppenderAfterAFailure(t *testing.T) {
	broken, whole := &appender{failure: errors.New("gone")}, &appender{}
	opened := 0
	_, server := receiver(t, otlp.Options{Open: func(context.Context) (lake.Appender, error) {
		switch opened++; opened {
		case 1:
			return nil, errors.New("no broker")
		case 2:
			return broken, nil
		}
		return whole, nil
	}}, nil)
	for i, want := range []int{503, 503, 200, 200} {
		if resp, answer := post(t, server.URL+"/v1/traces", protobuf, traces(span(byte(i), "x"))); resp.StatusCode != want {
			t.Errorf("request %d: %s %q", i, resp.Status, answer)
		}
	}
	if opened != 3 || len(whole.acknowledged) != 2 {
		t.Errorf("%d opened, %d acknowledged", opened, len(whole.acknowledged))
	}
}

// TestManyAtOnce: requests that wait together are flushed together, and each
// event arrives once.
func TestManyAtOnce(t *testing.T) {
	a := &appender{gate: make(chan struct{})}
	_, server := receiver(t, otlp.Options{}, a)
	var group sync.WaitGroup
	for i := range 40 {
		group.Go(func() {
			if resp, answer := post(t, server.URL+"/v1/traces", protobuf, traces(span(byte(i), "x"))); resp.StatusCode != 200 {
				t.Errorf("%s %q", resp.Status, answer)
			}
		})
	}
	time.Sleep(100 * time.Millisecond)
	close(a.gate)
	group.Wait()
	ids := map[string]bool{}
	for _, e := range a.acknowledged {
		ids[e.ID] = true
	}
	if len(ids) != 40 || len(a.acknowledged) != 40 || a.flushes >= 40 {
		t.Errorf("%d ids, %d events, %d flushes", len(ids), len(a.acknowledged), a.flushes)
	}
}
