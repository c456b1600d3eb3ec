package evalsql

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-lake/weir/lake"
)

// recorder is an Appender that keeps what it is given.
type recorder struct {
	events []lake.Event
	refuse error
}

func (r *recorder) Append(_ context.Context, events ...lake.Event) error {
	if r.refuse != nil {
		return r.refuse
	}
	for _, e := range events {
		if _, err := e.Encode(); err != nil {
			return err
		}
	}
	r.events = append(r.events, events...)
	return nil
}

func (r *recorder) Flush(context.Context) ([]lake.Position, error) {
	return []lake.Position{{Topic: "weir.eval", Offset: int64(len(r.events))}}, nil
}

func results(events []lake.Event) []*lake.EvalResult {
	var list []*lake.EvalResult
	for _, e := range events {
		if r, ok := e.Data.(*lake.EvalResult); ok {
			list = append(list, r)
		}
	}
	return list
}

func letters(events []lake.Event) []*lake.DeadLetter {
	var list []*lake.DeadLetter
	for _, e := range events {
		if l, ok := e.Data.(*lake.DeadLetter); ok {
			list = append(list, l)
		}
	}
	return list
}

var fileTime = time.Date(2026, 3, 30, 12, 0, 0, 0, time.UTC)

func importText(t *testing.T, name, text string, opts ImportOptions) ([]lake.Event, ImportReport) {
	t.Helper()
	opts.Name, opts.Time = name, fileTime
	var out recorder
	report, err := Import(t.Context(), &out, strings.NewReader(text), opts)
	if err != nil {
		t.Fatal(err)
	}
	return out.events, report
}

func TestImportFleet(t *testing.T) {
	for _, c := range []struct {
		file, format                string
		results, errors, scenarios  int64
		suite, arm, model, category string
	}{
		{"rules.promptfoo.json", "promptfoo", 48, 1, 24, "harbour-rules", "control", "gpt-4.1", "coordination"},
		{"handoff.jsonl", "jsonl", 64, 0, 16, "handoff", "control", "gpt-4.1", "handoff"},
	} {
		t.Run(c.file, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("../testdata/fleet/evals", c.file))
			if err != nil {
				t.Fatal(err)
			}
			events, report := importText(t, c.file, string(text), ImportOptions{})
			if report.Format != c.format || report.Results != c.results || report.Errors != c.errors || report.Scenarios != c.scenarios || len(report.Rejected) > 0 {
				t.Errorf("report %+v", report)
			}
			if int64(len(events)) != c.results+c.scenarios {
				t.Errorf("%d events", len(events))
			}
			first := results(events)[0]
			if first.Suite != c.suite || first.Arm != c.arm || first.Model != c.model || first.Category != c.category {
				t.Errorf("first result %+v", first)
			}
			again, _ := importText(t, c.file, string(text), ImportOptions{})
			if !reflect.DeepEqual(events, again) {
				t.Error("the same file gave other events")
			}
			ids := map[string]bool{}
			for _, e := range events {
				if ids[e.ID] {
					t.Errorf("id %s twice", e.ID)
				}
				ids[e.ID] = true
			}
		})
	}
}

