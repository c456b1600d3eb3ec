package claudecode_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/claudecode"
	"github.com/weir-lake/weir/lake"
)

// taken collects what a reader gives.
type taken struct {
	events  []lake.Event
	rejects []string
}

func (t *taken) Emit(e lake.Event) error { t.events = append(t.events, e); return nil }
func (t *taken) Reject(r source.Reject) error {
	t.rejects = append(t.rejects, r.Reason+": "+r.Detail)
	return nil
}

// sample reads a file of the sample collection; the test is skipped without it.
func sample(t *testing.T, name string) *taken {
	t.Helper()
	root := os.Getenv("WEIR_SAMPLES")
	if root == "" {
		root = filepath.Join("..", "..", "..", "..", "shared", "samples")
	}
	file, err := os.Open(filepath.Join(root, "claude-code", name))
	if err != nil {
		t.Skipf("no samples (set WEIR_SAMPLES): %v", err)
	}
	defer file.Close()
	var out taken
	if err := claudecode.Format().Read(context.Background(), &source.Input{Name: name, R: file}, &out); err != nil {
		t.Fatal(err)
	}
	if len(out.rejects) > 0 {
		t.Errorf("rejects: %s", strings.Join(out.rejects, "\n"))
	}
	return &out
}

// window counts what acceptance.md counts. Sub-agents are conversations of
// their own.
type window struct{ outputs, calls, results, prompts int }

func (t *taken) windows(conversation func(*lake.ChatMessage) bool) []window {
	windows := make([]window, 1)
	seen := map[string]bool{}
	responses := map[string]bool{}
	for _, e := range t.events {
		m := e.Data.(*lake.ChatMessage)
		if !conversation(m) || seen[e.ID] {
			continue
		}
		seen[e.ID] = true
		if m.Kind == lake.KindSummary {
			windows = append(windows, window{})
		}
		w := &windows[len(windows)-1]
		switch m.Kind {
		case lake.KindOutput:
			if !responses[m.ResponseID] {
				w.outputs++
			}
			responses[m.ResponseID] = true
			w.calls += len(m.ToolCalls)
		case lake.KindToolResult, lake.KindRefusal:
			w.results++
		case lake.KindPrompt:
			w.prompts++
		}
	}
	return windows
}

func isMain(m *lake.ChatMessage) bool { return m.ParentConversationID == "" }

// TestSampleCounts holds the counts of acceptance cases 1 to 5.
func TestSampleCounts(t *testing.T) {
	for _, test := range []struct {
		file string
		want []window
	}{
		{"37_995ebed6e4_2_full.jsonl", []window{{42, 41, 41, 5}}},
		{"cd_95adddad32_0_full.jsonl", []window{{50, 48, 48, 14}, {77, 69, 69, 11}, {93, 83, 83, 17}, {5, 6, 6, 0}}},
		{"44_785715c3f5_2_full.jsonl", []window{{37, 30, 30, 7}, {53, 45, 45, 15}, {59, 52, 52, 7}}},
		{"8b_c5137450f6_0_full.jsonl", []window{{8, 8, 8, 0}}},
		{"10_2b7007badc_0_full.jsonl", []window{{7, 7, 7, 0}}},
	} {
		t.Run(test.file, func(t *testing.T) {
			if got := sample(t, test.file).windows(isMain); !slices.Equal(got, test.want) {
				t.Errorf("outputs, calls, results, prompts: %v, want %v", got, test.want)
			}
		})
	}
}

func TestSampleSubAgents(t *testing.T) {
	for file, want := range map[string]struct {
		agent string
		calls int
	}{"8b_c5137450f6_0_full.jsonl": {"a70121e", 9}, "10_2b7007badc_0_full.jsonl": {"a9e8132", 8}} {
		out := sample(t, file)
		var call string
		got := out.windows(func(m *lake.ChatMessage) bool {
			if isMain(m) {
				return false
			}
			if want := m.ParentConversationID + "/agent-" + want.agent; m.ConversationID != want {
				t.Errorf("%s: conversation %s, want %s", file, m.ConversationID, want)
			}
			call = m.ParentCallID
			return true
		})
		if len(got) != 1 || got[0].calls != want.calls || got[0].results != want.calls || got[0].prompts != 1 {
			t.Errorf("%s: %v, want %d calls and results, one prompt", file, got, want.calls)
		}
		if !slices.ContainsFunc(out.events, func(e lake.Event) bool {
			return slices.ContainsFunc(e.Data.(*lake.ChatMessage).ToolCalls, func(c lake.ToolCall) bool { return c.ID == call && c.Name == "Task" })
		}) {
			t.Errorf("%s: no Task call %s starts the sub-agent", file, call)
		}
	}
}

func TestSampleQueuedTexts(t *testing.T) {
	out := sample(t, "44_785715c3f5_2_full.jsonl")
	var queued []int64
	for i, e := range out.events {
		m := e.Data.(*lake.ChatMessage)
		if m.Kind != lake.KindQueued {
			continue
		}
		queued = append(queued, m.Position/1000)
		if before := out.events[i-1].Data.(*lake.ChatMessage); before.Kind != lake.KindToolResult {
			t.Errorf("record %d: a queued text stands after a %s", m.Position/1000, before.Kind)
		}
	}
	if want := []int64{64, 178, 219}; !slices.Equal(queued, want) {
		t.Errorf("queued texts at records %v, want %v", queued, want)
	}
	once := 0
	for _, e := range sample(t, "4b_7d5121b42a_0_full.jsonl").events {
		if m := e.Data.(*lake.ChatMessage); strings.HasPrefix(m.Content, "there is a PR review comment") {
			once++
			if m.Kind != lake.KindPrompt || m.Position != 78_000 {
				t.Errorf("a %s at position %d, want the prompt of record 78", m.Kind, m.Position)
			}
		}
	}
	if once != 1 {
		t.Errorf("the text that was queued and then sent appears %d times", once)
	}
}

