package target

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-lake/weir/exporters/canonical"
	"github.com/weir-lake/weir/lake"
)

// linesEach is how many lines with tools, and how many without, a target's
// file gets.
const linesEach = 200

// With WEIR_LINES=DIR, writes what scripts/checkers.sh gives to the checkers
// that are not weir's: a folder a target, of lines that the target made of
// seeded examples, no two the same, and index.json with what is where.
func TestLines(t *testing.T) {
	dir := os.Getenv("WEIR_LINES")
	if dir == "" {
		t.Skip("WEIR_LINES is not set: scripts/checkers.sh sets it")
	}
	type entry struct {
		Target string `json:"target"`
		File   string `json:"file"`
		BOM    bool   `json:"bom"`
	}
	var index []entry
	for _, target := range All() {
		lines := target.someLines(t)
		one := entry{target.Name, filepath.Join(target.Name, target.FileName("train")), target.BOM}
		index = append(index, one)
		writeFile(t, filepath.Join(dir, one.File), append(target.Prefix(), strings.Join(lines, "\n")+"\n"...))
		for _, sidecar := range target.Sidecars() {
			writeFile(t, filepath.Join(dir, target.Name, sidecar.Name), append(sidecar.JSON, '\n'))
		}
	}
	text, err := json.Marshal(index)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "index.json"), append(text, '\n'))
}

func writeFile(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
}

// someLines makes a target's lines: those without tools first.
func (t *Target) someLines(tb testing.TB) []string {
	rng := rand.New(rand.NewPCG(5, 6))
	seen := map[string]bool{}
	var plain, withTools []string
	for range 40 * linesEach {
		if len(plain) == linesEach && (len(withTools) == linesEach || !takesTools(t.Name)) {
			break
		}
		example := workExample(rng)
		if t.Pairs {
			example = workPair(rng, example)
		}
		result, err := t.Convert(example, Options{})
		if err != nil {
			tb.Fatal(err)
		}
		for _, line := range result.Lines {
			text := string(line.JSON)
			into := &plain
			if len(line.Example.Tools) > 0 {
				into = &withTools
			}
			if len(*into) < linesEach && !seen[text] {
				seen[text] = true
				*into = append(*into, text)
			}
		}
	}
	if len(plain) < linesEach {
		tb.Fatalf("%s: only %d lines without tools", t.Name, len(plain))
	}
	return append(plain, withTools...)
}

func takesTools(target string) bool { return target != "bedrock-claude" && target != "axolotl-dpo" }

// workPair makes a preference pair of an example, which parts from another at
// its last reply.
func workPair(rng *rand.Rand, e canonical.Example) canonical.Example {
	last := len(e.Messages) - 1
	for e.Messages[last].Role != "assistant" {
		last--
	}
	one := 1.0
	worse := lake.Message{Role: "assistant", Weight: &one, Content: fmt.Sprintf("I do not know, %d.", rng.IntN(1000))}
	if len(e.Tools) > 0 && rng.IntN(2) == 0 {
		worse.Content = ""
		worse.ToolCalls = []lake.ToolCall{{ID: "call_worse", Name: "restart", Arguments: `{"queue":"b"}`}}
	}
	e.Against = &canonical.Against{PairID: "p", Basis: "judge", Context: last, Messages: []lake.Message{worse}}
	return e
}

// workExample makes an example as agents at work leave them: a request, calls
// and their results, a reply, and again; sometimes only talk, sometimes with
// several who speak, and with the oddities that a log has.
func workExample(rng *rand.Rand) canonical.Example {
	one := func(choices ...string) string { return choices[rng.IntN(len(choices))] }
	in := func(n int) bool { return rng.IntN(n) == 0 }
	talk := func() string {
		words := make([]string, 2+rng.IntN(12))
		for i := range words {
			words[i] = one("the", "queue", "is", "full", "über", "日本", "\"quoted\"", "a\\b", "<tag>", "line\nbreak", "naïve", "🙂", "{x}", "100%", "test", "failed", "again", "on", "node-7")
		}
		return strings.Join(words, " ")
	}
	weight := func(trained bool) *float64 {
		w := 0.0
		if trained {
			w = 1
		}
		return &w
	}
	verified := 1.0
	e := canonical.Example{ID: "e", ToolsOrigin: "declared", SuccessScore: &verified}
	calls := in(2)
	if calls {
		e.Tools = workTools()[:2+rng.IntN(2)]
		if in(3) {
			e.ParallelToolCalls = new(bool)
		}
	}
	if !in(4) {
		e.Messages = append(e.Messages, lake.Message{Role: one("system", "system", "developer"), Content: "You watch the queues. " + talk()})
	}
	masked := in(3)
	for turn := range 1 + rng.IntN(3) {
		user := lake.Message{Role: "user", Content: talk()}
		if in(4) {
			user.Name = one("scout_1", "Ann B")
		}
		e.Messages = append(e.Messages, user)
		if in(8) {
			e.Messages = append(e.Messages, lake.Message{Role: "user", Content: talk()})
		}
		if calls && !in(4) {
			m := lake.Message{Role: "assistant", Weight: weight(!masked || !in(3))}
			if in(3) {
				m.Content = talk()
			}
			for i := range 1 + rng.IntN(2) {
				tool := e.Tools[rng.IntN(len(e.Tools))]
				arguments, _ := json.Marshal(map[string]any{"queue": talk(), "limit": rng.IntN(9), "tags": []string{one("a", "b")}})
				m.ToolCalls = append(m.ToolCalls, lake.ToolCall{ID: fmt.Sprintf("call_%d%d", turn, i), Name: tool.Name, Arguments: string(arguments)})
			}
			e.Messages = append(e.Messages, m)
			if turn == 2 && in(3) {
				break // a terminal call ends the work
			}
			for _, call := range m.ToolCalls {
				e.Messages = append(e.Messages, lake.Message{Role: "tool", ToolCallID: call.ID, Name: call.Name, Content: one(talk(), `{"depth":3,"late":[]}`, "42", "ok "+talk())})
			}
		}
		reply := lake.Message{Role: "assistant", Content: talk(), Weight: weight(!masked || turn > 0)}
		if in(5) {
			reply.Reasoning = talk()
		}
		e.Messages = append(e.Messages, reply)
	}
	return e
}

func workTools() []lake.Tool {
	return []lake.Tool{
		{Name: "queue_depth", Description: "How many jobs wait.", Parameters: `{"type":"object","properties":{"queue":{"type":"string","description":"its name"},"limit":{"type":"integer"},"tags":{"type":"array","items":{"type":"string"}}},"required":["queue"]}`},
		{Name: "restart", Parameters: `{"type":"object","properties":{"queue":{"type":"string","enum":["a","b"]}},"additionalProperties":false}`},
		{Name: "note", Description: "Leaves a note."},
	}
}
