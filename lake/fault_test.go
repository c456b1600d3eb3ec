package lake

import (
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// faultStorage fails its n-th operation, before it has an effect or after it
// had: a full disk, or an answer that got lost. Hook, if set, runs before a
// file is named.
type faultStorage struct {
	Storage
	failAt int // -1: never
	late   bool
	hook   func(name string)
	done   int // operations so far
}

var errFault = &fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}

// fails counts an operation and tells whether it is the one.
func (s *faultStorage) fails() bool {
	s.done++
	return s.done-1 == s.failAt
}

func (s *faultStorage) Create(ctx context.Context) (FileWriter, error) {
	if s.fails() {
		return nil, errFault
	}
	w, err := s.Storage.Create(ctx)
	return &faultWriter{w, s}, err
}

func (s *faultStorage) Open(ctx context.Context, name string) (FileReader, error) {
	if s.fails() {
		return nil, errFault
	}
	return s.Storage.Open(ctx, name)
}

func (s *faultStorage) List(ctx context.Context, dir string) ([]FileInfo, error) {
	if s.fails() {
		return nil, errFault
	}
	return s.Storage.List(ctx, dir)
}

func (s *faultStorage) Stat(ctx context.Context, name string) (FileInfo, error) {
	if s.fails() {
		return FileInfo{}, errFault
	}
	return s.Storage.Stat(ctx, name)
}

func (s *faultStorage) Remove(ctx context.Context, name string) error {
	fails := s.fails()
	if fails && !s.late {
		return errFault
	}
	err := s.Storage.Remove(ctx, name)
	if fails {
		return errFault
	}
	return err
}

type faultWriter struct {
	FileWriter
	storage *faultStorage
}

func (w *faultWriter) Write(p []byte) (int, error) {
	if w.storage.fails() {
		n, _ := w.FileWriter.Write(p[:len(p)/2])
		return n, errFault
	}
	return w.FileWriter.Write(p)
}

func (w *faultWriter) Commit(name string) error {
	if w.storage.hook != nil {
		w.storage.hook(name)
	}
	fails := w.storage.fails()
	if fails && !w.storage.late {
		return errFault
	}
	err := w.FileWriter.Commit(name)
	if fails {
		return errFault
	}
	return err
}

// ingestThree is what a sink does with a batch: read the offset, write a file,
// commit both.
func ingestThree(ctx context.Context, lk *Lake) error {
	p, _ := PayloadOf("weir.chat.message.v1")
	table, err := lk.Table(p.Table)
	if err != nil {
		return err
	}
	app := TxnAppID("c", "weir.chat", 0)
	expect := int64(-1)
	snapshot, err := table.Snapshot(ctx)
	if err == nil {
		expect = snapshot.Txns[app]
	} else if !errors.Is(err, ErrNoTable) {
		return err
	}
	w, err := lk.NewEventWriter(ctx, p)
	if err != nil {
		return err
	}
	defer w.Abort()
	next := max(expect, 0)
	for range 3 {
		if err := w.Write(smallMessage(int(next)), RecordPosition{"c", "weir.chat", 0, next, testStart}); err != nil {
			return err
		}
		next++
	}
	file, err := w.Close(ctx)
	if err != nil {
		return err
	}
	_, err = table.Commit(ctx, Commit{Operation: "append", Columns: p.Columns(), Add: []DataFile{file}, Txns: []Txn{{app, expect, next}}})
	return err
}

