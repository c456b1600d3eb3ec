package lake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

// history makes a table with all that a log can hold: appended, compacted,
// replaced and idle versions, counters, grown columns.
func history(t testing.TB, table *Table, versions int) {
	t.Helper()
	columns := []Column{{Name: "at", Type: TimestampTZ, FieldID: 7, Doc: "when <it> was"}, {Name: "id", Type: Varchar, FieldID: 8}}
	var live []string
	for i := range versions {
		c := Commit{Columns: columns, Info: map[string]string{"i": fmt.Sprint(i)}}
		if i >= 5 {
			c.Columns = append(columns[:2:2], Column{Name: "parts", Type: Struct, List: true, FieldID: 9, Fields: []Column{{Name: "n", Type: BigInt, FieldID: 9001}}})
		}
		switch {
		case i%7 == 3 && len(live) > 1:
			c.Operation, c.NoDataChange, c.Remove = "compact", true, live[:2]
			live = live[2:]
		case i%7 == 5 && len(live) > 0:
			c.Remove, live = live[:1], live[1:]
		case i%7 == 6:
			mustCommit(t, table, c)
			continue
		}
		c.Txns = []Txn{{"app", int64(i) - 1 - int64(i)/7, int64(i) - int64(i)/7}}
		if i == 0 {
			c.Txns[0].Expect = -1
		}
		// Names that sort against the order in which they come.
		file := putFile(t, table, fmt.Sprintf("f%03d.parquet", 999-i), int64(i))
		c.Add, live = []DataFile{file}, append(live, file.Path)
		mustCommit(t, table, c)
	}
}

func snapshots(t testing.TB, table *Table, versions int) []*Snapshot {
	t.Helper()
	var all []*Snapshot
	for version := range versions {
		snapshot, err := table.SnapshotAt(t.Context(), int64(version))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, snapshot)
	}
	return all
}

// copyLake copies a lake, which is quicker than to make it once more.
func copyLake(t *testing.T, lk *Lake) *Lake {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "lake")
	if err := os.CopyFS(dir, os.DirFS(lk.Dir())); err != nil {
		t.Fatal(err)
	}
	return testLakeAt(t, dir, LocalStorage(dir))
}

func logPath(table *Table, name string) string {
	return filepath.Join(table.Dir(), "_delta_log", name)
}

