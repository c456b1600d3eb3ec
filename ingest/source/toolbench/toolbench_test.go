package toolbench_test

import (
	"path/filepath"
	"testing"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/llm/llmtest"
	"github.com/weir-lake/weir/ingest/source/toolbench"
	"github.com/weir-lake/weir/lake"
)

func TestGolden(t *testing.T) { llmtest.Golden(t, toolbench.Format(), "testdata/*.json*") }

func TestDetect(t *testing.T) {
	for head, want := range map[string]bool{
		`{"win":true,"answer_generation":{"query":"q","train_messages":[]}}`: true,
		"{\n  \"win\": false,\n  \"tree\": {\n    \"size\": 7, \"cut":        true,
		`{"win":true,"rounds":3}`:    false,
		`{"query":"q","answer":"a"}`: false,
	} {
		if got := toolbench.Format().Detect(source.Probe{Name: "x.json", Head: []byte(head)}) > 0; got != want {
			t.Errorf("%s: %v", head, got)
		}
	}
}

func TestSamples(t *testing.T) {
	paths, _ := filepath.Glob(filepath.Join(llmtest.Samples(t, "toolbench"), "*.json"))
	outputs := []int{3, 5, 4, 3, 4} // G1_10, G1_59, G2_10, G2_52, G3_21
	if len(paths) != len(outputs) {
		t.Fatalf("%d files", len(paths))
	}
	for i, path := range paths {
		name := filepath.Base(path)
		result := llmtest.ReadFile(t, toolbench.Format(), path)
		conversations, got, prompts, failures, calls, results := map[string]bool{}, 0, 0, 0, 0, 0
		for _, e := range result.Events {
			switch m := e.Data.(type) {
			case *lake.Outcome:
				if m.Value != "failure" {
					t.Errorf("%s: outcome %s", name, m.Value)
				}
				failures++
			case *lake.ChatMessage:
				conversations[m.ConversationID] = true
				calls += len(m.ToolCalls)
				switch m.Kind {
				case lake.KindOutput:
					got++
				case lake.KindPrompt:
					prompts++
				case lake.KindToolResult:
					results++
				}
			}
		}
		gaveUp := 0
		if i == 2 {
			gaveUp = 1
		}
		// Every output calls something, and the last call, of Finish, needs no result.
		if got != outputs[i] || calls != got || results != got-1 || prompts != 1 || failures != gaveUp || len(conversations) != 1 || len(result.Rejects) > 0 {
			t.Errorf("%s: %d outputs, want %d; %d calls, %d results, %d prompts, %d failures, %d conversations, %d rejects",
				name, got, outputs[i], calls, results, prompts, failures, len(conversations), len(result.Rejects))
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(`{"win":false,"tree":{"tree":{"children":[]}},"answer_generation":{"query":"q","finish_type":"give_up","function":[{"name":"n"}],"train_messages":[[{"role":"system","content":"s"},{"role":"user","content":"u"},{"role":"assistant","content":null,"function_call":{"name":"n","arguments":"{}"}}],[{"role":"user","content":"u"},{"role":"function","name":"n","content":"{\"error\":\"e\",\"response\":\"\"}"},{"role":"user","content":"again"}]]}}`)
	f.Add(`[{"answer_generation":{"train_messages":[[],"[]"]}}]`)
	f.Fuzz(func(t *testing.T, text string) { llmtest.Steady(t, toolbench.Format(), text, nil) })
}
