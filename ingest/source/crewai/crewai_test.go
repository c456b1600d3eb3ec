package crewai_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/crewai"
	"github.com/weir-lake/weir/ingest/source/llm/llmtest"
	"github.com/weir-lake/weir/lake"
)

func TestGolden(t *testing.T) { llmtest.Golden(t, crewai.Format(), "testdata/*.*") }

func TestDetect(t *testing.T) {
	for head, want := range map[string]bool{
		`[{"timestamp":"2025-05-06 07:08:09","task_name":null,"task":"x","agent":"y","status":"started"}]`:                true,
		"[\n    {\n        \"timestamp\": \"2025-05-06 07:08:09\",\n        \"task_name\": \"n\",\n        \"task\": \"x": true,
		`2025-05-06 07:08:09: task_name="n", task="x", agent="y", status="started"`:                                       true,
		`2025-05-06 07:08:09: agent="y", task="x", status="started"`:                                                      true,
		`[{"timestamp":"2025-05-06T07:08:09Z","task":"x","agent":"y","status":"started"}]`:                                false,
		`[{"timestamp":"2025-05-06 07:08:09","task":"x","agent":"y","status":"failed"}]`:                                  false,
		`{"timestamp":"2025-05-06 07:08:09","agent":"y","conversation":"c","content":"x","status":"started"}`:             false,
		`2025-05-06 07:08:09: started`: false,
	} {
		if got := crewai.Format().Detect(source.Probe{Name: "x", Head: []byte(head)}) > 0; got != want {
			t.Errorf("%.90q: %v", head, got)
		}
	}
}

