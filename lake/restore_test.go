package lake

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// eventsTable has a history: two appends, a compaction, an append of another
// partition.
func eventsTable(t *testing.T) (*Lake, *Table) {
	t.Helper()
	lk := testLake(t)
	table, err := lk.Table("events.swarm")
	if err != nil {
		t.Fatal(err)
	}
	columns := []Column{{Name: "id", Type: Varchar, FieldID: 1}}
	mustCommit(t, table, Commit{Columns: columns, Add: []DataFile{putFile(t, table, "a", 1)}, Txns: []Txn{{"p0", -1, 1}}})
	mustCommit(t, table, Commit{Columns: columns, Add: []DataFile{putFile(t, table, "b", 2)}, Txns: []Txn{{"p0", 1, 3}}})
	mustCommit(t, table, Commit{Columns: columns, Operation: "compact", Add: []DataFile{putFile(t, table, "ab", 3)}, Remove: []string{"a", "b"}, NoDataChange: true})
	columns = append(columns, Column{Name: "more", Type: BigInt, FieldID: 2})
	mustCommit(t, table, Commit{Columns: columns, Add: []DataFile{putFile(t, table, "c", 1)}, Txns: []Txn{{"p1", -1, 8}}})
	return lk, table
}

func TestRestoreOfEvents(t *testing.T) {
	_, table := eventsTable(t)
	ctx := t.Context()
	head, err := table.Snapshot(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		version int64
		files   string
		txns    map[string]int64
	}{
		{0, "a", map[string]int64{"p0": 1}},
		{3, "ab c", map[string]int64{"p0": 3, "p1": 8}},
		{1, "a b", map[string]int64{"p0": 3}},
		{2, "ab", map[string]int64{"p0": 3}},
	} {
		restored, err := table.Restore(ctx, c.version, RestoreOptions{Info: map[string]string{"why": "test"}})
		if err != nil {
			t.Fatal(err)
		}
		read, err := table.Snapshot(ctx)
		if err != nil || !reflect.DeepEqual(read, restored) {
			t.Errorf("the log says %+v, %v; Restore %+v", read, err, restored)
		}
		if paths(read.Files) != c.files || !reflect.DeepEqual(read.Txns, c.txns) || !reflect.DeepEqual(read.Columns, head.Columns) ||
			read.Info[infoOperation] != "restore" || read.Info["why"] != "test" {
			t.Errorf("version %d: %+v", c.version, read)
		}
		at, err := table.SnapshotAt(ctx, c.version)
		if err != nil || !reflect.DeepEqual(at.Files, read.Files) {
			t.Errorf("version %d has %+v, restored %+v, %v", c.version, at.Files, read.Files, err)
		}
		if changes, err := table.Changes(ctx, c.version, read.Version); err != nil || c.version == 3 && len(changes.Added)+len(changes.Removed) > 0 {
			t.Errorf("changes from %d to its restoration: %+v, %v", c.version, changes, err)
		}
		if restored, err = table.Restore(ctx, head.Version, RestoreOptions{}); err != nil || paths(restored.Files) != "ab c" {
			t.Errorf("there and back: %+v, %v", restored, err)
		}
	}
	// A sink that has read on meanwhile is told so.
	if _, err := table.Restore(ctx, 0, RestoreOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := table.Commit(ctx, Commit{Operation: "append", Columns: head.Columns, Txns: []Txn{{"p0", 3, 4}}}); !errors.Is(err, ErrStale) {
		t.Errorf("a sink ahead of the restored offset: %v", err)
	}
	if _, err := table.Commit(ctx, Commit{Operation: "append", Columns: head.Columns, Txns: []Txn{{"p0", 1, 3}, {"p1", -1, 8}}}); err != nil {
		t.Errorf("a sink that reads it again: %v", err)
	}
	kept, err := table.Restore(ctx, 0, RestoreOptions{KeepOffsets: true})
	if err != nil || !reflect.DeepEqual(kept.Txns, map[string]int64{"p0": 3, "p1": 8}) || paths(kept.Files) != "a" {
		t.Errorf("keeping offsets: %+v, %v", kept, err)
	}
	// A checkpoint knows of no counter that was taken back.
	if _, err := table.Restore(ctx, 0, RestoreOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := table.Checkpoint(ctx); err != nil {
		t.Fatal(err)
	}
	if read, err := table.Snapshot(ctx); err != nil || !reflect.DeepEqual(read.Txns, map[string]int64{"p0": 1}) {
		t.Errorf("%+v, %v", read, err)
	}
}

func TestRestoreRefuses(t *testing.T) {
	ctx := t.Context()
	refused := func(t *testing.T, table *Table, version int64, want error, says string) {
		t.Helper()
		before, _ := table.Snapshot(ctx)
		_, err := table.Restore(ctx, version, RestoreOptions{})
		if !errors.Is(err, want) || !strings.Contains(err.Error(), says) {
			t.Errorf("version %d: %v, want %v that says %q", version, err, want, says)
		}
		if after, _ := table.Snapshot(ctx); !reflect.DeepEqual(before, after) {
			t.Errorf("the table moved: %+v", after)
		}
	}
	t.Run("a_version_that_is_not_there", func(t *testing.T) {
		lk, table := eventsTable(t)
		refused(t, table, 4, ErrNoVersion, "")
		refused(t, table, -1, ErrNoVersion, "")
		refused(t, testTable(t, lk), 0, ErrNoTable, "")
		version, err := table.Checkpoint(ctx)
		if err == nil {
			err = table.TruncateLog(ctx, version)
		}
		if err != nil {
			t.Fatal(err)
		}
		refused(t, table, 2, ErrNoVersion, "")
	})
	t.Run("a_file_that_was_deleted", func(t *testing.T) {
		_, table := eventsTable(t)
		if err := os.Remove(filepath.Join(table.Dir(), "b")); err != nil {
			t.Fatal(err)
		}
		refused(t, table, 1, fs.ErrNotExist, "/b")
		if _, err := table.Restore(ctx, 0, RestoreOptions{}); err != nil {
			t.Errorf("a version without it: %v", err)
		}
	})
	t.Run("a_file_that_is_deleted_meanwhile", func(t *testing.T) {
		lk, table := eventsTable(t)
		racing, err := testLakeAt(t, lk.Dir(), &faultStorage{Storage: LocalStorage(lk.Dir()), failAt: -1, hook: func(string) {
			os.Remove(filepath.Join(table.Dir(), "b"))
		}}).Table(table.Name())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := racing.Restore(ctx, 1, RestoreOptions{}); !errors.Is(err, fs.ErrNotExist) || HintOf(err) != "weir lake restore --version 3 events.swarm" {
			t.Errorf("%v (%s)", err, HintOf(err))
		}
		if s, err := table.Restore(ctx, 3, RestoreOptions{}); err != nil || paths(s.Files) != "ab c" {
			t.Errorf("back again: %+v, %v", s, err)
		}
	})
	t.Run("a_version_before_an_erasure", func(t *testing.T) {
		for _, key := range []string{InfoErasure, InfoRetention} {
			_, table := eventsTable(t)
			columns := []Column{{Name: "id", Type: Varchar, FieldID: 1}}
			mustCommit(t, table, Commit{Columns: columns, Remove: []string{"c"}, Info: map[string]string{key: "r1"}})
			mustCommit(t, table, Commit{Columns: columns, Add: []DataFile{putFile(t, table, "d", 1)}})
			refused(t, table, 3, ErrErased, "version 4")
			if s, err := table.Restore(ctx, 4, RestoreOptions{}); err != nil || paths(s.Files) != "ab" {
				t.Errorf("the erasure itself: %+v, %v", s, err)
			}
		}
	})
	t.Run("an_erasure_that_comes_meanwhile", func(t *testing.T) {
		lk, table := eventsTable(t)
		raced := false
		slow, err := testLakeAt(t, lk.Dir(), &faultStorage{Storage: LocalStorage(lk.Dir()), failAt: -1, hook: func(string) {
			if !raced {
				raced = true
				mustCommit(t, table, Commit{Columns: []Column{{Name: "id", Type: Varchar, FieldID: 1}}, Remove: []string{"ab"}, Info: map[string]string{InfoErasure: "r1"}})
			}
		}}).Table(table.Name())
		if err != nil {
			t.Fatal(err)
		}
		if s, err := slow.Restore(ctx, 1, RestoreOptions{}); !errors.Is(err, ErrErased) {
			t.Errorf("%+v, %v", s, err)
		}
	})
}

// Columns of a derived table go back with its files, and a build that is
// running is told.
func TestRestoreOfADerivedTable(t *testing.T) {
	lk := testLake(t)
	table := testTable(t, lk)
	mustCommit(t, table, Commit{Add: []DataFile{putFile(t, table, "a", 1)}, Txns: []Txn{{"build", -1, 0}}})
	mustCommit(t, table, Commit{Columns: testColumns[:1], Add: []DataFile{putFile(t, table, "b", 1)}, Remove: []string{"a"}, Overwrite: true, Txns: []Txn{{"build", 0, 1}}})
	restored, err := table.Restore(t.Context(), 0, RestoreOptions{})
	if err != nil || !reflect.DeepEqual(restored.Columns, testColumns) || paths(restored.Files) != "a" || restored.Txns["build"] != 2 {
		t.Errorf("%+v, %v", restored, err)
	}
}

// The log of a derived table does not tell of erasures; that of the requests does.
func TestRestoreOfADerivedTableFromBeforeAnErasure(t *testing.T) {
	now := testStart
	lk := testLake(t)
	lk.clock = func() time.Time { now = now.Add(time.Second); return now }
	table := testTable(t, lk)
	requests, err := lk.Table("events.erasures")
	if err != nil {
		t.Fatal(err)
	}
	mustCommit(t, requests, Commit{Add: []DataFile{putFile(t, requests, "r0", 1)}})
	mustCommit(t, table, Commit{Add: []DataFile{putFile(t, table, "a", 1)}})
	mustCommit(t, table, Commit{Add: []DataFile{putFile(t, table, "b", 1)}})
	if _, err := table.Restore(t.Context(), 0, RestoreOptions{}); err != nil {
		t.Errorf("after the request: %v", err)
	}
	mustCommit(t, requests, Commit{Add: []DataFile{putFile(t, requests, "r1", 1)}})
	mustCommit(t, requests, Commit{Operation: "compact", Add: []DataFile{putFile(t, requests, "r", 2)}, Remove: []string{"r0", "r1"}, NoDataChange: true})
	latest := mustCommit(t, table, Commit{Add: []DataFile{putFile(t, table, "c", 1)}})
	if _, err := table.Restore(t.Context(), 1, RestoreOptions{}); !errors.Is(err, ErrErased) {
		t.Errorf("before a request: %v", err)
	}
	if _, err := table.Restore(t.Context(), latest.Version, RestoreOptions{}); err != nil {
		t.Errorf("after all requests: %v", err)
	}
	version, err := requests.Checkpoint(t.Context())
	if err == nil {
		err = requests.TruncateLog(t.Context(), version)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := table.Restore(t.Context(), 1, RestoreOptions{}); !errors.Is(err, ErrErased) {
		t.Errorf("before what the requests still tell: %v", err)
	}
}
