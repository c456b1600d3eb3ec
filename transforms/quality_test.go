package transforms_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/formats"
	"github.com/weir-lake/weir/ingest/synth"
	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
	"github.com/weir-lake/weir/lake/laketest"
	"github.com/weir-lake/weir/transforms/transformstest"
)

// planted are faults: each spoils a sound example, or says that it cannot.
var planted = []struct {
	reason string
	spoil  func(r *rand.Rand, messages []lake.Message) ([]lake.Message, bool)
}{
	{"call_without_result", func(r *rand.Rand, m []lake.Message) ([]lake.Message, bool) {
		i := pickMessage(r, m, func(i int) bool { return m[i].Role == "tool" })
		if i < 0 {
			return nil, false
		}
		return slices.Delete(m, i, i+1), true
	}},
	{"result_without_call", func(r *rand.Rand, m []lake.Message) ([]lake.Message, bool) {
		i := pickMessage(r, m, func(i int) bool { return m[i].Role == "tool" && m[i].ToolCallID != "" })
		if i < 0 {
			return nil, false
		}
		m[i].ToolCallID = "lost-" + m[i].ToolCallID
		return m, true
	}},
	{"bad_arguments", func(r *rand.Rand, m []lake.Message) ([]lake.Message, bool) {
		i := pickMessage(r, m, func(i int) bool { return len(m[i].ToolCalls) > 0 })
		if i < 0 {
			return nil, false
		}
		m[i].ToolCalls[0].Arguments = `{"path": "notes` // cut in the middle
		return m, true
	}},
	{"role_order", func(r *rand.Rand, m []lake.Message) ([]lake.Message, bool) {
		i := pickMessage(r, m, func(i int) bool { return m[i].Role == "user" })
		if i < 0 {
			return nil, false
		}
		return slices.Insert(m, i+1, lake.Message{Role: "tool", Content: "12 rows"}), true
	}},
	{"empty_target", func(_ *rand.Rand, m []lake.Message) ([]lake.Message, bool) {
		last := &m[len(m)-1]
		last.Content, last.ToolCalls = " ", nil
		return m, true
	}},
	{"bad_ending", func(_ *rand.Rand, m []lake.Message) ([]lake.Message, bool) {
		return append(m, lake.Message{Role: "user", Content: "And the rest of it?"}), true
	}},
	{"think_tag", func(_ *rand.Rand, m []lake.Message) ([]lake.Message, bool) {
		last := &m[len(m)-1]
		last.Content = "<think>The user wants the short form." + last.Content
		return m, true
	}},
	{"secret", func(r *rand.Rand, m []lake.Message) ([]lake.Message, bool) {
		const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
		key := []byte("AKIA")
		for range 16 {
			key = append(key, letters[r.IntN(len(letters))])
		}
		i := pickMessage(r, m, func(i int) bool { return m[i].Role != "system" })
		m[i].Content += "\nThe key is " + string(key) + "."
		return m, true
	}},
	{"provider_identity", func(r *rand.Rand, m []lake.Message) ([]lake.Message, bool) {
		claims := []string{"I'm ChatGPT, so take this with care.", "I am Claude and I cannot see that file.", "As an AI language model developed by OpenAI, I would say so.",
			"I am a model trained by Google DeepMind.", "I'm an assistant made by Anthropic."}
		m[len(m)-1].Content += " " + claims[r.IntN(len(claims))]
		return m, true
	}},
	{"hosted_tool", func(r *rand.Rand, m []lake.Message) ([]lake.Message, bool) {
		parts := []string{`[{"type":"server_tool_use","name":"web_search","input":{"query":"tide"}}]`, `[{"id":"ws_1","status":"completed","type":"web_search_call"}]`,
			`[{"executableCode":{"code":"print(1)"}},{"codeExecutionResult":{"output":"1"}}]`}
		m[len(m)-1].Parts = parts[r.IntN(len(parts))]
		return m, true
	}},
	{"echo", func(_ *rand.Rand, m []lake.Message) ([]lake.Message, bool) {
		// One question, given back whole.
		text := strings.Repeat("The manifest of the night ferry lists crates, barrels and one piano. ", 4)
		i := slices.IndexFunc(m, func(m lake.Message) bool { return m.Role == "user" })
		if i < 0 {
			return nil, false
		}
		m = append(m[:i:i], lake.Message{Role: "user", Content: text}, lake.Message{Role: "assistant", Weight: number(1), Content: strings.ReplaceAll(text, ". ", ".\n")})
		return m, true
	}},
	{"repetition", func(r *rand.Rand, m []lake.Message) ([]lake.Message, bool) {
		lines := []string{"- check the manifest once more", "I will look at the log again.", "Then the feed has to be restarted."}
		line, between := lines[r.IntN(len(lines))], "\n"
		if r.IntN(2) == 0 {
			line, between = "I will look at the log again.", " "
		}
		m[len(m)-1].Content += "\n" + strings.Repeat(line+between, 6+r.IntN(20))
		return m, true
	}},
	{"repeated_calls", func(r *rand.Rand, m []lake.Message) ([]lake.Message, bool) {
		calls := 0
		for _, message := range m {
			calls += len(message.ToolCalls)
		}
		last := m[len(m)-1]
		m = m[:len(m)-1]
		for i := range max(6, calls+1) {
			id := fmt.Sprintf("again-%d", i)
			m = append(m, lake.Message{Role: "assistant", Weight: number(1), ToolCalls: []lake.ToolCall{{ID: id, Name: "read_log", Arguments: `{"tail":50}`}}},
				lake.Message{Role: "tool", ToolCallID: id, Content: "no new lines"})
		}
		return append(m, last), true
	}},
}

