package derive

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
)

// Options of a build. Session is required; the other zero values are usable.
type Options struct {
	// Session computes. Its views of the layers are replaced; when Build
	// returns without an error they show the tables as they were built.
	Session *duck.Session
	Only    []string // build these tables, and those that they need; empty: all
	Full    bool     // compute everything, and write every file again
	// At is the moment of the inputs that are not built here; zero: now. What was
	// erased since stays erased: the requests are read as they stand now.
	At       duck.Moment
	Progress func(Progress)   // called before each step; nil: nobody listens
	Clock    func() time.Time // times the report; nil: time.Now

	// BatchBytes is how much of the inputs, as they lie compressed on disk, is
	// computed at once where a table's scope allows to divide it. 0: 64 MiB.
	BatchBytes int64
	// FileRows is the largest number of rows of a file, whole subjects aside.
	// 0: DefaultFileRows.
	FileRows int64
	// FileBytes is about the largest size of a file, uncompressed. 0:
	// DefaultFileBytes.
	FileBytes int64
}

// Defaults of a derived table's files: large enough that a table of 20 GB has
// fewer than 1,000, small enough that one changed subject costs little.
const (
	DefaultFileRows  = 64 << 10
	DefaultFileBytes = 32 << 20
)

// Progress is where a build stands.
type Progress struct {
	Table   string
	Number  int // of the table, 1-based
	Of      int
	Batch   int // of the table's inputs, 1-based
	Batches int
}

// Mode is how a table was brought up to date.
type Mode string

// The modes.
const (
	Skipped     Mode = "skipped"     // neither inputs nor query changed
	Incremental Mode = "incremental" // computed for the touched subjects
	Full        Mode = "full"        // computed from scratch
)

// TableReport says what happened to one table.
type TableReport struct {
	Table        string  `json:"table"`
	Mode         Mode    `json:"mode"`
	Version      int64   `json:"version"`
	Rows         int64   `json:"rows"`    // of the table, after the build
	Touched      int64   `json:"touched"` // subjects that were computed; 0 in mode full
	Changed      int64   `json:"changed"` // subjects whose rows are others now; all of them in a rewrite
	FilesAdded   int     `json:"files_added"`
	FilesRemoved int     `json:"files_removed"`
	Seconds      float64 `json:"seconds"`
}

// Report says what happened to each table, in the order in which they were built.
type Report []TableReport

// After gives the report with what an earlier build of some of the tables took.
// Its tables are said to be what that made of them, where nothing was left to do.
func (r Report) After(earlier Report) Report {
	merged := slices.Clone(r)
	for i := range merged {
		for _, before := range earlier {
			if before.Table != merged[i].Table {
				continue
			}
			seconds := merged[i].Seconds + before.Seconds
			if merged[i].Mode == Skipped {
				merged[i] = before
			}
			merged[i].Seconds = seconds
		}
	}
	return merged
}

// scratch is the schema of a build's own tables in the session.
const scratch = "weir_build"

// builder is one run of Build.
type builder struct {
	lake      *lake.Lake
	session   *duck.Session
	opts      Options
	tables    []*Table
	snapshots map[string]*lake.Snapshot // pinned inputs and built tables
	changed   map[version]changes       // memo
	names     int                       // scratch tables made
}

// Build brings the tables up to date, each in one commit. Tables are built in
// the order of their inputs; inputs that are not among the tables are read as
// they stand in the lake when first needed. On an error the tables built so
// far stay, and the report holds them. The error matches lake.ErrStale or
// lake.ErrConflict where another build ran at the same time.
func Build(ctx context.Context, lk *lake.Lake, tables []*Table, opts Options) (Report, error) {
	sorted, err := Sorted(tables)
	if err != nil {
		return nil, err
	}
	wanted, err := selectTables(sorted, opts.Only)
	if err != nil {
		return nil, err
	}
	opts.setDefaults()
	b := &builder{
		lake: lk, session: opts.Session, opts: opts, tables: sorted,
		snapshots: map[string]*lake.Snapshot{}, changed: map[version]changes{},
	}
	if err := b.session.Exec(ctx, "drop schema if exists "+scratch+" cascade; create schema "+scratch); err != nil {
		return nil, err
	}
	report, err := b.build(ctx, wanted)
	// A cancelled context must not leave the scratch tables in memory.
	cleanup := context.WithoutCancel(ctx)
	if dropErr := b.session.Exec(cleanup, "drop schema if exists "+scratch+" cascade"); err == nil {
		err = dropErr
	}
	return report, err
}

