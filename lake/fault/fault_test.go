package fault_test

import (
	"errors"
	"io/fs"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/fault"
)

func TestParse(t *testing.T) {
	for _, text := range []string{"", "sink", "sink.after-commit:0:kill", "sink.after-commit:x:kill", "storage:3-2:eio", "storage:1:burn", "sink.after-commit:1:eio"} {
		if _, err := fault.Parse(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
	for _, text := range []string{"sink.after-commit:1:kill", "storage:2-5:enospc", "storage:7:stop"} {
		if _, err := fault.Parse(text); err != nil {
			t.Error(err)
		}
	}
}

// TestStorage: an error before an operation leaves it undone, one after it is
// ambiguous, and both end with the range.
func TestStorage(t *testing.T) {
	dir := t.TempDir()
	for _, test := range []struct {
		plan string
		done bool
	}{
		{"storage:1:eio", false},    // after the file is begun
		{"storage:2:enospc", false}, // before the write
		{"storage:3:eio", false},    // before it is named
		{"storage:4:eio", true},     // after it is named
	} {
		plan, err := fault.Parse(test.plan)
		if err != nil {
			t.Fatal(err)
		}
		root := filepath.Join(dir, test.plan)
		storage := plan.Storage(lake.LocalStorage(root))
		err = lake.PutIfAbsent(t.Context(), storage, "a/b", []byte("text"))
		if !errors.Is(err, syscall.EIO) && !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("%s: %v", test.plan, err)
		}
		data, err := lake.ReadFile(t.Context(), storage, "a/b")
		if test.done != (err == nil && string(data) == "text") || !test.done && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %q, %v", test.plan, data, err)
		}
	}
}
