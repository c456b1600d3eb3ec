package exporters_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/weir-lake/weir/exporters"
	"github.com/weir-lake/weir/exporters/prices"
	"github.com/weir-lake/weir/exporters/target"
	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/laketest"
	"github.com/weir-lake/weir/transforms/transformstest"
)

// An export is skipped only where all that decides it is the same, and its files
// stand.
func TestIfChanged(t *testing.T) {
	lk := built(t, 40)
	dir := filepath.Join(t.TempDir(), "out")
	opts := exporters.Options{Target: "trl", Dir: dir, Program: "1", IfChanged: true}
	looked := false
	opts.Progress = func(int64, int64) { looked = true }
	check := func(what string, wantLook, wantChange bool) {
		t.Helper()
		looked = false
		outcome, err := exporters.Export(t.Context(), lk, opts)
		if err != nil {
			t.Fatal(err)
		}
		if looked != wantLook || outcome.Changed != wantChange {
			t.Errorf("%s: looked at examples: %t, changed: %t; want %t, %t", what, looked, outcome.Changed, wantLook, wantChange)
		}
		if len(outcome.Files) == 0 || outcome.Dir != dir {
			t.Errorf("%s: the outcome is not what stands: %+v", what, outcome)
		}
	}
	check("new", true, true)
	check("the same", false, false)
	opts.MaxTokens = 30_000
	check("another limit, the same lines", true, false)
	check("the same limit again", false, false)
	opts.Program = "2"
	check("another program, the same lines", true, false)
	check("the same program again", false, false)
	price := 4.0
	opts.Prices = &prices.Table{Prices: []prices.Price{{Provider: "local", Model: "Qwen/Qwen3", Train: &price, AsOf: "2026-01", Source: "test"}}}
	check("a price", true, true)
	check("the same price", false, false)
	opts.Shard = target.Limit{Lines: 10}
	check("shards", true, true)
	check("the same shards", false, false)
	if err := os.Truncate(filepath.Join(dir, "train-00001-of-00004.jsonl"), 10); err != nil {
		t.Fatal(err)
	}
	check("a cut file", true, true)
	if err := os.Remove(filepath.Join(dir, "lineage.jsonl")); err != nil {
		t.Fatal(err)
	}
	check("a lost file", true, true)
	replaceFates(t, lk)
	check("other tables", true, true)
	check("the same tables", false, false)
}

// replaceFates sends one example less to train.
func replaceFates(t *testing.T, lk *lake.Lake) {
	t.Helper()
	laketest.Append(t, lk, lake.Event{
		ID: "more", Source: "test://gateway", Type: "weir.gateway.call.v1", Subject: "ticket-more", Time: laketest.Start.Add(-time.Hour),
		Data: &lake.GatewayCall{
			RequestID: "more", ResponseID: "r-more", Status: "success", IsFinal: new(true), Model: "gpt-4.1", Agent: "desk",
			Messages: []lake.Message{{Role: "user", Content: "Which lamp burns in the last window of the custom house?"}},
			Output:   []lake.Message{{Role: "assistant", Content: "The green one, and it burns until the tide has turned."}},
		},
	})
	transformstest.Build(t, lk)
}

