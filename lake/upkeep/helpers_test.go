package upkeep

import (
	"os"
	"slices"
	"testing"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
)

func size(t testing.TB, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// orphans are the files in a table's folder that are neither live nor removed.
func orphans(t testing.TB, lk *lake.Lake, name string) []string {
	t.Helper()
	known := snapshot(t, lk, name).Files
	table, err := lk.Table(name)
	if err != nil {
		t.Fatal(err)
	}
	removed, err := table.Tombstones(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, tombstone := range removed {
		known = append(known, tombstone.DataFile)
	}
	var found []string
	for _, name := range filesOf(t, duck.TableDir(lk.Dir(), name)) {
		if !slices.ContainsFunc(known, func(f lake.DataFile) bool { return f.Path == name }) {
			found = append(found, name)
		}
	}
	return found
}

// filesOf are the names of the files of a folder.
func filesOf(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		if !entry.IsDir() {
			names = append(names, entry.Name())
		}
	}
	return names
}
