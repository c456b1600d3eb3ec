package sweagent_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/llm/llmtest"
	"github.com/weir-lake/weir/ingest/source/sweagent"
	"github.com/weir-lake/weir/lake"
)

func TestGolden(t *testing.T) {
	llmtest.Golden(t, sweagent.Format(), "testdata/*.traj*")
	llmtest.Golden(t, sweagent.Format(), "testdata/*.jsonl*")
}

func TestDetect(t *testing.T) {
	for head, want := range map[string]bool{
		`{"environment":"e","trajectory":[],"history":[{"role":"system","content":"x"}],"info":{}}`: true,
		`{"history":[{"role":"system","content":"x"}],"info":{"exit_status":"submitted"}}`:          true,
		"{\n  \"environment\": \"swe_main\",\n  \"trajectory\": [\n    {\n      \"action\": \"cut":  true,
		`{"trajectory":[{"query":[{"role":"user"}],"response":"cut`:                                 true,
		`{"history":[{"role":"user","content":"x"}],"question":"q","mistake_agent":"a"}`:            false,
		`{"history":[{"source":"user","action":"message"}],"instance_id":"i"}`:                      false,
		`{"trajectory":[{"x":1}],"steps":[]}`:                                                       false,
	} {
		if got := sweagent.Format().Detect(source.Probe{Name: "x.traj", Head: []byte(head)}) > 0; got != want {
			t.Errorf("%s: %v", head, got)
		}
	}
}

// TestShorterHistory: the file is written anew after each step, and what it
// held then has the same ids.
func TestShorterHistory(t *testing.T) {
	text, err := os.ReadFile("testdata/hull.traj")
	if err != nil {
		t.Fatal(err)
	}
	var file map[string]any
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	history := file["history"].([]any)
	whole := map[string]bool{}
	for _, e := range llmtest.Read(t, sweagent.Format(), string(text)).Events {
		whole[e.ID] = true
	}
	file["info"] = map[string]any{}
	for n := 4; n <= len(history); n++ { // from the first output on
		file["history"] = history[:n]
		short, _ := json.Marshal(file)
		for _, e := range llmtest.Read(t, sweagent.Format(), string(short)).Events {
			if e.Data.(*lake.ChatMessage).Kind != lake.KindNotice && !whole[e.ID] {
				t.Errorf("%d messages: an event that the whole file does not have", n)
			}
		}
	}
}

// TestSamples has the counts of model outputs, calls and results by file.
func TestSamples(t *testing.T) {
	paths, _ := filepath.Glob(filepath.Join(llmtest.Samples(t, "swe-agent"), "*.traj"))
	type counts struct{ outputs, calls, results, prompts int }
	want := []counts{{15, 0, 0, 1}, {18, 0, 0, 1}, {4, 4, 4, 1}, {5, 0, 0, 1}, {7, 0, 0, 1}, {11, 11, 11, 1}, {12, 0, 0, 1}, {21, 0, 0, 1}}
	if len(paths) != len(want) {
		t.Fatalf("%d files", len(paths))
	}
	subjects := map[string]bool{}
	for i, path := range paths {
		result := llmtest.ReadFile(t, sweagent.Format(), path)
		var got counts
		for _, e := range result.Events {
			subjects[e.Subject] = true
			m, ok := e.Data.(*lake.ChatMessage)
			if !ok || m.Outcome != "" {
				t.Errorf("%s: an outcome, though the file has no evidence", filepath.Base(path))
				continue
			}
			got.calls += len(m.ToolCalls)
			switch m.Kind {
			case lake.KindOutput:
				got.outputs++
			case lake.KindToolResult:
				got.results++
			case lake.KindPrompt:
				got.prompts++
			}
		}
		if len(result.Rejects) > 0 || got != want[i] {
			t.Errorf("%s: %+v, want %+v; rejects %+v", filepath.Base(path), got, want[i], result.Rejects)
		}
	}
	if len(subjects) != len(want) {
		t.Errorf("%d conversations of %d files", len(subjects), len(want))
	}
}

func FuzzRead(f *testing.F) {
	f.Add(`{"environment":"e","trajectory":[],"history":[{"role":"system","content":"s","agent":"a"},{"role":"user","content":[{"type":"text","text":"x"}],"is_demo":true},{"role":"user","content":"p"},{"role":"assistant","content":"y","tool_calls":[{"id":"k","function":{"name":"n","arguments":"{}"}}]},{"role":"tool","content":"z","tool_call_ids":["k"]}],"info":{"exit_status":"submitted"},"replay_config":{"problem_statement":{"id":7}}}`)
	f.Add(`{"history":[{"role":"user","content":null},{"role":"human","content":5}]}`)
	f.Fuzz(func(t *testing.T, text string) { llmtest.Steady(t, sweagent.Format(), text, nil) })
}
