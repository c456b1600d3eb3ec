package upkeep

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/catalog"
	"github.com/weir-lake/weir/lake/duck"
	"github.com/weir-lake/weir/lake/laketest"
)

// vacuumAt vacuums at a time after the lake's commits, which are all made at
// laketest.Start, with a horizon of a day.
func vacuumAt(t testing.TB, lk *lake.Lake, after time.Duration) []Deletion {
	t.Helper()
	deleted, err := Vacuum(t.Context(), lk, VacuumOptions{Horizon: 24 * time.Hour, Now: laketest.Start.Add(after)})
	if err != nil {
		t.Fatal(err)
	}
	return deleted
}

func kinds(deleted []Deletion) map[string]int {
	found := map[string]int{}
	for _, deletion := range deleted {
		found[deletion.Kind]++
	}
	return found
}

// age sets the time at which a file was written.
func age(t testing.TB, path string, at time.Time) {
	t.Helper()
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}

func write(t testing.TB, path string, at time.Time) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("half a file"), 0o666); err != nil {
		t.Fatal(err)
	}
	age(t, path, at)
}

func TestVacuumDeletesWhatWasRemovedBeforeTheHorizon(t *testing.T) {
	lk := laketest.New(t)
	appendEach(t, lk, 0, 8)
	rows := hash(t, lk, messages)
	compact(t, lk, messages, Options{})
	if deleted := vacuumAt(t, lk, 23*time.Hour); len(deleted) != 0 {
		t.Errorf("within the horizon: %+v", deleted)
	}
	dry, err := Vacuum(t.Context(), lk, VacuumOptions{Horizon: 24 * time.Hour, Now: laketest.Start.Add(25 * time.Hour), DryRun: true})
	if err != nil || kinds(dry)[KindRemoved] != 8 {
		t.Errorf("dry run: %+v, %v", dry, err)
	}
	deleted := vacuumAt(t, lk, 25*time.Hour)
	if !slices.Equal(deleted, dry) {
		t.Errorf("deleted %+v, the dry run said %+v", deleted, dry)
	}
	if files := filesOf(t, duck.TableDir(lk.Dir(), messages)); len(files) != 1 || hash(t, lk, messages) != rows {
		t.Errorf("left are %v", files)
	}
	if again := vacuumAt(t, lk, 25*time.Hour); len(again) != 0 {
		t.Errorf("again: %+v", again)
	}
}

func TestVacuumDeletesWhatIsNobodys(t *testing.T) {
	lk := laketest.New(t)
	appendEach(t, lk, 0, 1)
	now := laketest.Start.Add(48 * time.Hour)
	dir := duck.TableDir(lk.Dir(), messages)
	for name, at := range map[string]time.Time{"old.parquet": laketest.Start, "young.parquet": now.Add(-23 * time.Hour)} {
		write(t, filepath.Join(dir, name), at)
		write(t, filepath.Join(lk.TempDir(), name), at)
		write(t, filepath.Join(lk.Dir(), "curated", "never_was", name), at)
	}
	write(t, filepath.Join(lk.TempDir(), "some.lock"), laketest.Start)
	live := snapshot(t, lk, messages).Files[0].Path
	age(t, filepath.Join(dir, live), laketest.Start)

	found := kinds(vacuumAt(t, lk, 48*time.Hour))
	if found[KindOrphan] != 2 || found[KindTemp] != 1 || len(found) != 2 {
		t.Errorf("deleted %v", found)
	}
	if files := filesOf(t, dir); !slices.Contains(files, live) || !slices.Contains(files, "young.parquet") || len(files) != 2 {
		t.Errorf("left are %v", files)
	}
	// An hour is the least, whatever the horizon.
	deleted, err := Vacuum(t.Context(), lk, VacuumOptions{Horizon: -1, Now: now.Add(-22*time.Hour - 30*time.Minute)})
	if err != nil || len(deleted) != 0 {
		t.Errorf("a file of half an hour: %+v, %v", deleted, err)
	}
	if deleted, err = Vacuum(t.Context(), lk, VacuumOptions{Horizon: -1, Now: now}); err != nil || kinds(deleted)[KindOrphan] != 2 {
		t.Errorf("without a horizon: %+v, %v", deleted, err)
	}
}

