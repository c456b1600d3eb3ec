package openhands_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/llm/llmtest"
	"github.com/weir-lake/weir/ingest/source/openhands"
	"github.com/weir-lake/weir/lake"
)

func TestGolden(t *testing.T) { llmtest.Golden(t, openhands.Format(), "testdata/*.json*") }

func TestDetect(t *testing.T) {
	for head, want := range map[string]bool{
		`{"instance_id":"a","history":[{"source":"user","action":"message","args":{"content":"x"}}]}`:                 true,
		`{"issue":{},"history":[[{"source":"user","action":"message","args":{}},{}]]}`:                                true,
		`{"instance_id":"a","test_result":{"git_patch":"cut`:                                                          true,
		`[{"id":0,"timestamp":"2026-01-01T00:00:00","source":"user","action":"message","args":{"content":"x"}}]`:      true,
		`[{"id":0,"timestamp":"2026-01-01T00:00:00","source":"user","message":"cut`:                                   true,
		`{"instance_id":"a","model_patch":"d","model_name_or_path":"m"}`:                                              false,
		`{"history":[{"role":"user","content":"x"}],"trajectory":[]}`:                                                 false,
		`{"id":"e","source":"urn:x","type":"t","specversion":"1.0","data":{}}`:                                        false,
		`{"instance_id":"a","text":"\"git_patch\": is how they call it","history":[{"source":"user","kind":"chat"}]}`: false,
		`{"source":"user","action":"click","time":"2026-01-01T00:00:00Z"}`:                                            false,
	} {
		if got := openhands.Format().Detect(source.Probe{Name: "x.json", Head: []byte(head)}) > 0; got != want {
			t.Errorf("%s: %v", head, got)
		}
	}
}

// TestShorterHistory: what a trajectory held when it was shorter has the same
// ids in the longer one.
func TestShorterHistory(t *testing.T) {
	events := []string{
		`{"id":0,"timestamp":"2026-01-01T00:00:00.000001","source":"user","action":"message","args":{"content":"x"}}`,
		`{"id":2,"timestamp":"2026-01-01T00:00:01","source":"agent","action":"run","args":{"command":"ls"}}`,
		`{"id":3,"timestamp":"2026-01-01T00:00:02","source":"agent","cause":2,"observation":"run","content":"y","extras":{}}`,
	}
	long := llmtest.Read(t, openhands.Format(), "["+strings.Join(events, ",")+"]").Events
	for n := 1; n <= len(events); n++ {
		for i, e := range llmtest.Read(t, openhands.Format(), "["+strings.Join(events[:n], ",")+"]").Events {
			if e.ID != long[i].ID || e.Subject != long[i].Subject {
				t.Errorf("event %d of %d has another id in the longer history", i, n)
			}
		}
	}
}

func TestSamples(t *testing.T) {
	type counts struct{ outputs, calls, results, prompts, tools, outcomes int }
	check := func(file string, want map[string]counts) {
		t.Helper()
		result := llmtest.ReadFile(t, openhands.Format(), filepath.Join(llmtest.Samples(t, "openhands"), file))
		for _, r := range result.Rejects {
			t.Errorf("%s: %s %s", file, r.Reason, r.Detail)
		}
		got := map[string]counts{}
		for _, e := range result.Events {
			id, _, _ := strings.Cut(e.Subject, "/")
			if len(want) == 1 {
				id = ""
			}
			n := got[id]
			switch m := e.Data.(type) {
			case *lake.Outcome:
				n.outcomes++
			case *lake.ChatMessage:
				n.calls += len(m.ToolCalls)
				n.tools += len(m.Tools)
				switch m.Kind {
				case lake.KindOutput:
					n.outputs++
					if m.InputTokens == nil || m.Model == "" {
						t.Errorf("%s %s: an output without model or usage", e.Subject, m.MessageID)
					}
				case lake.KindToolResult:
					n.results++
				case lake.KindPrompt:
					n.prompts++
				}
			}
			got[id] = n
		}
		if len(got) != len(want) {
			t.Errorf("%s: %d conversations", file, len(got))
		}
		for id, counts := range want {
			if got[id] != counts {
				t.Errorf("%s %s: %+v, want %+v", file, id, got[id], counts)
			}
		}
	}
	check("multi_swe_bench_output.jsonl", map[string]counts{
		"ponylang__ponyc-4595": {outputs: 23, calls: 23, results: 22, prompts: 1, tools: 4},
		"ponylang__ponyc-4593": {outputs: 33, calls: 33, results: 32, prompts: 1, tools: 4},
		"ponylang__ponyc-4588": {outputs: 49, calls: 49, results: 49, prompts: 1, tools: 4},
	})
	check("basic.json", map[string]counts{"": {outputs: 2, calls: 2, results: 1, prompts: 1}})
}

func FuzzRead(f *testing.F) {
	f.Add(`{"instance_id":"a","history":[{"id":1,"timestamp":"2026-01-01T00:00:00","source":"agent","action":"run","args":{"command":"ls"},"tool_call_metadata":{"tool_call_id":"k","model_response":{"id":"r","choices":[{"message":{"content":"x","tool_calls":[{"id":"k","function":{"name":"n","arguments":"{}"}}]}}],"usage":{"prompt_tokens":1}}}},{"cause":1,"source":"agent","observation":"run","content":"y","extras":{},"success":false}],"test_result":{"report":{"resolved":true}}}`)
	f.Add(`[{"source":"user","action":"message","args":{"content":"x","image_urls":["u"]}},{"source":"agent","action":"delegate","args":{"agent":"b"}},{"source":"agent","observation":"delegate","content":"","extras":{}},{"action":"null"}]`)
	f.Add(`{"issue":1,"success":true,"history":[[{"source":"user","action":"recall","args":{}},{"source":"environment","observation":"recall","extras":{"microagent_knowledge":[{"content":"c"}]}}],[{"source":"agent","action":"condensation","args":{"summary":"s"}}]]}`)
	f.Fuzz(func(t *testing.T, text string) {
		llmtest.Steady(t, openhands.Format(), text, func(text string) bool {
			return strings.Contains(text, "null")
		})
	})
}