// sameTable fails the test unless every version from first on reads as it did.
func sameTable(t *testing.T, table *Table, want []*Snapshot, first int) {
	t.Helper()
	for version := range want {
		got, err := table.SnapshotAt(t.Context(), int64(version))
		if version < first {
			if !errors.Is(err, ErrNoVersion) {
				t.Errorf("version %d: %v, want ErrNoVersion", version, err)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(got, want[version]) {
			t.Fatalf("version %d: %v\ngot  %+v\nwant %+v", version, err, got, want[version])
		}
	}
	head, err := table.Snapshot(t.Context())
	if err != nil || !reflect.DeepEqual(head, want[len(want)-1]) {
		t.Fatalf("head: %v\ngot  %+v\nwant %+v", err, head, want[len(want)-1])
	}
}

// Whatever version a checkpoint is made of, and whether the log before it is
// kept: nothing that can still be read reads differently.
func TestCheckpointsChangeNothing(t *testing.T) {
	const versions = 24
	lk := testLake(t)
	table := testTable(t, lk)
	history(t, table, versions)
	want := snapshots(t, table, versions)
	wantRemoved, err := table.Tombstones(t.Context())
	if err != nil || len(wantRemoved) < 5 {
		t.Fatalf("%v, %v", wantRemoved, err)
	}
	for version := range int64(versions) {
		state, err := table.loadRemoved(t.Context(), version)
		if err != nil {
			t.Fatal(err)
		}
		if err := table.writeCheckpoint(t.Context(), state); err != nil {
			t.Fatal(err)
		}
		// What was read is written the same way again.
		read, err := table.readCheckpointWhole(t.Context(), version)
		if err != nil {
			t.Fatal(err)
		}
		again, err := encodeCheckpoint(read, read.tombstones())
		if err != nil {
			t.Fatal(err)
		}
		if data, err := ReadFile(t.Context(), lk.storage, checkpointName(table.folder, version)); err != nil || !bytes.Equal(data, again) {
			t.Errorf("version %d: %d bytes, then %d others, %v", version, len(data), len(again), err)
		}
		if pointer, err := table.pointer(t.Context()); err != nil || pointer.Version != version {
			t.Fatalf("%+v, %v", pointer, err)
		}
	}
	sameTable(t, table, want, 0)
	for _, keepFrom := range []int64{0, 9, 9, 23} {
		if err := table.TruncateLog(t.Context(), keepFrom); err != nil {
			t.Fatal(err)
		}
		sameTable(t, table, want, int(keepFrom))
		if got, err := table.Tombstones(t.Context()); err != nil || !reflect.DeepEqual(got, wantRemoved) {
			t.Errorf("removed: %v, %v\nwant %v", got, err, wantRemoved)
		}
		if _, err := table.Changes(t.Context(), keepFrom-2, 23); keepFrom > 1 && !errors.Is(err, ErrNoVersion) {
			t.Errorf("changes: %v", err)
		}
		history, err := table.History(t.Context(), 0)
		if err != nil || len(history) != versions-int(keepFrom) {
			t.Errorf("history of %d, %v", len(history), err)
		}
	}
	// The table goes on.
	after := mustCommit(t, table, Commit{Columns: want[23].Columns, Txns: []Txn{{"app", want[23].Txns["app"], 99}}})
	if after.Version != versions || after.Txns["app"] != 99 || len(after.Files) != len(want[23].Files) {
		t.Errorf("%+v", after)
	}
	if err := table.Discard(t.Context(), wantRemoved[0].DataFile, after.Files[0]); err == nil || strings.Count(err.Error(), "is in the log") != 2 {
		t.Errorf("discard of what the log has named: %v", err)
	}
}

// A checkpoint that is torn, garbage or another's is as good as none, and
// whoever cannot do without it says so.
func TestBadCheckpoints(t *testing.T) {
	const versions = 20
	lk := testLake(t)
	table := testTable(t, lk)
	history(t, table, versions)
	want := snapshots(t, table, versions)
	var sound [2][]byte
	for i, version := range []int64{8, 15} {
		state, err := table.loadRemoved(t.Context(), version)
		if err == nil {
			err = table.writeCheckpoint(t.Context(), state)
		}
		if err != nil {
			t.Fatal(err)
		}
		if sound[i], err = ReadFile(t.Context(), lk.storage, checkpointName(table.folder, version)); err != nil {
			t.Fatal(err)
		}
	}
	newest := logPath(table, "00000000000000000015.checkpoint.parquet")
	cases := map[string][]byte{
		"empty":      {},
		"torn":       sound[1][:len(sound[1])/2],
		"headless":   append([]byte("XXXX"), sound[1][4:]...),
		"garbage":    []byte(strings.Repeat("PAR1", 200)),
		"an_older's": sound[0],
	}
	for i := 4; i < len(sound[1])-4; i += 101 { // a flipped bit here and there
		flipped := append([]byte{}, sound[1]...)
		flipped[i] ^= 1 << (i % 8)
		cases[fmt.Sprintf("flipped_at_%d", i)] = flipped
	}
	for name, data := range cases {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(newest, data, 0o666); err != nil {
				t.Fatal(err)
			}
			head, err := table.loadRemoved(t.Context(), -1)
			if err != nil || !reflect.DeepEqual(head.snapshot(table.name), want[versions-1]) {
				t.Errorf("%+v, %v", head, err)
			}
		})
	}
	if err := os.WriteFile(newest, cases["torn"], 0o666); err != nil {
		t.Fatal(err)
	}
	if err := table.TruncateLog(t.Context(), 15); !errors.Is(err, errBadCheckpoint) || HintOf(err) == "" {
		t.Errorf("cut off before a bad checkpoint: %v", err)
	}
	sameTable(t, table, want, 0)
	if err := table.TruncateLog(t.Context(), 8); err != nil {
		t.Fatal(err)
	}
	sameTable(t, table, want, 8)
	if err := os.Remove(logPath(table, "00000000000000000008.checkpoint.parquet")); err != nil {
		t.Fatal(err)
	}
	if s, err := table.Snapshot(t.Context()); err == nil || HintOf(err) == "" {
		t.Errorf("no checkpoint and half a log: %+v, %v", s, err)
	}
	// The one in the way is replaced by a sound one of the same version.
	if err := os.WriteFile(newest, sound[1], 0o666); err != nil {
		t.Fatal(err)
	}
	sameTable(t, table, want, 15)
}

