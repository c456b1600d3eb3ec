package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/weir-lake/weir/lake"
)

// File is a file to ingest.
type File struct {
	Name  string // path, or - for standard input
	Bytes int64  // as stored; 0 where it is not known
}

// List finds the files that paths name: a file itself, and those of a folder
// and of its sub-folders, by name. Names that begin with a full stop are passed
// over within folders, and so are a database's side files, sockets and the
// like. Links are followed to files, not to folders. A path that does not exist
// is an error.
func List(paths []string) ([]File, error) {
	var list []File
	for _, path := range paths {
		if path == "-" {
			list = append(list, File{Name: path})
			continue
		}
		info, err := os.Stat(path)
		if err != nil {
			return nil, missing(path, err)
		}
		if !info.IsDir() {
			list = append(list, File{path, info.Size()})
			continue
		}
		err = filepath.WalkDir(path, func(name string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil && name == path:
				return err
			case err != nil:
				list = append(list, File{Name: name}) // to be reported when it is opened
				return nil
			case name != path && strings.HasPrefix(entry.Name(), "."):
				if entry.IsDir() {
					return fs.SkipDir
				}
				return nil
			case entry.IsDir() || isSideFile(name):
				return nil
			}
			info, err := os.Stat(name)
			switch {
			case err != nil:
				list = append(list, File{Name: name})
			case info.Mode().IsRegular():
				list = append(list, File{name, info.Size()})
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("ingest: %w", err)
		}
	}
	return list, nil
}

func missing(path string, err error) error {
	wrapped := fmt.Errorf("ingest: %w", err)
	if errors.Is(err, fs.ErrNotExist) {
		return lake.WithHint(wrapped, "nothing was sent; check the path "+path)
	}
	return wrapped
}

// isSideFile: SQLite keeps these beside a database.
func isSideFile(name string) bool {
	for _, suffix := range []string{"-wal", "-shm", "-journal"} {
		if base, ok := strings.CutSuffix(name, suffix); ok {
			if _, err := os.Stat(base); err == nil {
				return true
			}
		}
	}
	return false
}
