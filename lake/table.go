package lake

import (
	"context"
	"errors"
	"time"
)

// Errors that callers branch on.
var (
	ErrNotALake = errors.New("not a weir lake")
	ErrNoTable  = errors.New("table does not exist")
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
	lake *Lake
	name string // events.chat_messages
}

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
	Add           []DataFile // written by NewFile or found under the table's folder, fsynced
	Remove        []string   // paths of live files
	Txns          []Txn
	Info          map[string]string // goes into commitInfo
	NoDataChange  bool              // a rewrite of the same rows (compaction)
	Overwrite     bool              // columns may change freely (derived tables); Remove must list all live files
	ExpectVersion *int64            // insist that the table stands at this version (-1: does not exist)
}

// Changes are the files that commits with dataChange added and removed
// between two versions; a file that came and went is in neither list.
type Changes struct {
	Added   []DataFile
	Removed []DataFile
}

func (t *Table) Snapshot(ctx context.Context) (*Snapshot, error)
func (t *Table) SnapshotAt(ctx context.Context, version int64) (*Snapshot, error)
func (t *Table) Commit(ctx context.Context, c Commit) (*Snapshot, error)
func (t *Table) Changes(ctx context.Context, from, to int64) (Changes, error)
