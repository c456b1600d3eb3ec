package derive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
)

// Keys of the commit info of a derived table.
const (
	infoInputs = "inputs" // JSON: table → version
	infoQuery  = "query"  // hash of what makes the table
	infoRows   = "rows"   // of the table
	infoDoc    = "doc"    // what the table is; the catalog shows it
)

// record is what a table's log says of its last build.
type record struct {
	Query  string
	Inputs map[string]int64
}

// readRecord finds the last build of a table. A compaction stands between it
// and the head at times; it changes no rows, so the record still holds. It is
// nil where the log goes no further back.
func readRecord(ctx context.Context, table *lake.Table, head *lake.Snapshot) (*record, error) {
	at := head
	for at.Info[infoQuery] == "" {
		if at.Version == 0 {
			return nil, nil
		}
		version := at.Version - 1
		if restored, err := strconv.ParseInt(at.Info[lake.InfoRestored], 10, 64); err == nil {
			version = restored // the rows are that one's again
		}
		before, err := table.SnapshotAt(ctx, version)
		if errors.Is(err, lake.ErrNoVersion) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		at = before
	}
	found := &record{Query: at.Info[infoQuery]}
	if err := json.Unmarshal([]byte(at.Info[infoInputs]), &found.Inputs); err != nil {
		return nil, nil // not ours: computed again from scratch
	}
	return found, nil
}

// plan says how a table is brought up to date.
type plan struct {
	mode    Mode
	replace bool // write all files again, comparing nothing
	// touched is a scratch table of the subjects to compute; empty: all.
	touched string
	inputs  map[string]int64 // to be recorded
	query   string
	moved   bool // the record says something else
	before  bool // the live rows are of the same query
}

// makePlan compares the record with the inputs. Live is nil where the table
// does not exist.
func (b *builder) makePlan(ctx context.Context, t *Table, table *lake.Table, live *lake.Snapshot) (plan, error) {
	p := plan{mode: Full, inputs: map[string]int64{}, query: t.hash(), moved: true}
	for _, input := range t.Inputs {
		snapshot, err := b.snapshot(ctx, input.Table)
		if err != nil {
			return p, fmt.Errorf("%s: input %w", t.Name, err)
		}
		if !input.Whole && subjectOf(input.Table, snapshot.Columns) == "" {
			return p, fmt.Errorf("%s: input %s has no %s: mark it (whole)", t.where(0), input.Table, SubjectColumn)
		}
		p.inputs[input.Table] = snapshot.Version
	}
	if live == nil || b.opts.Full || !sameColumns(live.Columns, t.Columns) {
		p.replace = true
		return p, nil
	}
	last, err := readRecord(ctx, table, live)
	if err != nil {
		return p, err
	}
	if last == nil || last.Query != p.query || len(last.Inputs) != len(p.inputs) {
		return p, nil
	}
	p.moved, p.before = false, true
	var touched []string
	whole := false
	for _, input := range t.Inputs {
		from, ok := last.Inputs[input.Table]
		if !ok {
			return plan{mode: Full, inputs: p.inputs, query: p.query, moved: true}, nil
		}
		change, err := b.changes(ctx, b.snapshots[input.Table], from)
		if err != nil {
			return p, err
		}
		p.moved = p.moved || from != p.inputs[input.Table]
		switch {
		case change.none:
		case input.Whole || change.subjects == "":
			whole = true
		default:
			touched = append(touched, "select "+SubjectColumn+" from "+change.subjects)
			if t.Scope == ScopeRow && change.keys != "" {
				touched = append(touched, b.sharers(b.snapshots[input.Table], change.keys))
			}
		}
	}
	switch {
	case whole:
		return p, nil
	case len(touched) == 0:
		p.mode = Skipped
		return p, nil
	}
	p.mode, p.touched = Incremental, b.newName("touched")
	return p, b.exec(ctx, "create table "+p.touched+" as "+strings.Join(touched, " union "))
}

