package lake

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"
)

// Tombstone is a file that was removed from a table. Older versions are made of
// it until it is deleted.
type Tombstone struct {
	DataFile
	RemovedAt  time.Time // UTC, milliseconds
	DataChange bool      // rows went with it; else they stand in another file
}

// tombstoneRetention is how long a checkpoint tells of a removed file that is
// not there any more: Delta's default.
const tombstoneRetention = 7 * 24 * time.Hour

// Tombstones lists the files that were removed and are, or may still be, on
// disk: every removed file that is there, and those that were deleted within
// the last week. Oldest removal first, then by path.
func (t *Table) Tombstones(ctx context.Context) ([]Tombstone, error) {
	state, err := t.loadRemoved(ctx, -1)
	if err != nil {
		return nil, fmt.Errorf("%s: read log: %w", t.name, err)
	}
	return state.tombstones(), nil
}

func (s *tableState) tombstones() []Tombstone {
	list := make([]Tombstone, 0, len(s.removed))
	for _, tombstone := range s.removed {
		list = append(list, tombstone)
	}
	slices.SortFunc(list, func(a, b Tombstone) int {
		return cmp.Or(a.RemovedAt.Compare(b.RemovedAt), strings.Compare(a.Path, b.Path))
	})
	return list
}

func (a *removeAction) tombstone(file DataFile) Tombstone {
	return Tombstone{DataFile: file, RemovedAt: time.UnixMilli(a.DeletionTimestamp).UTC(), DataChange: a.DataChange}
}

// LiveAt is the version that was current at a time: the last one that was
// committed then or before. The error matches ErrNoTable where the table
// does not exist, and ErrNoVersion where it did not yet, or where the log no longer
// goes back that far. Where another tool's clock ran behind, its commit counts
// from its own time.
func (t *Table) LiveAt(ctx context.Context, at time.Time) (int64, error) {
	version, err := t.liveAt(ctx, at)
	if err != nil {
		return 0, fmt.Errorf("%s: version at %s: %w", t.name, at.UTC().Format(time.RFC3339Nano), err)
	}
	return version, nil
}

func (t *Table) liveAt(ctx context.Context, at time.Time) (int64, error) {
	listing, err := listLog(ctx, t.lake.storage, t.folder)
	if err != nil {
		return 0, err
	}
	if len(listing.versions) == 0 {
		return 0, ErrNoTable
	}
	var failed error
	after, _ := slices.BinarySearchFunc(listing.versions, at, func(version int64, at time.Time) int {
		actions, err := t.readCommit(ctx, version)
		if failed = cmp.Or(failed, err); err == nil && committedAt(actions).After(at) {
			return 1
		}
		return -1 // an equal time is before the place that is looked for
	})
	switch {
	case errors.Is(failed, fs.ErrNotExist): // cut off since it was listed
		again, err := listLog(ctx, t.lake.storage, t.folder)
		if err != nil || again.startsLike(listing) {
			return 0, errors.Join(failed, err)
		}
		return t.liveAt(ctx, at)
	case failed != nil:
		return 0, failed
	case after == 0:
		return 0, ErrNoVersion
	}
	return listing.versions[after-1], nil
}

func committedAt(actions []logAction) time.Time {
	for _, action := range actions {
		if action.CommitInfo != nil {
			return time.UnixMilli(action.CommitInfo.Timestamp)
		}
	}
	return time.Time{}
}