// Versions are whole, latest is one of them, and the last ones stay; so does
// what a training run is on record for.
func TestVersionsAreKept(t *testing.T) {
	lk := built(t, 40)
	dir := filepath.Join(t.TempDir(), "out")
	var versions []string
	export := func(lines int64) exporters.Outcome {
		t.Helper()
		outcome, err := exporters.Export(t.Context(), lk, exporters.Options{Target: "trl", Dir: dir, Keep: 2, IfChanged: true, Shard: target.Limit{Lines: lines}})
		if err != nil {
			t.Fatal(err)
		}
		latest, err := os.Readlink(filepath.Join(dir, "latest"))
		if err != nil || latest != filepath.Base(outcome.Dir) || latest != outcome.ContentHash[:16] {
			t.Errorf("latest is %s, the export %s, %v", latest, outcome.Dir, err)
		}
		return outcome
	}
	there := func(want ...string) {
		t.Helper()
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, entry := range entries {
			names = append(names, entry.Name())
		}
		want = append(want, "latest")
		slices.Sort(want)
		if !slices.Equal(names, want) {
			t.Errorf("in the folder: %q, want %q", names, want)
		}
	}
	first := export(0)
	versions = append(versions, filepath.Base(first.Dir))
	there(versions...)
	if again := export(0); again.Changed || again.Dir != first.Dir {
		t.Errorf("the same again: %+v", again)
	}
	laketest.Append(t, lk, lake.Event{
		ID: "run", Source: "test://train", Type: "weir.training.state.v1", Subject: "training:run", Time: laketest.Start,
		Data: &lake.TrainingRun{RunID: "run", State: "running", ExportHash: first.ContentHash},
	})
	for i := range 4 {
		outcome := export(int64(10 + i))
		versions = append(versions, filepath.Base(outcome.Dir))
		if want := max(0, min(1, i-1)); len(outcome.Deleted) != want {
			t.Errorf("export %d deleted %q, want %d", i, outcome.Deleted, want)
		}
	}
	there(versions[0], versions[3], versions[4])
	// An older content is the latest again; the next one counts from then.
	if outcome := export(12); !outcome.Changed || filepath.Base(outcome.Dir) != versions[3] {
		t.Errorf("back to an older one: %+v", outcome)
	}
	there(versions[0], versions[3], versions[4])
	outcome := export(15)
	there(versions[0], versions[3], filepath.Base(outcome.Dir))
	if _, err := exporters.Export(t.Context(), lk, exporters.Options{Target: "openai", Dir: dir, Keep: 2}); !errors.Is(err, exporters.ErrForeignDir) {
		t.Errorf("versions of another target: %v", err)
	}
	if _, err := exporters.Export(t.Context(), lk, exporters.Options{Target: "trl", Dir: dir}); !errors.Is(err, exporters.ErrForeignDir) {
		t.Errorf("an export in the place of the versions: %v", err)
	}
}

// While one writes, another waits or is told; what a killed one left is in
// nobody's way.
func TestTwoExportsTakeTurns(t *testing.T) {
	lk := built(t, 40)
	parent := t.TempDir()
	dir := filepath.Join(parent, "out")
	for _, name := range []string{".out.weir-lock", ".out.weir-export/half.jsonl"} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(filepath.Join(parent, name)), 0o755), os.WriteFile(filepath.Join(parent, name), nil, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	opts := exporters.Options{Target: "openai", Dir: dir}
	var second error
	waited := false
	done := make(chan error)
	opts.Progress = func(int64, int64) {
		if done == nil {
			return
		}
		other := exporters.Options{Target: "openai", Dir: dir, Busy: func() error { return exporters.ErrBusy }}
		_, second = exporters.Export(t.Context(), lk, other)
		waiting := make(chan struct{})
		other.Busy = func() error { close(waiting); return nil }
		finished := done
		go func() {
			outcome, err := exporters.Export(context.Background(), lk, other)
			if err == nil && outcome.Changed {
				err = fmt.Errorf("what the first wrote was written again")
			}
			finished <- err
		}()
		<-waiting
		waited, done = true, nil
	}
	end := done
	if _, err := exporters.Export(t.Context(), lk, opts); err != nil {
		t.Fatal(err)
	}
	if err := <-end; err != nil || !waited {
		t.Errorf("the one that waited: %v", err)
	}
	if !errors.Is(second, exporters.ErrBusy) {
		t.Errorf("the one that did not: %v", second)
	}
	if entries, err := os.ReadDir(parent); err != nil || len(entries) != 1 {
		t.Errorf("beside the export: %v, %v", entries, err)
	}
}
