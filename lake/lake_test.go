package lake

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

func TestInitAndOpen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "lake")
	made, err := Init(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	opened, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if opened.ID() != made.ID() || opened.ClusterID() != made.ClusterID() || !bytes.Equal(opened.ErasureKey(), made.ErasureKey()) ||
		!opened.CreatedAt().Equal(made.CreatedAt()) || opened.Dir() != dir {
		t.Errorf("opened %+v, made %+v", opened.settings, made.settings)
	}
	if len(made.ErasureKey()) != 32 || len(made.ClusterID()) != 22 || len(made.ID()) != 36 {
		t.Errorf("settings %+v", made.settings)
	}
	if _, err := Init(dir, Options{}); !errors.Is(err, fs.ErrExist) || HintOf(err) == "" {
		t.Errorf("init again: %v", err)
	}
	other, err := Init(filepath.Join(t.TempDir(), "lake"), Options{})
	if err != nil || other.ID() == made.ID() || other.ClusterID() == made.ClusterID() || bytes.Equal(other.ErasureKey(), made.ErasureKey()) {
		t.Errorf("two lakes alike: %+v, %v", other, err)
	}
}

func TestFoldersThatAreNoLake(t *testing.T) {
	file := func(name, text string) func(t *testing.T) string {
		return func(t *testing.T) string {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
				t.Fatal(err)
			}
			return dir
		}
	}
	for name, c := range map[string]struct {
		dir      func(t *testing.T) string
		canInit  bool
		notALake bool
		wantHint bool
	}{
		"missing":         {func(t *testing.T) string { return filepath.Join(t.TempDir(), "x") }, true, true, true},
		"empty":           {func(t *testing.T) string { return t.TempDir() }, true, true, true},
		"someone_elses":   {file("thesis.tex", "x"), false, true, true},
		"settings_torn":   {file("weir.json", `{"format_version": 1, "la`), false, true, false},
		"settings_others": {file("weir.json", `{"name": "a dam"}`), false, true, false},
		"newer_format":    {file("weir.json", `{"format_version": 99, "lake_id": "a", "cluster_id": "b", "erasure_key": "00"}`), false, false, true},
		"bad_key":         {file("weir.json", `{"format_version": 1, "lake_id": "a", "cluster_id": "b", "erasure_key": "xyz"}`), false, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := c.dir(t)
			_, err := Open(dir)
			if err == nil || errors.Is(err, ErrNotALake) != c.notALake || (HintOf(err) != "") != c.wantHint {
				t.Errorf("open: %v (hint %q)", err, HintOf(err))
			}
			before, _ := os.ReadDir(dir)
			_, err = Init(dir, Options{})
			if (err == nil) != c.canInit {
				t.Errorf("init: %v", err)
			}
			if after, _ := os.ReadDir(dir); err != nil && len(after) != len(before) {
				t.Errorf("init changed a folder that it refused: %v", after)
			}
		})
	}
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	for what, f := range map[string]func(string) error{
		"init": func(dir string) error { _, err := Init(dir, Options{}); return err },
		"open": func(dir string) error { _, err := Open(dir); return err },
	} {
		if err := f(path); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s of a file: %v", what, err)
		}
	}
}

func TestTableNames(t *testing.T) {
	lk := testLake(t)
	for _, name := range []string{"", "events", "events.", "events.A", "event.a", "events.a.b", "events.a/b", "events...", "_tmp.a", "events.a b"} {
		if _, err := lk.Table(name); err == nil {
			t.Errorf("table %q was accepted", name)
		}
	}
	table, err := lk.Table("datasets.v1_rows")
	if err != nil || table.Name() != "datasets.v1_rows" || table.Dir() != filepath.Join(lk.Dir(), "datasets", "v1_rows") {
		t.Errorf("%+v, %v", table, err)
	}
	if _, err := lk.Tables(t.Context(), "current"); err == nil {
		t.Error("tables of no namespace")
	}
}

