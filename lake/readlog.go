package lake

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

func logName(folder string, version int64) string {
	return fmt.Sprintf("%s/_delta_log/%020d.json", folder, version)
}

// logListing is what stands in a table's log.
type logListing struct {
	versions    []int64 // of the commits, ascending
	checkpoints []int64 // ascending; whether they can be read is another matter
	others      []logFile
}

// logFile is a file of a version that is neither: of another writer's, such as
// a checkpoint in parts.
type logFile struct {
	name    string
	version int64
}

// listLog lists a table's log. A folder that changes while it is listed may
// show neither the last entry that was deleted nor the next that came: where
// there is a log without a commit, it is listed again.
func listLog(ctx context.Context, s Storage, folder string) (logListing, error) {
	for attempt := 1; ; attempt++ {
		listing, err := listLogOnce(ctx, s, folder)
		if err != nil || len(listing.versions) > 0 || attempt == 10 {
			return listing, err
		}
		_, err = s.Stat(ctx, folder+"/_delta_log/"+lastCheckpointName)
		if errors.Is(err, fs.ErrNotExist) && len(listing.checkpoints) == 0 {
			return listing, nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return listing, err
		}
	}
}

func listLogOnce(ctx context.Context, s Storage, folder string) (logListing, error) {
	var listing logListing
	entries, err := s.List(ctx, folder+"/_delta_log")
	if err != nil {
		return listing, err
	}
	for _, entry := range entries {
		digits, kind, _ := strings.Cut(entry.Name, ".")
		version, err := strconv.ParseInt(digits, 10, 64)
		if len(digits) != 20 || err != nil || version < 0 {
			continue
		}
		switch kind {
		case "json":
			listing.versions = append(listing.versions, version)
		case "checkpoint.parquet":
			listing.checkpoints = append(listing.checkpoints, version)
		default:
			listing.others = append(listing.others, logFile{entry.Name, version})
		}
	}
	return listing, nil
}

// head is the newest version listed, -1 where there is none. Another tool may
// have deleted every commit that a checkpoint holds.
func (l logListing) head() int64 {
	head := int64(-1)
	for _, versions := range [][]int64{l.versions, l.checkpoints} {
		if n := len(versions); n > 0 {
			head = max(head, versions[n-1])
		}
	}
	return head
}

// startsLike tells whether reading would begin at the same place.
func (l logListing) startsLike(other logListing) bool {
	return slices.Equal(l.checkpoints, other.checkpoints) &&
		slices.Equal(l.versions[:min(1, len(l.versions))], other.versions[:min(1, len(other.versions))])
}

// readCommit reads one version. The error matches fs.ErrNotExist past the head.
func (t *Table) readCommit(ctx context.Context, version int64) ([]logAction, error) {
	name := logName(t.folder, version)
	data, err := ReadFile(ctx, t.lake.storage, name)
	if err != nil {
		return nil, err
	}
	actions, err := decodeActions(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return actions, nil
}

// load reads the log up to a version, or to its head where upTo is negative,
// from the newest checkpoint on that can be used. A table without a log gives
// the empty state. The error matches ErrNoVersion where the log begins later.
func (t *Table) load(ctx context.Context, upTo int64) (*tableState, error) {
	return t.loadFrom(ctx, upTo, (*Table).readCheckpointState)
}

// loadRemoved is load with the removed files that a checkpoint knows.
func (t *Table) loadRemoved(ctx context.Context, upTo int64) (*tableState, error) {
	return t.loadFrom(ctx, upTo, (*Table).readCheckpointWhole)
}

// checkpointReader reads the checkpoint of a version. The error matches
// errBadCheckpoint where others, or the log alone, may do instead.
type checkpointReader func(t *Table, ctx context.Context, version int64) (*tableState, error)

func (t *Table) loadFrom(ctx context.Context, upTo int64, read checkpointReader) (*tableState, error) {
	listing, err := listLog(ctx, t.lake.storage, t.folder)
	if err != nil {
		return nil, err
	}
	for {
		state, err := t.replay(ctx, listing, upTo, read)
		if err == nil || !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, ErrNoVersion) {
			return state, err
		}
		// The log may have been cut off before a newer checkpoint since it was
		// listed. Each turn needs another such cut, so this ends.
		again, listErr := listLog(ctx, t.lake.storage, t.folder)
		if listErr != nil || again.startsLike(listing) {
			return nil, errors.Join(err, listErr)
		}
		listing = again
	}
}

// replay reads what is listed. The error matches fs.ErrNotExist where an entry
// is missing.
func (t *Table) replay(ctx context.Context, listing logListing, upTo int64, read checkpointReader) (*tableState, error) {
	last := listing.head()
	if upTo >= 0 && upTo < last {
		last = upTo
	}
	state, err := t.start(ctx, listing, last, read)
	if err != nil {
		return nil, err
	}
	for state.version < last {
		next := state.version + 1
		err := t.advance(ctx, state)
		if errors.Is(err, fs.ErrNotExist) {
			// The next commit would go into the hole and hide all that follow.
			return nil, WithHint(fmt.Errorf("%s is missing from the log: %w", logName(t.folder, next), fs.ErrNotExist),
				"copy the table's _delta_log folder again, whole")
		}
		if err != nil {
			return nil, err
		}
	}
	return state, nil
}

// start is the newest checkpoint that can be used for a version, or the empty
// state where the log is whole.
func (t *Table) start(ctx context.Context, listing logListing, last int64, read checkpointReader) (*tableState, error) {
	var bad error
	for _, version := range slices.Backward(listing.checkpoints) {
		if version > last {
			continue
		}
		state, err := read(t, ctx, version)
		if err == nil || !errors.Is(err, errBadCheckpoint) {
			return state, err
		}
		if bad == nil {
			bad = err
		}
	}
	switch {
	case listing.head() < 0 || len(listing.versions) > 0 && listing.versions[0] == 0:
		return newTableState(), nil
	case bad != nil:
		return nil, WithHint(fmt.Errorf("the commits before it are gone: %w", bad),
			"copy the table's _delta_log folder again, whole")
	case len(listing.versions) == 0 || last < listing.versions[0] || len(listing.checkpoints) > 0:
		return nil, fmt.Errorf("the log begins later: %w", ErrNoVersion)
	}
	return newTableState(), nil // and the first entry will be found missing
}

// advance reads the commit after the state's.
func (t *Table) advance(ctx context.Context, state *tableState) error {
	actions, err := t.readCommit(ctx, state.version+1)
	if err != nil {
		return err
	}
	if err := state.apply(actions); err != nil {
		return fmt.Errorf("%s: %w", logName(t.folder, state.version+1), err)
	}
	return nil
}

// catchUp reads commits until the head.
func (t *Table) catchUp(ctx context.Context, state *tableState) error {
	for {
		err := t.advance(ctx, state)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
