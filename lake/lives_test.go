package lake_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/laketest"
)

func TestLives(t *testing.T) {
	now := laketest.Start
	lk, err := lake.Init(filepath.Join(t.TempDir(), "lake"), lake.Options{Clock: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	table, err := lk.Table("events.documents")
	if err != nil {
		t.Fatal(err)
	}
	if lives, _, err := table.Lives(t.Context(), 0); err != nil || len(lives) != 0 {
		t.Errorf("of a table that does not exist: %v, %v", lives, err)
	}
	for version := range 4 { // an hour each
		now = laketest.Start.Add(time.Duration(version) * time.Hour)
		laketest.Append(t, lk, lake.Event{
			ID: fmt.Sprint(version), Source: "test://", Type: "weir.document.added.v1", Subject: "d", Time: now,
			Data: &lake.Document{Kind: "rules", Text: "Say what you did."},
		})
	}
	head, err := table.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	now = laketest.Start.Add(4 * time.Hour)
	if _, err := table.Commit(t.Context(), lake.Commit{Operation: "erase", Columns: head.Columns, Remove: []string{head.Files[1].Path}}); err != nil {
		t.Fatal(err)
	}
	if _, err := table.Restore(t.Context(), 1, lake.RestoreOptions{}); err != nil {
		t.Fatal(err)
	}
	expect := func(what string, limit int64, wantSince int, want string) {
		t.Helper()
		lives, since, err := table.Lives(t.Context(), limit)
		got := ""
		for _, life := range lives {
			got += fmt.Sprintf("%d-%d ", life.AddedVersion, life.RemovedVersion)
		}
		if err != nil || got != want || !since.Equal(laketest.Start.Add(time.Duration(wantSince)*time.Hour)) {
			t.Errorf("%s: %q since %v, %v; want %q", what, got, since, err, want)
		}
	}
	// The second file goes with version 4 and comes back with 5, which takes the
	// last two away.
	expect("the whole log", 0, 0, "0--1 1-4 2-5 3-5 5--1 ")
	expect("no checkpoint to start from", 2, 0, "0--1 1-4 2-5 3-5 5--1 ")
	if _, err := table.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	now = laketest.Start.Add(6 * time.Hour)
	laketest.Append(t, lk, lake.Event{
		ID: "e", Source: "test://", Type: "weir.document.added.v1", Subject: "d", Time: now,
		Data: &lake.Document{Kind: "rules", Text: "Say what you did."},
	})
	expect("from the checkpoint", 1, 4, "5--1 5--1 6--1 ")
	if err := table.TruncateLog(t.Context(), 5); err != nil {
		t.Fatal(err)
	}
	expect("what is left of the log", 0, 4, "5--1 5--1 6--1 ")
}
