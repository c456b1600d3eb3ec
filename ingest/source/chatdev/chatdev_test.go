package chatdev_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/chatdev"
	"github.com/weir-lake/weir/ingest/source/llm/llmtest"
	"github.com/weir-lake/weir/lake"
)

func TestGolden(t *testing.T) { llmtest.Golden(t, chatdev.Format(), "testdata/*.log") }

func TestDetect(t *testing.T) {
	for head, want := range map[string]bool{
		"[2024-25-03 09:00:00 INFO] **[Preprocessing]**\n\n**ChatDev Starts** (1)\n":   true,
		"\n[2024-25-03 09:00:00 INFO] System: **[chatting]**\n":                        true,
		"[2024-25-03 09:00:00 INFO] Programmer: **[Start Chat]**\n":                    true,
		"[2024-25-03 09:00:00 INFO] server started\n":                                  false,
		"[09:00] <a> **[Start Chat]**\n":                                               false,
		"# Notes\n[2024-25-03 09:00:00 INFO] Programmer: **[Start Chat]** is logged\n": false,
	} {
		if got := chatdev.Format().Detect(source.Probe{Name: "x.log", Head: []byte(head)}) > 0; got != want {
			t.Errorf("%q: %v", head, got)
		}
	}
}

// TestCutLog: the events of a log that was read while it grew are those of the
// whole log, but for what ends a phase.
func TestCutLog(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "company.log"))
	if err != nil {
		t.Fatal(err)
	}
	whole := map[string]bool{}
	for _, e := range llmtest.Read(t, chatdev.Format(), string(text)).Events {
		whole[e.ID] = true
	}
	for _, at := range regexp.MustCompile(`(?m)^\[2024`).FindAllStringIndex(string(text), -1) {
		for _, e := range llmtest.Read(t, chatdev.Format(), string(text[:at[0]])).Events {
			if m := e.Data.(*lake.ChatMessage); !whole[e.ID] && m.Name != "usage" {
				t.Errorf("cut at %d: event %s %q is not in the whole log", at[0], m.Kind, m.Content)
			}
		}
	}
}

// TestOrphan: what stands before the first entry is not lost.
func TestOrphan(t *testing.T) {
	result := llmtest.Read(t, chatdev.Format(), "\nan orphan line\n[2024-25-03 09:00:00 INFO] **[Post Info]**\n")
	if len(result.Rejects) != 1 || result.Rejects[0].Reason != source.ReasonWrongType || result.Rejects[0].Line != 2 || len(result.Events) != 1 {
		t.Errorf("%d events, rejects %+v", len(result.Events), result.Rejects)
	}
}

// TestSamples holds the counts of acceptance case 7.
func TestSamples(t *testing.T) {
	dir := llmtest.Samples(t, "chatdev-log")
	for name, want := range map[string]struct{ outputs, starts, comments, inputTokens int }{
		"2048_THUNLP_20230822144615.log":                              {24, 17, 0, 53436},
		"Gomoku_HumanAgentInteraction_20230920135038.log":             {14, 14, 3, 16482},
		"Notebook Application_DefaultOrganization_20230918090434.log": {12, 12, 0, 14893},
		"md2html_THUNLP_20230823102935.log":                           {45, 29, 0, 89259},
	} {
		result := llmtest.ReadFile(t, chatdev.Format(), filepath.Join(dir, name))
		for _, reject := range result.Rejects {
			t.Errorf("%s:%d: %s: %s", name, reject.Line, reject.Reason, reject.Detail)
		}
		kinds, tokens, subjects, phases := map[string]int{}, 0, map[string]bool{}, map[string]bool{}
		for _, e := range result.Events {
			m := e.Data.(*lake.ChatMessage)
			kinds[m.Kind]++
			subjects[e.Subject] = true
			if y, mo, _ := e.Time.Date(); y != 2023 || mo != 8 && mo != 9 {
				t.Errorf("%s: %s", name, e.Time)
			}
			if m.InputTokens != nil {
				tokens += int(*m.InputTokens)
			}
			switch m.Kind {
			case lake.KindOutput:
				phases[m.ConversationID] = true
				if m.InputTokens == nil || m.Agent == "" || m.Recipient == "" || strings.HasPrefix(m.Content, "[") {
					t.Errorf("%s: output of %s: %.60q", name, m.Agent, m.Content)
				}
			case lake.KindSystem:
				if m.Agent == "" || strings.HasSuffix(m.Content, "]") {
					t.Errorf("%s: prompt of %q: %q", name, m.Agent, m.Content)
				}
			}
		}
		if kinds[lake.KindOutput] != want.outputs || kinds[lake.KindContext] != want.starts || len(phases) != want.starts ||
			kinds[lake.KindPrompt] != want.comments || len(subjects) != 1 || tokens != want.inputTokens {
			t.Errorf("%s: %v, %d phases, %d input tokens, %d subjects; want %+v", name, kinds, len(phases), tokens, len(subjects), want)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, name := range []string{"company.log", "cut.log"} {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add("[2024-25-03 09:00:00 INFO] System: **[chatting]**\n| **assistant_role_name** | A |\n[2024-25-03 09:00:00 INFO] A: **A<->B on : P, turn 0**\n\n[x]\n\ny")
	// A log of nothing but library noise says nothing.
	noise := regexp.MustCompile(`^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [A-Z]+\] (flask app.py did not start|HTTP Request: )`)
	dropped := func(text string) bool {
		for _, line := range strings.Split(strings.TrimPrefix(text, "\ufeff"), "\n") {
			if strings.TrimSpace(line) != "" && !noise.MatchString(line) {
				return false
			}
		}
		return true
	}
	f.Fuzz(func(t *testing.T, text string) {
		llmtest.Steady(t, chatdev.Format(), text, dropped)
		checkNoWordIsLost(t, text)
	})
}