func TestTablesListsWhatHasALog(t *testing.T) {
	lk := testLake(t)
	if tables, err := lk.Tables(t.Context(), "curated"); err != nil || len(tables) != 0 {
		t.Errorf("%v, %v", tables, err)
	}
	for _, name := range []string{"curated.b", "curated.a"} {
		table, err := lk.Table(name)
		if err != nil {
			t.Fatal(err)
		}
		mustCommit(t, table, Commit{})
	}
	never, err := lk.Table("curated.never_committed")
	if err != nil {
		t.Fatal(err)
	}
	putFile(t, never, "orphan.parquet", 1)
	if tables, err := lk.Tables(t.Context(), "curated"); err != nil || !slices.Equal(tables, []string{"curated.a", "curated.b"}) {
		t.Errorf("%v, %v", tables, err)
	}
}

const keyedHashOfAda = "5c7e21b1051d01f1a20bc6ac236cb882f627e9074b689a3ec83d8123e5466fc5"

func TestKeyedHash(t *testing.T) {
	// Known from: printf 'person:ada' | openssl dgst -sha256 -hmac key
	if got := KeyedHash([]byte("key"), "person", "ada"); got != keyedHashOfAda {
		t.Errorf("%s", got)
	}
	if KeyedHash([]byte("key"), "subject", "ada") == keyedHashOfAda || KeyedHash([]byte("kez"), "person", "ada") == keyedHashOfAda {
		t.Error("kind or key do not count")
	}
}

func TestLocalStorage(t *testing.T) {
	root := t.TempDir()
	s := LocalStorage(root)
	ctx := t.Context()
	if err := PutIfAbsent(ctx, s, "a/b/c", []byte("first")); err != nil {
		t.Fatal(err)
	}
	if err := PutIfAbsent(ctx, s, "a/b/c", []byte("second")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("put over a file: %v", err)
	}
	if data, err := ReadFile(ctx, s, "a/b/c"); err != nil || string(data) != "first" {
		t.Errorf("%q, %v", data, err)
	}
	for _, name := range []string{"../x", "/x", "a//x", ""} {
		if err := PutIfAbsent(ctx, s, name, nil); err == nil {
			t.Errorf("put %q was accepted", name)
		}
		if _, err := ReadFile(ctx, s, name); err == nil {
			t.Errorf("read %q was accepted", name)
		}
	}
	if _, err := ReadFile(ctx, s, "a/x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("read of nothing: %v", err)
	}
	w, err := s.Create(ctx)
	if err != nil {
		t.Fatal(err)
	}
	w.Write([]byte("dropped"))
	w.Abort()
	if err := w.Commit("a/dropped"); err == nil {
		t.Error("commit after abort")
	}
	infos, err := s.List(ctx, "a/b")
	if err != nil || len(infos) != 1 || infos[0].Name != "c" || infos[0].Bytes != 5 || infos[0].IsDir {
		t.Errorf("%+v, %v", infos, err)
	}
	if err := s.Remove(ctx, "a/b/c"); err != nil {
		t.Error(err)
	}
	if infos, err := s.List(ctx, "a/b"); err != nil || len(infos) != 0 {
		t.Errorf("%+v, %v", infos, err)
	}
	if left, _ := os.ReadDir(filepath.Join(root, tempDir)); len(left) > 0 {
		t.Errorf("left in the temp folder: %v", left)
	}
}

// The erasure key in the settings is for the owner's eyes, whatever the umask.
func TestSettingsArePrivate(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0))
	dir := filepath.Join(t.TempDir(), "lake")
	if _, err := Init(dir, Options{}); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, "weir.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("weir.json is %v, %v", info.Mode(), err)
	}
}

func TestReplaceIsWholeOrNot(t *testing.T) {
	s := LocalStorage(t.TempDir())
	for _, text := range []string{"one", "two"} {
		if err := replace(t.Context(), s, "a/b", []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := ReadFile(t.Context(), s, "a/b"); err != nil || string(got) != text {
			t.Errorf("read %q, %v; want %q", got, err, text)
		}
	}
	if err := PutIfAbsent(t.Context(), s, "a/b", nil); !errors.Is(err, fs.ErrExist) {
		t.Errorf("put where a file is: %v", err)
	}
}