func TestVacuumCutsTheLogAtTheHorizon(t *testing.T) {
	now := laketest.Start
	lk, err := lake.Init(filepath.Join(t.TempDir(), "lake"), lake.Options{Clock: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	table, _ := lk.Table(messages)
	for day := range 6 { // versions 0 to 5, a day each, with a checkpoint after 1 and 3
		now = laketest.Start.Add(time.Duration(day) * 24 * time.Hour)
		laketest.Append(t, lk, chats(day, 1)...)
		if day == 1 || day == 3 {
			if _, err := table.Checkpoint(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	// Two days before the end of the fifth, version 2 was live: version 1 has the
	// last checkpoint before it.
	if _, err := Vacuum(t.Context(), lk, VacuumOptions{Horizon: 48 * time.Hour, Now: laketest.Start.Add(4*24*time.Hour + time.Hour)}); err != nil {
		t.Fatal(err)
	}
	for version, want := range []error{lake.ErrNoVersion, nil, nil, nil, nil, nil} {
		if _, err := table.SnapshotAt(t.Context(), int64(version)); !errors.Is(err, want) {
			t.Errorf("version %d: %v, want %v", version, err, want)
		}
	}
	if got := snapshot(t, lk, messages); len(got.Files) != 6 {
		t.Errorf("%d files are live", len(got.Files))
	}
}

// TestReadersOfTheCatalogOutliveVacuum opens the catalog as the DuckDB shell
// does, and reads its views while the files behind them are merged and vacuumed.
func TestReadersOfTheCatalogOutliveVacuum(t *testing.T) {
	lk := laketest.New(t)
	appendEach(t, lk, 0, 8)
	if err := catalog.Publish(t.Context(), lk, catalog.Options{}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(lk.Dir(), "catalog.duckdb")
	pinned, err := sql.Open("duckdb", path+"?access_mode=READ_ONLY")
	if err != nil {
		t.Fatal(err)
	}
	defer pinned.Close()
	read := func(db *sql.DB) (n int, err error) {
		err = db.QueryRow("select count(*) from events.chat_messages").Scan(&n)
		return n, err
	}
	if n, err := read(pinned); err != nil || n != 8 {
		t.Fatalf("%d rows, %v", n, err)
	}

	ctx, stop := context.WithCancel(t.Context())
	var reader sync.WaitGroup
	reader.Go(func() {
		for ctx.Err() == nil {
			if n, err := read(pinned); err != nil || n != 8 {
				t.Errorf("the pinned reader sees %d rows, %v", n, err)
				return
			}
		}
	})
	compact(t, lk, messages, Options{})
	appendEach(t, lk, 8, 8)
	// Within the horizon, and beyond it as long as readers of the catalog from
	// before may be there.
	for _, after := range []time.Duration{time.Hour, 30 * time.Hour} {
		if deleted := vacuumAt(t, lk, after); kinds(deleted)[KindRemoved] != 0 {
			t.Errorf("%v: %+v", after, deleted)
		}
	}
	stop()
	reader.Wait()

	if err := catalog.DropGenerations(t.Context(), lk, 1); err != nil {
		t.Fatal(err)
	}
	if deleted := vacuumAt(t, lk, 30*time.Hour); kinds(deleted)[KindRemoved] != 8 {
		t.Errorf("after its readers: %+v", deleted)
	}
	pinned.Close() // one process gets one instance of a path
	fresh, err := sql.Open("duckdb", path+"?access_mode=READ_ONLY")
	if err != nil {
		t.Fatal(err)
	}
	defer fresh.Close()
	if n, err := read(fresh); err != nil || n != 16 {
		t.Errorf("the catalog shows %d rows, %v", n, err)
	}
}

func TestPurge(t *testing.T) {
	lk := laketest.New(t)
	appendEach(t, lk, 0, 9)
	old := snapshot(t, lk, messages).Files
	compact(t, lk, messages, Options{})
	dir := duck.TableDir(lk.Dir(), messages)
	before := filesOf(t, dir)
	live := snapshot(t, lk, messages).Files
	for name, paths := range map[string][]string{"live": {old[0].Path, live[0].Path}, "outside": {"../../weir.json"}} {
		if err := Purge(t.Context(), lk, messages, paths); err == nil || errors.Is(err, ErrLive) != (name == "live") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if after := filesOf(t, dir); !slices.Equal(before, after) {
		t.Errorf("a refused purge left %v of %v", after, before)
	}
	if err := Purge(t.Context(), lk, messages, []string{old[0].Path, old[1].Path, "gone.parquet"}); err != nil {
		t.Error(err)
	}
	if after := filesOf(t, dir); len(after) != len(before)-2 {
		t.Errorf("left are %v", after)
	}
}

func TestMaintainTwiceAtOnceAndAgain(t *testing.T) {
	lk := laketest.New(t)
	appendEach(t, lk, 0, 16)
	rows := hash(t, lk, messages)
	opts := MaintainOptions{Vacuum: VacuumOptions{Horizon: 24 * time.Hour, Now: laketest.Start.Add(48 * time.Hour)}}
	var both sync.WaitGroup
	merges := make([]int, 2)
	for i := range merges {
		both.Go(func() {
			done, err := Maintain(t.Context(), lk, opts)
			if err != nil || len(done.Tables) != 1 {
				t.Errorf("%+v, %v", done, err)
				return
			}
			merges[i] = done.Tables[0].Merges
		})
	}
	both.Wait()
	if merges[0]+merges[1] != 1 || hash(t, lk, messages) != rows {
		t.Errorf("%v merges", merges)
	}
	again, err := Maintain(t.Context(), lk, opts)
	if got := fmt.Sprint(again.Tables[0].Merges, again.Tables[0].Deleted, again.Leftovers); err != nil || got != "0 0 0" {
		t.Errorf("again: %+v, %v", again, err)
	}
	if _, err := os.Stat(filepath.Join(duck.TableDir(lk.Dir(), messages), "_delta_log", fmt.Sprintf("%020d.checkpoint.parquet", again.Tables[0].Version))); err != nil {
		t.Error(err)
	}
}
