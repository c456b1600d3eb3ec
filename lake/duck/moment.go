package duck

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/weir-lake/weir/lake"
)

// Moment says which versions of a lake's tables are meant. The zero value is
// the head of each.
type Moment struct {
	// At is a time: every table as it was then. Zero: now.
	At time.Time
	// Versions are tables that stand at a version of their own, whatever At.
	Versions map[string]int64
}

// IsNow tells that every table is at its head.
func (m Moment) IsNow() bool { return m.At.IsZero() && len(m.Versions) == 0 }

// Snapshot is a table at the moment, with all its files on disk. The error
// matches lake.ErrNoTable where the table did not exist then, and
// lake.ErrNoVersion where it did but can no longer be read.
func (m Moment) Snapshot(ctx context.Context, lk *lake.Lake, name string) (*lake.Snapshot, error) {
	table, err := lk.Table(name)
	if err != nil {
		return nil, err
	}
	version, pinned := m.Versions[name]
	switch {
	case pinned:
	case m.At.IsZero():
		return table.Snapshot(ctx)
	default:
		if version, err = table.LiveAt(ctx, m.At); err != nil {
			return nil, m.explain(ctx, table, err)
		}
	}
	snapshot, err := table.SnapshotAt(ctx, version)
	if err != nil {
		return nil, hintGone(err)
	}
	for _, file := range snapshot.Files {
		_, err := os.Stat(filepath.Join(table.Dir(), filepath.FromSlash(file.Path)))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, hintGone(fmt.Errorf("%s: version %d: file %s is gone: %w", name, version, file.Path, lake.ErrNoVersion))
		}
		if err != nil {
			return nil, err
		}
	}
	return snapshot, nil
}

// explain tells a table that did not exist yet from one whose log has been cut off.
func (m Moment) explain(ctx context.Context, table *lake.Table, err error) error {
	if !errors.Is(err, lake.ErrNoVersion) {
		return err
	}
	switch _, first := table.SnapshotAt(ctx, 0); {
	case first == nil:
		return fmt.Errorf("%s: not made before %s: %w", table.Name(), m.At.UTC().Format(time.RFC3339Nano), lake.ErrNoTable)
	case !errors.Is(first, lake.ErrNoVersion):
		return first
	}
	return hintGone(err)
}

func hintGone(err error) error {
	return lake.WithHint(err, "weir lake log lists the versions; vacuum and erasure drop old ones")
}
