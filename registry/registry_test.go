package registry_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/laketest"
	"github.com/weir-lake/weir/registry"
)

var start = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// world is a lake that events are sent to.
type world struct {
	t    *testing.T
	lake *lake.Lake
	sent int
}

func newWorld(t *testing.T) *world { return &world{t: t, lake: laketest.New(t)} }

func (w *world) send(_ context.Context, events ...lake.Event) error {
	w.sent += len(events)
	laketest.Append(w.t, w.lake, events...)
	return nil
}

// run puts a run's state on record.
func (w *world) run(id, state string, change lake.TrainingRun) {
	change.RunID, change.State = id, state
	if state == "succeeded" && change.ResultModel == "" {
		change.ResultModel = "model-" + id
	}
	laketest.Append(w.t, w.lake, lake.Event{
		ID: id + state + change.Checkpoint, Source: "test://", Type: "weir.training.state.v1", Subject: "training:" + id, Time: start, Data: &change,
	})
}

func (w *world) promote(model, alias string, at time.Time) error {
	_, _, err := registry.Promote(w.t.Context(), w.lake, w.send, registry.Decision{Model: model, Alias: alias, Reason: "it is good", By: "ann", At: at})
	return err
}

// standings are those of all models, with their aliases.
func (w *world) standings() string {
	w.t.Helper()
	models, err := registry.Models(w.t.Context(), w.lake)
	if err != nil {
		w.t.Fatal(err)
	}
	var all []string
	for _, m := range models {
		all = append(all, strings.Join(append([]string{m.RunID, m.Standing}, m.Aliases...), " "))
	}
	return strings.Join(all, "; ")
}

// Whatever order decisions come in, and whatever the clocks of those who decide
// say, an alias names one model: that which was promoted last.
func TestOneModelBearsAnAlias(t *testing.T) {
	w := newWorld(t)
	for _, id := range []string{"run-aa", "run-bb"} {
		w.run(id, "succeeded", lake.TrainingRun{})
	}
	w.run("run-cc", "failed", lake.TrainingRun{})
	steps := []struct {
		model, alias string
		at           time.Duration
		retire       bool
		want         string
	}{
		{"run-aa", "", 0, false, "run-aa promoted production; run-bb candidate; run-cc none"},
		{"model-run-bb", "", -time.Hour, false, "run-aa superseded; run-bb promoted production; run-cc none"},
		{"run-aa", "canary", -time.Hour, false, "run-aa promoted canary; run-bb promoted production; run-cc none"},
		{"production", "", 0, true, "run-aa promoted canary; run-bb retired; run-cc none"},
		{"canary", "production", 0, false, "run-aa promoted canary production; run-bb retired; run-cc none"},
		{"run-bb", "production", 0, false, "run-aa promoted canary; run-bb promoted production; run-cc none"},
	}
	for i, step := range steps {
		var err error
		if step.retire {
			_, err = registry.Retire(t.Context(), w.lake, w.send, registry.Decision{Model: step.model, Reason: "rude", By: "bob", At: start.Add(step.at)})
		} else {
			err = w.promote(step.model, step.alias, start.Add(step.at))
		}
		if got := w.standings(); err != nil || got != step.want {
			t.Fatalf("step %d: %s, %v; want %s", i, got, err, step.want)
		}
	}
	before := w.sent
	for _, refused := range []struct {
		model string
		want  error
	}{{"run-cc", registry.ErrNotSucceeded}, {"run-dd", registry.ErrNoModel}, {"run-bb", registry.ErrDecided}} {
		if err := w.promote(refused.model, "", start); !errors.Is(err, refused.want) {
			t.Errorf("%s: %v, want %v", refused.model, err, refused.want)
		}
	}
	if _, _, err := registry.Promote(t.Context(), w.lake, w.send, registry.Decision{Model: "run-aa", By: "ann", At: start}); !errors.Is(err, registry.ErrNoReason) {
		t.Errorf("without a reason: %v", err)
	}
	if w.sent != before {
		t.Errorf("%d events were sent of what was refused", w.sent-before)
	}
}

func TestTaintedModelIsNotPromoted(t *testing.T) {
	w := newWorld(t)
	w.run("run-aa", "succeeded", lake.TrainingRun{})
	laketest.Append(t, w.lake, lake.Event{
		ID: "taint", Source: "test://", Type: "weir.model.decided.v1", Subject: "training:run-aa", Time: start,
		Data: &lake.ModelDecision{RunID: "run-aa", Decision: lake.DecisionTainted, DecidedBy: "weir"},
	})
	if err := w.promote("run-aa", "", start); !errors.Is(err, registry.ErrTainted) {
		t.Errorf("got %v", err)
	}
	_, _, err := registry.Promote(t.Context(), w.lake, w.send, registry.Decision{Model: "run-aa", Reason: "no other", By: "ann", At: start, Force: true})
	if got := w.standings(); err != nil || got != "run-aa promoted production" {
		t.Errorf("%s, %v", got, err)
	}
}

func TestFindNamesWhatIsAmbiguous(t *testing.T) {
	w := newWorld(t)
	w.run("abcdef-1", "succeeded", lake.TrainingRun{ResultModel: "same"})
	w.run("abcdef-2", "succeeded", lake.TrainingRun{ResultModel: "same"})
	for name, want := range map[string]error{"same": registry.ErrAmbiguous, "abcdef": registry.ErrAmbiguous, "abcdef-2": nil, "abc": registry.ErrNoModel, "": registry.ErrNoModel} {
		if _, err := registry.Find(t.Context(), w.lake, name); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", name, err, want)
		}
	}
}