func TestPromptfooRows(t *testing.T) {
	const row = `{"promptIdx":0,"provider":{"id":"openai:chat:ft:gpt-4.1-mini:a::b","label":"tuned"},"vars":{"q":"1+1"},"success":true,"score":1,"latencyMs":200,
		"cost":7.05e-06,"namedScores":{"tone":0.5},"failureReason":0,"gradingResult":{"reason":"ok"},"response":{"output":"2","cached":true,"tokenUsage":{"prompt":9,"completion":1,"total":10,"cached":10}},
		"testCase":{"assert":[{"type":"equals","value":"2"}]}}`
	file := func(rows ...string) string {
		return `{"evalId":"eval-1","results":{"version":3,"timestamp":"2026-03-30T10:00:00Z","results":[` + strings.Join(rows, ",") + `]},"config":{"env":{"KEY":"hidden"}}}`
	}
	t.Run("a_row_as_it_stands", func(t *testing.T) {
		events, _ := importText(t, "sums.json", file(row), ImportOptions{})
		r := results(events)[0]
		if r.Suite != "sums" || r.Arm != "tuned" || r.Provider != "openai" || r.Model != "ft:gpt-4.1-mini:a::b" || r.Output != "2" || !*r.IsCached || *r.CostUSD != 7.05e-06 ||
			*r.InputTokens != 9 || r.CachedTokens != nil || r.Scores != `{"tone":0.5}` || r.Reason != "ok" || r.Expected != "2" || r.Grader != "equals" || r.EvalRunID != "eval-1" {
			t.Errorf("%+v", r)
		}
		if at := events[len(events)-1].Time; !at.Equal(time.Date(2026, 3, 30, 10, 0, 0, 0, time.UTC)) {
			t.Errorf("time %v", at)
		}
		for _, e := range events {
			if text, _ := e.Encode(); strings.Contains(string(text), "hidden") {
				t.Error("the config came along")
			}
		}
	})
	t.Run("a_failed_assertion_is_not_an_error", func(t *testing.T) {
		failed := strings.NewReplacer(`"success":true,"score":1`, `"success":false,"score":0,"error":"Expected 2"`, `"failureReason":0`, `"failureReason":1`, `"reason":"ok"`, `"reason":""`).Replace(row)
		events, report := importText(t, "sums.json", file(failed), ImportOptions{})
		if r := results(events)[0]; report.Errors != 0 || r.Error != "" || *r.Passed || r.Reason != "Expected 2" {
			t.Errorf("%+v", r)
		}
	})
	t.Run("an_error_has_no_score", func(t *testing.T) {
		broken := strings.NewReplacer(`"success":true,"score":1`, `"success":false,"score":0,"error":"503"`, `"failureReason":0`, `"failureReason":2`).Replace(row)
		events, report := importText(t, "sums.json", file(broken), ImportOptions{})
		if r := results(events)[0]; report.Errors != 1 || r.Error != "503" || r.Passed != nil || r.Score != nil {
			t.Errorf("%+v", r)
		}
	})
	t.Run("repeats_are_trials_of_one_scenario", func(t *testing.T) {
		events, report := importText(t, "sums.json", file(row, row, row), ImportOptions{})
		list := results(events)
		if report.Scenarios != 1 || list[0].Trial != 0 || list[2].Trial != 2 || list[0].ScenarioID != list[2].ScenarioID || events[1].ID == events[2].ID {
			t.Errorf("%+v", report)
		}
	})
	t.Run("the_prompt_is_part_of_the_arm_where_there_are_several", func(t *testing.T) {
		text := strings.Replace(file(strings.Replace(row, `"vars"`, `"prompt":{"raw":"x","label":"short"},"vars"`, 1)), `"results":[`, `"prompts":[{"provider":"tuned","label":"short"},{"provider":"tuned","label":"long"}],"results":[`, 1)
		events, _ := importText(t, "sums.json", text, ImportOptions{})
		if r := results(events)[0]; r.Arm != "tuned/short" {
			t.Errorf("arm %s", r.Arm)
		}
	})
	t.Run("a_row_of_a_wrong_type_is_a_dead_letter", func(t *testing.T) {
		events, report := importText(t, "sums.json", file(row, `{"success":"yes"}`, `{"vars":{}}`), ImportOptions{})
		want := []RejectCount{{"wrong_type", 1}, {"incomplete", 1}}
		if report.Results != 1 || !slices.Equal(report.Rejected, want) || *letters(events)[0].Record != 1 {
			t.Errorf("%+v", report)
		}
	})
}

