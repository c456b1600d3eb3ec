// Package erasure makes a lake forget. It takes the rows that the requests in
// events.erasures name out of every events table and out of the frozen rows of
// datasets, lets the derived tables follow,
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
	"github.com/weir-lake/weir/lake/flock"
	"github.com/weir-lake/weir/lake/upkeep"
)

// Options of Apply. The zero value leaves the derived tables alone.
type Options struct {
	Session duck.Options // of the DuckDB sessions that look for rows and write files
	// Names are the plain ids of subjects and persons that are known to the
	// caller. The requests hold hashes only, which is enough to find rows, but not
	// to find a name within a dead letter's body.
	Names []string
	// Record puts events into the lake: hashes of the ids that the erased leave
	// behind, before their rows go, and which models had seen them. It returns
	// when they are there. Without it (nil), what others say of such a row later is
	// not recognised, and no model is tainted.
	Record func(context.Context, []lake.Event) error
	// Derive brings the derived tables up to date with the events. It is called
	// once the events are rewritten; nil: they are as the caller wants them.
	Derive func(context.Context) error
	// Drain empties the lake's own broker of what is in the lake. Nil: there is none.
	Drain func(context.Context) error
	// IfNeeded leaves everything as it is where all requests have been carried out
	// and nothing of the erased has come since. It is for a scheduler: otherwise a
	// run deletes older versions whatever it finds.
	IfNeeded bool
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
	// Records are those of another Kafka that still hold what was taken out, by
	// cluster, topic, partition and offset.
	Records []Records `json:"records"`
	// Shared are the tables with events of others that hold the same words, by
	// name: Scan does not look for these words any more.
	Shared []Shared `json:"shared"`
	Prints int      `json:"prints"` // fingerprints that Scan looks for from now on
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
// a killed run has left, what the erased have said since, and what others have
// said of it, is done then. Of two runs at once the second waits. Readers of older
// versions fail afterwards: forgetting is the point.
func Apply(ctx context.Context, lk *lake.Lake, opts Options) (Report, error) {
	if opts.Fault == nil {
		opts.Fault = func(string) {}
	}
	report := Report{Tables: []TableDone{}, Datasets: []DatasetHeld{}, Runs: []string{}, Records: []Records{}, Shared: []Shared{}}
	if err := apply(ctx, lk, opts, &report); err != nil {
		return report, lake.WithHint(fmt.Errorf("erase: %w", err), "run it again: it goes on where it stopped (weir erase --apply)")
	}
	return report, nil
}

func apply(ctx context.Context, lk *lake.Lake, opts Options, report *Report) error {
	requests, err := readRequests(ctx, lk)
	if report.Requests = len(requests); err != nil || len(requests) == 0 {
		return err
	}
	unlock, err := flock.Lock(ctx, filepath.Join(lk.Dir(), "_erased", "lock"))
	if err != nil {
		return err
	}
	defer unlock()
	if len(opts.Names) > 0 { // a run before this one may have forgotten them
		if err := Remember(ctx, lk, opts.Names...); err != nil {
			return err
		}
	}
	done := map[string]TableDone{}
	for pass := 0; ; pass++ {
		if pass == maxPasses {
			return fmt.Errorf("rows of erased subjects keep arriving: %d passes", pass)
		}
		found, err := onePass(ctx, lk, opts, requests, done)
		if err != nil {
			return err
		}
		if !found {
			break
		}
	}
	for _, table := range slices.Sorted(maps.Keys(done)) {
		report.Tables = append(report.Tables, done[table])
	}
	if opts.IfNeeded {
		if nothing, err := allDone(ctx, lk, requests); err != nil || nothing {
			return err
		}
	}
	if err := recordTaints(ctx, lk, opts.Record, requests); err != nil {
		return err
	}
	opts.Fault("erase.after-events")
	if opts.Derive != nil {
		if err := opts.Derive(ctx); err != nil {
			return err
		}
	}
	opts.Fault("erase.after-derive")
	if report.Purged, err = purge(ctx, lk); err != nil {
		return err
	}
	if opts.Drain != nil {
		if err := opts.Drain(ctx); err != nil {
			return err
		}
	}
	p, err := loadPlan(ctx, lk)
	if err != nil {
		return err
	}
	report.Datasets, report.Runs = append(report.Datasets, p.Datasets...), append(report.Runs, p.Runs...)
	report.Records = append(report.Records, p.Records...)
	var shared []Shared
	if report.Prints, shared, err = settlePrints(ctx, lk); err != nil {
		return err
	}
	report.Shared = append(report.Shared, shared...)
	if err := storeDone(ctx, lk, requests); err != nil {
		return err
	}
	return forget(ctx, lk)
}

// readRequests gives the requests in the ledger, sorted.
func readRequests(ctx context.Context, lk *lake.Lake) (_ []string, err error) {
	session, _, err := duck.OpenLake(ctx, lk, duck.Options{Threads: 1})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, session.Close()) }()
	return session.Strings(ctx, "select distinct coalesce(request_id, id) from "+erasures+" where kind in ('subject', 'person') order by all")
}

// onePass looks for rows at the tables' heads and takes them out. found tells
// that there were some, so that another look is due.
func onePass(ctx context.Context, lk *lake.Lake, opts Options, requests []string, done map[string]TableDone) (found bool, err error) {
	session, pinned, err := duck.OpenLakeAt(ctx, lk, duck.Moment{}, opts.Session)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, session.Close()) }()
	m := &match{session: session, key: lk.ErasureKey(), names: opts.Names}
	if err := m.find(ctx, lk); err != nil {
		return false, err
	}
	counts, err := m.counts(ctx)
	if err != nil || len(counts) == 0 {
		return false, err
	}
	// First, so that a run that is killed later can go on, and be checked.
	if err := m.keep(ctx, lk); err != nil {
		return false, err
	}
	if err := keepPrints(ctx, lk, m); err != nil {
		return false, err
	}
	if err := m.record(ctx, opts.Record); err != nil {
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