// A plan that is put on record again is sent once; what changes, goes, and comes
// back is seen.
func TestPlanRuns(t *testing.T) {
	w := newWorld(t)
	parse := func(text string) []registry.Planned {
		t.Helper()
		runs, err := registry.ParseRuns([]byte(text), func(_, gpu string) (float64, bool) { return 2.5, gpu == "h100" })
		if err != nil {
			t.Fatal(err)
		}
		return runs
	}
	first := parse("runs: [{name: a, model: m, hours: 4, cost_usd: 500}, {name: b, model: m, hours: 8, gpu: h100, gpus: 4}]")
	if got := *first[1].CostUSD; got != 80 {
		t.Errorf("8 hours of 4 GPUs at $2.50: $%v", got)
	}
	dearer := parse("runs: [{name: a, model: m, hours: 4, cost_usd: 600}]")
	for i, step := range []struct {
		runs []registry.Planned
		want string
	}{
		{first, "[{a added} {b added}]"}, {first, "[{a unchanged} {b unchanged}]"}, {dearer, "[{a changed} {b withdrawn}]"},
		{first, "[{a changed} {b added}]"}, {dearer, "[{a changed} {b withdrawn}]"}, {nil, "[{a withdrawn}]"}, {nil, "[]"},
	} {
		changes, err := registry.PlanRuns(t.Context(), w.lake, w.send, step.runs, start) // the clock stands still
		if got := fmt.Sprint(changes); err != nil || got != step.want {
			t.Errorf("step %d: %s, %v; want %s", i, got, err, step.want)
		}
	}
	if w.sent != 9 {
		t.Errorf("%d events, want 9", w.sent)
	}
	if got := w.standings(); got != "" {
		t.Errorf("plans are no models: %s", got)
	}
}

func TestParseRunsRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"runs: [{name: a, modell: m}]":                           "modell not found",
		"runs: [{name: a}]":                                      "a model are needed",
		"runs: [{name: a, model: m}, {name: a, model: m}]":       "a name of its own",
		"runs: [{name: a, model: m, hours: -1}]":                 "hours: want 0 or more",
		"runs: [{name: a, model: m, hours: 1, gpu: abacus}]":     "price of an hour of GPU",
		"runs: [{name: a, model: m, gpus: -1}]":                  "gpus and examples: want 0 or more",
		"runs: [{name: a, model: m, hours: 1, gpu_hour_usd: x}]": "cannot unmarshal",
	} {
		if _, err := registry.ParseRuns([]byte(text), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	if runs, err := registry.ParseRuns(registry.ExampleRuns(), nil); err != nil || len(runs) != 3 {
		t.Errorf("the example: %d runs, %v", len(runs), err)
	}
}

func TestArtifactsMayGo(t *testing.T) {
	w := newWorld(t)
	step := func(n int64) *int64 { return &n }
	for _, id := range []string{"run-promoted", "run-retired", "run-candidate"} {
		w.run(id, "", lake.TrainingRun{Checkpoint: "c-10", Step: step(10)})
		w.run(id, "", lake.TrainingRun{Checkpoint: "c-20", Step: step(20)})
		w.run(id, "succeeded", lake.TrainingRun{})
	}
	w.run("run-running", "running", lake.TrainingRun{Checkpoint: "c-10", Step: step(10)})
	w.run("run-failed", "failed", lake.TrainingRun{Checkpoint: "c-10", Step: step(10)})
	if err := w.promote("run-promoted", "", start); err != nil {
		t.Fatal(err)
	}
	if _, err := registry.Retire(t.Context(), w.lake, w.send, registry.Decision{Model: "run-retired", Reason: "rude", By: "bob", At: start}); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"b.bin": "weights", "sub/a.bin": "more"} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	until := start.AddDate(0, 1, 0)
	for _, id := range []string{"run-promoted", "run-retired"} {
		if _, err := registry.Keep(t.Context(), w.lake, w.send, registry.Kept{Model: id, Place: dir, KeepUntil: &until}, start); err != nil {
			t.Fatal(err)
		}
	}
	for _, moment := range []struct {
		at   time.Time
		want string
	}{
		{start, "failed:c-10 retired:c-10 retired:c-20 candidate:c-10"},
		{until, "failed:c-10 retired:weights retired:c-10 retired:c-20 candidate:c-10"},
	} {
		list, err := registry.Artifacts(t.Context(), w.lake, moment.at)
		if err != nil {
			t.Fatal(err)
		}
		may := map[string]bool{}
		for _, a := range list {
			name := a.Place
			if a.Kind == "weights" {
				name = a.Kind
			}
			if a.MayGo {
				may[strings.TrimPrefix(a.RunID, "run-")+":"+name] = true
			}
		}
		for _, name := range strings.Fields(moment.want) {
			if !may[name] {
				t.Errorf("%s: %s stays", moment.at, name)
			}
			delete(may, name)
		}
		if len(may) > 0 {
			t.Errorf("%s: may go as well: %v", moment.at, may)
		}
	}
}

// The hash of a folder is one that the usual tools give.
func TestHashTree(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"b": "x", "a/c": "", "a.txt": "y"} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	got, size, err := registry.HashTree(t.Context(), dir)
	if err != nil || size != 2 {
		t.Fatalf("%d bytes, %v", size, err)
	}
	command := exec.Command("sh", "-c", "find . -type f | sed 's|^[.]/||' | sort | xargs sha256sum | sha256sum")
	command.Dir, command.Env = dir, append(os.Environ(), "LC_ALL=C")
	out, err := command.Output()
	if err != nil {
		t.Skip("no sha256sum here:", err)
	}
	if want := strings.Fields(string(out))[0]; got != want {
		t.Errorf("got %s, sha256sum gives %s", got, want)
	}
}
