package lake

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Errors that callers branch on.
var (
	ErrNotALake  = errors.New("not a weir lake")
	ErrNoTable   = errors.New("table does not exist")
	ErrNoVersion = errors.New("version is not in the log")
	// ErrStale: a Txn's expectation did not hold. The batch was read by a
	// writer that others have overtaken: drop it and read the log again.
	ErrStale = errors.New("another writer has overtaken this batch")
	// ErrConflict: a removed file is no longer live, or the table moved past
	// the version that the commit insists on.
	ErrConflict = errors.New("the table changed meanwhile")
)

// Table is a table of the lake, whether it exists yet or not. It holds no
// state: every call reads the log.
type Table struct {
	lake   *Lake
	name   string // events.chat_messages
	folder string // events/chat_messages
}

// Name is the table's name, such as events.chat_messages.
func (t *Table) Name() string { return t.name }

// Dir is the table's folder, absolute. It may not exist yet.
func (t *Table) Dir() string { return filepath.Join(t.lake.dir, filepath.FromSlash(t.folder)) }

// Snapshot is a table at one version.
type Snapshot struct {
	Table       string // events.chat_messages
	Version     int64
	CommittedAt time.Time // UTC, milliseconds
	Columns     []Column
	Files       []DataFile        // live files, oldest commit first, then by path
	Txns        map[string]int64  // appId → version (for a topic's partition: the next offset)
	Info        map[string]string // commitInfo of this version: operation, commit id, inputs, …
}

// DataFile is one Parquet file of a table. It is never overwritten.
type DataFile struct {
	Path       string // relative to the table's folder
	Bytes      int64
	Rows       int64
	SHA256     string // hex, of the whole file; Commit fills it in. Empty: another writer added it
	ModifiedAt time.Time
}

// Txn moves one application's counter, as Delta's txn action does.
type Txn struct {
	AppID  string // TxnAppID(cluster, topic, partition)
	Expect int64  // what the log must hold; -1: nothing yet
	Next   int64
}

// Commit is a change to a table.
type Commit struct {
	Operation     string     // append, derive, compact, …
	Columns       []Column   // required; a table grows columns, it never drops or retypes one unless Overwrite
	Add           []DataFile // durable in the table's folder: an EventWriter's, or DuckDB's after an fsync
	Remove        []string   // paths of live files
	Txns          []Txn
	Info          map[string]string // goes into commitInfo
	NoDataChange  bool              // a rewrite of the same rows (compaction)
	Overwrite     bool              // columns may change freely (derived tables); Remove must list all live files
	ExpectVersion *int64            // insist that the table stands at this version (-1: does not exist)
}

// Changes are the files that commits with dataChange added and removed
// between two versions; a file that came and went, or went and came back, is in
// neither list.
type Changes struct {
	Added   []DataFile
	Removed []DataFile
}

// TxnAppID names the counter of a topic's partition in a table's log. Its
// version is the next offset to read.
func TxnAppID(cluster, topic string, partition int) string {
	return fmt.Sprintf("weir/%s/%s/%d", cluster, topic, partition)
}

// ParseTxnAppID is the inverse of TxnAppID, with no offset; ok is false for the
// names of other counters.
func ParseTxnAppID(app string) (p Position, ok bool) {
	parts := strings.Split(app, "/")
	if len(parts) != 4 || parts[0] != "weir" {
		return Position{}, false
	}
	partition, err := strconv.Atoi(parts[3])
	return Position{Cluster: parts[1], Topic: parts[2], Partition: partition}, err == nil && partition >= 0
}

// Snapshot reads the log to its head. The error matches ErrNoTable where there
// is no commit yet.
func (t *Table) Snapshot(ctx context.Context) (*Snapshot, error) { return t.snapshotAt(ctx, -1) }

// SnapshotAt reads the log up to a version. The error matches ErrNoVersion
// where the version does not exist or its log entry is gone.
func (t *Table) SnapshotAt(ctx context.Context, version int64) (*Snapshot, error) {
	if version < 0 {
		return nil, fmt.Errorf("%s: version %d: %w", t.name, version, ErrNoVersion)
	}
	return t.snapshotAt(ctx, version)
}

func (t *Table) snapshotAt(ctx context.Context, version int64) (*Snapshot, error) {
	state, err := t.load(ctx, version)
	switch {
	case errors.Is(err, ErrNoVersion):
		return nil, fmt.Errorf("%s: version %d: %w", t.name, version, err)
	case err != nil:
		return nil, fmt.Errorf("%s: read log: %w", t.name, err)
	case state.version < 0:
		return nil, fmt.Errorf("%s: %w", t.name, ErrNoTable)
	case version > state.version:
		return nil, fmt.Errorf("%s: version %d: %w", t.name, version, ErrNoVersion)
	}
	return state.snapshot(t.name), nil
}

// Changes gives what happened after version from (-1: from the start) up to
// and including version to. Rewrites of the same rows do not count: a file that
// was added and then compacted away is in Added under its first path, which
// stays on disk until it is vacuumed.
func (t *Table) Changes(ctx context.Context, from, to int64) (Changes, error) {
	var changes Changes
	for version := from + 1; version <= to; version++ {
		actions, err := t.readCommit(ctx, version)
		if errors.Is(err, fs.ErrNotExist) {
			err = ErrNoVersion
		}
		if err != nil {
			return Changes{}, fmt.Errorf("%s: changes of version %d: %w", t.name, version, err)
		}
		if err := changes.apply(actions); err != nil {
			return Changes{}, fmt.Errorf("%s: changes of version %d: %w", t.name, version, err)
		}
	}
	return changes, nil
}

func (c *Changes) apply(actions []logAction) error {
	for _, action := range actions {
		switch {
		case action.Add != nil && action.Add.DataChange:
			file, err := action.Add.file()
			if err != nil {
				return err
			}
			went := slices.IndexFunc(c.Removed, func(removed DataFile) bool { return removed.Path == file.Path })
			if went >= 0 { // a restore brought it back
				c.Removed = slices.Delete(c.Removed, went, went+1)
			} else {
				c.Added = append(c.Added, file)
			}
		case action.Remove != nil && action.Remove.DataChange:
			file, err := action.Remove.file()
			if err != nil {
				return err
			}
			came := slices.IndexFunc(c.Added, func(added DataFile) bool { return added.Path == file.Path })
			if came >= 0 {
				c.Added = slices.Delete(c.Added, came, came+1)
			} else {
				c.Removed = append(c.Removed, file)
			}
		}
	}
	return nil
}

// Discard deletes files that were written for a commit which has definitely
// not come about (see Commit). It refuses a file that any version of the table
// names: deleting that would lose rows.
func (t *Table) Discard(ctx context.Context, files ...DataFile) error {
	if len(files) == 0 {
		return nil
	}
	named, err := t.namedFiles(ctx)
	if err != nil {
		return fmt.Errorf("%s: discard: %w", t.name, err)
	}
	var errs []error
	for _, file := range files {
		err := errors.New("is in the log")
		if !named[file.Path] {
			err = t.lake.storage.Remove(ctx, path.Join(t.folder, file.Path))
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("%s: discard %s: %w", t.name, file.Path, err))
		}
	}
	return errors.Join(errs...)
}

// namedFiles are the files that some version in the log has added, as far as
// they are still there.
func (t *Table) namedFiles(ctx context.Context) (map[string]bool, error) {
	state, err := t.loadRemoved(ctx, -1)
	if err != nil {
		return nil, err
	}
	named := state.live
	for path := range state.removed {
		named[path] = true
	}
	return named, nil
}