func log(t testing.TB) string {
	text, err := os.ReadFile(filepath.Join("testdata", "dike.json"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestGrows: CrewAI writes the file anew with every entry. What was read of it
// then is in the whole file the same event.
func TestGrows(t *testing.T) {
	text := log(t)
	whole := map[string]string{}
	for _, e := range llmtest.Read(t, crewai.Format(), text).Events {
		wire, err := e.Encode()
		if err != nil {
			t.Fatal(err)
		}
		whole[e.ID] = string(wire)
	}
	entries := strings.SplitAfter(strings.TrimSpace(text), "\n    }")
	for n := range entries {
		if n == 0 {
			continue
		}
		for _, e := range llmtest.Read(t, crewai.Format(), strings.Join(entries[:n], "")+"\n]\n").Events {
			if wire, err := e.Encode(); err != nil || whole[e.ID] != string(wire) {
				t.Fatalf("after %d entries there is %s, in the whole file %s (%v)", n, wire, whole[e.ID], err)
			}
		}
	}
}

// TestCut: of a file that was cut off, everything before the cut is read, and
// the cut entry is a reject.
func TestCut(t *testing.T) {
	text := log(t)
	whole := llmtest.Read(t, crewai.Format(), text)
	for at := 1; at < len(text)-3; at += 7 {
		result := llmtest.Read(t, crewai.Format(), text[:at])
		if len(result.Rejects) == 0 {
			t.Fatalf("cut at %d: no reject", at)
		}
		for i, e := range result.Events {
			if e.ID != whole.Events[i].ID {
				t.Fatalf("cut at %d: event %d differs", at, i)
			}
		}
		if got, want := len(result.Events), strings.Count(text[:at], "\n    }"); got < want-3 { // the file has three bad entries
			t.Fatalf("cut at %d: %d events of %d whole entries", at, got, want)
		}
	}
}

// TestText: the text form is one reject, of the whole file, that says what to do.
func TestText(t *testing.T) {
	line := "2025-05-06 07:08:09: task_name=\"n\", task=\"say \"x\", status=\"\", agent=\"y\", status=\"started\"\n"
	text := strings.Repeat(line, 10000)
	result := llmtest.Read(t, crewai.Format(), text)
	if len(result.Events) > 0 || len(result.Rejects) != 1 {
		t.Fatalf("%d events, %d rejects", len(result.Events), len(result.Rejects))
	}
	r := result.Rejects[0]
	if r.Reason != "text_form" || !strings.Contains(r.Detail, ".json") || r.Length != int64(len(text)) || len(r.Body) != source.RejectBytes || len(r.SHA256) != 64 {
		t.Errorf("%s: %s, %d bytes, %d kept", r.Reason, r.Detail, r.Length, len(r.Body))
	}
}

// TestRuns: the same crew twice is two runs; runs that overlap get their own
// answers.
func TestRuns(t *testing.T) {
	entry := func(clock, name, task, agent, status string) string {
		output := ""
		if status == "completed" {
			output = `,"output":"done"`
		}
		return `{"timestamp":"2025-05-06 ` + clock + `","task_name":` + name + `,"task":"` + task + `","agent":"` + agent + `","status":"` + status + `"` + output + `}`
	}
	for _, test := range []struct {
		name    string
		entries []string
		want    string // run of each message, in order of appearance
	}{
		{"tasks_of_a_run", []string{
			entry("07:00:00", `"a"`, "A", "x", "started"), entry("09:00:00", `"a"`, "A", "x", "completed"),
			entry("09:00:01", `"b"`, "B", "y", "started"), entry("09:10:00", `"b"`, "B", "y", "completed"),
		}, "0000"},
		{"named_tasks_again_with_other_words", []string{
			entry("07:00:00", `"a"`, "A of 1", "x", "started"), entry("07:00:05", `"a"`, "A of 1", "x", "completed"),
			entry("07:00:05", `"a"`, "A of 2", "x", "started"), entry("07:00:09", `"a"`, "A of 2", "x", "completed"),
		}, "0011"},
		{"the_same_text_again", []string{
			entry("07:00:00", `null`, "A", "x", "started"), entry("07:00:05", `null`, "A", "x", "completed"),
			entry("07:00:05", `null`, "A", "x", "started"), entry("07:00:09", `null`, "A", "x", "completed"),
		}, "0011"},
		{"a_pause", []string{
			entry("07:00:00", `null`, "A", "x", "started"), entry("07:00:05", `null`, "A", "x", "completed"),
			entry("07:02:00", `null`, "B", "x", "started"), entry("07:00:30", `null`, "C", "x", "started"),
		}, "0012"},
		{"overlap", []string{
			entry("07:00:00", `"a"`, "A of 1", "x", "started"), entry("07:00:00", `"a"`, "A of 2", "x", "started"),
			entry("07:00:09", `"a"`, "A of 1", "x", "completed"), entry("07:00:10", `"a"`, "A of 2", "x", "completed"),
		}, "0101"},
		{"a_run_that_broke_off", []string{
			entry("07:00:00", `"a"`, "A", "x", "started"), entry("07:00:30", `"a"`, "A", "x", "started"), entry("07:00:40", `"a"`, "A", "x", "completed"),
		}, "011"},
		{"a_task_that_was_begun_before_the_log", []string{
			entry("07:00:00", `"a"`, "A", "x", "completed"), entry("07:00:00", `"b"`, "B", "x", "started"),
		}, "000"},
	} {
		result := llmtest.Read(t, crewai.Format(), "["+strings.Join(test.entries, ",")+"]")
		runs, got, ids := map[string]int{}, "", map[string]bool{}
		for _, e := range result.Events {
			if _, ok := runs[e.Subject]; !ok {
				runs[e.Subject] = len(runs)
			}
			got += string(rune('0' + runs[e.Subject]))
			ids[e.ID] = true
			if m := e.Data.(*lake.ChatMessage); m.ConversationID != e.Subject || m.ParentID != "" && !ids[m.ParentID] {
				t.Errorf("%s: %+v", test.name, m)
			}
		}
		if got != test.want || len(ids) != len(result.Events) {
			t.Errorf("%s: runs %s, want %s; %d ids", test.name, got, test.want, len(ids))
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(log(f))
	f.Add(`[{"timestamp":"2025-05-06 07:08:09","task_name":null,"task":{"a":[1]},"agent":"None","status":"completed","output":null,"level":"INFO"},{"timestamp":1,"task":"","agent":"","status":"started"}]`)
	f.Add("2025-05-06 07:08:09: task_name=\"n\", task=\"x\n\", agent=\"y\", status=\"started\"\n")
	f.Fuzz(func(t *testing.T, text string) { llmtest.Steady(t, crewai.Format(), text, nil) })
}
