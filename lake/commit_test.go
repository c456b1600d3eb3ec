package lake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

var testColumns = []Column{{Name: "id", Type: Varchar, Doc: "id"}, {Name: "parts", Type: Struct, List: true, Fields: []Column{{Name: "n", Type: BigInt}}}}

func testTable(t testing.TB, lk *Lake) *Table {
	t.Helper()
	table, err := lk.Table("curated.things")
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// putFile puts something into the table's folder: the log does not look into files.
func putFile(t testing.TB, table *Table, name string, rows int64) DataFile {
	t.Helper()
	if err := PutIfAbsent(t.Context(), table.lake.storage, table.folder+"/"+name, []byte(name)); err != nil {
		t.Fatal(err)
	}
	return DataFile{Path: name, Bytes: int64(len(name)), Rows: rows, ModifiedAt: testStart.Truncate(time.Millisecond)}
}

func mustCommit(t testing.TB, table *Table, c Commit) *Snapshot {
	t.Helper()
	if c.Operation == "" {
		c.Operation = "append"
	}
	if c.Columns == nil {
		c.Columns = testColumns
	}
	snapshot, err := table.Commit(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return snapshot
}

func paths(files []DataFile) string {
	var names []string
	for _, file := range files {
		names = append(names, file.Path)
	}
	return strings.Join(names, " ")
}

func TestSnapshotsAndChanges(t *testing.T) {
	lk := testLake(t)
	table := testTable(t, lk)
	ctx := t.Context()
	if _, err := table.Snapshot(ctx); !errors.Is(err, ErrNoTable) {
		t.Errorf("snapshot of no table: %v", err)
	}
	b, a := putFile(t, table, "b", 2), putFile(t, table, "a", 1)
	c, d, e := putFile(t, table, "c", 3), putFile(t, table, "d", 3), putFile(t, table, "e", 1)
	mustCommit(t, table, Commit{Add: []DataFile{b, a}, Info: map[string]string{"why": "first"}})                           // 0
	mustCommit(t, table, Commit{Add: []DataFile{c}, Txns: []Txn{{"app", -1, 7}}})                                          // 1
	mustCommit(t, table, Commit{Operation: "compact", Add: []DataFile{d}, Remove: []string{"a", "b"}, NoDataChange: true}) // 2
	last := mustCommit(t, table, Commit{Add: []DataFile{e}, Remove: []string{"c"}, Txns: []Txn{{"app", 7, 7}}})            // 3
	read, err := table.Snapshot(ctx)
	if err != nil || !reflect.DeepEqual(read, last) {
		t.Errorf("commit gave %+v, the log %+v, %v", last, read, err)
	}
	if paths(read.Files) != "d e" || read.Version != 3 || read.Txns["app"] != 7 || read.Files[0].Rows != 3 ||
		!reflect.DeepEqual(read.Columns, testColumns) || read.Info["operation"] != "append" || !read.CommittedAt.Equal(testStart.Truncate(time.Millisecond)) {
		t.Errorf("snapshot %+v", read)
	}
	for version, want := range []string{"a b", "a b c", "c d", "d e"} {
		snapshot, err := table.SnapshotAt(ctx, int64(version))
		if err != nil || paths(snapshot.Files) != want || snapshot.Version != int64(version) {
			t.Errorf("version %d: %+v, %v", version, snapshot, err)
		}
	}
	if first, _ := table.SnapshotAt(ctx, 0); first.Info["why"] != "first" || first.Info["commit_id"] == "" {
		t.Errorf("info %v", first.Info)
	}
	for _, version := range []int64{-1, 4, 99} {
		if _, err := table.SnapshotAt(ctx, version); !errors.Is(err, ErrNoVersion) {
			t.Errorf("version %d: %v", version, err)
		}
	}
	for _, c := range []struct {
		from, to       int64
		added, removed string
	}{
		{-1, 3, "b a e", ""}, // c came and went
		{-1, 2, "b a c", ""},
		{0, 1, "c", ""},
		{1, 2, "", ""},
		{1, 3, "e", "c"},
		{3, 3, "", ""},
	} {
		changes, err := table.Changes(ctx, c.from, c.to)
		if err != nil || paths(changes.Added) != c.added || paths(changes.Removed) != c.removed {
			t.Errorf("changes %d to %d: %+v, %v", c.from, c.to, changes, err)
		}
		for _, file := range changes.Removed {
			if file.Rows != 3 {
				t.Errorf("rows of removed %+v", file)
			}
		}
	}
	if _, err := table.Changes(ctx, 2, 4); !errors.Is(err, ErrNoVersion) {
		t.Errorf("changes past the head: %v", err)
	}
}

func TestCommitRefusals(t *testing.T) {
	lk := testLake(t)
	table := testTable(t, lk)
	a := putFile(t, table, "a.parquet", 1)
	b := putFile(t, table, "b.parquet", 1)
	mustCommit(t, table, Commit{Add: []DataFile{a}, Txns: []Txn{{"app", -1, 3}}})
	one, zero := int64(1), int64(0)
	for name, c := range map[string]struct {
		commit Commit
		want   error // nil: any
	}{
		"txn_behind":               {Commit{Txns: []Txn{{"app", 2, 5}}}, ErrStale},
		"txn_ahead":                {Commit{Txns: []Txn{{"app", 4, 5}}}, ErrStale},
		"txn_that_thinks_it_first": {Commit{Txns: []Txn{{"app", -1, 5}}}, ErrStale},
		"txn_of_nobody":            {Commit{Txns: []Txn{{"other", 0, 5}}}, ErrStale},
		"one_good_txn_one_stale":   {Commit{Txns: []Txn{{"app", 3, 5}, {"other", 0, 5}}}, ErrStale},
		"txn_backwards":            {Commit{Txns: []Txn{{"app", 3, 2}}}, nil},
		"txn_twice":                {Commit{Txns: []Txn{{"app", 3, 4}, {"app", 3, 5}}}, nil},
		"removes_what_is_not_live": {Commit{Remove: []string{"x.parquet"}}, ErrConflict},
		"adds_what_is_live":        {Commit{Add: []DataFile{a}}, nil},
		"version_moved":            {Commit{ExpectVersion: &one}, ErrConflict},
		"overwrite_not_of_all":     {Commit{Overwrite: true, Add: []DataFile{b}}, ErrConflict},
		"column_missing":           {Commit{Columns: testColumns[:1]}, ErrSchema},
		"column_retyped":           {Commit{Columns: []Column{{Name: "id", Type: BigInt}, testColumns[1]}}, ErrSchema},
		"column_now_a_list":        {Commit{Columns: []Column{{Name: "id", Type: Varchar, List: true}, testColumns[1]}}, ErrSchema},
		"nested_field_missing":     {Commit{Columns: []Column{testColumns[0], {Name: "parts", Type: Struct, List: true, Fields: []Column{{Name: "m", Type: BigInt}}}}}, ErrSchema},
		"column_twice":             {Commit{Columns: append([]Column{{Name: "ID", Type: Varchar}}, testColumns...)}, nil},
		"column_of_no_type":        {Commit{Columns: append([]Column{{Name: "x", Type: "INTEGER"}}, testColumns...)}, nil},
		"file_that_is_not_there":   {Commit{Add: []DataFile{{Path: "gone.parquet", Bytes: 1, Rows: 1}}}, os.ErrNotExist},
		"file_of_another_size":     {Commit{Add: []DataFile{{Path: "b.parquet", Bytes: 1, Rows: 1}}}, nil},
		"file_outside":             {Commit{Add: []DataFile{{Path: "../b.parquet", Bytes: 9, Rows: 1}}}, nil},
		"file_hidden":              {Commit{Add: []DataFile{{Path: "_log/b.parquet", Bytes: 9, Rows: 1}}}, nil},
		"file_added_and_removed":   {Commit{Add: []DataFile{a}, Remove: []string{"a.parquet"}}, nil},
		"info_reserved":            {Commit{Info: map[string]string{"operation": "x"}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			c.commit.Operation = "append"
			if c.commit.Columns == nil {
				c.commit.Columns = testColumns
			}
			if _, err := table.Commit(t.Context(), c.commit); err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
			if s, err := table.Snapshot(t.Context()); err != nil || s.Version != 0 {
				t.Errorf("the table moved: %+v, %v", s, err)
			}
		})
	}
	if s := mustCommit(t, table, Commit{ExpectVersion: &zero, Overwrite: true, Remove: []string{"a.parquet"}, Add: []DataFile{b}, Columns: testColumns[:1]}); len(s.Columns) != 1 || s.Txns["app"] != 3 {
		t.Errorf("overwrite: %+v", s)
	}
}

func TestSchemaGrowsAlsoInsideStructs(t *testing.T) {
	lk := testLake(t)
	table := testTable(t, lk)
	mustCommit(t, table, Commit{})
	grown := []Column{
		{Name: "first", Type: Boolean},
		testColumns[0],
		{Name: "parts", Type: Struct, List: true, Fields: []Column{{Name: "text", Type: Varchar, FieldID: 5, Doc: "new"}, {Name: "n", Type: BigInt}}},
	}
	mustCommit(t, table, Commit{Columns: grown})
	got, err := table.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []Column{ // what is known keeps its place
		testColumns[0],
		{Name: "parts", Type: Struct, List: true, Fields: []Column{{Name: "n", Type: BigInt}, {Name: "text", Type: Varchar, FieldID: 5, Doc: "new"}}},
		{Name: "first", Type: Boolean},
	}
	if !reflect.DeepEqual(got.Columns, want) {
		t.Errorf("columns %+v", got.Columns)
	}
	data, err := os.ReadFile(filepath.Join(table.Dir(), "_delta_log", "00000000000000000001.json"))
	if err != nil || !strings.Contains(string(data), "metaData") {
		t.Errorf("growth wrote no metadata: %s, %v", data, err)
	}
	// A comment alone is told as well, once.
	grown[0].Doc = "other words"
	for _, want := range []bool{true, false} {
		head := mustCommit(t, table, Commit{Columns: grown})
		data, err := os.ReadFile(filepath.Join(table.Dir(), "_delta_log", fmt.Sprintf("%020d.json", head.Version)))
		if err != nil || strings.Contains(string(data), "metaData") != want || head.Columns[2].Doc != "other words" {
			t.Errorf("version %d: %+v, %s, %v", head.Version, head.Columns, data, err)
		}
	}
}

// A binary of an older release appends to a table that a newer one has grown:
// nothing shrinks, and the two do not rewrite the metadata in turn.
func TestAnOlderBinaryShrinksNothing(t *testing.T) {
	lk := testLake(t)
	table := testTable(t, lk)
	older := []Column{
		{Name: "id", Type: Varchar, FieldID: 1, Doc: "old words"},
		{Name: "calls", Type: Struct, List: true, FieldID: 2, Fields: []Column{{Name: "name", Type: Varchar, FieldID: 2001}}},
	}
	newer := []Column{
		{Name: "id", Type: Varchar, FieldID: 1, Doc: "new words"},
		{Name: "calls", Type: Struct, List: true, FieldID: 2, Fields: []Column{{Name: "strict", Type: Boolean, FieldID: 2002}, {Name: "name", Type: Varchar, FieldID: 2001}}},
		{Name: "channel", Type: Varchar, FieldID: 3},
	}
	mustCommit(t, table, Commit{Columns: older})
	want := mustCommit(t, table, Commit{Columns: newer}).Columns
	for _, columns := range [][]Column{older, newer, older} {
		head := mustCommit(t, table, Commit{Columns: columns})
		data, err := os.ReadFile(filepath.Join(table.Dir(), "_delta_log", fmt.Sprintf("%020d.json", head.Version)))
		if err != nil || strings.Contains(string(data), "metaData") || !reflect.DeepEqual(head.Columns, want) {
			t.Errorf("version %d: %+v, %s, %v", head.Version, head.Columns, data, err)
		}
	}
	for name, column := range map[string]Column{
		"an_id_of_another":       {Name: "other", Type: Varchar, FieldID: 3},
		"another_id":             {Name: "channel", Type: Varchar, FieldID: 4},
		"an_id_of_another_below": {Name: "calls", Type: Struct, List: true, FieldID: 2, Fields: []Column{{Name: "x", Type: Boolean, FieldID: 2001}}},
	} {
		_, err := table.Commit(t.Context(), Commit{Operation: "append", Columns: append(older[:1:1], column)})
		if !errors.Is(err, ErrSchema) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A try whose answer got lost has landed. Whoever tries again must not be told
// that the files are of no use, nor be able to delete them.
func TestTryingALandedCommitAgain(t *testing.T) {
	lk := testLake(t)
	table := testTable(t, lk)
	a := putFile(t, table, "a.parquet", 1)
	commit := Commit{Operation: "append", Columns: testColumns, Add: []DataFile{a}, Txns: []Txn{{"app", -1, 3}}}
	mustCommit(t, table, commit)
	_, err := table.Commit(t.Context(), commit)
	if err == nil || errors.Is(err, ErrStale) || errors.Is(err, ErrConflict) || errors.Is(err, ErrSchema) {
		t.Errorf("error %v", err)
	}
	// Compacted away, it is still what older versions are made of.
	b := putFile(t, table, "b.parquet", 1)
	mustCommit(t, table, Commit{Add: []DataFile{b}, Remove: []string{"a.parquet"}, NoDataChange: true})
	orphan := putFile(t, table, "orphan.parquet", 1)
	if err := table.Discard(t.Context(), a, orphan); err == nil || !strings.Contains(err.Error(), "a.parquet: is in the log") {
		t.Errorf("discard: %v", err)
	}
	entries, err := lk.storage.List(t.Context(), table.folder)
	if err != nil || len(entries) != 3 {
		t.Errorf("left: %v, %v", entries, err)
	}
	if err := table.Discard(t.Context(), orphan); err != nil {
		t.Errorf("discarding twice: %v", err)
	}
}

// Someone else takes the next version between our reading and our writing.
func TestLostSlot(t *testing.T) {
	for name, c := range map[string]struct {
		theirs, ours Commit
		want         error
	}{
		"another_partition":   {Commit{Txns: []Txn{{"p1", -1, 9}}}, Commit{Txns: []Txn{{"p0", 1, 2}}}, nil},
		"the_same_partition":  {Commit{Txns: []Txn{{"p0", 1, 9}}}, Commit{Txns: []Txn{{"p0", 1, 2}}}, ErrStale},
		"our_input_removed":   {Commit{Remove: []string{"a"}}, Commit{Remove: []string{"a"}}, ErrConflict},
		"another_file":        {Commit{Remove: []string{"b"}}, Commit{Remove: []string{"a"}}, nil},
		"an_append_meanwhile": {Commit{Txns: []Txn{{"p1", -1, 9}}}, Commit{Overwrite: true, Remove: []string{"a", "b"}}, nil},
		"a_removal_meanwhile": {Commit{Remove: []string{"b"}}, Commit{Overwrite: true, Remove: []string{"a", "b"}}, ErrConflict},
		"schema_has_grown":    {Commit{Columns: append([]Column{{Name: "new", Type: Double}}, testColumns...)}, Commit{}, ErrSchema},
		"version_insisted_on": {Commit{}, Commit{ExpectVersion: new(int64)}, ErrConflict},
	} {
		t.Run(name, func(t *testing.T) {
			lk := testLake(t)
			table := testTable(t, lk)
			mustCommit(t, table, Commit{Add: []DataFile{putFile(t, table, "a", 1), putFile(t, table, "b", 1)}, Txns: []Txn{{"p0", -1, 1}}})
			raced := false
			slow := testLakeAt(t, lk.Dir(), &faultStorage{Storage: LocalStorage(lk.Dir()), failAt: -1, hook: func(string) {
				if !raced {
					raced = true
					mustCommit(t, table, c.theirs)
				}
			}})
			c.ours.Operation = "ours"
			if c.ours.Columns == nil {
				c.ours.Columns = testColumns
			}
			snapshot, err := testTable(t, slow).Commit(t.Context(), c.ours)
			if !errors.Is(err, c.want) || err == nil && (snapshot.Version != 2 || snapshot.Info["operation"] != "ours") {
				t.Errorf("%+v, %v; want %v", snapshot, err, c.want)
			}
		})
	}
}

func testLakeAt(t testing.TB, dir string, s Storage) *Lake {
	t.Helper()
	lk, err := OpenWith(dir, Options{Storage: s, Clock: func() time.Time { return testStart }})
	if err != nil {
		t.Fatal(err)
	}
	return lk
}

// The commit landed and the answer got lost: it is a success, also where the
// caller has given up, and also where others have gone on from it.
func TestAmbiguousOutcome(t *testing.T) {
	lk := testLake(t)
	table := testTable(t, lk)
	mustCommit(t, table, Commit{})
	ctx, cancel := context.WithCancel(t.Context())
	lost := &lostAnswer{Storage: LocalStorage(lk.Dir()), then: func() {
		mustCommit(t, table, Commit{Txns: []Txn{{"theirs", -1, 1}}})
		cancel()
	}}
	snapshot, err := testTable(t, testLakeAt(t, lk.Dir(), lost)).Commit(ctx, Commit{Operation: "append", Columns: testColumns, Txns: []Txn{{"ours", -1, 5}}})
	if err != nil || snapshot.Version != 1 || snapshot.Txns["ours"] != 5 {
		t.Errorf("%+v, %v", snapshot, err)
	}
	if s, err := table.Snapshot(t.Context()); err != nil || s.Version != 2 || s.Txns["ours"] != 5 {
		t.Errorf("%+v, %v", s, err)
	}
}

type lostAnswer struct {
	Storage
	then func()
}

func (s *lostAnswer) Create(ctx context.Context) (FileWriter, error) {
	w, err := s.Storage.Create(ctx)
	return lostAnswerWriter{w, s}, err
}

type lostAnswerWriter struct {
	FileWriter
	storage *lostAnswer
}

func (w lostAnswerWriter) Commit(name string) error {
	if err := w.FileWriter.Commit(name); err != nil {
		return err
	}
	w.storage.then()
	return io.ErrUnexpectedEOF
}

// increment moves a counter by one, as often as it takes, and counts how often
// it was told that others were quicker.
func increment(ctx context.Context, table *Table, app string) (stale int, err error) {
	for {
		value := int64(-1)
		snapshot, err := table.Snapshot(ctx)
		if err == nil {
			if held, ok := snapshot.Txns[app]; ok {
				value = held
			}
		} else if !errors.Is(err, ErrNoTable) {
			return stale, err
		}
		_, err = table.Commit(ctx, Commit{Operation: "append", Columns: testColumns, Txns: []Txn{{app, value, value + 1}}})
		if err == nil || !errors.Is(err, ErrStale) {
			return stale, err
		}
		stale++
	}
}

const raceDirEnv = "WEIR_TEST_RACE_DIR"

// TestMain lets the test binary be one of the racing processes.
func TestMain(m *testing.M) {
	if dir := os.Getenv(raceDirEnv); dir != "" {
		if err := raceChild(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

const raceIncrements = 25

func raceChild(dir string) error {
	lk, err := Open(dir)
	if err != nil {
		return err
	}
	table, err := lk.Table("curated.things")
	if err != nil {
		return err
	}
	for range raceIncrements {
		if _, err := increment(context.Background(), table, "shared"); err != nil {
			return err
		}
	}
	return nil
}

// Goroutines and processes race for every version: each increment is there once.
func TestCommitRace(t *testing.T) {
	lk := testLake(t)
	const processes, goroutines = 3, 4
	var group sync.WaitGroup
	for range processes {
		group.Go(func() {
			child := exec.Command(os.Args[0])
			child.Env = append(os.Environ(), raceDirEnv+"="+lk.Dir())
			if out, err := child.CombinedOutput(); err != nil {
				t.Errorf("child: %v: %s", err, out)
			}
		})
	}
	var stale [goroutines]int
	for i := range goroutines {
		group.Go(func() {
			table := testTable(t, lk)
			for j := range raceIncrements {
				app := "shared"
				if j%2 == 1 {
					app = fmt.Sprint("own-", i)
				}
				n, err := increment(t.Context(), table, app)
				if err != nil {
					t.Error(err)
				}
				if app != "shared" && n > 0 {
					t.Errorf("%s has one writer and was stale %d times", app, n)
				}
				stale[i] += n
			}
		})
	}
	group.Wait()
	snapshot, err := testTable(t, lk).Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	shared := int64(processes*raceIncrements + goroutines*(raceIncrements+1)/2)
	own := int64(raceIncrements / 2)
	if snapshot.Txns["shared"] != shared-1 || snapshot.Version != shared+goroutines*own-1 {
		t.Errorf("version %d, counters %v; want %d increments of the shared one", snapshot.Version, snapshot.Txns, shared)
	}
	t.Logf("%d versions, stale %v", snapshot.Version+1, stale)
}

// The log's bytes are a format that others read: a change of them is seen here.
func TestLogGolden(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "lake")
	source := rand.NewChaCha8([32]byte{1})
	lk, err := Init(dir, Options{Clock: func() time.Time { return testStart }, Random: source})
	if err != nil {
		t.Fatal(err)
	}
	table := testTable(t, lk)
	a, b := putFile(t, table, "a.parquet", 3), putFile(t, table, "b.parquet", 3)
	a.ModifiedAt, b.ModifiedAt = time.Time{}, time.Time{}
	columns := append([]Column{{Name: "at", Type: TimestampTZ, FieldID: 7, Doc: "when <it> was"}}, testColumns...)
	mustCommit(t, table, Commit{Columns: columns, Add: []DataFile{a}, Txns: []Txn{{TxnAppID("cluster", "weir.chat", 2), -1, 3}}, Info: map[string]string{"topic": "weir.chat"}})
	mustCommit(t, table, Commit{Operation: "compact", Columns: columns, Add: []DataFile{b}, Remove: []string{"a.parquet"}, NoDataChange: true})
	var got strings.Builder
	for version := range int64(2) {
		data, err := ReadFile(t.Context(), lk.storage, logName(table.folder, version))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&got, "-- %020d.json --\n%s", version, data)
	}
	golden := filepath.Join("testdata", "log.golden")
	if os.Getenv("UPDATE") != "" {
		if err := os.MkdirAll("testdata", 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, []byte(got.String()), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("the log changed; got:\n%s", got.String())
	}
}

// Another tool has compacted the table: its commit has what ours has not.
func TestForeignCommit(t *testing.T) {
	lk := testLake(t)
	table := testTable(t, lk)
	mustCommit(t, table, Commit{Add: []DataFile{putFile(t, table, "a.parquet", 2)}, Txns: []Txn{{"app", -1, 2}}})
	theirs := `{"add":{"path":"part%20one.parquet","partitionValues":{},"size":10,"modificationTime":1,"dataChange":false,"stats":"{\"numRecords\":2,\"minValues\":{\"id\":\"a\"}}","tags":null,"deletionVector":null}}
{"remove":{"path":"a.parquet","deletionTimestamp":5,"dataChange":false}}
{"cdc":{"path":"x"}}

{"commitInfo":{"timestamp":1,"operation":"OPTIMIZE","operationParameters":{"targetSize":104857600,"predicate":"[]"},"operationMetrics":{"numFilesAdded":1},"clientVersion":"delta-rs"}}
`
	if err := PutIfAbsent(t.Context(), lk.storage, logName(table.folder, 1), []byte(theirs)); err != nil {
		t.Fatal(err)
	}
	snapshot, err := table.Snapshot(t.Context())
	if err != nil || paths(snapshot.Files) != "part one.parquet" || snapshot.Files[0].Rows != 2 || snapshot.Info["targetSize"] != "104857600" {
		t.Fatalf("%+v, %v", snapshot, err)
	}
	if s := mustCommit(t, table, Commit{Txns: []Txn{{"app", 2, 4}}}); s.Version != 2 || s.CommittedAt.Before(testStart.Truncate(time.Millisecond)) {
		t.Errorf("%+v", s)
	}
}

func TestBrokenLogs(t *testing.T) {
	for name, c := range map[string]struct {
		breakIt func(log string) error
		want    string
	}{
		"version_missing": {func(log string) error { return os.Remove(filepath.Join(log, "00000000000000000001.json")) }, "00000000000000000001.json is missing"},
		"torn_line":       {func(log string) error { return os.Truncate(filepath.Join(log, "00000000000000000001.json"), 30) }, "00000000000000000001.json: line 1"},
		"newer_reader": {func(log string) error {
			return os.WriteFile(filepath.Join(log, "00000000000000000003.json"), []byte(`{"protocol":{"minReaderVersion":3,"minWriterVersion":7}}`), 0o666)
		}, "needs Delta reader version 3"},
		"foreign_type": {func(log string) error {
			return os.WriteFile(filepath.Join(log, "00000000000000000003.json"), []byte(`{"metaData":{"schemaString":"{\"type\":\"struct\",\"fields\":[{\"name\":\"x\",\"type\":\"decimal(3,1)\"}]}"}}`), 0o666)
		}, `column x: type "decimal(3,1)"`},
	} {
		t.Run(name, func(t *testing.T) {
			lk := testLake(t)
			table := testTable(t, lk)
			for range 3 {
				mustCommit(t, table, Commit{})
			}
			if err := c.breakIt(filepath.Join(table.Dir(), "_delta_log")); err != nil {
				t.Fatal(err)
			}
			if _, err := table.Snapshot(t.Context()); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("snapshot: %v, want %q", err, c.want)
			}
			if _, err := table.Commit(t.Context(), Commit{Operation: "append", Columns: testColumns}); err == nil {
				t.Error("committed on top of a broken log")
			}
		})
	}
}