func TestABadCheckpointOfTheHeadIsReplaced(t *testing.T) {
	lk := testLake(t)
	table := testTable(t, lk)
	history(t, table, 10)
	name := logPath(table, "00000000000000000009.checkpoint.parquet")
	if err := os.WriteFile(name, []byte("PAR1"), 0o666); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time there is nothing to do
		if version, err := table.Checkpoint(t.Context()); err != nil || version != 9 {
			t.Fatalf("%d, %v", version, err)
		}
	}
	if state, err := table.load(t.Context(), -1); err != nil || state.checkpoint != 9 {
		t.Errorf("%+v, %v", state, err)
	}
}

func TestCommitMakesCheckpoints(t *testing.T) {
	lk := testLake(t)
	table := testTable(t, lk)
	for range checkpointEvery + 1 {
		mustCommit(t, table, Commit{})
	}
	listing, err := listLog(t.Context(), lk.storage, table.folder)
	if err != nil || !reflect.DeepEqual(listing.checkpoints, []int64{checkpointEvery - 1}) {
		t.Errorf("%v, %v", listing.checkpoints, err)
	}
}

// A full disk has no room for a checkpoint; the commit has come about.
func TestACommitDoesNotNeedItsCheckpoint(t *testing.T) {
	lk := testLake(t)
	table := testTable(t, lk)
	for range checkpointEvery - 1 {
		mustCommit(t, table, Commit{})
	}
	for _, late := range []bool{false, true} {
		for failAt := 0; ; failAt++ {
			faulty := &faultStorage{Storage: LocalStorage(lk.Dir()), failAt: -1, late: late}
			faulty.hook = func(name string) {
				if strings.HasSuffix(name, ".json") { // the commit itself and a look after it; the rest is the checkpoint's
					faulty.done, faulty.failAt = -2, failAt
				}
			}
			head := mustCommit(t, testTable(t, testLakeAt(t, lk.Dir(), faulty)), Commit{})
			if got, err := table.Snapshot(t.Context()); err != nil || !reflect.DeepEqual(got, head) {
				t.Fatalf("operation %d: %+v, %v; want %+v", failAt, got, err, head)
			}
			// Back to where it is due.
			for _, name := range []string{"%020d.json", "%020d.checkpoint.parquet"} {
				err := os.Remove(logPath(table, fmt.Sprintf(name, head.Version)))
				if err != nil && !errors.Is(err, fs.ErrNotExist) {
					t.Fatal(err)
				}
			}
			if faulty.done <= failAt {
				if failAt < checkpointEvery {
					t.Errorf("no more than %d operations", failAt)
				}
				break
			}
		}
	}
}

