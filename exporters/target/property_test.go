package target

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/weir-lake/weir/exporters/canonical"
	"github.com/weir-lake/weir/lake"
)

// Whatever the example, its lines pass the target's check, its targets add up,
// and where no rule fired the OpenAI line reads back as the same example.
func TestAnyExampleConvertsOrIsDropped(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	lossless := 0
	for i := range 800 {
		example := anyExample(rng)
		for _, target := range All() {
			result, err := target.Convert(example, testOptions())
			if err != nil {
				t.Fatal(err)
			}
			checkResult(t, target, example, result)
			if target.Name == "openai" && len(result.Losses) == 0 {
				lossless++
				if back := parseLine(t, result.Lines[0].JSON); !reflect.DeepEqual(back, plain(example)) {
					t.Fatalf("example %d reads back as\n%+v\nwant\n%+v\nline %s", i, back, plain(example), result.Lines[0].JSON)
				}
			}
			if t.Failed() {
				text, _ := json.Marshal(example)
				t.Fatalf("example %d: %s", i, text)
			}
		}
	}
	if lossless < 60 {
		t.Errorf("only %d examples came through without loss", lossless)
	}
}

// What a target's lines say of an example that lost nothing is the example:
// its texts, calls, results and what is trained, read by each target's own form.
func TestLosslessLinesReadBack(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	through := map[string]int{}
	options := testOptions()
	options.MaxTokens = 1 << 20
	for i := range 1000 {
		example := anyExample(rng)
		calls := slices.ContainsFunc(example.Messages, func(m lake.Message) bool { return len(m.ToolCalls) > 0 })
		if i%2 == 0 && !calls {
			example.Tools = nil // for what has no tools
		}
		want := said(plain(example))
		for _, target := range All() {
			read, ok := readers[target.Name]
			if !ok {
				continue
			}
			result, err := target.Convert(example, options)
			if err != nil {
				t.Fatal(err)
			}
			delete(result.Losses, RuleExpanded) // the last line has all
			if len(result.Losses) > 0 {
				continue
			}
			through[target.Name]++
			last := result.Lines[len(result.Lines)-1]
			var line map[string]any
			if err := json.Unmarshal(last.JSON, &line); err != nil {
				t.Fatal(err)
			}
			if got := read(line); got != want {
				t.Fatalf("%s: %s reads back as\n%s\nwant\n%s", target.Name, last.JSON, got, want)
			}
		}
	}
	for name := range readers {
		if through[name] < 10 {
			t.Errorf("%s: only %d examples came through without loss", name, through[name])
		}
	}
}

// said writes what an example says, without ids of calls: a line for each
// message, call and result.
func said(e canonical.Example) string {
	var out strings.Builder
	for _, m := range e.Messages {
		if m.Reasoning != "" {
			fmt.Fprintf(&out, "reasoning: %q\n", m.Reasoning)
		}
		if m.Content != "" || m.Role == "tool" {
			fmt.Fprintf(&out, "%s: %q\n", m.Role, m.Content)
		}
		for _, call := range m.ToolCalls {
			fmt.Fprintf(&out, "call: %s %s\n", call.Name, call.Arguments)
		}
	}
	for _, tool := range e.Tools {
		fmt.Fprintf(&out, "tool: %s %q\n", tool.Name, tool.Description)
	}
	return out.String()
}

type anyMap = map[string]any

// readers read a target's line as said writes it.
var readers = map[string]func(anyMap) string{
	"azure": readChat, "fireworks": readChat, "together": readChat, "trl": readChat, "axolotl": readChat, "mlx": readChat,
	"trl-completion": func(line anyMap) string {
		line["messages"] = append(line["prompt"].([]any), line["completion"].([]any)...)
		return readChat(line)
	},
	"bedrock-claude": func(line anyMap) string {
		if system, ok := line["system"]; ok {
			line["messages"] = append([]any{anyMap{"role": "system", "content": system}}, line["messages"].([]any)...)
		}
		return readChat(line)
	},
	"ms-swift": readSwift,
	"gemini":   readGemini,
}

// list reads a list of objects, which may stand in a text.
func list(value any) []anyMap {
	if text, ok := value.(string); ok {
		value = jsonOf(text)
	}
	elements, _ := value.([]any)
	var objects []anyMap
	for _, element := range elements {
		objects = append(objects, element.(anyMap))
	}
	return objects
}

func jsonOf(text string) any {
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		return nil
	}
	return value
}

// call writes a call whose arguments are an object or a text.
func call(function anyMap, key string) string {
	arguments, isText := function[key].(string)
	if !isText {
		text, _ := json.Marshal(function[key])
		arguments = string(text)
	}
	return fmt.Sprintf("call: %s %s\n", function["name"], arguments)
}

func toolOf(function anyMap) string {
	description, _ := function["description"].(string)
	return fmt.Sprintf("tool: %s %q\n", function["name"], description)
}

func readChat(line anyMap) string {
	var out strings.Builder
	for _, m := range list(line["messages"]) {
		if reasoning, ok := m["reasoning_content"]; ok {
			fmt.Fprintf(&out, "reasoning: %q\n", reasoning)
		}
		if content, _ := m["content"].(string); content != "" || m["role"] == "tool" {
			fmt.Fprintf(&out, "%s: %q\n", m["role"], content)
		}
		for _, c := range list(m["tool_calls"]) {
			out.WriteString(call(c["function"].(anyMap), "arguments"))
		}
	}
	for _, tool := range list(line["tools"]) {
		out.WriteString(toolOf(tool["function"].(anyMap)))
	}
	return out.String()
}

