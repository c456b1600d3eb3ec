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

// Life is the time that a data file was in its table.
type Life struct {
	Path           string // relative to the table's folder
	AddedVersion   int64
	AddedAt        time.Time // UTC, milliseconds
	RemovedVersion int64     // -1: it is live
	RemovedAt      time.Time // zero: it is live
}

// Lives tells when the files of a table came and went, in the order in which
// they came, then by path. It goes back as far as the log does, but about limit
// versions at most (0: any number); since is the time of the oldest version. A
// file of that one counts as added by it.
func (t *Table) Lives(ctx context.Context, limit int64) (lives []Life, since time.Time, err error) {
	for attempt := 1; ; attempt++ {
		lives, since, err = t.lives(ctx, limit)
		// The log may be cut off while it is read.
		if err == nil || attempt == 3 || !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("%s: lives of files: %w", t.name, err)
	}
	return lives, since, nil
}

func (t *Table) lives(ctx context.Context, limit int64) ([]Life, time.Time, error) {
	listing, err := listLog(ctx, t.lake.storage, t.folder)
	if err != nil || len(listing.versions) == 0 {
		return nil, time.Time{}, err
	}
	oldest := int64(0)
	for _, checkpoint := range listing.checkpoints {
		isFirst := oldest == 0 && listing.versions[0] > 0
		if isFirst || limit > 0 && checkpoint <= listing.head()-limit {
			oldest = checkpoint
		}
	}
	state, err := t.load(ctx, oldest)
	if err != nil {
		return nil, time.Time{}, err
	}
	since := time.UnixMilli(state.timestamp).UTC()
	lives := []Life{}
	at := map[string]int{} // of live files, in lives
	add := func(path string) {
		if _, is := at[path]; !is {
			at[path] = len(lives)
			lives = append(lives, Life{Path: path, AddedVersion: state.version, AddedAt: time.UnixMilli(state.timestamp).UTC(), RemovedVersion: -1})
		}
	}
	for _, file := range state.files {
		add(file.Path)
	}
	for state.version < listing.head() {
		actions, err := t.readCommit(ctx, state.version+1)
		if err != nil {
			return nil, time.Time{}, err
		}
		if err := state.apply(actions); err != nil {
			return nil, time.Time{}, err
		}
		for _, action := range actions {
			if action.Remove != nil {
				file, err := action.Remove.file()
				if err != nil {
					return nil, time.Time{}, err
				}
				if i, is := at[file.Path]; is {
					lives[i].RemovedVersion, lives[i].RemovedAt = state.version, time.UnixMilli(state.timestamp).UTC()
					delete(at, file.Path)
				}
			}
			if action.Add != nil {
				file, err := action.Add.file()
				if err != nil {
					return nil, time.Time{}, err
				}
				add(file.Path)
			}
		}
	}
	slices.SortFunc(lives, func(a, b Life) int {
		return cmp.Or(cmp.Compare(a.AddedVersion, b.AddedVersion), strings.Compare(a.Path, b.Path))
	})
	return lives, since, nil
}
