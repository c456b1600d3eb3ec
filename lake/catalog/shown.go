package catalog

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/weir-lake/weir/lake"
)

// Shown are the files that a generation of current/ holds, under names of
// their own, and with it the catalog that was published at the same time.
type Shown struct {
	bySize map[int64][]fs.FileInfo
}

// ShownFiles lists what the generations hold, those among them that were
// replaced and still have their readers.
func ShownFiles(lk *lake.Lake) (Shown, error) {
	shown := Shown{bySize: map[int64][]fs.FileInfo{}}
	err := filepath.WalkDir(filepath.Join(lk.Dir(), generations), func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			var info fs.FileInfo
			if info, err = entry.Info(); err == nil {
				shown.bySize[info.Size()] = append(shown.bySize[info.Size()], info)
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // pruned meanwhile
		}
		return err
	})
	return shown, err
}

// Has tells whether one of the generations holds a file.
func (s Shown) Has(file fs.FileInfo) bool {
	for _, other := range s.bySize[file.Size()] {
		if os.SameFile(file, other) {
			return true
		}
	}
	return false
}