func TestPlainRows(t *testing.T) {
	const good = `{"suite":"s","scenario_id":"a","arm":"control","passed":true,"temperature":0.2}`
	cases := []struct{ name, text, reject, detail string }{
		{"not_json", `{"scenario_id":`, "not_json", "unexpected end"},
		{"an_array_is_no_row", `["a"]` + "\n", "not_json", "array"},
		{"wrong_type", `{"scenario_id":"a","arm":"x","passed":"yes"}`, "wrong_type", "passed"},
		{"bad_time", `{"scenario_id":"a","arm":"x","passed":true,"time":"monday"}`, "wrong_type", "monday"},
		{"no_scenario", `{"arm":"x","passed":true}`, "incomplete", "scenario_id"},
		{"no_verdict", `{"scenario_id":"a","arm":"x"}`, "incomplete", "score, passed and error"},
		{"no_arm", `{"scenario_id":"a","passed":true}`, "incomplete", "arm"},
		{"invalid_utf8", "{\"scenario_id\":\"a\xff\",\"arm\":\"x\",\"passed\":true}", "invalid_utf8", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			events, report := importText(t, "plain.jsonl", good+"\n\n"+c.text+"\n"+good+"\n", ImportOptions{})
			bad := letters(events)
			if report.Results != 2 || len(bad) != 1 || bad[0].Reason != c.reject || !strings.Contains(bad[0].Detail, c.detail) || *bad[0].Line != 3 {
				t.Errorf("%+v %+v", report, bad)
			}
		})
	}
	t.Run("unknown_fields_are_kept", func(t *testing.T) {
		events, _ := importText(t, "plain.jsonl", good, ImportOptions{})
		if events[0].Extra != `{"temperature":0.2}` {
			t.Errorf("extra %s", events[0].Extra)
		}
	})
	t.Run("options_fill_and_override", func(t *testing.T) {
		events, _ := importText(t, "nightly.run7.jsonl", `{"scenario_id":"a","arm":"x","model":"m","score":0.5}`, ImportOptions{Arm: "tuned", Experiment: "e", Run: "r"})
		if r := results(events)[0]; r.Suite != "nightly" || r.Arm != "tuned" || r.Experiment != "e" || r.EvalRunID != "r" || r.Metric != "score" || !events[0].Time.Equal(fileTime) {
			t.Errorf("%+v", r)
		}
	})
	t.Run("two_files_without_a_run_are_two_runs", func(t *testing.T) {
		one, _ := importText(t, "plain.jsonl", good, ImportOptions{})
		two, _ := importText(t, "plain.jsonl", strings.Replace(good, "true", "false", 1), ImportOptions{})
		if one[0].ID == two[0].ID {
			t.Error("the second result would vanish as a copy of the first")
		}
	})
	t.Run("csv", func(t *testing.T) {
		text := "scenario_id,arm,passed,score,latency_ms,note,prompt\na,control,pass,1,210.5,fine,\"x, y\"\nb,control,0,0,,,\nc,control,maybe,,,,\nd,control\n"
		events, report := importText(t, "table.csv", text, ImportOptions{})
		list := results(events)
		if report.Format != "csv" || report.Results != 2 || !*list[0].Passed || *list[1].Passed || *list[0].LatencyMS != 210.5 || list[0].Prompt != "x, y" || list[1].LatencyMS != nil {
			t.Errorf("%+v %+v", report, list)
		}
		if want := []RejectCount{{"wrong_type", 1}, {"incomplete", 1}}; !slices.Equal(report.Rejected, want) || *letters(events)[0].Line != 4 {
			t.Errorf("rejected %+v", report.Rejected)
		}
	})
	t.Run("a_broken_quote_ends_a_csv", func(t *testing.T) {
		_, report := importText(t, "table.csv", "scenario_id,arm,passed\na,x,true\nb,\"x,true\n", ImportOptions{})
		if report.Results != 1 || len(report.Rejected) != 1 {
			t.Errorf("%+v", report)
		}
	})
}

func TestImportRefusals(t *testing.T) {
	refused := errors.New("broker gone")
	if _, err := Import(t.Context(), &recorder{refuse: refused}, strings.NewReader(`{"scenario_id":"a","arm":"x","passed":true}`), ImportOptions{Name: "a", Time: fileTime}); !errors.Is(err, refused) {
		t.Errorf("the appender's error is lost: %v", err)
	}
	for _, opts := range []ImportOptions{{Name: "a.txt"}, {Name: "a.txt", Format: "xml"}} {
		_, err := Import(t.Context(), &recorder{}, strings.NewReader("nothing known"), opts)
		if !errors.Is(err, ErrUnknownFormat) || lake.HintOf(err) == "" {
			t.Errorf("%+v: %v", opts, err)
		}
	}
	if _, err := Import(t.Context(), &recorder{}, strings.NewReader(""), ImportOptions{Name: "empty"}); !errors.Is(err, ErrUnknownFormat) {
		t.Errorf("an empty file: %v", err)
	}
}

func FuzzImport(f *testing.F) {
	for _, name := range []string{"rules.promptfoo.json", "handoff.jsonl"} {
		text, err := os.ReadFile(filepath.Join("../testdata/fleet/evals", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text[:min(len(text), 4000)])
	}
	f.Add([]byte("scenario_id,arm,passed\na,x,true\n"))
	f.Add([]byte(`{"results":{"results":[{"success":true,"provider":"a","vars":{"q":1}}]}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var out recorder
		report, err := Import(t.Context(), &out, strings.NewReader(string(text)), ImportOptions{Name: "fuzz", Time: fileTime})
		if err != nil && !errors.Is(err, ErrUnknownFormat) {
			t.Fatal(err)
		}
		if got := int64(len(results(out.events))); got != report.Results {
			t.Errorf("report says %d results, %d were appended", report.Results, got)
		}
	})
}