func TestSampleReasoning(t *testing.T) {
	tagged, thinking := []int64{}, 0
	for _, e := range sample(t, "44_785715c3f5_2_full.jsonl").events {
		m := e.Data.(*lake.ChatMessage)
		if strings.Contains(m.Content, "<thinking>") && m.Kind == lake.KindOutput {
			t.Errorf("record %d: a tag is left in the answer", m.Position/1000)
		}
		if m.Reasoning != "" {
			thinking++
		}
		if at := m.Position / 1000; slices.Contains([]int64{189, 196, 201, 206, 216}, at) && m.Reasoning != "" {
			tagged = append(tagged, at)
		}
	}
	if len(tagged) != 5 || thinking != 139+5 {
		t.Errorf("%d texts with reasoning in tags, %d with any", len(tagged), thinking)
	}
}

// TestSampleUsage counts usage once for every response.
func TestSampleUsage(t *testing.T) {
	for _, test := range []struct {
		file                                 string
		outputs                              int
		input, cacheWrite, cacheRead, output int64
	}{
		{"44_785715c3f5_2_full.jsonl", 149, 1_331, 795_334, 16_733_437, 430},
		{"48_cfe773289f_0_full.jsonl", 27, -1, -1, -1, 69},
		{"ba_5e23ccb05b_0_full.jsonl", 6, -1, -1, -1, 20},
		{"8b_c5137450f6_0_full.jsonl", 8, -1, -1, -1, 56},
		{"72_95d22ef3a1_0_full.jsonl", 16, -1, -1, -1, 36},
	} {
		type tokens struct{ input, cacheWrite, cacheRead, output int64 }
		byResponse := map[string]tokens{}
		for _, e := range sample(t, test.file).events {
			m := e.Data.(*lake.ChatMessage)
			if m.Kind != lake.KindOutput || !isMain(m) {
				continue
			}
			u := byResponse[m.ResponseID]
			byResponse[m.ResponseID] = tokens{
				max(u.input, *m.InputTokens), max(u.cacheWrite, *m.CacheWriteTokens),
				max(u.cacheRead, *m.CachedTokens), max(u.output, *m.OutputTokens),
			}
		}
		var sum tokens
		for _, u := range byResponse {
			sum.input += u.input - u.cacheRead - u.cacheWrite
			sum.cacheWrite += u.cacheWrite
			sum.cacheRead += u.cacheRead
			sum.output += u.output
		}
		if len(byResponse) != test.outputs || sum.output != test.output {
			t.Errorf("%s: %d outputs with %d tokens, want %d and %d", test.file, len(byResponse), sum.output, test.outputs, test.output)
		}
		if test.input >= 0 && sum != (tokens{test.input, test.cacheWrite, test.cacheRead, test.output}) {
			t.Errorf("%s: %+v", test.file, sum)
		}
	}
}

// TestSampleKinds holds what acceptance.md says of single records.
func TestSampleKinds(t *testing.T) {
	for _, test := range []struct {
		file    string
		records []int64
		kind    string
	}{
		{"37_995ebed6e4_2_full.jsonl", []int64{1, 111, 134, 153, 163}, lake.KindPrompt},
		{"37_995ebed6e4_2_full.jsonl", []int64{160}, lake.KindRefusal},
		{"37_995ebed6e4_2_full.jsonl", []int64{161}, lake.KindInterrupt},
		{"cd_95adddad32_0_full.jsonl", []int64{230, 517, 871}, lake.KindSummary},
		{"cd_95adddad32_0_full.jsonl", []int64{370, 491, 513, 571, 586, 761}, lake.KindInterrupt},
		{"cd_95adddad32_0_full.jsonl", []int64{99, 100, 101}, lake.KindNotice},
		{"cd_95adddad32_0_full.jsonl", []int64{103}, lake.KindError},
		{"cd_95adddad32_0_full.jsonl", []int64{490}, lake.KindRefusal},
		{"44_785715c3f5_2_full.jsonl", []int64{158, 159, 160, 428, 429, 430}, lake.KindNotice},
		{"44_785715c3f5_2_full.jsonl", []int64{183}, lake.KindContext},
	} {
		kinds := map[int64]string{}
		for _, e := range sample(t, test.file).events {
			if m := e.Data.(*lake.ChatMessage); m.Position%1000 == 0 {
				kinds[m.Position/1000] = m.Kind
			}
		}
		for _, record := range test.records {
			if kinds[record] != test.kind {
				t.Errorf("%s: record %d is %q, want %q", test.file, record, kinds[record], test.kind)
			}
		}
	}
	events := sample(t, "37_995ebed6e4_2_full.jsonl").events
	at := func(record int64) lake.Event {
		return events[slices.IndexFunc(events, func(e lake.Event) bool { return e.Data.(*lake.ChatMessage).Position == record*1000 })]
	}
	if at(127).ID != at(131).ID {
		t.Error("record 131 repeats record 127 under another id")
	}
}
