// Package rebuild makes a lake's tables anew from what they came from, beside
// the lake, compares the two, and puts what differs in the place of the old.
// Start at Run.
package rebuild

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/derive"
	"github.com/weir-lake/weir/lake/duck"
	"github.com/weir-lake/weir/lake/erasure"
	"github.com/weir-lake/weir/lake/retention"
	"github.com/weir-lake/weir/lake/upkeep"
)

// dirName is where new generations are made, on the lake's own file system.
const dirName = "_rebuild"

// Options of Run.
type Options struct {
	Session duck.Options
	// Fill puts the events into an empty lake: from the topics, or with
	// FromEvents.
	Fill func(ctx context.Context, generation *lake.Lake) error
	// Derive brings the derived tables of a lake up to date, and makes the rows of
	// datasets that it lacks; whole says that each is to be computed anew.
	Derive func(ctx context.Context, lk *lake.Lake, whole bool) error
	// DryRun compares and leaves the lake as it is.
	DryRun bool
	// Fault is called at the named steps, for tests that end the process there.
	Fault func(step string)
}

// State is how a table of the lake compares with the one made anew.
type State string

// States of a table.
const (
	Equal   State = "equal"
	Differs State = "differs"
	Missing State = "missing" // the lake does not have it
	Broken  State = "broken"  // its log cannot be read
	Alone   State = "alone"   // nothing that it could be made from is left
	Frozen  State = "frozen"  // rows of a dataset: the record makes others now, and they stay as they were frozen
)

// Compared is one table.
type Compared struct {
	Table    string `json:"table"`
	State    State  `json:"state"`
	Rows     int64  `json:"rows"`     // in the lake
	NewRows  int64  `json:"new_rows"` // made anew
	Replaced bool   `json:"replaced"`
	live     *lake.Snapshot
	made     *lake.Snapshot
	hash     string // of what was made anew
}

// ErrMoved: a sink or another writer changed the lake while it was compared.
var ErrMoved = errors.New("the lake changed meanwhile")

// Run makes a new generation of the lake below it, with the erasures and what
// retention took out applied, compares each table with it by logical hash, and
// replaces what differs: tables of events in one commit each, with their offsets,
// fenced against a sink that is running; a table whose log is broken by moving its folder away; derived tables
// by computing them whole where the lake is, after which they have to equal those
// of the generation. The rows of a dataset are only made anew where the lake has lost
// them. Readers of the catalog see all of it at once, when the caller
// publishes. A run that is stopped leaves the lake usable, and the next one starts
// over. Another run, and upkeep, wait for it. The error matches ErrMoved where a
// writer was at work.
func Run(ctx context.Context, lk *lake.Lake, opts Options) ([]Compared, error) {
	if opts.Fault == nil {
		opts.Fault = func(string) {}
	}
	unlock, err := upkeep.Lock(ctx, lk)
	if err != nil {
		return nil, fmt.Errorf("rebuild: %w", err)
	}
	defer unlock()
	tables, err := run(ctx, lk, opts)
	if err != nil {
		return tables, fmt.Errorf("rebuild: %w", err)
	}
	return tables, nil
}

func run(ctx context.Context, lk *lake.Lake, opts Options) (_ []Compared, err error) {
	folder := filepath.Join(lk.Dir(), dirName)
	if err := os.RemoveAll(folder); err != nil { // of a run that was stopped
		return nil, err
	}
	generation, err := lk.Sibling(filepath.Join(folder, "generation"))
	if err != nil {
		return nil, err
	}
	defer func() {
		if err == nil {
			err = os.RemoveAll(folder)
		}
	}()
	if err := opts.Fill(ctx, generation); err != nil {
		return nil, err
	}
	if _, err := erasure.Apply(ctx, generation, erasure.Options{Session: opts.Session}); err != nil {
		return nil, err
	}
	if err := retention.Replay(ctx, lk, generation, opts.Session); err != nil {
		return nil, err
	}
	if err := opts.Derive(ctx, generation, true); err != nil {
		return nil, err
	}
	opts.Fault("rebuild.after-generation")
	tables, err := compare(ctx, lk, generation, opts.Session)
	if err != nil || opts.DryRun {
		return tables, err
	}
	return tables, replace(ctx, lk, generation, tables, opts)
}

// compare looks at every table of either lake.
func compare(ctx context.Context, lk, generation *lake.Lake, session duck.Options) ([]Compared, error) {
	names := map[string]bool{}
	for _, of := range []*lake.Lake{lk, generation} {
		found, err := of.AllTables(ctx)
		if err != nil {
			return nil, err
		}
		for _, name := range found {
			names[name] = true
		}
	}
	var tables []Compared
	for _, name := range slices.Sorted(maps.Keys(names)) {
		one, err := compareTable(ctx, lk, generation, name, session)
		if err != nil {
			return nil, fmt.Errorf("compare %s: %w", name, err)
		}
		tables = append(tables, one)
	}
	return tables, nil
}

