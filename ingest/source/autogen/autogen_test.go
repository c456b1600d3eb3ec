package autogen_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/autogen"
	"github.com/weir-lake/weir/ingest/source/llm/llmtest"
	"github.com/weir-lake/weir/lake"
)

func TestGolden(t *testing.T) { llmtest.Golden(t, autogen.Format(), "testdata/*.json*") }

// TestSlices: a stream that was cut anywhere gives events of the whole stream,
// and so does one that has the run's result behind it.
func TestSlices(t *testing.T) {
	for _, name := range []string{"stream.jsonl", "result.json"} {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		lines := bytes.SplitAfter(text, []byte("\n"))
		if name == "result.json" {
			var result struct{ Messages []json.RawMessage }
			if err := json.Unmarshal(text, &result); err != nil {
				t.Fatal(err)
			}
			lines = nil
			for _, message := range result.Messages {
				lines = append(lines, append(message, '\n'))
			}
		}
		whole, last := map[string]bool{}, int64(-1)
		for _, e := range llmtest.Read(t, autogen.Format(), string(text)).Events {
			if whole[e.ID] {
				t.Errorf("%s: event %s comes twice", name, e.ID)
			}
			whole[e.ID] = true
			if at := e.Data.(*lake.ChatMessage).Position; at <= last {
				t.Errorf("%s: event %s is at %d, behind %d", name, e.ID, at, last)
			} else {
				last = at
			}
		}
		for end := 2; end <= len(lines); end++ {
			for _, e := range llmtest.Read(t, autogen.Format(), string(bytes.Join(lines[:end], nil))).Events {
				if !whole[e.ID] {
					t.Errorf("%s, %d lines: event %s is not in the whole: %+v", name, end, e.ID, e.Data)
				}
			}
		}
	}
}

func TestDetect(t *testing.T) {
	for head, want := range map[string]bool{
		`{"question":"x","history":[{"role":"human","content":"x"}]}`:                                                true,
		`{"is_correct":false,"question":"x","history":[{"content":"` + strings.Repeat("x", 99) + `","role":"user"},`: true,
		`{"history":[{"role":"human","content":"x"}]}`:                                                               false,
		`{"question":"x","history":[]}`:                                                                              false,
		`{"question":"x"}`:                                                                                           false,
		`{"source":"user","models_usage":null,"content":"x","type":"TextMessage"}`:                                   true,
		`{"messages":[{"source":"a","content":"x","type":"TextMessage"}],"stop_reason":null}`:                        true,
		`[{"source":"user","content":"` + strings.Repeat("x", 99) + `","type":"TextMessage"},`:                       true,
		`{"specversion":"1.0","source":"x","type":"NewMessage","content":1}`:                                         false,
		`[{"content":"x","role":"assistant","name":"user_proxy"},{"content":"` + strings.Repeat("x", 99):             true,
		`[{"content":"x","role":"user","name":"a"},{"content":"y","role":"user","name":"b"}]`:                        true,
		`[{"content":"x","role":"user","name":"ilse"},{"content":"y","role":"assistant"}]`:                           false,
		`[{"content":"x","role":"user","name":"ilse"}]`:                                                              false,
		`{"content":"x","role":"user","name":"a","conversation":"c"}`:                                                false,
		`{"chat_id":1,"chat_history":[{"content":"x","role":"assistant","name":"a"}]}`:                               true,
		`{"source":"x","type":"message","content":"x"}`:                                                              false,
	} {
		if got := autogen.Format().Detect(source.Probe{Name: "x.json", Head: []byte(head)}) > 0; got != want {
			t.Errorf("%.80s: %v", head, got)
		}
	}
}