func readSwift(line anyMap) string {
	var out strings.Builder
	for _, m := range list(line["messages"]) {
		switch role, content := m["role"], m["content"].(string); role {
		case "tool_call":
			out.WriteString(call(jsonOf(content).(anyMap), "arguments"))
		case "tool_response":
			fmt.Fprintf(&out, "tool: %q\n", content)
		default:
			if reasoning, rest := cutThought(content); reasoning != "" {
				fmt.Fprintf(&out, "reasoning: %q\n", reasoning)
				if content = rest; content == "" {
					continue
				}
			}
			fmt.Fprintf(&out, "%s: %q\n", role, content)
		}
	}
	for _, tool := range list(line["tools"]) {
		out.WriteString(toolOf(tool["function"].(anyMap)))
	}
	return out.String()
}

func readGemini(line anyMap) string {
	var out strings.Builder
	roles := anyMap{"model": "assistant", "user": "user", "system": "system"}
	turns := list(line["contents"])
	if system, ok := line["systemInstruction"].(anyMap); ok {
		turns = append([]anyMap{system}, turns...)
	}
	for _, turn := range turns {
		for _, part := range list(turn["parts"]) {
			if text, ok := part["text"]; ok {
				fmt.Fprintf(&out, "%s: %q\n", roles[turn["role"].(string)], text)
			} else {
				out.WriteString(call(part["functionCall"].(anyMap), "args"))
			}
		}
	}
	for _, tool := range list(line["tools"]) {
		for _, function := range list(tool["functionDeclarations"]) {
			out.WriteString(toolOf(function))
		}
	}
	return out.String()
}

// anyExample makes an example that may break every rule, though most do not.
func anyExample(rng *rand.Rand) canonical.Example {
	one := func(choices ...string) string { return choices[rng.IntN(len(choices))] }
	rarely := func(n int) bool { return rng.IntN(n) == 0 }
	flag := func(b bool) *bool { return &b }
	e := canonical.Example{ID: "e", ToolsOrigin: "declared", Tools: []lake.Tool{{Name: "f", Description: "d"}, {Name: "g", Parameters: `{"type":"object"}`}}}
	if rarely(3) {
		e.ParallelToolCalls = flag(rarely(2))
	}
	if rarely(40) {
		e.Tools = nil
	}
	if !rarely(3) {
		e.Messages = append(e.Messages, lake.Message{Role: one("system", "system", "developer"), Content: "s"})
	}
	text := func() string {
		if rarely(20) {
			return ""
		}
		return strings.Repeat(one("a ", "é ", "\"\\ ", "\n", "<tag> "), 1+rng.IntN(12))
	}
	for i := range 1 + rng.IntN(8) {
		if !rarely(15) {
			e.Messages = append(e.Messages, lake.Message{Role: "user", Content: text(), Name: one("", "", "", "", "", "scout_1", "Ann B")})
		}
		weight := float64(rng.IntN(5))
		m := lake.Message{Role: "assistant", Content: text(), Weight: &weight}
		if rarely(8) {
			m.Reasoning = "r"
		}
		for j := range rng.IntN(3) {
			m.ToolCalls = append(m.ToolCalls, lake.ToolCall{ID: fmt.Sprintf("c%d.%d", i, j), Name: one("f", "f", "f", "g", "h.i"), Arguments: one("{}", "", `{"x":1}`)})
		}
		e.Messages = append(e.Messages, m)
		for _, call := range m.ToolCalls {
			if !rarely(30) {
				e.Messages = append(e.Messages, lake.Message{Role: "tool", Name: call.Name, ToolCallID: call.ID, Content: text()})
			}
		}
		if len(m.ToolCalls) > 0 && !rarely(10) {
			one := 1.0
			e.Messages = append(e.Messages, lake.Message{Role: "assistant", Content: text(), Weight: &one})
		}
	}
	return e
}

// plain is an example without what a line never says: what was not sent, and
// who wrote what.
func plain(e canonical.Example) canonical.Example {
	out := canonical.Example{Tools: e.Tools, ParallelToolCalls: e.ParallelToolCalls}
	for _, m := range e.Messages {
		if m.Role == "tool" {
			m.Name = "" // the call names the tool
		}
		weight := 0.0
		if canonical.IsTarget(m) {
			weight = 1
		}
		m.Weight = nil
		if m.Role == "assistant" {
			m.Weight = &weight
		}
		out.Messages = append(out.Messages, m)
	}
	return out
}

// parseLine reads an OpenAI line back.
func parseLine(t *testing.T, line []byte) canonical.Example {
	t.Helper()
	var read chatLine
	if err := json.Unmarshal(line, &read); err != nil {
		t.Fatal(err)
	}
	out := canonical.Example{ParallelToolCalls: read.ParallelToolCalls}
	for _, m := range read.Messages {
		message := lake.Message{Role: m.Role, Name: m.Name, ToolCallID: m.ToolCallID}
		if m.Content != nil {
			message.Content = *m.Content
		}
		for _, call := range m.ToolCalls {
			message.ToolCalls = append(message.ToolCalls, lake.ToolCall{ID: call.ID, Name: call.Function.Name, Arguments: call.Function.Arguments})
		}
		if m.Role == "assistant" {
			weight := 1.0
			if m.Weight != nil {
				weight = float64(*m.Weight)
			}
			message.Weight = &weight
		}
		out.Messages = append(out.Messages, message)
	}
	for _, tool := range read.Tools {
		out.Tools = append(out.Tools, lake.Tool{Name: tool.Function.Name, Description: tool.Function.Description, Parameters: string(tool.Function.Parameters)})
	}
	return out
}
