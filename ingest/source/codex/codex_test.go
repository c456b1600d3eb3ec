package codex_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/codex"
	"github.com/weir-lake/weir/ingest/source/llm/llmtest"
	"github.com/weir-lake/weir/lake"
)

func TestGolden(t *testing.T) { llmtest.Golden(t, codex.Format(), "testdata/*.jsonl") }

func TestDetect(t *testing.T) {
	for head, want := range map[string]bool{
		`{"timestamp":"x","type":"session_meta","payload":{"id":"a"}}`:                                                   true,
		`{"payload":{"id":"a"},"timestamp":"x","type":"session_meta"}`:                                                   true,
		`{"timestamp":"x","type":"event_msg","payload":{"type":"error"}}`:                                                true,
		`{"timestamp":"x","type":"session_meta","payload":{"base_instructions":{"text":"` + strings.Repeat("x", 70000):   true,
		`{"id":"a","timestamp":"x","instructions":null}` + "\n" + `{"type":"message","role":"user","content":[]}` + "\n": true,
		`{"type":"user","sessionId":"s","uuid":"u"}`:                                                                     false,
		`{"type":"session_meta"}`:                                false,
		`{"id":"a","timestamp":"x","role":"user","content":"x"}`: false,
		`# "session_meta" and "payload"`:                         false,
	} {
		if got := codex.Format().Detect(source.Probe{Name: "x.jsonl", Head: []byte(head[:min(len(head), 64<<10)])}) > 0; got != want {
			t.Errorf("%.80s: %v", head, got)
		}
	}
}

// TestUsageOnce: the replies' usage adds up to the total that the session
// counts, however often a count is shown.
func TestUsageOnce(t *testing.T) {
	text, err := os.ReadFile("testdata/session.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	var input, output int64
	for _, e := range llmtest.Read(t, codex.Format(), string(text)).Events {
		if m := e.Data.(*lake.ChatMessage); m.InputTokens != nil {
			input, output = input+*m.InputTokens, output+*m.OutputTokens
		}
	}
	if input != 2200 || output != 70 {
		t.Errorf("input %d, output %d; the session says 2200 and 70", input, output)
	}
}

// TestResumed: a session that was cut anywhere between two lines and read again
// when it had grown gives the events of the shorter one again. (What waits for
// a later line when the file ends may change: usage, and a text whose second
// telling is still to come.)
func TestResumed(t *testing.T) {
	text, err := os.ReadFile("testdata/session.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(text), "\n")
	whole := map[string]string{}
	for _, e := range llmtest.Read(t, codex.Format(), string(text)).Events {
		whole[e.ID] = e.Data.(*lake.ChatMessage).Content
	}
	for n := range lines {
		events := llmtest.Read(t, codex.Format(), strings.Join(lines[:n], "")).Events
		for i, e := range events {
			m := e.Data.(*lake.ChatMessage)
			if content, ok := whole[e.ID]; (!ok || content != m.Content) && i < len(events)-1 {
				t.Errorf("after %d lines: %q is not in the whole session", n, m.Content)
			}
		}
	}
}

// TestHeaderless: lines of a session that nothing names are kept as rejects.
func TestHeaderless(t *testing.T) {
	result := llmtest.Read(t, codex.Format(), `{"timestamp":"2026-02-01T09:00:00Z","type":"response_item","payload":{"role":"user","content":"x"}}`)
	if len(result.Events) != 0 || len(result.Rejects) != 1 || result.Rejects[0].Reason != source.ReasonIncomplete {
		t.Errorf("%d events, rejects %+v", len(result.Events), result.Rejects)
	}
}

// TestSamples: 5 small files of another project's tests.
func TestSamples(t *testing.T) {
	dir := llmtest.Samples(t, "codex-shape-only")
	for file, want := range map[string]string{
		"fc_args_1.jsonl":        "notice prompt output",
		"fc_args_2.jsonl":        "notice prompt output",
		"fc_stdin.jsonl":         "notice prompt output",
		"function_calls.jsonl":   "notice prompt output output",
		"standard_session.jsonl": "notice prompt output",
	} {
		result := llmtest.ReadFile(t, codex.Format(), filepath.Join(dir, file))
		var kinds []string
		for _, e := range result.Events {
			m := e.Data.(*lake.ChatMessage)
			kinds = append(kinds, m.Kind)
			for _, call := range m.ToolCalls {
				if call.Name == "" || !strings.HasPrefix(call.Arguments, "{") {
					t.Errorf("%s: call %+v", file, call)
				}
			}
		}
		if got := strings.Join(kinds, " "); got != want || len(result.Rejects) > 0 {
			t.Errorf("%s: %s, %d rejects; want %s", file, got, len(result.Rejects), want)
		}
	}
}

func FuzzRead(f *testing.F) {
	// A line at a time, each after its file's header: small seeds mutate well.
	for _, name := range []string{"session", "fork"} {
		text, err := os.ReadFile("testdata/" + name + ".jsonl")
		if err != nil {
			f.Fatal(err)
		}
		header, rest, _ := strings.Cut(string(text), "\n")
		for line := range strings.Lines(rest) {
			f.Add(header + "\n" + line)
		}
	}
	f.Add("{\"id\":\"o\",\"timestamp\":\"2025-06-01T08:00:00Z\"}\n{\"type\":\"message\",\"role\":\"user\",\"content\":\"go\"}\n{\"type\":\"message\",\"role\":\"user\",\"content\":\"go\"}")
	f.Add(`{"type":"session_meta","payload":{"id":"a"}}{"type":"event_msg","payload":{"type":"thread_rolled_back","num_turns":9}}{"type":"compacted","payload":{"message":"m","replacement_history":[{"type":"compaction"},3]}}{"type":"event_msg","payload":{"type":"item_completed","item":{"type":"AgentMessage","content":[{"type":"Text","text":"x"}]}}}`)
	f.Fuzz(func(t *testing.T, text string) {
		// The client's own bookkeeping gives nothing, and nor does a header.
		llmtest.Steady(t, codex.Format(), text, func(text string) bool { return strings.Contains(text, "record_type") || strings.Contains(text, `\u`) })
	})
}