// checkWhole fails the test unless the lake's chat table holds exactly the
// rows from offset 0 to the offset in its log, and nothing in its folder is torn.
func checkWhole(t *testing.T, dir string) (next int64) {
	t.Helper()
	lk, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	table, err := lk.Table("events.chat_messages")
	if err != nil {
		t.Fatal(err)
	}
	p, _ := PayloadOf("weir.chat.message.v1")
	found, err := filepath.Glob(filepath.Join(table.Dir(), "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range found {
		if strings.HasSuffix(path, ".parquet") {
			readRows(t, path, p.Columns()) // fails if it is torn
		} else if filepath.Base(path) != "_delta_log" {
			t.Errorf("%s in the table's folder", path)
		}
	}
	snapshot, err := table.Snapshot(t.Context())
	if errors.Is(err, ErrNoTable) {
		return 0
	}
	if err != nil {
		t.Fatal(err)
	}
	offset := 0.0
	for _, file := range snapshot.Files {
		rows := readRows(t, filepath.Join(table.Dir(), file.Path), p.Columns())
		if int64(len(rows)) != file.Rows {
			t.Errorf("%s has %d rows, the log says %d", file.Path, len(rows), file.Rows)
		}
		for _, row := range rows {
			if row["kafka_offset"] != offset {
				t.Errorf("offset %v where %v belongs", row["kafka_offset"], offset)
			}
			offset++
		}
	}
	if got := snapshot.Txns[TxnAppID("c", "weir.chat", 0)]; got != int64(offset) {
		t.Errorf("the log stands at offset %d with rows up to %v", got, offset)
	}
	return int64(offset)
}

// Whatever operation fails, and whether it had its effect or not: each record
// is there once after the sink has started again, and a success was one.
func TestEveryFaultLeavesEachRecordOnce(t *testing.T) {
	for _, late := range []bool{false, true} {
		finished := false
		for failAt := 0; !finished; failAt++ {
			if failAt > 200 {
				t.Fatal("no end of operations")
			}
			dir := testLake(t).Dir()
			faulty := &faultStorage{Storage: LocalStorage(dir), failAt: -1, late: late}
			lk, err := OpenWith(dir, Options{Storage: faulty})
			if err != nil {
				t.Fatal(err)
			}
			faulty.done, faulty.failAt = 0, failAt
			before := int64(0)
			for range 2 {
				err := ingestThree(t.Context(), lk)
				after := checkWhole(t, dir)
				if err == nil && after != before+3 || after != before && after != before+3 {
					t.Fatalf("operation %d (late %v): %v, offset %d after %d", failAt, late, err, after, before)
				}
				if err != nil && !errors.Is(err, syscall.ENOSPC) {
					t.Fatalf("operation %d: error %v does not name its cause", failAt, err)
				}
				before = after
			}
			for before < 6 {
				if err := ingestThree(t.Context(), lk); err != nil {
					t.Fatalf("operation %d: not even on the second try: %v", failAt, err)
				}
				before = checkWhole(t, dir)
			}
			if left, _ := os.ReadDir(lk.TempDir()); len(left) > 0 {
				t.Errorf("operation %d left %v in the temp folder", failAt, left)
			}
			finished = faulty.done <= failAt
		}
	}
}

func TestInitFaultsLeaveNoLake(t *testing.T) {
	for failAt := range 8 {
		dir := filepath.Join(t.TempDir(), "lake")
		faulty := &faultStorage{Storage: LocalStorage(dir), failAt: failAt}
		lk, err := Init(dir, Options{Storage: faulty})
		if faulty.done <= failAt {
			if err != nil || failAt < 3 {
				t.Fatalf("after %d operations: %v", failAt, err)
			}
			return
		}
		if err == nil {
			t.Fatalf("operation %d failed and nobody said so: %v", failAt, lk)
		}
		if _, err := Open(dir); !errors.Is(err, ErrNotALake) {
			t.Errorf("operation %d: open: %v", failAt, err)
		}
		if _, err := Init(dir, Options{}); err != nil {
			t.Errorf("operation %d: init again: %v", failAt, err)
		}
	}
	t.Fatal("no end of operations")
}

// A file that does not hold what was written is found and not handed out.
func TestCloseFindsACorruptFile(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	found := 0
	for range 60 {
		lk := testLake(t)
		dir := lk.Dir()
		var path string
		faulty := &faultStorage{Storage: LocalStorage(dir), failAt: -1}
		lk.storage = corruptingStorage{faulty, func(name string) {
			if !strings.HasSuffix(name, ".parquet") {
				return
			}
			path = filepath.Join(dir, filepath.FromSlash(name))
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			data[r.IntN(len(data))] ^= byte(1 << r.IntN(8))
			if err := os.WriteFile(path, data, 0o666); err != nil {
				t.Fatal(err)
			}
		}}
		p, _ := PayloadOf("weir.chat.message.v1")
		w, err := lk.NewEventWriter(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 1000 {
			if err := w.Write(smallMessage(i), RecordPosition{"c", "t", 0, int64(i), testStart}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := w.Close(t.Context()); err != nil {
			found++
			if !errors.Is(err, errUnfaithful) {
				t.Errorf("error %v", err)
			}
			if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the corrupt file is still there: %v", err)
			}
		}
	}
	// A flipped bit in a statistic or an index page changes no value.
	if found < 30 {
		t.Errorf("found %d of 60 flipped bits", found)
	}
	t.Logf("found %d of 60 flipped bits", found)
}

// corruptingStorage changes files behind the writer's back.
type corruptingStorage struct {
	*faultStorage
	corrupt func(name string)
}

func (s corruptingStorage) Create(ctx context.Context) (FileWriter, error) {
	w, err := s.faultStorage.Create(ctx)
	return corruptingWriter{w, s}, err
}

type corruptingWriter struct {
	FileWriter
	storage corruptingStorage
}

func (w corruptingWriter) Commit(name string) error {
	err := w.FileWriter.Commit(name)
	if err == nil {
		w.storage.corrupt(name)
	}
	return err
}
