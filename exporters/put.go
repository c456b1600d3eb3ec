package exporters

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/weir-lake/weir/lake"
)

// put moves the finished folder in place. An equal export stays as it is, so
// that its times tell when it last changed; what it was made from is brought up to
// date in its manifest.
func put(work, dir string) (changed bool, err error) {
	same, err := sameExport(work, dir)
	if err != nil {
		return false, err
	}
	if same {
		return false, replaceManifest(work, dir)
	}
	if err := lake.SyncPath(work); err != nil {
		return false, err
	}
	err = os.Remove(dir) // takes an empty folder only
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		err = os.Rename(work, dir)
	} else if err = exchange(work, dir); err == nil {
		err = os.RemoveAll(work) // the old one by now
	}
	if err != nil {
		return false, err
	}
	return true, lake.SyncPath(filepath.Dir(filepath.Clean(dir)))
}

// replaceManifest gives an export that stands the manifest of an equal one.
func replaceManifest(work, dir string) error {
	from, to := filepath.Join(work, manifestName), filepath.Join(dir, manifestName)
	fresh, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	there, err := os.ReadFile(to)
	if err != nil || bytes.Equal(fresh, there) {
		return err
	}
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return lake.SyncPath(dir)
}

// exchangeByRename swaps two folders where the system cannot do it in one step:
// for a moment there is none at old.
func exchangeByRename(fresh, old string) error {
	aside := fresh + ".old"
	if err := os.Rename(old, aside); err != nil {
		return err
	}
	if err := os.Rename(fresh, old); err != nil {
		return errors.Join(err, os.Rename(aside, old))
	}
	return os.Rename(aside, fresh)
}

// sameExport tells whether dir holds what work does, but for what it was made
// from: events that came twice make new versions and no other rows. A
// folder whose files are not what its manifest says is not the same.
func sameExport(work, dir string) (bool, error) {
	there, err := readManifest(filepath.Join(dir, manifestName))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	fresh, err := readManifest(filepath.Join(work, manifestName))
	if err != nil {
		return false, err
	}
	var texts [2][]byte
	for i, m := range []Manifest{there, fresh} {
		m.Tables, m.Inputs = nil, ""
		if texts[i], err = json.Marshal(m); err != nil {
			return false, err
		}
	}
	if !bytes.Equal(texts[0], texts[1]) {
		return false, nil
	}
	for _, file := range there.Files {
		if err := file.Check(dir); err != nil {
			return false, nil
		}
	}
	return true, nil
}