func number(x float64) *float64 { return &x }

// pickMessage draws one of the messages that fit; -1 if none does.
func pickMessage(r *rand.Rand, m []lake.Message, fits func(i int) bool) int {
	var all []int
	for i := range m {
		if fits(i) {
			all = append(all, i)
		}
	}
	if len(all) == 0 {
		return -1
	}
	return all[r.IntN(len(all))]
}

// TestPlantedFaults holds quality to its bounds: of faults planted in the words
// of an invented fleet at least 95 % are found by their own reason, and of the
// sound examples at most 2 % are dropped. With -v it prints the table.
func TestPlantedFaults(t *testing.T) {
	lk := laketest.New(t)
	session, err := duck.Open(t.Context(), duck.Options{Threads: 2, TempDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	laketest.Append(t, lk, fleetEvents(t, 4000)...)
	transformstest.BuildIn(t, lk, session, "curated.quality")
	sound := soundExamples(t, session)

	r := rand.New(rand.NewPCG(4, 2))
	at := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	want := map[string]string{} // example → reason; "" if sound
	var events []lake.Event
	add := func(base soundExample, messages []lake.Message, reason string) {
		id := lake.StableID("planted", base.id, reason, fmt.Sprint(len(events)))
		want[id] = reason
		events = append(events, lake.Event{
			ID: id, Source: "test://planted", Type: "weir.example.generated.v1", Subject: id, Time: at,
			Data: &lake.GeneratedExample{Method: "planted", Messages: messages, Tools: base.tools, TaskType: "other"},
		})
	}
	for _, base := range sound {
		add(base, base.messages(t), "")
		failed := base
		add(failed, failed.messages(t), "outcome_failure")
		id := events[len(events)-1].ID
		events = append(events, lake.Event{
			ID: lake.StableID("planted", "outcome", id), Source: "test://planted", Type: "weir.outcome.recorded.v1", Subject: id, Time: at,
			Data: &lake.Outcome{TargetKind: "example", TargetID: id, Level: "task", Value: "failure", Origin: "tests"},
		})
		for range 3 {
			fault := planted[r.IntN(len(planted))]
			if messages, ok := fault.spoil(r, base.messages(t)); ok {
				plain := base
				plain.tools = nil // what is called is not to be a question of what is declared
				add(plain, messages, fault.reason)
			}
		}
		if calls := base.messages(t); len(base.tools) > 0 {
			if i := pickMessage(r, calls, func(i int) bool { return len(calls[i].ToolCalls) > 0 && calls[i].Weight != nil && *calls[i].Weight > 0 }); i >= 0 {
				calls[i].ToolCalls[0].Name = "launch_" + calls[i].ToolCalls[0].Name
				add(base, calls, "undeclared_tool")
			}
		}
	}
	laketest.Append(t, lk, events...)
	transformstest.BuildIn(t, lk, session, "curated.quality")

	total, found := map[string]int{}, map[string]int{}
	wrong := 0
	rows, err := session.DB().QueryContext(t.Context(), "select example_id, array_to_string(reasons, ' ') from curated.quality")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, reasons string
		if err := rows.Scan(&id, &reasons); err != nil {
			t.Fatal(err)
		}
		reason, ours := want[id]
		if !ours {
			continue
		}
		total[reason]++
		switch {
		case reason == "" && reasons != "":
			wrong++
			t.Logf("a sound example is dropped: %s", reasons)
		case reason != "" && slices.Contains(strings.Fields(reasons), reason):
			found[reason]++
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	t.Logf("| fault | planted | found |")
	for _, reason := range slices.Sorted(maps.Keys(total)) {
		if reason == "" {
			continue
		}
		t.Logf("| %s | %d | %d |", reason, total[reason], found[reason])
		if float64(found[reason]) < 0.95*float64(total[reason]) {
			t.Errorf("%s: %d of %d found", reason, found[reason], total[reason])
		}
	}
	t.Logf("sound: %d, dropped %d", total[""], wrong)
	if len(want) < 2000 || len(total) != len(planted)+3 {
		t.Errorf("%d examples of %d kinds: the fleet is too small", len(want), len(total))
	}
	if float64(wrong) > 0.02*float64(total[""]) {
		t.Errorf("%d of %d sound examples are dropped", wrong, total[""])
	}
}

type soundExample struct {
	id    string
	text  string // messages as JSON
	tools []lake.Tool
}

// messages gives a copy of its own to each caller.
func (e soundExample) messages(t *testing.T) []lake.Message {
	t.Helper()
	var messages []lake.Message
	if err := json.Unmarshal([]byte(e.text), &messages); err != nil {
		t.Fatal(err)
	}
	return messages
}

func soundExamples(t *testing.T, session *duck.Session) []soundExample {
	t.Helper()
	rows, err := session.DB().QueryContext(t.Context(), `
		select example_id, to_json(messages)::varchar, to_json(case when tools_origin = 'declared' then tools end)::varchar
		from curated.examples join curated.quality using (example_id) where verdict = 'keep' order by example_id`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all []soundExample
	for rows.Next() {
		var e soundExample
		var tools *string
		if err := rows.Scan(&e.id, &e.text, &tools); err != nil {
			t.Fatal(err)
		}
		if tools != nil {
			if err := json.Unmarshal([]byte(*tools), &e.tools); err != nil {
				t.Fatal(err)
			}
		}
		all = append(all, e)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// fleetEvents are the events of an invented fleet's logs.
func fleetEvents(t *testing.T, records int64) []lake.Event {
	t.Helper()
	dir := t.TempDir()
	if _, err := synth.Write(t.Context(), dir, synth.Options{Seed: 7, Events: records}); err != nil {
		t.Fatal(err)
	}
	in := &sampleReader{t: t}
	err := filepath.WalkDir(filepath.Join(dir, "logs"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		probe := source.Probe{Name: filepath.Base(path), Head: text[:min(len(text), 64<<10)]}
		best := source.Format{}
		sure := 0
		for _, format := range formats.All() {
			if n := format.Detect(probe); n > sure {
				best, sure = format, n
			}
		}
		in.file, in.format = filepath.Base(path), best
		return best.Read(context.Background(), &source.Input{Name: path, Path: path, R: strings.NewReader(string(text))}, in)
	})
	if err != nil {
		t.Fatal(err)
	}
	return in.events
}
