package litellm

import (
	"path/filepath"
	"testing"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/llm/llmtest"
	"github.com/weir-lake/weir/lake"
)

func TestGolden(t *testing.T) { llmtest.Golden(t, Format(), "testdata/*") }

func TestDetect(t *testing.T) {
	for head, want := range map[string]bool{
		`{"id":"1","call_type":"completion","startTime":1}`:               true,
		"{\"request_id\":\"1\",\n \"spend\":0.1,\n \"startTime\":\"x\"}":  true,
		`[{"id":"1","call_type":"completion","startTime":1},`:             true,
		`{"batch":[{"type":"generation-create","body":{}}]}`:              true,
		`{"batch":[{"type":"trace-create","body":{"id":"` + "cut":         true,
		`{"call_type":"completion","startTime":1,"messages":[{"role":"us`: true,
		`{"request":{"messages":[]},"response":{"choices":[]}}`:           false,
		`{"batch":[1,2]}`: false,
		`{"trace":{"id":"t"},"observations":[{"type":"GENERATION"}]}`: false,
		"": false,
	} {
		if got := detect(source.Probe{Head: []byte(head)}) > 0; got != want {
			t.Errorf("%s: %v", head, got)
		}
	}
}

func TestSamples(t *testing.T) {
	dir := llmtest.Samples(t, "litellm")
	paths, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(paths) != 9 {
		t.Fatalf("%d files, want 9 (%v)", len(paths), err)
	}
	ids := map[string]bool{}
	for _, path := range paths {
		got := llmtest.ReadFile(t, Format(), path)
		if len(got.Events) != 1 || len(got.Rejects) != 0 {
			t.Fatalf("%s: %d calls, %d rejects, want one call", path, len(got.Events), len(got.Rejects))
		}
		ids[got.Events[0].ID] = true
		call := got.Events[0].Data.(*lake.GatewayCall)
		if call.CostUSD == nil || *call.InputTokens != 10 || *call.OutputTokens != 20 || call.LatencyMS == nil || call.Status != "success" {
			t.Errorf("%s: %+v", path, call)
		}
		// All but the spend-log row hold the conversation.
		if spend := filepath.Base(path) == "gcs_pub_sub_body_spend_logs_payload.json"; (len(call.Output) == 0) != spend {
			t.Errorf("%s: output %+v", path, call.Output)
		}
	}
	if len(ids) != 8 {
		t.Errorf("%d calls, want 8: two of the files log the same one", len(ids))
	}
}

func FuzzReadRecord(f *testing.F) {
	f.Add([]byte(`{"id":"1","call_type":"acompletion","startTime":1,"messages":"[{}]","response":"x","metadata":"{}"}`))
	f.Add([]byte(`{"batch":[{"type":"trace-create","body":{"id":"t"}},{"type":"generation-create","body":{"input":"x","output":{}}}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		events, _ := readRecord(raw, 0)
		for _, e := range events {
			if _, err := e.Encode(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
