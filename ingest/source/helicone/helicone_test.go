package helicone

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/llm/llmtest"
	"github.com/weir-lake/weir/lake"
)

func TestGolden(t *testing.T) { llmtest.Golden(t, Format(), "testdata/*") }

func TestDetect(t *testing.T) {
	for head, want := range map[string]bool{
		`{"request_id":"r","request_created_at":"2026-01-01T00:00:00Z","response_status":200}`: true,
		`[{"request_id":"r","request_created_at":"x"},`:                                        true,
		`{"request_id":"r","request_created_at":"x","request_body":{"messages":[{"conte`:       true,
		"\ufeffrequest_id,Request Created At,provider\n1,2,3\n":                                true,
		`{"request_id":"r","request":{},"response":{}}`:                                        false,
		`{"request_id":"r","spend":1,"startTime":"x"}`:                                         false,
		"request_id,created_at\n":                                                              false,
		"text about request_id and request_created_at":                                         false,
	} {
		if got := Format().Detect(source.Probe{Name: "x", Head: []byte(head)}) > 0; got != want {
			t.Errorf("%s: %v", head, got)
		}
	}
}

// TestCSVIsLikeJSON: a row is the same event from either export.
func TestCSVIsLikeJSON(t *testing.T) {
	rows := llmtest.ReadFile(t, Format(), "testdata/requests.csv").Calls()
	lines := llmtest.ReadFile(t, Format(), "testdata/requests.jsonl")
	ids := map[string]*lake.GatewayCall{}
	for _, call := range lines.Calls() {
		ids[call.RequestID] = call
	}
	if len(rows) != 4 {
		t.Fatalf("%d calls", len(rows))
	}
	for _, row := range rows {
		line := ids[row.RequestID]
		if line.Model != row.Model || len(line.Messages) != len(row.Messages) || line.Status != row.Status || (line.OutputTokens == nil) != (row.OutputTokens == nil) {
			t.Errorf("%+v\n%+v", row, line)
		}
	}
}

// TestSignedAddressesAreNotKept: they open the bodies to whoever has them.
func TestSignedAddressesAreNotKept(t *testing.T) {
	for _, name := range []string{"requests.csv", "requests.jsonl"} {
		got := llmtest.ReadFile(t, Format(), "testdata/"+name)
		for _, e := range got.Events {
			if wire, _ := e.Encode(); bytes.Contains(wire, []byte("X-Amz")) {
				t.Errorf("%s: %s", name, wire)
			}
		}
		if len(got.Rejects) == 0 {
			t.Errorf("%s: no rejects", name)
		}
		for _, reject := range got.Rejects {
			if bytes.Contains(reject.Body, []byte("X-Amz")) {
				t.Errorf("%s: %s", name, reject.Body)
			}
		}
	}
}

// TestOpenQuote: a quote that is never closed does not take the whole file into
// memory.
func TestOpenQuote(t *testing.T) {
	in := "request_id,request_created_at\n1,2026-01-01T00:00:00Z\n\"" + strings.Repeat("x", source.MaxRecordBytes+1)
	got := llmtest.Read(t, Format(), in)
	if len(got.Events) != 1 || len(got.Rejects) != 1 || got.Rejects[0].Reason != source.ReasonTooLarge {
		t.Errorf("%d events, rejects %+v", len(got.Events), got.Rejects)
	}
}

func FuzzRead(f *testing.F) {
	for _, name := range []string{"requests.csv", "requests.jsonl"} {
		text, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		first, second := llmtest.Read(t, Format(), text), llmtest.Read(t, Format(), text)
		a, _ := json.Marshal(first)
		b, _ := json.Marshal(second)
		if !bytes.Equal(a, b) {
			t.Fatalf("read twice, it differs:\n%s\n%s", a, b)
		}
	})
}
