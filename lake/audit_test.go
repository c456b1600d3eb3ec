package lake_test

import (
	"os"
	"path/filepath"
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
	}{
		{"a_sound_lake", func(*testing.T, *lake.Table, string) {}, ""},
		{"a_truncated_file", func(t *testing.T, _ *lake.Table, file string) { must(t, os.Truncate(file, 100)) }, lake.ProblemSize},
		{"a_deleted_file", func(t *testing.T, _ *lake.Table, file string) { must(t, os.Remove(file)) }, lake.ProblemMissing},
		{"a_changed_byte", func(t *testing.T, _ *lake.Table, file string) {
			data, err := os.ReadFile(file)
			must(t, err)
			data[len(data)/2] ^= 1
			must(t, os.WriteFile(file, data, 0o600))
		}, lake.ProblemBytes},
		{"a_missing_log_entry", func(t *testing.T, table *lake.Table, _ string) {
			must(t, os.Remove(filepath.Join(table.Dir(), "_delta_log", "00000000000000000000.json")))
		}, lake.ProblemLogGap},
		{"a_broken_log_entry", func(t *testing.T, table *lake.Table, _ string) {
			must(t, os.WriteFile(filepath.Join(table.Dir(), "_delta_log", "00000000000000000001.json"), []byte(`{"add":`), 0o600))
		}, lake.ProblemLogBroken},
		{"an_orphan", func(t *testing.T, table *lake.Table, _ string) {
			orphan := filepath.Join(table.Dir(), "left-behind.parquet")
			must(t, os.WriteFile(orphan, []byte("PAR1"), 0o600))
			must(t, os.Chtimes(orphan, laketest.Start, laketest.Start.Add(-2*time.Hour)))
		}, lake.ProblemOrphan},
		{"a_young_file_may_yet_be_committed", func(t *testing.T, table *lake.Table, _ string) {
			must(t, os.WriteFile(filepath.Join(table.Dir(), "being-written.parquet"), []byte("PAR1"), 0o600))
		}, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			lk := laketest.New(t)
			for _, id := range []string{"a", "b"} {
				laketest.Append(t, lk, lake.Event{
					ID: id, Source: "test://", Type: "weir.document.added.v1", Subject: id, Time: laketest.Start,
					Data: &lake.Document{Kind: "rules", Text: "Say what you did, " + id + "."},
				})
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
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