func compareTable(ctx context.Context, lk, generation *lake.Lake, name string, session duck.Options) (Compared, error) {
	one := Compared{Table: name}
	var err error
	if one.made, err = snapshot(ctx, generation, name); err != nil {
		return one, err
	}
	if one.made != nil {
		if one.hash, one.NewRows, err = hash(ctx, generation, one.made, session); err != nil {
			return one, err
		}
	}
	live, err := snapshot(ctx, lk, name)
	one.live = live
	var liveHash string
	if err == nil && live != nil {
		liveHash, one.Rows, err = hash(ctx, lk, live, session)
	}
	switch {
	case ctx.Err() != nil:
		return one, ctx.Err()
	case err != nil:
		one.State = Broken
	case live == nil:
		one.State = Missing
	case one.made == nil:
		one.State = Alone
	case liveHash == one.hash:
		one.State = Equal
	case strings.HasPrefix(name, "datasets."):
		one.State = Frozen
	default:
		one.State = Differs
	}
	return one, nil
}

// snapshot is a table's head; nil where it does not exist.
func snapshot(ctx context.Context, lk *lake.Lake, name string) (*lake.Snapshot, error) {
	table, err := lk.Table(name)
	if err != nil {
		return nil, err
	}
	head, err := table.Snapshot(ctx)
	if errors.Is(err, lake.ErrNoTable) {
		return nil, nil
	}
	return head, err
}

// hash is the logical hash of a table's rows, and how many there are.
func hash(ctx context.Context, lk *lake.Lake, head *lake.Snapshot, options duck.Options) (_ string, rows int64, err error) {
	if options.TempDir == "" {
		options.TempDir = lk.TempDir()
	}
	session, err := duck.Open(ctx, options)
	if err != nil {
		return "", 0, err
	}
	defer func() { err = errors.Join(err, session.Close()) }()
	if err := session.Register(ctx, lk.Dir(), head); err != nil {
		return "", 0, err
	}
	if err := session.Get(ctx, "select count(*) from "+duck.TableIdent(head.Table), &rows); err != nil {
		return "", 0, err
	}
	sum, err := derive.LogicalHash(ctx, session, head.Table)
	return sum, rows, err
}

// FromEvents fills a generation with the rows of a lake's events tables as they
// stand: their files are linked, not copied. A table whose log cannot be read is
// an error: then the topics have to be read again.
func FromEvents(ctx context.Context, lk, generation *lake.Lake) error {
	for _, payload := range lake.Payloads() {
		name := payload.Table
		head, err := snapshot(ctx, lk, name)
		if err == nil && head == nil {
			if err = withoutLog(lk, name); err == nil {
				continue // no event of the kind yet
			}
		}
		if err != nil {
			return lake.WithHint(fmt.Errorf("rebuild from events: %w", err), "weir lake rebuild --from topics")
		}
		files, err := link(lk, generation, head)
		if err != nil {
			return fmt.Errorf("rebuild from events: %s: %w", name, err)
		}
		if err := adopt(ctx, generation, head, files, lake.Commit{}); err != nil {
			return fmt.Errorf("rebuild from events: %s: %w", name, err)
		}
	}
	return nil
}

// withoutLog is the error of a table that has files and no log: it has lost it.
func withoutLog(lk *lake.Lake, table string) error {
	files, err := filepath.Glob(filepath.Join(duck.TableDir(lk.Dir(), table), "*.parquet"))
	if err == nil && len(files) > 0 {
		err = fmt.Errorf("%s: %d files, and no log that says which of them are the table", table, len(files))
	}
	return err
}

// link puts a table's files into another lake on the same file system.
func link(from, to *lake.Lake, head *lake.Snapshot) ([]lake.DataFile, error) {
	source, target := duck.TableDir(from.Dir(), head.Table), duck.TableDir(to.Dir(), head.Table)
	if err := os.MkdirAll(target, 0o777); err != nil {
		return nil, err
	}
	for _, file := range head.Files {
		path := filepath.Join(target, filepath.FromSlash(file.Path))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			return nil, err
		}
		err := os.Link(filepath.Join(source, filepath.FromSlash(file.Path)), path)
		if err != nil && !errors.Is(err, os.ErrExist) {
			return nil, err
		}
	}
	return head.Files, lake.SyncPath(target)
}

