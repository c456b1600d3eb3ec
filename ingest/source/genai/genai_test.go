package genai

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
	"github.com/weir-lake/weir/lake"
)

// brief writes messages as role:content with calls as name(arguments)#id.
func brief(messages []lake.Message) string {
	var words []string
	for _, m := range messages {
		word := m.Role + ":" + m.Content
		if m.Reasoning != "" {
			word += " <" + m.Reasoning + ">"
		}
		for _, c := range m.ToolCalls {
			word += " " + c.Name + "(" + c.Arguments + ")#" + c.ID
		}
		if m.Role == "tool" {
			word += " @" + m.ToolCallID + " " + m.Name
		}
		if m.Parts != "" {
			word += " " + m.Parts
		}
		words = append(words, word)
	}
	return strings.Join(words, " | ")
}

// TestMessages: the same conversation in the shape of each tracer.
func TestMessages(t *testing.T) {
	const want = `system:Be brief. | user:Time? | assistant: clock({"zone":"UTC"})#c1 | tool:12:00 @c1 clock | assistant:Noon.`
	for name, raw := range map[string]string{
		"OpenAI": `[{"role":"system","content":"Be brief."},{"role":"user","content":[{"type":"text","text":"Time?"}]},
			{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"clock","arguments":"{\"zone\":\"UTC\"}"}}]},
			{"role":"tool","tool_call_id":"c1","content":"12:00"},{"role":"assistant","content":"Noon."}]`,
		"conventions": `[{"role":"system","parts":[{"type":"text","content":"Be brief."}]},{"role":"user","parts":[{"type":"text","content":"Time?"}]},
			{"role":"assistant","parts":[{"type":"tool_call","id":"c1","name":"clock","arguments":{"zone":"UTC"}}]},
			{"role":"tool","parts":[{"type":"tool_call_response","id":"c1","response":"12:00"}]},{"role":"assistant","parts":[{"type":"text","content":"Noon."}]}]`,
		"Anthropic": `{"system":"Be brief.","messages":[{"role":"user","content":"Time?"},
			{"role":"assistant","content":[{"type":"tool_use","id":"c1","name":"clock","input":{"zone":"UTC"}}]},
			{"role":"user","content":[{"type":"tool_result","tool_use_id":"c1","content":[{"type":"text","text":"12:00"}]}]},{"role":"assistant","content":[{"type":"text","text":"Noon."}]}]}`,
		"Vercel": `[{"role":"system","content":"Be brief."},{"role":"user","content":[{"type":"text","text":"Time?"}]},
			{"role":"assistant","content":[{"type":"tool-call","toolCallId":"c1","toolName":"clock","args":{"zone":"UTC"}}]},
			{"role":"tool","content":[{"type":"tool-result","toolCallId":"c1","toolName":"clock","result":"12:00"}]},{"role":"assistant","content":[{"type":"text","text":"Noon."}]}]`,
		"LangChain": `{"messages":[{"lc":1,"type":"constructor","id":["langchain_core","messages","SystemMessage"],"kwargs":{"content":"Be brief."}},
			{"lc":1,"type":"constructor","id":["langchain_core","messages","HumanMessage"],"kwargs":{"content":"Time?"}},
			{"lc":1,"type":"constructor","id":["langchain_core","messages","AIMessageChunk"],"kwargs":{"content":"","name":"model","tool_calls":[{"id":"c1","name":"clock","args":{"zone":"UTC"}}]}},
			{"lc":1,"type":"constructor","id":["langchain_core","messages","ToolMessage"],"kwargs":{"content":"12:00","tool_call_id":"c1"}},
			{"lc":1,"type":"constructor","id":["langchain_core","messages","AIMessage"],"kwargs":{"content":"Noon."}}]}`,
		"OpenInference": `[{"message":{"role":"system","content":"Be brief."}},{"message":{"role":"user","contents":[{"message_content":{"type":"text","text":"Time?"}}]}},
			{"message":{"role":"assistant","tool_calls":[{"tool_call":{"id":"c1","function":{"name":"clock","arguments":"{\"zone\":\"UTC\"}"}}}]}},
			{"message":{"role":"tool","tool_call_id":"c1","content":"12:00"}},{"message":{"role":"assistant","content":"Noon."}}]`,
		"Python": `["role='system' content='Be brief.' name=None","role='user' content=\"Time?\"",
			"role='assistant' content=None tool_calls=[{'id': 'c1', 'function': {'arguments': '{\"zone\":\"UTC\"}', 'name': 'clock'}, 'type': 'function'}] m=M(a=0, b=[1, None], c=M2(d='x'))",
			"role='tool' content='12:00' tool_call_id='c1' tool_name='clock' tool_call_error=False","role='assistant' content='Noon.'"]`,
		"no ids, a name for a role": `[{"role":"system","content":"Be brief."},{"role":"user","content":"Time?"},
			{"role":"assistant","tool_calls":[{"id":"c1","function":{"name":"clock","arguments":"{\"zone\":\"UTC\"}"}}]},{"role":"clock","content":"12:00"},{"role":"assistant","content":"Noon."}]`,
	} {
		if got := brief(Messages(json.RawMessage(raw), "user")); got != want {
			t.Errorf("%s: %s", name, got)
		}
		text := rawjson.Marshal(rawjson.Compact([]byte(raw)))
		if got := brief(Messages(text, "user")); got != want {
			t.Errorf("%s, as text: %s", name, got)
		}
	}
	for raw, want := range map[string]string{
		`"plain"`: "user:plain",
		`""`:      "", `null`: "", `17`: "", `{}`: "", `[]`: "",
		`"{\"prompt\":\"p\",\"system\":\"s\"}"`: "system:s | user:p",
		`{"contents":[{"role":"user","parts":[{"text":"hi"}]},{"role":"model","parts":[{"functionCall":{"name":"f","args":{}}}]},{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"a":1}}}]}],"config":{"system_instruction":"s"}}`: `system:s | user:hi | assistant: f({})# | tool:{"a":1} @ f`,
		`[{"role":"user","parts":[{"type":"blob","modality":"image"},{"type":"text","content":"see"}]}]`:                                                                                                                                               `user:see [{"modality":"image","type":"blob"}]`,
		`[{"role":"assistant","parts":[{"type":"reasoning","content":"think"},{"type":"text","content":"say"}]}]`:                                                                                                                                      "assistant:say <think>",
		`"role='x"`: "user:role='x",
	} {
		if got := brief(Messages(json.RawMessage(raw), "user")); got != want {
			t.Errorf("%s: %s, want %s", raw, got, want)
		}
	}
}