// Cut off at any step, a checkpoint and the cut before it leave the
// table as it was, and are finished by another try.
func TestEveryFaultOfUpkeepLeavesTheTable(t *testing.T) {
	made := testLake(t)
	history(t, testTable(t, made), 12)
	for _, late := range []bool{false, true} {
		finished := false
		for failAt := 0; !finished; failAt++ {
			lk := copyLake(t, made)
			table := testTable(t, lk)
			head, err := table.Snapshot(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			faulty := &faultStorage{Storage: LocalStorage(lk.Dir()), failAt: -1, late: late}
			slow := testTable(t, testLakeAt(t, lk.Dir(), faulty))
			upkeep := func() error {
				version, err := slow.Checkpoint(t.Context())
				if err != nil {
					return err
				}
				return slow.TruncateLog(t.Context(), version)
			}
			faulty.done, faulty.failAt = 0, failAt
			err = upkeep()
			finished = faulty.done <= failAt
			if finished && err != nil {
				t.Fatalf("operation %d (late %v): %v", failAt, late, err)
			}
			if got, err := table.Snapshot(t.Context()); err != nil || !reflect.DeepEqual(got, head) {
				t.Fatalf("operation %d (late %v): %+v, %v", failAt, late, got, err)
			}
			faulty.failAt = -1
			if err := upkeep(); err != nil {
				t.Fatalf("operation %d (late %v): again: %v", failAt, late, err)
			}
			if listing, err := listLog(t.Context(), lk.storage, table.folder); err != nil || len(listing.versions) != 1 || len(listing.checkpoints) != 1 {
				t.Errorf("operation %d (late %v): left %+v, %v", failAt, late, listing, err)
			}
		}
	}
}

// countingStorage counts opened files.
type countingStorage struct {
	Storage
	opened []string
}

func (s *countingStorage) Open(ctx context.Context, name string) (FileReader, error) {
	s.opened = append(s.opened, name)
	return s.Storage.Open(ctx, name)
}

func TestALongLogIsReadFromItsCheckpoint(t *testing.T) {
	lk := testLake(t)
	table := testTable(t, lk)
	first := mustCommit(t, table, Commit{Add: []DataFile{putFile(t, table, "a", 1)}, Txns: []Txn{{"app", -1, 0}}})
	write := func(from, to int) {
		for version := from; version <= to; version++ {
			data, err := encodeActions([]logAction{
				{CommitInfo: &commitInfo{Timestamp: testStart.UnixMilli(), Operation: "append", TxnID: fmt.Sprint(version)}},
				{Txn: &txnAction{AppID: "app", Version: int64(version)}},
				{Add: &addAction{Path: fmt.Sprintf("f%d", version), Size: 1, Stats: `{"numRecords":1}`}},
			})
			if err == nil {
				err = os.WriteFile(logPath(table, fmt.Sprintf("%020d.json", version)), data, 0o666)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	write(1, 9_960)
	if _, err := table.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	write(9_961, 9_999)
	counting := &countingStorage{Storage: LocalStorage(lk.Dir())}
	start := time.Now()
	head, err := testTable(t, testLakeAt(t, lk.Dir(), counting)).Snapshot(t.Context())
	t.Logf("read in %v", time.Since(start))
	if err != nil || head.Version != 9_999 || len(head.Files) != 10_000 || head.Txns["app"] != 9_999 || !reflect.DeepEqual(head.Files[0], first.Files[0]) {
		t.Fatalf("version %d with %d files, %v", head.Version, len(head.Files), err)
	}
	if len(counting.opened) != 1+1+39 { // the settings, the checkpoint, the commits after it
		t.Errorf("opened %d files: %v", len(counting.opened), counting.opened)
	}
}

// Readers and writers in the middle of their work do not notice that the log is
// cut off before them.
func TestTruncateBesideReadersAndWriters(t *testing.T) {
	lk := testLake(t)
	const writers, commits = 2, 60
	var group sync.WaitGroup
	done := make(chan struct{})
	for i := range writers {
		group.Go(func() {
			table := testTable(t, lk)
			for range commits {
				if _, err := increment(t.Context(), table, fmt.Sprint("own-", i)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	var readers sync.WaitGroup
	readers.Go(func() {
		table := testTable(t, lk)
		for version := int64(0); ; {
			select {
			case <-done:
				return
			default:
			}
			snapshot, err := table.Snapshot(t.Context())
			if errors.Is(err, ErrNoTable) {
				continue
			}
			if err != nil || snapshot.Version < version {
				t.Errorf("after version %d: %+v, %v", version, snapshot, err)
				return
			}
			version = snapshot.Version
			if _, err := table.LiveAt(t.Context(), testStart.Add(time.Hour)); err != nil {
				t.Error(err)
			}
		}
	})
	for range 2 {
		readers.Go(func() {
			table := testTable(t, lk)
			for {
				select {
				case <-done:
					return
				default:
				}
				version, err := table.Checkpoint(t.Context())
				if err == nil {
					err = table.TruncateLog(t.Context(), version)
				}
				// The other one may have cut off what this one has just made.
				if err != nil && !errors.Is(err, ErrNoTable) && !errors.Is(err, errBadCheckpoint) && !errors.Is(err, fs.ErrNotExist) {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	close(done)
	readers.Wait()
	head, err := testTable(t, lk).Snapshot(t.Context())
	if err != nil || head.Version != writers*commits-1 || head.Txns["own-0"] != commits-1 {
		t.Errorf("%+v, %v", head, err)
	}
}

// A writer sleeps between reading the head and writing after it. Meanwhile the
// log is cut off past that place, so that the name it takes is free again.
func TestASleeperWakesUpBehindTheCut(t *testing.T) {
	for _, first := range []int64{0, 4} {
		lk := testLake(t)
		table := testTable(t, lk)
		for i := range first {
			mustCommit(t, table, Commit{Txns: []Txn{{"awake", i - 1, i}}})
		}
		file := putFile(t, table, "ours", 1)
		slept := false
		slow := testLakeAt(t, lk.Dir(), &faultStorage{Storage: LocalStorage(lk.Dir()), failAt: -1, hook: func(string) {
			if slept {
				return
			}
			slept = true
			for i := first; i < 9; i++ {
				mustCommit(t, table, Commit{Txns: []Txn{{"awake", i - 1, i}}})
			}
			version, err := table.Checkpoint(t.Context())
			if err == nil {
				err = table.TruncateLog(t.Context(), version)
			}
			if err != nil {
				t.Fatal(err)
			}
		}})
		head, err := testTable(t, slow).Commit(t.Context(), Commit{Operation: "append", Columns: testColumns, Add: []DataFile{file}, Txns: []Txn{{"asleep", -1, 5}}})
		if err != nil || head.Version != 9 {
			t.Fatalf("%+v, %v", head, err)
		}
		read, err := table.Snapshot(t.Context())
		if err != nil || !reflect.DeepEqual(read, head) || paths(read.Files) != "ours" || read.Txns["asleep"] != 5 || read.Txns["awake"] != 8 {
			t.Errorf("%+v, %v", read, err)
		}
		if listing, err := listLog(t.Context(), lk.storage, table.folder); err != nil || !reflect.DeepEqual(listing.versions, []int64{8, 9}) {
			t.Errorf("log %+v, %v", listing, err)
		}
	}
}

func TestLiveAt(t *testing.T) {
	now := testStart
	lk := testLake(t)
	lk.clock = func() time.Time { return now }
	table := testTable(t, lk)
	if _, err := table.LiveAt(t.Context(), now); !errors.Is(err, ErrNoTable) {
		t.Errorf("no table: %v", err)
	}
	for _, second := range []int{0, 10, 10, 20} {
		now = testStart.Add(time.Duration(second) * time.Second)
		mustCommit(t, table, Commit{})
	}
	for second, want := range map[int]int64{-1: -1, 0: 0, 9: 0, 10: 2, 19: 2, 20: 3, 1000: 3} {
		got, err := table.LiveAt(t.Context(), testStart.Add(time.Duration(second)*time.Second))
		if want < 0 && !errors.Is(err, ErrNoVersion) || want >= 0 && (err != nil || got != want) {
			t.Errorf("at %d s: %d, %v; want %d", second, got, err, want)
		}
	}
}

// What is gone from the disk and from everyone's memory is not told for ever.
func TestTombstonesEnd(t *testing.T) {
	now := testStart
	lk := testLake(t)
	lk.clock = func() time.Time { return now }
	table := testTable(t, lk)
	a, b := putFile(t, table, "a", 1), putFile(t, table, "b", 2)
	mustCommit(t, table, Commit{Add: []DataFile{a, b}})
	mustCommit(t, table, Commit{Remove: []string{"a", "b"}, NoDataChange: true})
	if err := os.Remove(filepath.Join(table.Dir(), "a")); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		days int
		want string
	}{{0, "a b"}, {6, "a b"}, {8, "b"}} {
		now = testStart.AddDate(0, 0, step.days)
		mustCommit(t, table, Commit{})
		if _, err := table.Checkpoint(t.Context()); err != nil {
			t.Fatal(err)
		}
		got, err := table.Tombstones(t.Context())
		var names []string
		for _, tombstone := range got {
			names = append(names, tombstone.Path)
		}
		if err != nil || strings.Join(names, " ") != step.want || got[len(got)-1].Rows != 2 || got[0].DataChange {
			t.Errorf("after %d days: %+v, %v", step.days, got, err)
		}
	}
}
