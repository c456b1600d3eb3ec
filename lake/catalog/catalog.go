// Package catalog publishes a lake to readers that weir does not run: the
// DuckDB catalog <lake>/catalog.duckdb, whose views list the live files of every
// table and whose macros show it as it was (docs/time-travel.md), and <lake>/current, a folder of the same files for readers with
// neither DuckDB nor Delta. Open the catalog read-only (duckdb -readonly): a plain
// open locks everyone else out. A catalog that is attached to another database
// does not see where it lies: USE it, and after a move set the variable weir_root
// to the lake's folder. Both are derived from the Delta logs and may be
// deleted at any time. It does not build tables (lake/derive does). Start at
// Publish.
package catalog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
	"github.com/weir-lake/weir/lake/flock"
)

const (
	// fileName is the catalog. Views find the lake by this name: see rootMacro.
	fileName    = "catalog.duckdb"
	currentName = "current"
	// generations is the folder of what current points at, then and now.
	generations = "_current"
	// lockName is the publishers' lock: a file of its own, because the catalog is
	// replaced under it.
	lockName = "catalog.lock"
)

// DefaultHorizon is how long a generation of current/ outlives the next one.
const DefaultHorizon = time.Hour

// Options of Publish. The zero value is usable.
type Options struct {
	// Horizon is how long readers may still use a generation of current/ after
	// it was replaced. 0: DefaultHorizon.
	Horizon time.Duration
	Clock   func() time.Time // names generations and tells their age; nil: time.Now
}

// Publish writes catalog and current/ from the heads of the tables' logs. It
// does nothing where they show these heads already. Concurrent calls, also of
// other processes, wait for each other. Readers keep what they have open.
func Publish(ctx context.Context, lk *lake.Lake, opts Options) error {
	if opts.Horizon == 0 {
		opts.Horizon = DefaultHorizon
	}
	if opts.Clock == nil {
		opts.Clock = time.Now
	}
	unlock, err := flock.Lock(ctx, filepath.Join(lk.TempDir(), lockName))
	if err != nil {
		return fmt.Errorf("publish catalog: %w", err)
	}
	defer unlock()
	for attempt := 1; ; attempt++ {
		err = publish(ctx, lk, opts)
		// A file that a log named a moment ago may be gone: compacted and vacuumed.
		if err == nil || attempt == 3 || !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("publish catalog: %w", err)
	}
	return nil
}

func publish(ctx context.Context, lk *lake.Lake, opts Options) error {
	tables, err := heads(ctx, lk)
	if err != nil {
		return err
	}
	mark := fingerprint(lk, tables)
	if published(lk, mark) {
		return prune(lk, opts)
	}
	session, err := duck.Open(ctx, duck.Options{Threads: 1, MemoryLimit: "512MB", TempDir: lk.TempDir()})
	if err != nil {
		return err
	}
	defer session.Close()
	if err := writeCatalog(ctx, session, lk, tables); err != nil {
		return err
	}
	if err := writeCurrent(ctx, session, lk, tables, mark, opts.Clock()); err != nil {
		return err
	}
	return prune(lk, opts)
}

// table is a table as it is published.
type table struct {
	*lake.Snapshot
	doc string
}

// heads reads the head of every table that exists, and adds the events tables
// that do not exist yet as empty ones, so that queries over them run on a young
// lake too.
func heads(ctx context.Context, lk *lake.Lake) ([]table, error) {
	var tables []table
	names, err := lk.AllTables(ctx)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		handle, err := lk.Table(name)
		if err != nil {
			return nil, err
		}
		snapshot, err := handle.Snapshot(ctx)
		if err != nil {
			return nil, err
		}
		doc, err := docOf(ctx, handle, snapshot)
		if err != nil {
			return nil, err
		}
		tables = append(tables, table{snapshot, doc})
	}
	for _, payload := range lake.Payloads() {
		at := slices.IndexFunc(tables, func(t table) bool { return t.Table == payload.Table })
		if at < 0 {
			tables = append(tables, table{Snapshot: &lake.Snapshot{Table: payload.Table, Version: -1}})
			at = len(tables) - 1
		}
		tables[at].doc = "One row is " + payload.Doc
		tables[at].Columns = withNewColumns(tables[at].Columns, payload.Columns())
	}
	slices.SortFunc(tables, func(a, b table) int { return strings.Compare(a.Table, b.Table) })
	return tables, nil
}

// withNewColumns adds the columns that this binary knows and the table does
// not: they read as null until the sink writes them.
func withNewColumns(columns, known []lake.Column) []lake.Column {
	columns = slices.Clone(columns)
	for _, column := range known {
		if !slices.ContainsFunc(columns, func(c lake.Column) bool { return c.Name == column.Name }) {
			columns = append(columns, column)
		}
	}
	return columns
}

// docOf is what a derived table's last build said of it. Commits of upkeep may
// stand between that and the head.
func docOf(ctx context.Context, handle *lake.Table, head *lake.Snapshot) (string, error) {
	for at := head; ; {
		if doc := at.Info["doc"]; doc != "" || at.Version == 0 || strings.HasPrefix(at.Table, "events.") {
			return doc, nil
		}
		before, err := handle.SnapshotAt(ctx, at.Version-1)
		if errors.Is(err, lake.ErrNoVersion) {
			return "", nil
		}
		if err != nil {
			return "", err
		}
		at = before
	}
}

// replaceFile moves a finished file over another, durably.
func replaceFile(from, to string) error {
	if err := lake.SyncPath(from); err != nil {
		return err
	}
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return lake.SyncPath(filepath.Dir(to))
}