// adopt commits a table's files and counters to another lake.
func adopt(ctx context.Context, to *lake.Lake, head *lake.Snapshot, files []lake.DataFile, commit lake.Commit) error {
	table, err := to.Table(head.Table)
	if err != nil {
		return err
	}
	held := map[string]int64{}
	if current, err := snapshot(ctx, to, head.Table); err != nil {
		return err
	} else if current != nil {
		held = current.Txns
	}
	commit.Operation, commit.Columns, commit.Add = "rebuild", head.Columns, files
	// What says why offsets have no row any more has to outlive a log that is lost.
	commit.Info = maps.Clone(head.Info)
	maps.DeleteFunc(commit.Info, func(key, _ string) bool { return key != lake.InfoErasure && key != lake.InfoRetention })
	for _, app := range slices.Sorted(maps.Keys(head.Txns)) {
		expect, ok := held[app]
		if !ok {
			expect = -1
		}
		if head.Txns[app] > expect {
			commit.Txns = append(commit.Txns, lake.Txn{AppID: app, Expect: expect, Next: head.Txns[app]})
		}
	}
	_, err = table.Commit(ctx, commit)
	return err
}

// replace puts what was made anew where the lake differs from it.
func replace(ctx context.Context, lk, generation *lake.Lake, tables []Compared, opts Options) error {
	derived := false
	read := map[string]int64{} // how far the generation has read, whatever came of it
	for _, t := range tables {
		if t.made != nil && isEvents(t.Table) {
			for app, next := range t.made.Txns {
				read[app] = max(read[app], next)
			}
		}
	}
	for i := range tables {
		t := &tables[i]
		switch {
		case t.State == Equal || t.State == Frozen || t.State == Alone && isEvents(t.Table):
			continue
		case !isEvents(t.Table):
			derived = true
			if t.State == Broken {
				if err := moveAway(lk, t.Table); err != nil {
					return err
				}
			}
			t.Replaced = t.State != Alone
			continue
		}
		if err := replaceEvents(ctx, lk, generation, t, read); err != nil {
			return fmt.Errorf("%s: %w", t.Table, err)
		}
		t.Replaced, derived = true, true
		opts.Fault("rebuild.after-table")
	}
	if !derived {
		return nil
	}
	if err := opts.Derive(ctx, lk, true); err != nil {
		return err
	}
	return confirm(ctx, lk, tables, opts.Session)
}

func isEvents(table string) bool { return strings.HasPrefix(table, "events.") }

func replaceEvents(ctx context.Context, lk, generation *lake.Lake, t *Compared, read map[string]int64) error {
	if t.State == Broken || t.State == Missing && withoutLog(lk, t.Table) != nil {
		if err := moveAway(lk, t.Table); err != nil {
			return err
		}
		t.live = nil
	}
	if t.live != nil {
		for _, app := range slices.Sorted(maps.Keys(t.live.Txns)) {
			if at := t.live.Txns[app]; at > read[app] {
				return lake.WithHint(fmt.Errorf("%w: it has read %s up to %d, the generation up to %d", ErrMoved, app, at, read[app]),
					"run it again, or stop the sinks first")
			}
		}
	}
	files, err := link(generation, lk, t.made)
	if err != nil {
		return err
	}
	commit := lake.Commit{}
	version := int64(-1)
	if t.live != nil {
		version = t.live.Version
		for _, file := range t.live.Files {
			// From events: files that stay are the same files.
			if i := slices.IndexFunc(files, func(f lake.DataFile) bool { return f.Path == file.Path }); i >= 0 {
				files = slices.Concat(files[:i], files[i+1:])
				continue
			}
			commit.Remove = append(commit.Remove, file.Path)
		}
	}
	commit.ExpectVersion = &version
	if err := adopt(ctx, lk, t.made, files, commit); errors.Is(err, lake.ErrConflict) || errors.Is(err, lake.ErrStale) {
		return lake.WithHint(fmt.Errorf("%w: %w", ErrMoved, err), "run it again, or stop the sinks first")
	} else if err != nil {
		return err
	}
	return nil
}

// moveAway keeps the folder of a table whose log is broken, for whoever wants to
// look at it, where no reader looks.
func moveAway(lk *lake.Lake, table string) error {
	to := filepath.Join(lk.Dir(), "_broken", table+"-"+time.Now().UTC().Format("20060102T150405.000000Z"))
	if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
		return err
	}
	from := duck.TableDir(lk.Dir(), table)
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return errors.Join(lake.SyncPath(filepath.Dir(from)), lake.SyncPath(filepath.Dir(to)))
}

// confirm compares the derived tables, computed where the lake is, with those of
// the generation.
func confirm(ctx context.Context, lk *lake.Lake, tables []Compared, session duck.Options) error {
	for _, t := range tables {
		if isEvents(t.Table) || t.made == nil || t.State == Frozen {
			continue
		}
		head, err := snapshot(ctx, lk, t.Table)
		if err != nil {
			return err
		}
		if head == nil {
			return fmt.Errorf("%s: is not there after the rebuild", t.Table)
		}
		sum, rows, err := hash(ctx, lk, head, session)
		if err != nil {
			return err
		}
		if sum != t.hash {
			return fmt.Errorf("%s: %d rows after the rebuild, %d in the generation, and they differ: %w", t.Table, rows, t.NewRows, ErrMoved)
		}
	}
	return nil
}