func (o *Options) setDefaults() {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	if o.BatchBytes == 0 {
		o.BatchBytes = 64 << 20
	}
	if o.FileRows == 0 {
		o.FileRows = DefaultFileRows
	}
	if o.FileBytes == 0 {
		o.FileBytes = DefaultFileBytes
	}
}

// selectTables keeps the named tables and, through their inputs, what they need.
func selectTables(sorted []*Table, only []string) ([]*Table, error) {
	if len(only) == 0 {
		return sorted, nil
	}
	needed := map[string]bool{}
	for _, name := range only {
		if !slices.ContainsFunc(sorted, func(t *Table) bool { return t.Name == name }) {
			return nil, fmt.Errorf("no table %q is built here", name)
		}
		needed[name] = true
	}
	for _, t := range slices.Backward(sorted) {
		if needed[t.Name] {
			for _, input := range t.Inputs {
				needed[input.Table] = true
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(sorted), func(t *Table) bool { return !needed[t.Name] }), nil
}

func (b *builder) build(ctx context.Context, tables []*Table) (Report, error) {
	var report Report
	for i, t := range tables {
		started := b.opts.Clock()
		b.opts.Progress(Progress{Table: t.Name, Number: i + 1, Of: len(tables), Batch: 1, Batches: 1})
		progress := func(batch, batches int) {
			b.opts.Progress(Progress{Table: t.Name, Number: i + 1, Of: len(tables), Batch: batch, Batches: batches})
		}
		done, err := b.buildTable(ctx, t, progress)
		if errors.Is(err, lake.ErrConflict) {
			// A compaction took a file of ours away while we computed. It changes
			// no rows, so the same work on the new files will do. A second build is
			// told apart by its counter (ErrStale), and not fought with.
			done, err = b.buildTable(ctx, t, progress)
		}
		if err != nil {
			return report, err
		}
		done.Seconds = b.opts.Clock().Sub(started).Seconds()
		report = append(report, done)
	}
	for _, snapshot := range b.snapshots {
		if err := b.session.Register(ctx, b.lake.Dir(), snapshot); err != nil {
			return report, err
		}
	}
	return report, nil
}

// erasuresTable holds who asked to be forgotten.
const erasuresTable = "events.erasures"

// snapshot pins a table: whoever asks in this build gets the same version. A
// table of events that does not exist yet is empty, at version -1.
func (b *builder) snapshot(ctx context.Context, name string) (*lake.Snapshot, error) {
	if pinned, ok := b.snapshots[name]; ok {
		return pinned, nil
	}
	moment := b.opts.At
	if name == erasuresTable {
		moment = duck.Moment{}
	}
	snapshot, err := moment.Snapshot(ctx, b.lake, name)
	// The binary's columns, not the file's: an older lake lacks some, and they
	// are to read as null.
	columns, isEvents := payloadColumns(name)
	switch {
	case errors.Is(err, lake.ErrNoTable) && isEvents:
		snapshot = &lake.Snapshot{Table: name, Version: -1}
	case errors.Is(err, lake.ErrNoTable):
		return nil, lake.WithHint(err, "build the tables that make it first: weir transform")
	case err != nil:
		return nil, err
	}
	if isEvents {
		snapshot.Columns = columns
	}
	b.snapshots[name] = snapshot
	return snapshot, nil
}

func payloadColumns(name string) ([]lake.Column, bool) {
	for _, payload := range lake.Payloads() {
		if payload.Table == name {
			return payload.Columns(), true
		}
	}
	return nil, false
}

// newName gives a name for a table of the build.
func (b *builder) newName(what string) string {
	b.names++
	return fmt.Sprintf("%s.%s_%d", scratch, what, b.names)
}

func (b *builder) exec(ctx context.Context, statement string) error {
	return b.session.Exec(ctx, statement)
}

func (b *builder) count(ctx context.Context, table string) (n int64, err error) {
	err = b.session.Get(ctx, "select count(*) from "+table, &n)
	return n, err
}
