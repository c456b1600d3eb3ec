package target

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
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
	for i := range 4000 {
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
	if lossless < 100 {
		t.Errorf("only %d examples came through without loss", lossless)
	}
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
