package claudecode_test

import (
	"testing"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/claudecode"
	"github.com/weir-lake/weir/ingest/source/llm/llmtest"
)

func TestGolden(t *testing.T) { llmtest.Golden(t, claudecode.Format(), "testdata/*.jsonl") }

func TestDetect(t *testing.T) {
	for head, want := range map[string]bool{
		`{"parentUuid":null,"sessionId":"s","type":"user"}`:                   true,
		"\ufeff" + `{"type":"queue-operation","sessionId":"s"}`:               true,
		`{"type":"summary","summary":"x","leafUuid":"y"}`:                     true,
		`{"type":"file-history-snapshot","messageId":"x","snapshot":{`:        true,
		`{"sessionId":"s","messages":[]}`:                                     false,
		`{"content":"{\"parentUuid\":null,\"sessionId\":\"s\"}","agent":"a"}`: false,
		"# On `\"parentUuid\"` and `\"sessionId\"`\n":                         false,
	} {
		if got := claudecode.Format().Detect(source.Probe{Name: "x.jsonl", Head: []byte(head)}) >= 80; got != want {
			t.Errorf("%s: %v", head, got)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		`{"type":"user","uuid":"a","sessionId":"s","timestamp":"2026-01-01T00:00:00Z","message":{"content":[{"type":"tool_result","tool_use_id":"c","content":[{"type":"image"}]},{"type":"text","text":"x"}]}}`,
		`{"type":"assistant","uuid":"a","sessionId":"s","timestamp":"2026-01-01T00:00:00Z","message":{"id":"m","content":[{"type":"text","text":"<thinking>x"},{"type":"tool_use","id":"c","input":{}}],"usage":{"input_tokens":1}}}`,
		`{"type":"progress","uuid":"a","sessionId":"s","timestamp":"2026-01-01T00:00:00Z","parentToolUseID":"c","data":{"type":"agent_progress","agentId":"1","prompt":"p","message":{"type":"user","uuid":"b","message":{"content":"p"}}}}`,
		`{"type":"queue-operation","operation":"enqueue","sessionId":"s","timestamp":"2026-01-01T00:00:00Z","content":"x"}{"type":"queue-operation","operation":"remove"}`,
		`{"type":"summary","leafUuid":"l"}{"type":"system","subtype":"x"}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) { llmtest.Read(t, claudecode.Format(), text) })
}
