package duck_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
	"github.com/weir-lake/weir/lake/laketest"
)

func TestMoment(t *testing.T) {
	now := laketest.Start
	lk, err := lake.Init(filepath.Join(t.TempDir(), "lake"), lake.Options{Clock: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	const documents = "events.documents"
	for day := range 3 { // versions 0 to 2, a day each
		now = laketest.Start.Add(time.Duration(day) * 24 * time.Hour)
		laketest.Append(t, lk, lake.Event{
			ID: string(rune('a' + day)), Source: "test://", Type: "weir.document.added.v1", Subject: "d1", Time: now,
			Data: &lake.Document{Kind: "rules", Text: "Say what you did."},
		})
	}
	at := func(d time.Duration) duck.Moment { return duck.Moment{At: laketest.Start.Add(d)} }
	for name, c := range map[string]struct {
		moment duck.Moment
		want   int64 // rows; -1: no such table then
	}{
		"now":                       {duck.Moment{}, 3},
		"before_it_was_made":        {at(-time.Second), -1},
		"at_the_time_of_a_commit":   {at(24 * time.Hour), 2},
		"between_commits":           {at(47 * time.Hour), 2},
		"in_times_to_come":          {at(1000 * time.Hour), 3},
		"a_version":                 {duck.Moment{Versions: map[string]int64{documents: 0}}, 1},
		"a_version_whatever_a_time": {duck.Moment{At: laketest.Start, Versions: map[string]int64{documents: 1}}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			session, pinned, err := duck.OpenLakeAt(t.Context(), lk, c.moment, duck.Options{Threads: 1})
			if err != nil {
				t.Fatal(err)
			}
			defer session.Close()
			var rows int64
			if err := session.Get(t.Context(), "select count(*) from events.documents", &rows); err != nil || rows != max(c.want, 0) {
				t.Errorf("%d rows, %v; want %d", rows, err, c.want)
			}
			if version, ok := pinned.Versions[documents]; ok != (c.want >= 0) || ok && version != c.want-1 {
				t.Errorf("pinned %v", pinned)
			}
		})
	}

	for name, moment := range map[string]duck.Moment{
		"a_version_to_come": {Versions: map[string]int64{documents: 3}},
		"no_such_table":     {Versions: map[string]int64{"events.nothing": 0}},
	} {
		if _, _, err := duck.OpenLakeAt(t.Context(), lk, moment, duck.Options{Threads: 1}); !errors.Is(err, lake.ErrNoVersion) && !errors.Is(err, lake.ErrNoTable) {
			t.Errorf("%s: %v", name, err)
		}
	}

	// A version whose file was deleted is gone; it does not show fewer rows.
	table, _ := lk.Table(documents)
	first, err := table.SnapshotAt(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(table.Dir(), first.Files[0].Path)); err != nil {
		t.Fatal(err)
	}
	session, pinned, err := duck.OpenLakeAt(t.Context(), lk, at(time.Hour), duck.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	if err := pinned.Gone[documents]; !errors.Is(err, lake.ErrNoVersion) || lake.HintOf(err) == "" {
		t.Errorf("gone is %v", pinned.Gone)
	}
	if err := session.Exec(t.Context(), "select * from events.documents"); err == nil {
		t.Error("a table of which a file is gone can be read")
	}
}