// TestReply: an answer in JSON stays one, whatever its fields are called.
func TestReply(t *testing.T) {
	for raw, want := range map[string]string{
		`"yes"`:                              "assistant:yes",
		`"{\"text\":\"x\"}"`:                 `assistant:{"text":"x"}`,
		`{"messages":["a"],"n":1}`:           `assistant:{"messages":["a"],"n":1}`,
		`"[1,2]"`:                            "assistant:[1,2]",
		`{"role":"assistant","content":"c"}`: "assistant:c",
		`[{"toolCallId":"c1","toolName":"f","input":"{}"}]`:                          "assistant: f({})#c1",
		`{"text":"t","toolCalls":[{"toolCallId":"c1","toolName":"f","args":{}}]}`:    "assistant:t f({})#c1",
		`{"content":{"parts":[{"text":"g"}],"role":"model"},"finish_reason":"STOP"}`: "assistant:g",
		`null`: "", `""`: "",
	} {
		message, _ := Reply(json.RawMessage(raw))
		got := ""
		if message != nil {
			got = brief([]lake.Message{*message})
		}
		if got != want {
			t.Errorf("%s: %s, want %s", raw, got, want)
		}
	}
	message, body := Reply(json.RawMessage(`"{\"id\":\"r\",\"choices\":[{\"message\":{\"content\":\"x\"}}]}"`))
	if message == nil || message.Content != "x" || body.String("id") != "r" {
		t.Errorf("%+v %v", message, body)
	}
}

func TestHigherIsBetter(t *testing.T) {
	for name, want := range map[string]string{
		"correctness": "high", "Hallucination": "low", "toxicity": "low", "answer_relevancy": "high", "irrelevance": "low",
		"incorrectness": "low", "non-toxic": "high", "unbiased": "high", "bias": "low", "tone": "", "": "",
	} {
		got := ""
		if better := HigherIsBetter(name); better != nil {
			got = map[bool]string{true: "high", false: "low"}[*better]
		}
		if got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestTools(t *testing.T) {
	for raw, want := range map[string][]string{
		`[{"type":"function","function":{"name":"a"}},{"name":"b","inputSchema":{}},"{\"name\":\"c\"}"]`: {"a", "b", "c"},
		`[{"function_declarations":[{"name":"d"}]},{"tool":{"json_schema":"{\"name\":\"e\"}"}}]`:         {"d", "e"},
		`{"g":{"description":"x"},"f":"{}"}`: {"f", "g"},
		`"[]"`:                               nil, `17`: nil,
	} {
		var got []string
		for _, tool := range Tools(json.RawMessage(raw)) {
			got = append(got, tool.Name)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", raw, got, want)
		}
	}
}

func FuzzMessages(f *testing.F) {
	f.Add(`[{"role":"user","parts":[{"type":"tool_call","id":"c","arguments":"{}"}]}]`)
	f.Add(`"role='user' content='\\x41' tool_calls=[(1, {'a': M(b=1)})]"`)
	f.Add(`{"choices":[{"message":{"lc":1,"id":["AIMessage"],"kwargs":{"content":[{"type":"text"}]}}}]}`)
	f.Fuzz(func(t *testing.T, raw string) {
		for _, m := range Messages([]byte(raw), "user") {
			if m.Role == "" {
				t.Errorf("a message without role: %+v", m)
			}
		}
		Reply([]byte(raw))
		Tools([]byte(raw))
	})
}
