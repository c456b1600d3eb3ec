// Package erasure makes a lake forget. It takes the rows that the requests in
// events.erasures name out of every events table, lets the derived tables follow,
// and deletes what older versions, logs and readers' copies still hold of them.
// Scan looks for what is left, byte by byte. Start at Apply.
package erasure

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/catalog"
	"github.com/weir-lake/weir/lake/duck"
	"github.com/weir-lake/weir/lake/upkeep"
)

// Options of Apply. The zero value leaves the derived tables alone.
type Options struct {
	Session duck.Options // of the DuckDB sessions that look for rows and write files
	// Names are the plain ids of subjects and persons that are known to the
	// caller. The requests hold hashes only, which is enough to find rows, but not
	// to find a name within a dead letter's body.
	Names []string
	// Derive brings the derived tables up to date with the events. It is called
	// once the events are rewritten; nil: they are as the caller wants them.
	Derive func(context.Context) error
	// Fault is called at the named steps, for tests that end the process there.
	Fault func(step string)
}

// Report is what Apply did.
type Report struct {
	Requests int         `json:"requests"` // in the ledger
	Tables   []TableDone `json:"tables"`   // that held something, by name
	Purged   int         `json:"purged"`   // files of older versions that were deleted
	// Datasets are the published dataset versions, and Runs the training runs on
	// them, that held a subject: what was exported and trained is out of reach.
	Datasets []DatasetHeld `json:"datasets"`
	Runs     []string      `json:"runs"`
	// Shared is how many of the remembered fingerprints were let go because
	// events of others hold the same words.
	Shared int `json:"shared"`
	Prints int `json:"prints"` // fingerprints that Scan looks for from now on
}

// TableDone is what was taken out of a table.
type TableDone struct {
	Table string `json:"table"`
	Rows  int64  `json:"rows"`
	Files int    `json:"files"` // written again
}

// DatasetHeld is a dataset version that had members of an erased subject.
type DatasetHeld struct {
	Dataset string `json:"dataset"`
	Version string `json:"version"`
	Members int64  `json:"members"`
}

// maxPasses is how often Apply looks again because a sink was at work.
const maxPasses = 20

// Apply carries out every request in the ledger. It may run beside a sink,
// upkeep and readers, wins over compaction, and can be run again at any time: what
// a killed run has left, and what the erased have said since, is done then. What
// others say later of a row that is gone, such as a judgement, is not recognised:
// nothing ties it to them any more. Readers of older versions fail afterwards:
// forgetting is the point.
func Apply(ctx context.Context, lk *lake.Lake, opts Options) (Report, error) {
	if opts.Fault == nil {
		opts.Fault = func(string) {}
	}
	report, err := apply(ctx, lk, opts)
	if err != nil {
		return report, lake.WithHint(fmt.Errorf("erase: %w", err), "run it again: it goes on where it stopped (weir erase --apply)")
	}
	return report, nil
}

func apply(ctx context.Context, lk *lake.Lake, opts Options) (Report, error) {
	report := Report{Tables: []TableDone{}, Datasets: []DatasetHeld{}, Runs: []string{}}
	done := map[string]TableDone{}
	for pass := 0; ; pass++ {
		if pass == maxPasses {
			return report, fmt.Errorf("rows of erased subjects keep arriving: %d passes", pass)
		}
		found, err := onePass(ctx, lk, opts, &report, done)
		if err != nil || report.Requests == 0 {
			return report, err
		}
		if !found {
			break
		}
	}
	for _, table := range slices.Sorted(maps.Keys(done)) {
		report.Tables = append(report.Tables, done[table])
	}
	opts.Fault("erase.after-events")
	if opts.Derive != nil {
		if err := opts.Derive(ctx); err != nil {
			return report, err
		}
	}
	opts.Fault("erase.after-derive")
	var err error
	if report.Purged, err = purge(ctx, lk); err != nil {
		return report, err
	}
	if report.Prints, report.Shared, err = settlePrints(ctx, lk); err != nil {
		return report, err
	}
	return report, forget(ctx, lk)
}

// onePass looks for rows at the tables' heads and takes them out. found tells
// that there were some, so that another look is due.
func onePass(ctx context.Context, lk *lake.Lake, opts Options, report *Report, done map[string]TableDone) (found bool, err error) {
	session, pinned, err := duck.OpenLakeAt(ctx, lk, duck.Moment{}, opts.Session)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, session.Close()) }()
	requests, err := session.Strings(ctx, "select distinct coalesce(request_id, id) from "+erasures+" order by all")
	if report.Requests = len(requests); err != nil || report.Requests == 0 {
		return false, err
	}
	m := &match{session: session, key: lk.ErasureKey(), names: opts.Names}
	if err := m.find(ctx, lk); err != nil {
		return false, err
	}
	counts, err := m.counts(ctx)
	if err != nil || len(counts) == 0 {
		return false, err
	}
	// First, so that a run that is killed later can go on, and be checked.
	if err := errors.Join(m.keep(ctx, lk), keepPrints(ctx, lk, m)); err != nil {
		return false, err
	}
	if err := m.held(ctx, report); err != nil {
		return false, err
	}
	opts.Fault("erase.before-rewrite")
	for _, table := range slices.Sorted(maps.Keys(counts)) {
		rewritten, err := rewrite(ctx, lk, m, table, pinned.Versions[table], requests)
		if errors.Is(err, lake.ErrConflict) {
			continue // compaction was quicker: the next pass finds the rows elsewhere
		}
		if err != nil {
			return true, err
		}
		one := done[table]
		one.Table, one.Rows, one.Files = table, one.Rows+counts[table], one.Files+rewritten
		done[table] = one
		opts.Fault("erase.after-table")
	}
	return true, nil
}

// purge deletes the files of all older versions, the log entries that tell of
// them, and readers' copies. Any table may hold an erased subject's rows in an
// older version, so none keeps one.
func purge(ctx context.Context, lk *lake.Lake) (files int, err error) {
	unlock, err := upkeep.Lock(ctx, lk)
	if err != nil {
		return 0, err
	}
	defer unlock()
	// Readers who come now find what is left.
	if err := catalog.Publish(ctx, lk, catalog.Options{}); err != nil {
		return 0, err
	}
	names, err := lk.AllTables(ctx)
	if err != nil {
		return 0, err
	}
	for _, name := range names {
		n, err := purgeTable(ctx, lk, name)
		files += n
		if err != nil {
			return files, fmt.Errorf("%s: %w", name, err)
		}
	}
	// What a rebuild has put aside, or left when it was stopped.
	for _, aside := range []string{"_broken", "_rebuild"} {
		if err := os.RemoveAll(filepath.Join(lk.Dir(), aside)); err != nil {
			return files, err
		}
	}
	return files, catalog.DropGenerations(ctx, lk, 1)
}

func purgeTable(ctx context.Context, lk *lake.Lake, name string) (int, error) {
	table, err := lk.Table(name)
	if err != nil {
		return 0, err
	}
	tombstones, err := table.Tombstones(ctx)
	if err != nil {
		return 0, err
	}
	var paths []string // of those that have not been deleted yet
	for _, tombstone := range tombstones {
		_, err := os.Stat(filepath.Join(table.Dir(), filepath.FromSlash(tombstone.Path)))
		if err == nil {
			paths = append(paths, tombstone.Path)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return 0, err
		}
	}
	if err := upkeep.Purge(ctx, lk, name, paths); err != nil {
		return 0, err
	}
	version, err := table.Checkpoint(ctx)
	if err != nil {
		return 0, err
	}
	return len(paths), table.TruncateLog(ctx, version)
}