// TestHistory: nobody's words are an output but an agent's, whatever role one of
// the agents sees them in, and a chat that goes on keeps its events.
func TestHistory(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "history.json"))
	if err != nil {
		t.Fatal(err)
	}
	whole := map[string]bool{}
	for _, e := range llmtest.Read(t, autogen.Format(), string(text)).Events {
		whole[e.ID] = true
		if m := e.Data.(*lake.ChatMessage); (m.Kind == lake.KindOutput) != (m.Name == "coder") || m.Agent != "" && m.Agent != "coder" {
			t.Errorf("%s by %q, agent %q: %q", m.Kind, m.Name, m.Agent, m.Content)
		}
	}
	var turns []json.RawMessage
	if err := json.Unmarshal(text, &turns); err != nil {
		t.Fatal(err)
	}
	for n := 2; n < len(turns); n++ {
		part, err := json.Marshal(turns[:n])
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range llmtest.Read(t, autogen.Format(), string(part)).Events {
			if !whole[e.ID] {
				t.Errorf("%d messages: event %s is not in the whole chat", n, e.ID)
			}
		}
	}
}

// TestSamples holds the counts of acceptance case 6.
func TestSamples(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(llmtest.Samples(t, "ag2-groupchat"), "*.json"))
	if err != nil || len(paths) != 46 {
		t.Fatalf("%d files (%v)", len(paths), err)
	}
	said, terminal, tasks, thoughts, addressed, ends, prompts, failures, steps := 0, 0, 0, 0, 0, 0, 0, 0, 0
	questions := map[string]bool{}
	for _, path := range paths {
		result := llmtest.ReadFile(t, autogen.Format(), path)
		for _, reject := range result.Rejects {
			t.Errorf("%s: %s: %s", path, reject.Reason, reject.Detail)
		}
		for _, e := range result.Events {
			switch data := e.Data.(type) {
			case *lake.Outcome:
				if data.Value != "failure" {
					t.Errorf("%s: %s", path, data.Value)
				}
				if data.Level == "task" {
					failures++
				} else {
					steps++
				}
			case *lake.ChatMessage:
				questions[data.TaskID] = true
				if data.Kind == lake.KindSystem || data.Kind == lake.KindNotice {
					continue
				}
				said++
				if strings.Contains(data.Content+data.Reasoning, "SCENARIO.PY") {
					t.Errorf("%s: %s keeps the script's output", path, data.MessageID)
				}
				switch {
				case data.Kind == lake.KindContext:
					tasks++
				case data.Name == "Computer_terminal":
					terminal++
				case data.Kind == lake.KindEnvironment:
					ends++
				case data.Kind == lake.KindPrompt:
					prompts++
				case data.Reasoning != "":
					thoughts++
				case data.Recipient != "":
					addressed++
				}
			}
		}
	}
	got := []int{said, terminal, tasks, thoughts, addressed, ends, prompts, failures, steps, len(questions)}
	for i, want := range []int{1147, 82, 32, 454, 200, 7, 14, 46, 46, 43} {
		if got[i] != want {
			t.Errorf("messages, terminal, tasks, thoughts, addressed, ends, prompts, failures, steps, questions: %v; number %d is to be %d", got, i, want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(`[{"is_correct":"False","question":"x","history":[{"content":"x","role":"user","name":"A"},{"content":["x"],"role":"A (-> B)"}],"mistake_step":"1","system_prompt":{"A":"x"}}]`)
	f.Add(`{"question":"x","question_ID":7,"history":[{"content":"SCENARIO.PY COMPLETE","role":"human"}],"is_corrected":true}`)
	for _, name := range []string{"stream.jsonl", "result.json", "team.json", "history.json", "chat.json"} {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add(`{"source":"a","type":"ToolCallExecutionEvent","content":"x"}{"source":"a","type":"ToolCallRequestEvent","content":{}}{"source":1,"type":"MemoryQueryEvent","content":[]}`)
	// Pieces of a reply are dropped: it follows whole.
	quiet := func(text string) bool { return strings.Contains(text, "ModelClientStreamingChunkEvent") }
	f.Fuzz(func(t *testing.T, text string) { llmtest.Steady(t, autogen.Format(), text, quiet) })
}