// sharers selects the subjects of the events that share an id with a changed
// one: a corrected parser may have moved an event to another subject.
func (b *builder) sharers(events *lake.Snapshot, keys string) string {
	return "select subject as " + SubjectColumn + " from " + b.scan(events, events.Files) + " where id in (select id from " + keys + ")"
}

func sameColumns(a, b []lake.Column) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Name != b[i].Name || !duck.SameType(a[i], b[i]) {
			return false
		}
	}
	return true
}

// version names a table at a version.
type version struct {
	table string
	at    int64
}

// changes says how a table's rows differ from those at an earlier version.
type changes struct {
	none bool
	// subjects is a scratch table (subject_id) of those whose rows differ. It
	// is empty where that cannot be told: the table has no subjects, its
	// columns changed, or the old files or log entries are gone.
	subjects string
	keys     string // of an events table: a scratch table (id) of the events that came or went
}

// changes compares a pinned table with its version from (-1: it did not
// exist). Where this build made the table, it knows; else the files that came
// and went are compared.
func (b *builder) changes(ctx context.Context, now *lake.Snapshot, from int64) (changes, error) {
	if from == now.Version {
		return changes{none: true}, nil
	}
	key := version{now.Table, from}
	if known, ok := b.changed[key]; ok {
		return known, nil
	}
	found, err := b.compareVersions(ctx, now, from)
	if err != nil {
		return changes{}, fmt.Errorf("%s: changes since version %d: %w", now.Table, from, err)
	}
	b.changed[key] = found
	return found, nil
}

func (b *builder) compareVersions(ctx context.Context, now *lake.Snapshot, from int64) (changes, error) {
	if from > now.Version {
		return changes{}, nil // restored to an older version: all may differ
	}
	table, err := b.lake.Table(now.Table)
	if err != nil {
		return changes{}, err
	}
	files, err := table.Changes(ctx, from, now.Version)
	if errors.Is(err, lake.ErrNoVersion) || errors.Is(err, fs.ErrNotExist) {
		return changes{}, nil // the log entries are gone, after an erasure
	}
	if err != nil {
		return changes{}, err
	}
	if len(files.Added) == 0 && len(files.Removed) == 0 {
		return changes{none: true}, nil
	}
	subject := subjectOf(now.Table, now.Columns)
	if subject == "" || !b.onDisk(now.Table, files.Added) || !b.onDisk(now.Table, files.Removed) {
		return changes{}, nil
	}
	if len(files.Removed) > 0 {
		before, err := table.SnapshotAt(ctx, from)
		if errors.Is(err, lake.ErrNoVersion) || err == nil && !isEventsTable(now.Table) && !sameColumns(before.Columns, now.Columns) {
			return changes{}, nil
		}
		if err != nil {
			return changes{}, err
		}
	}
	found := changes{subjects: b.newName("changed")}
	added, removed := b.scan(now, files.Added), b.scan(now, files.Removed)
	query := "select distinct " + subject + " as " + SubjectColumn + " from " + added
	if len(files.Removed) > 0 {
		query = differing(duck.Ident(subject), now.Columns, added, removed)
	}
	if err := b.exec(ctx, "create table "+found.subjects+" as "+query); err != nil {
		return changes{}, err
	}
	n, err := b.count(ctx, found.subjects)
	if err != nil || n == 0 {
		return changes{none: err == nil}, err
	}
	if isEventsTable(now.Table) {
		found.keys = b.newName("keys")
		err = b.exec(ctx, "create table "+found.keys+" as select id from "+added+" union select id from "+removed)
	}
	return found, err
}

func isEventsTable(name string) bool { return strings.HasPrefix(name, "events.") }

func (b *builder) onDisk(table string, files []lake.DataFile) bool {
	for _, file := range files {
		if _, err := os.Stat(filepath.Join(duck.TableDir(b.lake.Dir(), table), filepath.FromSlash(file.Path))); err != nil {
			return false
		}
	}
	return true
}

func (b *builder) scan(snapshot *lake.Snapshot, files []lake.DataFile, options ...string) string {
	return duck.Scan(b.lake.Dir(), snapshot, files, options...)
}
