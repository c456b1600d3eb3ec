package upkeep

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
)

// ErrLive: a file that was to be purged is part of its table.
var ErrLive = errors.New("the file is live")

// Purge deletes files of a table at once, whatever the horizon: they hold what
// must not be read again. Paths are relative to the table's folder; one that is
// not there is fine. It refuses a file that is live (ErrLive), and then deletes
// none. Versions that are made of the files can no longer be read, and a reader
// that still does fails. Generations of current/ may hold the files under other
// names: see catalog.DropGenerations.
func Purge(ctx context.Context, lk *lake.Lake, table string, paths []string) error {
	if len(paths) == 0 {
		return nil
	}
	if err := purge(ctx, lk, table, paths); err != nil {
		return fmt.Errorf("purge %s: %w", table, err)
	}
	return nil
}

func purge(ctx context.Context, lk *lake.Lake, table string, paths []string) error {
	live, err := livePaths(ctx, lk, table)
	if err != nil {
		return err
	}
	for _, path := range paths {
		if live[path] {
			return fmt.Errorf("%s: %w", path, ErrLive)
		}
		if !fs.ValidPath(path) || path == "." {
			return fmt.Errorf("%q: not a path within the table", path)
		}
	}
	return deleteFiles(duck.TableDir(lk.Dir(), table), paths)
}

// livePaths are the files that a table is made of now.
func livePaths(ctx context.Context, lk *lake.Lake, table string) (map[string]bool, error) {
	live := map[string]bool{}
	handle, err := lk.Table(table)
	if err != nil {
		return nil, err
	}
	head, err := handle.Snapshot(ctx)
	if errors.Is(err, lake.ErrNoTable) {
		return live, nil
	}
	if err != nil {
		return nil, err
	}
	for _, file := range head.Files {
		live[file.Path] = true
	}
	return live, nil
}

// deleteFiles deletes files of a folder, for good.
func deleteFiles(dir string, paths []string) error {
	folders := map[string]bool{}
	for _, path := range paths {
		path = filepath.Join(dir, filepath.FromSlash(path))
		if err := os.Remove(path); errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return err
		}
		folders[filepath.Dir(path)] = true
	}
	var errs []error
	for folder := range folders {
		errs = append(errs, lake.SyncPath(folder))
	}
	return errors.Join(errs...)
}
