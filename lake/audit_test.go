package lake_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/laketest"
)

// A lake is damaged in one way at a time; Audit must say which.
func TestAuditFindsEachKindOfDamage(t *testing.T) {
	cases := []struct {
		name   string
		damage func(t *testing.T, table *lake.Table, file string)
		want   string // kind of the only problem; empty: none
		mended string // what Repair does about it; empty: nothing
	}{
		{"a_sound_lake", func(*testing.T, *lake.Table, string) {}, "", ""},
		{"a_truncated_file", func(t *testing.T, _ *lake.Table, file string) { must(t, os.Truncate(file, 100)) }, lake.ProblemSize, ""},
		{"a_deleted_file", func(t *testing.T, _ *lake.Table, file string) { must(t, os.Remove(file)) }, lake.ProblemMissing, ""},
		{"a_changed_byte", func(t *testing.T, _ *lake.Table, file string) {
			data, err := os.ReadFile(file)
			must(t, err)
			data[len(data)/2] ^= 1
			must(t, os.WriteFile(file, data, 0o600))
		}, lake.ProblemBytes, ""},
		{"a_missing_log_entry", func(t *testing.T, table *lake.Table, _ string) {
			must(t, os.Remove(filepath.Join(table.Dir(), "_delta_log", "00000000000000000000.json")))
		}, lake.ProblemLogGap, ""},
		{"a_broken_log_entry", func(t *testing.T, table *lake.Table, _ string) {
			must(t, os.WriteFile(filepath.Join(table.Dir(), "_delta_log", "00000000000000000001.json"), []byte(`{"add":`), 0o600))
		}, lake.ProblemLogBroken, ""},
		{"an_orphan", func(t *testing.T, table *lake.Table, _ string) {
			orphan := filepath.Join(table.Dir(), "left-behind.parquet")
			must(t, os.WriteFile(orphan, []byte("PAR1"), 0o600))
			must(t, os.Chtimes(orphan, laketest.Start, laketest.Start.Add(-2*time.Hour)))
		}, lake.ProblemOrphan, "deleted"},
		{"a_young_file_may_yet_be_committed", func(t *testing.T, table *lake.Table, _ string) {
			must(t, os.WriteFile(filepath.Join(table.Dir(), "being-written.parquet"), []byte("PAR1"), 0o600))
		}, "", ""},
		{"a_temporary_file", func(t *testing.T, table *lake.Table, _ string) {
			left := filepath.Join(table.Dir(), "..", "..", "_tmp", "0123456789abcdef")
			must(t, os.WriteFile(left, []byte("PAR"), 0o600))
			must(t, os.Chtimes(left, laketest.Start, laketest.Start.Add(-2*time.Hour)))
		}, lake.ProblemTemp, "deleted"},
		{"settings_for_all", func(t *testing.T, table *lake.Table, _ string) {
			must(t, os.Chmod(filepath.Join(table.Dir(), "..", "..", "weir.json"), 0o644))
		}, lake.ProblemLooseSettings, "made private; whoever has read it knows the key"},
		{"a_torn_checkpoint", func(t *testing.T, table *lake.Table, _ string) {
			must(t, os.Truncate(checkpoint(t, table), 100))
		}, lake.ProblemCheckpoint, "written again"},
		{"a_torn_checkpoint_and_half_a_log", func(t *testing.T, table *lake.Table, _ string) {
			name := checkpoint(t, table)
			must(t, table.TruncateLog(t.Context(), 2))
			appendDocument(t, table, "d")
			must(t, os.Truncate(name, 100))
		}, lake.ProblemCheckpoint, ""},
		{"a_wrong_checkpoint", func(t *testing.T, table *lake.Table, _ string) {
			first := checkpoint(t, table)
			lk, err := lake.Open(filepath.Join(table.Dir(), "..", ".."))
			must(t, err)
			other, err := lk.Table("events.swarm")
			must(t, err)
			laketest.Append(t, lk, lake.Event{ID: "s", Source: "test://", Type: "weir.swarm.vote.v1", Subject: "s", Time: laketest.Start, Data: &lake.Swarm{}})
			for range 2 {
				_, err = other.Commit(t.Context(), lake.Commit{Operation: "append", Columns: payloadColumns(t, "weir.swarm.vote.v1")})
				must(t, err)
			}
			theirs, err := other.Checkpoint(t.Context())
			must(t, err)
			data, err := os.ReadFile(filepath.Join(other.Dir(), "_delta_log", fmt.Sprintf("%020d.checkpoint.parquet", theirs)))
			must(t, err)
			must(t, os.WriteFile(first, data, 0o600))
		}, lake.ProblemCheckpoint, "written again"},
		{"a_pointer_to_nowhere", func(t *testing.T, table *lake.Table, _ string) {
			checkpoint(t, table)
			must(t, os.WriteFile(filepath.Join(table.Dir(), "_delta_log", "_last_checkpoint"), []byte(`{"version":7,"size":3}`), 0o600))
		}, lake.ProblemPointer, "points at version 2"},
		{"a_missing_entry_before_a_checkpoint", func(t *testing.T, table *lake.Table, _ string) {
			checkpoint(t, table)
			must(t, os.Remove(filepath.Join(table.Dir(), "_delta_log", "00000000000000000001.json")))
		}, lake.ProblemLogGap, ""},
		{"a_log_that_was_cut_off", func(t *testing.T, table *lake.Table, _ string) {
			checkpoint(t, table)
			must(t, table.TruncateLog(t.Context(), 2))
			appendDocument(t, table, "d")
		}, "", ""},
		{"rows_that_a_commit_lost", func(t *testing.T, table *lake.Table, _ string) {
			head, err := table.Snapshot(t.Context())
			must(t, err)
			_, err = table.Commit(t.Context(), lake.Commit{Operation: "compact", Columns: head.Columns, Remove: []string{head.Files[1].Path}, NoDataChange: true})
			must(t, err)
		}, lake.ProblemTxnGap, ""},
		{"rows_that_were_erased", func(t *testing.T, table *lake.Table, _ string) {
			head, err := table.Snapshot(t.Context())
			must(t, err)
			_, err = table.Commit(t.Context(), lake.Commit{Operation: "erase", Columns: head.Columns, Remove: []string{head.Files[1].Path}, Info: map[string]string{lake.InfoErasure: "r"}})
			must(t, err)
		}, "", ""},
		{"records_that_the_operator_gave_up", func(t *testing.T, table *lake.Table, _ string) {
			head, err := table.Snapshot(t.Context())
			must(t, err)
			app := lake.TxnAppID(laketest.Cluster, "weir.document", 0)
			_, err = table.Commit(t.Context(), lake.Commit{
				Operation: "append", Columns: head.Columns, Txns: []lake.Txn{{AppID: app, Expect: 3, Next: 8}},
				Info: map[string]string{lake.InfoGaps: "weir.document/0:3-7"},
			})
			must(t, err)
		}, "", ""},
		{"records_that_were_skipped", func(t *testing.T, table *lake.Table, _ string) {
			head, err := table.Snapshot(t.Context())
			must(t, err)
			app := lake.TxnAppID(laketest.Cluster, "weir.document", 0)
			_, err = table.Commit(t.Context(), lake.Commit{Operation: "append", Columns: head.Columns, Txns: []lake.Txn{{AppID: app, Expect: 3, Next: 8}}})
			must(t, err)
		}, lake.ProblemTxnGap, ""},
		{"a_counter_behind_its_rows", func(t *testing.T, table *lake.Table, _ string) {
			entry := filepath.Join(table.Dir(), "_delta_log", "00000000000000000002.json")
			data, err := os.ReadFile(entry)
			must(t, err)
			must(t, os.WriteFile(entry, bytes.Replace(data, []byte(`"version":3`), []byte(`"version":2`), 1), 0o600))
		}, lake.ProblemTxnBehind, ""},
		{"a_record_twice", func(t *testing.T, table *lake.Table, file string) {
			head, err := table.Snapshot(t.Context())
			must(t, err)
			again := head.Files[0]
			data, err := os.ReadFile(file)
			must(t, err)
			again.Path = "again.parquet"
			must(t, os.WriteFile(filepath.Join(table.Dir(), again.Path), data, 0o600))
			_, err = table.Commit(t.Context(), lake.Commit{Operation: "append", Columns: head.Columns, Add: []lake.DataFile{again}})
			must(t, err)
		}, lake.ProblemDoubled, ""},
		{"fewer_rows_than_were_committed", func(t *testing.T, table *lake.Table, file string) {
			head, err := table.Snapshot(t.Context())
			must(t, err)
			fewer := head.Files[2]
			data, err := os.ReadFile(filepath.Join(table.Dir(), fewer.Path))
			must(t, err)
			fewer.Path, fewer.Rows = "fewer.parquet", 5
			must(t, os.WriteFile(filepath.Join(table.Dir(), fewer.Path), data, 0o600))
			_, err = table.Commit(t.Context(), lake.Commit{Operation: "compact", Columns: head.Columns, Add: []lake.DataFile{fewer}, Remove: []string{head.Files[2].Path}})
			must(t, err)
		}, lake.ProblemRows, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			lk := laketest.New(t)
			for _, id := range []string{"a", "b", "c"} {
				laketest.Append(t, lk, document(id))
			}
			table, err := lk.Table("events.documents")
			must(t, err)
			head, err := table.Snapshot(t.Context())
			must(t, err)
			c.damage(t, table, filepath.Join(table.Dir(), head.Files[0].Path))
			report, err := lk.Audit(t.Context(), lake.AuditOptions{})
			must(t, err)
			switch {
			case c.want == "" && len(report.Problems) > 0:
				t.Errorf("found %+v, there is nothing", report.Problems)
			case c.want != "" && (len(report.Problems) != 1 || report.Problems[0].Kind != c.want):
				t.Errorf("found %+v, want one %s", report.Problems, c.want)
			}
			checkRepair(t, lk, report, c.mended)
		})
	}
}

