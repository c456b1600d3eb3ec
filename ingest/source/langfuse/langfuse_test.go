package langfuse

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/llm/llmtest"
	"github.com/weir-lake/weir/lake"
)

func TestGolden(t *testing.T) { llmtest.Golden(t, Format(), "testdata/*.json*") }

func TestDetect(t *testing.T) {
	for head, want := range map[string]bool{
		`{"trace":{"id":"t"},"observations":[{"type":"GENERATION"}]}`:                                  true,
		`[{"id":"t","timestamp":"2026-01-01","observations":[{"traceId":"t","type":"SPAN"}]},`:         true,
		`{"id":"t","timestamp":"2026-01-01","sessionId":null,"observations":[],"scores":[]}`:           true,
		`{"trace":{"id":"t","sessionId":null,"observations":[{"id":"o","parentObservationId":null,"in`: true,
		`{"batch":[{"type":"trace-create","body":{"id":"t","sessionId":"s"}}]}`:                        false,
		`{"resourceSpans":[]}`:           false,
		`{"trace":"t","observations":3}`: false,
		`{"observations":[1]}`:           false,
	} {
		if got := Format().Detect(source.Probe{Name: "x.json", Head: []byte(head)}) > 0; got != want {
			t.Errorf("%s: %v", head, got)
		}
	}
}

// shape is a call's conversation in short: roles, with the calls of each.
func shape(call *lake.GatewayCall) string {
	var words []string
	for _, m := range append(slices.Clone(call.Messages), call.Output...) {
		word := m.Role
		if m.Role == "assistant" {
			if m.Content != "" {
				word += "+text"
			}
			word += strings.Repeat("+call", len(m.ToolCalls))
		}
		words = append(words, word)
	}
	if len(call.Output) == 0 {
		words = append(words, "-")
	}
	return strings.Join(words, " ")
}

func TestSamples(t *testing.T) {
	dir := llmtest.Samples(t, "langfuse")
	want := map[string][]string{
		"agno-2025-06-11": {
			"163/20/183 tools 2 chatcmpl-: system user assistant+call",
			"663/225/888 tools 2 chatcmpl-: system user assistant+call tool assistant+text",
		},
		// One reply in three pieces: the third holds it.
		"claude-agent-2025-12-22": {
			"19/29/48 tools 0 : system user -",
			"5/53/58 tools 0 : system user -",
			"5/56/61 tools 0 : system user assistant+text+call+call",
			"5/94/99 tools 0 : system user assistant+text+call+call tool tool assistant+text",
		},
		"google-adk-2025-08-28": {
			"28/3/31 tools 1 : system user assistant+call",
			"39/6/45 tools 1 : system user assistant+call tool assistant+text",
		},
		"langgraph-js-2025-10-30": {
			"142/24/166 tools 0 : user assistant+call",
			"179/99/278 tools 0 : user assistant+call tool assistant+text", // 35 and 64 of reasoning
		},
		"microsoft-agent-2025-12-17": {
			"77/86/163 tools 1 resp_0e32: system user assistant+call",
			"216/20/236 tools 1 resp_0e32: system user assistant+call tool assistant+text",
		},
		"pydantic-ai-tools-2025-06-06": {"31/96/127 tools 0 : system user assistant+text"},
		"vercel-aisdk-2025-11-17":      {"62/85/147 tools 1 resp_0971: user assistant+call"},
	}
	calls, judged := 0, 0
	for name, lines := range want {
		got := llmtest.ReadFile(t, Format(), filepath.Join(dir, name+".trace.json"))
		if len(got.Rejects) > 0 {
			t.Errorf("%s: %d rejects", name, len(got.Rejects))
		}
		var found []string
		for _, call := range got.Calls() {
			found = append(found, fmt.Sprintf("%d/%d/%d tools %d %.9s: %s", *call.InputTokens, *call.OutputTokens, *call.TotalTokens,
				len(call.Tools), call.ResponseID, shape(call)))
			calls++
			if call.CostUSD == nil || call.LatencyMS == nil || call.Status != "success" {
				t.Errorf("%s: %+v", name, call)
			}
		}
		if !slices.Equal(found, lines) {
			t.Errorf("%s:\n%s\nwant:\n%s", name, strings.Join(found, "\n"), strings.Join(lines, "\n"))
		}
		for _, e := range got.Events {
			j, ok := e.Data.(*lake.Judgement)
			if !ok {
				continue
			}
			judged++
			if j.HigherIsBetter == nil || *j.HigherIsBetter != (j.Rubric == "correctness") || j.Passed != nil || j.Score == nil {
				t.Errorf("%s: %+v", name, j)
			}
		}
	}
	if calls != 14 || judged != 12 {
		t.Errorf("%d calls, %d judgements, want 14 and 12", calls, judged)
	}
}

