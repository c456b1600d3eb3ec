package sharegpt_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/llm/llmtest"
	"github.com/weir-lake/weir/ingest/source/sharegpt"
	"github.com/weir-lake/weir/lake"
)

func TestGolden(t *testing.T) { llmtest.Golden(t, sharegpt.Format(), "testdata/*.json") }

func TestDetect(t *testing.T) {
	for head, want := range map[string]bool{
		`[{"conversations":[{"from":"human","value":"x"}]}]`:                               true,
		`{"id":"1","conversations":[{"from":"gpt","value":"x"}]}`:                          true,
		`{"conversations":[{"role":"user","content":"x"}]}`:                                true,
		`[{"id":"1","conversations":[{"from":"human","value":"` + strings.Repeat("x", 999): true,
		`{"conversations":[]}`:                    false,
		`{"conversations":[{"id":"1"}]}`:          false,
		`{"conversations":7}`:                     false,
		`{"from":"human","value":"x"}`:            false,
		`{"mapping":{},"conversation_id":"1"}`:    false,
		`{"messages":[{"from":"a","value":"x"}]}`: false,
	} {
		if got := sharegpt.Format().Detect(source.Probe{Name: "x.json", Head: []byte(head)}) > 0; got != want {
			t.Errorf("%.80s: %v", head, got)
		}
	}
}

// TestSample holds the counts of acceptance case 13.
func TestSample(t *testing.T) {
	path := filepath.Join(llmtest.Samples(t, "sharegpt"), "glaive_toolcall_en_demo.json")
	result := llmtest.ReadFile(t, sharegpt.Format(), path)
	if len(result.Rejects) > 0 {
		t.Errorf("%d rejects: %v", len(result.Rejects), result.Rejects[0])
	}
	conversations := map[string]bool{}
	seen := map[string]bool{}
	turns, calls, results, outputs, unpaired := 0, map[string]int{}, 0, 0, 0
	for _, e := range result.Events {
		m := e.Data.(*lake.ChatMessage)
		turns++
		conversations[m.ConversationID] = true
		for _, call := range m.ToolCalls {
			calls[m.ConversationID+call.ID]++
			if call.Name == "" || !strings.HasPrefix(call.Arguments, "{") {
				t.Errorf("call %+v", call)
			}
		}
		switch m.Kind {
		case lake.KindToolResult:
			results++
			if calls[m.ConversationID+m.ToolCallID] == 0 {
				unpaired++
			}
		case lake.KindOutput:
			outputs++
		}
		seen[e.ID] = true
	}
	total := 0
	for _, n := range calls {
		total += n
	}
	if turns != 1914 || total != 211 || results != 211 || unpaired != 0 || outputs != 957 {
		t.Errorf("%d turns, %d calls, %d results (%d unpaired), %d outputs", turns, total, results, unpaired, outputs)
	}
	// 262 by what is said, 265 with the tool lists; a copy is no new one.
	if len(conversations) != 265 {
		t.Errorf("%d conversations, want 265", len(conversations))
	}
}

func FuzzRead(f *testing.F) {
	f.Add(`[{"conversations":[{"from":"human","value":"x"},{"from":"function_call","value":"{\"name\":\"t\",\"arguments\":{}}"},{"from":"observation","value":"y"}],"tools":"[{\"name\":\"t\"}]"}]`)
	f.Add(`{"conversations":[{"from":"function_call","value":[{"function":{"name":"t","arguments":"{"}}]},{"from":"tool","value":{}}],"system":"s","chosen":{"from":"gpt","value":"x"}}`)
	f.Add(`{"conversations":[{"role":"assistant","content":[{"type":"text","text":"x"}],"tool_calls":[{"name":"t"}]}]}`)
	f.Fuzz(func(t *testing.T, text string) { llmtest.Steady(t, sharegpt.Format(), text, nil) })
}
