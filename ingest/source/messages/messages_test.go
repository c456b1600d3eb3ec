package messages_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/llm/llmtest"
	"github.com/weir-lake/weir/ingest/source/messages"
	"github.com/weir-lake/weir/lake"
)

func TestGolden(t *testing.T) {
	llmtest.Golden(t, messages.Format(), "testdata/training.jsonl")
	llmtest.Golden(t, messages.Format(), "testdata/lists.json")
	llmtest.Golden(t, messages.Format(), "testdata/history.json")
	llmtest.Golden(t, messages.TauBench(), "testdata/tau.json")
}

func TestDetect(t *testing.T) {
	long := strings.Repeat("x", 70<<10)
	for head, want := range map[string]string{
		`{"messages":[{"role":"user","content":"x"}]}`:                           "openai-messages",
		`{"id":7,"messages":[{"role":"system","content":"x"}],"tools":[]}`:       "openai-messages",
		`[[{"role":"user","content":"x"}]]`:                                      "openai-messages",
		`[{"role":"user","content":"x"},{"role":"assistant","content":"y"}]`:     "openai-messages",
		`{"messages":[{"role":"user","content":"` + long:                         "openai-messages",
		`[ [ {"role":"user","content":"` + long:                                  "openai-messages",
		`[{"task_id":0,"reward":1.0,"info":{},"traj":[],"trial":0}]`:             "tau-bench",
		`[{"task_id": 0, "reward": 1.0, "info": {"task": "` + long:               "tau-bench",
		`{"messages":[{"role":"user","content":"x"}],"response":{"choices":[]}}`: "",
		`{"sessionId":"s","messages":[{"id":"1","type":"user","content":"x"}]}`:  "",
		`{"channel":{},"messages":[{"id":"1","author":{}}]}`:                     "",
		`{"role":"user","content":"x"}`:                                          "",
		`{"conversation":"c","role":"user","content":"x"}`:                       "",
		`{"messages":[]}`:                "",
		`[{"from":"human","value":"x"}]`: "",
		`{"id":"chatcmpl-1","object":"chat.completion","choices":[{"message":{}}]}`:           "",
		`{"task_id":"t","checkpoint_id":"c","messages":[{"role":"user","content":"x"}]}` + "": "openai-messages", // the checkpoint format is surer
	} {
		got := ""
		for _, format := range []source.Format{messages.Format(), messages.TauBench()} {
			if format.Detect(source.Probe{Name: "x.json", Head: []byte(head[:min(len(head), 64<<10)])}) > 0 {
				got += format.Name
			}
		}
		if got != want {
			t.Errorf("%.80s: %q, want %q", head, got, want)
		}
	}
}

// TestIdentity: a conversation has the same ids whatever the file around it is,
// and a history that was saved again and again is one conversation.
func TestIdentity(t *testing.T) {
	one := `[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]`
	two := `[{"role":"user","content":"a"},{"content":"b","role":"assistant"},{"role":"user","content":"c"},{"role":"assistant","content":"d"}]`
	other := `[{"role":"user","content":"z"},{"role":"assistant","content":"b"}]`
	ids := func(text string) string {
		var all []string
		for _, e := range llmtest.Read(t, messages.Format(), text).Events {
			all = append(all, e.ID)
		}
		return strings.Join(all, " ")
	}
	if a, b := ids("["+two+","+other+"]"), ids(two)+" "+ids(other); a != b {
		t.Errorf("in a list and alone: %s, %s", a, b)
	}
	if a, b := ids("["+one+"\n,"+two+"]"), ids(two); a != b {
		t.Errorf("a history and its last state: %s, %s", a, b)
	}
	if a, b := ids("["+one+","+other+"]"), ids(one)+" "+ids(other); a != b {
		t.Errorf("equal answers to other questions: %s, %s", a, b)
	}
}

// TestLongConversation: order holds beyond a thousand messages.
func TestLongConversation(t *testing.T) {
	var list []string
	for i := range 1500 {
		list = append(list, fmt.Sprintf(`{"role":"user","content":"%d"}`, i))
	}
	last := int64(-1)
	for i, e := range llmtest.Read(t, messages.Format(), `{"messages":[`+strings.Join(list, ",")+`]}`).Events {
		m := e.Data.(*lake.ChatMessage)
		if m.Position <= last || m.Content != fmt.Sprint(i) {
			t.Fatalf("message %d stands at %d after %d", i, m.Position, last)
		}
		last = m.Position
	}
}

func FuzzRead(f *testing.F) {
	f.Add(`{"messages":[{"role":"assistant","content":"x","tool_calls":[{"function":{"name":"t","arguments":{}}}]},{"role":"tool","content":"y"}],"tools":[{"name":"t"}]}`)
	f.Add(`[[{"role":"user","content":"[,\"]"}],[{"role":"system","content":[{"type":"text"}]}],3,{}]`)
	f.Add(`[{"role":"user","content":"x"},{"role":"model","content":"y"}]`)
	f.Add("{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}\n{\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"user\",\"content\":\"b\"}]}")
	f.Add(`[{"task_id":1,"trial":2,"reward":1e400,"info":{"task":7},"traj":[{"role":"user","content":"x"}]},{"task_id":"a","reward":0.5,"traj":[{"role":"tool","content":"x"}]}]`)
	f.Fuzz(func(t *testing.T, text string) {
		llmtest.Steady(t, messages.Format(), text, nil)
		llmtest.Steady(t, messages.TauBench(), text, nil)
	})
}