// TestGreetingHasNoCallID: Gemini gives calls no ids, and what the tool's
// observation leaves out is in the next request.
func TestGreetingHasNoCallID(t *testing.T) {
	dir := llmtest.Samples(t, "langfuse")
	calls := llmtest.ReadFile(t, Format(), filepath.Join(dir, "google-adk-2025-08-28.trace.json")).Calls()
	answer := calls[1].Messages[3]
	if !strings.Contains(answer.Content, "greeting") || answer.ToolCallID != "" || answer.Name != "say_hello" {
		t.Errorf("%+v", answer)
	}
}

// TestTwiceAndAnyOrder: events depend neither on the order of observations nor
// on how the file is laid out.
func TestTwiceAndAnyOrder(t *testing.T) {
	text, err := os.ReadFile("testdata/traces.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	once := llmtest.Read(t, Format(), string(text))
	twice := llmtest.Read(t, Format(), string(text)+string(text))
	if len(twice.Events) != 2*len(once.Events) || len(once.Events) == 0 {
		t.Fatalf("%d and %d events", len(once.Events), len(twice.Events))
	}
	for i, e := range once.Events {
		if again := twice.Events[len(once.Events)+i]; again.ID != e.ID {
			t.Errorf("event %d: %s, then %s", i, e.ID, again.ID)
		}
	}
}

// TestCallsBelowATool: a generation that a tool makes is not within the
// generation that called the tool, and links that go round end.
func TestCallsBelowATool(t *testing.T) {
	got := llmtest.Read(t, Format(), `{"trace":{"id":"t"},"observations":[
		{"id":"a","type":"GENERATION","startTime":"2026-01-01T00:00:00Z","input":"x","output":"y"},
		{"id":"b","type":"TOOL","parentObservationId":"a","startTime":"2026-01-01T00:00:01Z"},
		{"id":"c","type":"GENERATION","parentObservationId":"b","startTime":"2026-01-01T00:00:02Z","input":"x","output":"y"},
		{"id":"d","type":"GENERATION","parentObservationId":"e","startTime":"2026-01-01T00:00:03Z","input":"x","output":"y"},
		{"id":"e","type":"SPAN","parentObservationId":"d"}]}`)
	if n := len(got.Calls()); n != 3 {
		t.Errorf("%d calls, want 3", n)
	}
}

// TestLongThread: requests that are not told do not grow without end.
func TestLongThread(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"trace":{"id":"t"},"observations":[`)
	for i := range 600 {
		fmt.Fprintf(&b, `{"id":"g%d","type":"GENERATION","startTime":%d,"output":{"role":"assistant","tool_calls":[{"id":"c%d","function":{"name":"f"}}]}},`, i, 1770000000+2*i, i)
		fmt.Fprintf(&b, `{"id":"t%d","type":"TOOL","name":"f","startTime":%d,"output":"x"},`, i, 1770000001+2*i)
	}
	b.WriteString(`{"id":"end","type":"EVENT"}]}`)
	calls := llmtest.Read(t, Format(), b.String()).Calls()
	longest := 0
	for _, call := range calls {
		longest = max(longest, len(call.Messages))
	}
	if len(calls) != 600 || longest > maxHistory+2 || longest < maxHistory-2 {
		t.Errorf("%d calls, at most %d messages", len(calls), longest)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(`{"trace":{"id":"t","timestamp":"2026-01-01T00:00:00Z","scores":[{"id":"s","name":"toxicity","value":1}]},"observations":[{"id":"a","type":"GENERATION","startTime":"2026-01-01T00:00:00Z","input":"[{\"role\":\"user\",\"content\":\"x\"}]","output":"{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"c\",\"function\":{\"name\":\"f\"}}]}"},{"id":"b","type":"GENERATION","startTime":"2026-01-01T00:00:02Z","input":{"content":"role"},"output":"y"},{"id":"c","type":"TOOL","name":"f","startTime":"2026-01-01T00:00:01Z","output":"z"}]}`)
	f.Add(`{"id":"t","timestamp":"x","observations":[{"id":"a","type":"GENERATION","traceId":"t","parentObservationId":"b"},{"id":"b","traceId":"t","type":"GENERATION","parentObservationId":"a"}]}`)
	f.Add(`{"trace":{"id":"t"},"observations":[{"id":"a","type":"GENERATION","input":{"messages":["role='user' content='x' tool_calls=[{'id': 'a', 'n': 1}] m=M(a=None)"]},"output":{"choices":[{"message":{"content":"x"}}]}}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		first, second := llmtest.Read(t, Format(), text), llmtest.Read(t, Format(), text)
		if len(first.Events) != len(second.Events) {
			t.Fatal("read twice, it differs")
		}
		for i := range first.Events {
			a, _ := first.Events[i].Encode()
			b, _ := second.Events[i].Encode()
			if string(a) != string(b) {
				t.Fatalf("read twice, it differs:\n%s\n%s", a, b)
			}
		}
	})
}
