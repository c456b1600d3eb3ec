package otlp_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/weir-lake/weir/ingest/otlp"
	"github.com/weir-lake/weir/lake"
)

// FuzzReceive: whatever is sent is taken, in parts as dead letters, or refused as
// the sender's fault. It is never the receiver's: a sender sends that again, for
// ever.
func FuzzReceive(f *testing.F) {
	f.Add(traces(span(1, "x")), true, false)
	f.Add(traces(span(1, "x"), span(2, "\u2028")), true, true)
	f.Add([]byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"0102","spanId":7,"startTimeUnixNano":"x","attributes":[{"key":"gen_ai.operation.name","value":{"stringValue":"chat"}}]}]}]}]}`), false, false)
	f.Add([]byte(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"kvlistValue":{"values":[]}},"eventName":"gen_ai.choice"},3]}]}]}`), false, true)
	r := otlp.New(otlp.Options{Open: func(context.Context) (lake.Appender, error) { return &appender{}, nil }})
	f.Cleanup(func() { r.Close(context.Background()) })
	f.Fuzz(func(t *testing.T, body []byte, isProtobuf, isLogs bool) {
		path, contentType := "/v1/traces", "application/json"
		if isLogs {
			path = "/v1/logs"
		}
		if isProtobuf {
			contentType = protobuf
		}
		req := httptest.NewRequest(http.MethodPost, path, bytes.NewReader(body))
		req.Header.Set("Content-Type", contentType)
		answer := httptest.NewRecorder()
		r.ServeHTTP(answer, req)
		if answer.Code != http.StatusOK && answer.Code != http.StatusBadRequest {
			t.Fatalf("status %d: %s", answer.Code, answer.Body)
		}
	})
}
