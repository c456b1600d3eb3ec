package bundle

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/weir-lake/weir/lake"
)

// put writes the files and their sums beside the folder, and then in its place.
func put(dir string, files []file) (err error) {
	if err := checkDir(dir); err != nil {
		return err
	}
	dir = filepath.Clean(dir)
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	work, err := os.MkdirTemp(filepath.Dir(dir), ".weir-model-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	fresh := filepath.Join(work, "new")
	if err := os.Mkdir(fresh, 0o755); err != nil {
		return err
	}
	for _, f := range append(files, file{SumsFile, sums(files), 0o644}) {
		if err := writeFile(filepath.Join(fresh, f.name), f.text, f.mode); err != nil {
			return err
		}
	}
	if err := os.Rename(dir, filepath.Join(work, "old")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Rename(fresh, dir)
}

// writeFile is durable when it returns.
func writeFile(path string, text []byte, mode fs.FileMode) error {
	out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = out.Write(text)
	return errors.Join(err, out.Sync(), out.Close())
}

// sums are the lines of sha256sum, in the order of the names.
func sums(files []file) []byte {
	files = slices.Clone(files)
	slices.SortFunc(files, func(a, b file) int { return strings.Compare(a.name, b.name) })
	var text strings.Builder
	for _, f := range files {
		sum := sha256.Sum256(f.text)
		fmt.Fprintf(&text, "%s  %s\n", hex.EncodeToString(sum[:]), f.name)
	}
	return []byte(text.String())
}

// checkDir refuses a folder that holds anything but a bundle.
func checkDir(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && len(entries) == 0:
		return nil
	case err != nil:
		return err
	}
	for _, name := range []string{ModelFile, SumsFile} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return lake.WithHint(fmt.Errorf("%s: %w", dir, ErrForeignDir), "name a new folder")
		}
	}
	return nil
}
