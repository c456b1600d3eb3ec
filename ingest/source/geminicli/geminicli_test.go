package geminicli_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/geminicli"
	"github.com/weir-lake/weir/ingest/source/llm/llmtest"
	"github.com/weir-lake/weir/lake"
)

func TestGolden(t *testing.T) { llmtest.Golden(t, geminicli.Format(), "testdata/*.json*") }

func TestDetect(t *testing.T) {
	for head, want := range map[string]bool{
		`{"sessionId":"s","projectHash":"p","startTime":"x","messages":[]}`:                         true,
		`{"sessionId":"s","projectHash":"p","startTime":"x"}` + "\n" + `{"id":"a"}`:                 true,
		"{\n \"sessionId\": \"s\",\n \"projectHash\": \"p\",\n \"messages\": [ {\"content\": \"cut": true,
		`{"sessionId":"s","messages":[]}`:                                                           false,
		`{"sessionId":"s","parentUuid":null,"type":"user"}`:                                         false,
		`{"content":"{\"sessionId\":\"s\",\"projectHash\":\"p\",\"messages\":[]}"}`:                 false,
		`[{"sessionId":"s","projectHash":"p","messages":[]}]`:                                       false,
	} {
		if got := geminicli.Format().Detect(source.Probe{Name: "x.jsonl", Head: []byte(head)}) > 0; got != want {
			t.Errorf("%s: %v", head, got)
		}
	}
}

// TestSnapshots: what a session held when it was shorter has the same ids in
// the longer one, a call that had not ended included.
func TestSnapshots(t *testing.T) {
	const session = `{"sessionId":"s","projectHash":"p","startTime":"2026-03-01T10:00:00Z","messages":[%s]}`
	messages := []string{
		`{"id":"1","timestamp":"2026-03-01T10:00:00Z","type":"user","content":"a"}`,
		`{"id":"2","timestamp":"2026-03-01T10:00:01Z","type":"gemini","content":"b","toolCalls":[{"id":"c","name":"t","args":{},"status":"executing"}]}`,
		`{"id":"2","timestamp":"2026-03-01T10:00:01Z","type":"gemini","content":"b","toolCalls":[{"id":"c","name":"t","args":{},"status":"success","result":[{"text":"r"}]},{"id":"d","name":"t","args":{},"status":"executing"}]}`,
		`{"id":"3","timestamp":"2026-03-01T10:00:02Z","type":"gemini","content":"c"}`,
	}
	var last map[string]bool
	for _, snapshot := range [][]string{messages[:1], messages[:2], {messages[0], messages[2]}, {messages[0], messages[2], messages[3]}} {
		ids := map[string]bool{}
		for _, e := range llmtest.Read(t, geminicli.Format(), fmt.Sprintf(session, strings.Join(snapshot, ","))).Events {
			ids[e.ID] = true
		}
		for id := range last {
			if !ids[id] {
				t.Errorf("an event of the shorter session is not in the longer one")
			}
		}
		if len(ids) <= len(last) {
			t.Errorf("%d events after %d", len(ids), len(last))
		}
		last = ids
	}
}

func TestSamples(t *testing.T) {
	type counts struct{ prompts, outputs, calls, results, refusals, notices int }
	for file, want := range map[string]counts{
		"12_cbfeaa512b_0_full.jsonl": {prompts: 2, outputs: 4, calls: 2, results: 2},
		"ab_2b9748b105_0_full.jsonl": {prompts: 1, outputs: 11, calls: 9, results: 9, notices: 1},
	} {
		result := llmtest.ReadFile(t, geminicli.Format(), filepath.Join(llmtest.Samples(t, "gemini-cli"), file))
		if len(result.Rejects) > 0 {
			t.Errorf("%s: %d rejects: %+v", file, len(result.Rejects), result.Rejects[0])
		}
		var got counts
		responses := map[string]bool{}
		for _, e := range result.Events {
			m := e.Data.(*lake.ChatMessage)
			got.calls += len(m.ToolCalls)
			switch m.Kind {
			case lake.KindPrompt:
				got.prompts++
			case lake.KindOutput:
				responses[m.ResponseID] = true
				if m.TotalTokens != nil && *m.TotalTokens != *m.InputTokens+*m.OutputTokens {
					t.Errorf("%s: %s: %s", file, m.MessageID, m.Raw)
				}
			case lake.KindToolResult:
				got.results++
			case lake.KindRefusal:
				got.refusals++
			case lake.KindNotice:
				got.notices++
			}
		}
		if got.outputs = len(responses); got != want {
			t.Errorf("%s: %+v, want %+v", file, got, want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(`{"sessionId":"s","projectHash":"p","messages":[{"id":"1","type":"user","content":[{"text":"x"},{"a":1},"y"]},{"id":"2","type":"gemini","content":null,"thoughts":[{"subject":"s"}],"toolCalls":[{"name":"t","status":"error"},{"id":7,"args":[],"result":[{"functionResponse":{"response":{"output":""}}}]}],"tokens":{"input":"1","tool":2}}]}`)
	f.Add("{\"sessionId\":\"s\",\"kind\":\"main\"}\n{\"id\":\"1\",\"type\":\"user\"}\n{\"$rewindTo\":\"1\"}\n{\"id\":\"2\",\"type\":\"error\",\"timestamp\":1e99}")
	f.Fuzz(func(t *testing.T, text string) {
		// A session without a message gives nothing.
		llmtest.Steady(t, geminicli.Format(), text, func(text string) bool {
			return (strings.Contains(text, "sessionId") || strings.Contains(text, `\u`)) && !strings.Contains(text, `"messages":[{`)
		})
	})
}
