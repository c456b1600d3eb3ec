package groupchat_test

import (
	"testing"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/groupchat"
	"github.com/weir-lake/weir/ingest/source/llm/llmtest"
	"github.com/weir-lake/weir/lake"
)

func TestGolden(t *testing.T) { llmtest.Golden(t, groupchat.Format(), "testdata/*.jsonl") }

// TestOnlyAgentsAreOutputs: what is not known to be an agent's is never a
// model's output.
func TestOnlyAgentsAreOutputs(t *testing.T) {
	for line, want := range map[string]string{
		`{"conversation":"c","agent":"a","content":"x"}`:                                              lake.KindOutput,
		`{"conversation":"c","agent":"a","role":"user","content":"x"}`:                                lake.KindOutput, // role is one agent's view
		`{"conversation":"c","agent":"user_proxy","content":"x"}`:                                     lake.KindPrompt,
		`{"conversation":"c","name":"a","content":"x"}`:                                               lake.KindPrompt,
		`{"conversation":"c","name":"a","role":"user","model":"m","content":"x"}`:                     lake.KindPrompt,
		`{"conversation":"c","name":"a","role":"assistant","content":"x"}`:                            lake.KindOutput,
		`{"conversation":"c","name":"a","model":"m","content":"x"}`:                                   lake.KindOutput,
		`{"conversation":"c","role":"assistant","content":"x"}`:                                       lake.KindPrompt,
		`{"conversation":"c","name":"sh","role":"executor","content":"x"}`:                            lake.KindEnvironment,
		`{"conversation":"c","agent":"a","tool_call_id":"1","content":"x"}`:                           lake.KindToolResult,
		`{"conversation":"c","agent":"a","role":"system","content":"You are a."}`:                     lake.KindSystem,
		`{"conversation":"c","type":"end"}`:                                                           lake.KindEnvironment,
		`{"type":"agent","conversation":"c","name":"a"}{"conversation":"c","name":"a","content":"x"}`: lake.KindOutput,
	} {
		events := llmtest.Read(t, groupchat.Format(), line).Events
		if len(events) == 0 {
			t.Errorf("%s: no event", line)
		} else if got := events[len(events)-1].Data.(*lake.ChatMessage).Kind; got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
}

func TestDetect(t *testing.T) {
	for head, want := range map[string]bool{
		`{"conversation":"c","agent":"a","content":"x"}`:      true,
		`{"thread":"c","role":"user","text":"x"}`:             true,
		`{"type":"agent","group":"c","name":"a"}`:             true,
		`{"conversation":"c"}`:                                false,
		`{"agent":"a","content":"x"}`:                         false,
		`{"thread_id":"c","checkpoint_id":"1","messages":[]}`: false,
		`{"conversation_id":"c","request":{},"response":{}}`:  false,
		`plain text`: false,
	} {
		if got := groupchat.Format().Detect(source.Probe{Name: "x.jsonl", Head: []byte(head + "\n")}) > 0; got != want {
			t.Errorf("%s: %v", head, got)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(`{"conversation":"c","agent":"a","content":[{"type":"text","text":"x"}],"tool_calls":[{"name":"t","arguments":{}}],"time":1e300}`)
	f.Add(`{"type":"agent","thread":1,"name":"a","tools":["x",{"name":"y"}]}{"type":"end","thread":1,"outcome":"win"}`)
	f.Fuzz(func(t *testing.T, text string) { llmtest.Read(t, groupchat.Format(), text) })
}