// checkRepair repairs a lake: afterwards what could be mended is no problem any
// more, and all else is as it was.
func checkRepair(t *testing.T, lk *lake.Lake, before lake.AuditReport, want string) {
	t.Helper()
	for _, dry := range []bool{true, false} {
		repairs, err := lk.Repair(t.Context(), lake.RepairOptions{DryRun: dry})
		must(t, err)
		if len(repairs) != len(before.Problems) {
			t.Fatalf("%d repairs of %d problems", len(repairs), len(before.Problems))
		}
		for _, repair := range repairs {
			if repair.Done != (want != "" && !dry) || repair.Action == "" || repair.Done && repair.Action != want {
				t.Errorf("dry %v: %+v, want %q", dry, repair, want)
			}
		}
	}
	after, err := lk.Audit(t.Context(), lake.AuditOptions{})
	must(t, err)
	if want != "" {
		before.Problems = []lake.Problem{}
	}
	if !reflect.DeepEqual(after.Problems, before.Problems) {
		t.Errorf("afterwards %+v, want %+v", after.Problems, before.Problems)
	}
}

func document(id string) lake.Event {
	return lake.Event{
		ID: id, Source: "test://", Type: "weir.document.added.v1", Subject: id, Time: laketest.Start,
		Data: &lake.Document{Kind: "rules", Text: "Say what you did, " + id + "."},
	}
}

func appendDocument(t *testing.T, table *lake.Table, id string) {
	t.Helper()
	lk, err := lake.Open(filepath.Join(table.Dir(), "..", ".."))
	must(t, err)
	laketest.Append(t, lk, document(id))
}

func payloadColumns(t *testing.T, eventType string) []lake.Column {
	t.Helper()
	payload, ok := lake.PayloadOf(eventType)
	if !ok {
		t.Fatalf("no event type %s", eventType)
	}
	return payload.Columns()
}

// checkpoint makes one of the head and gives its file.
func checkpoint(t *testing.T, table *lake.Table) string {
	t.Helper()
	version, err := table.Checkpoint(t.Context())
	must(t, err)
	return filepath.Join(table.Dir(), "_delta_log", fmt.Sprintf("%020d.checkpoint.parquet", version))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
