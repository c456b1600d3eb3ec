package upkeep

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/catalog"
	"github.com/weir-lake/weir/lake/duck"
)

// DefaultHorizon is how long removed files outlive their removal: so far back
// goes time travel.
const DefaultHorizon = 7 * 24 * time.Hour

const (
	// minGrace is the least age of a file that nobody names. A younger one may
	// be about to be committed, whatever the horizon.
	minGrace = time.Hour
	// tempGrace is the age of a half-written file: no writer leaves one alone
	// for so long.
	tempGrace = 24 * time.Hour
)

// VacuumOptions tune Vacuum. The zero value is usable.
type VacuumOptions struct {
	// Horizon is how long a removed file is kept. 0: DefaultHorizon; negative:
	// none is kept, and readers of what was current a moment ago fail.
	Horizon time.Duration
	Now     time.Time // zero: the clock's
	DryRun  bool      // say what would be deleted
	Tables  []string  // look at these alone; empty: all, and what lies beside them
	// Fault is called at the named steps, for tests that end the process there.
	Fault func(step string)
}

func (o *VacuumOptions) setDefaults() {
	switch {
	case o.Horizon == 0:
		o.Horizon = DefaultHorizon
	case o.Horizon < 0:
		o.Horizon = 0
	}
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	if o.Fault == nil {
		o.Fault = func(string) {}
	}
}

// grace is how old a file must be to be nobody's.
func (o VacuumOptions) grace(usual time.Duration) time.Time {
	return o.Now.Add(-max(min(o.Horizon, usual), minGrace))
}

// Kinds of Deletion.
const (
	KindRemoved = "removed" // a file that its table was made of before the horizon
	KindOrphan  = "orphan"  // a file that no version of its table names
	KindLog     = "log"     // a log entry or checkpoint of a version before the horizon
	KindTemp    = "temp"    // a half-written file
)

// Deletion is one file that Vacuum deletes.
type Deletion struct {
	Kind  string `json:"kind"`
	Table string `json:"table,omitempty"`
	Path  string `json:"path"` // relative to the lake
	Bytes int64  `json:"bytes"`
}

// Vacuum deletes what no reader within the horizon can want, and lists it:
// files that were removed from their table before it, files that no version
// names and that are older than a day (an hour, where the horizon is shorter),
// half-written files of that age, and log entries that no version within the
// horizon needs. The catalog is published first where it shows an older state;
// a file that a generation of current/ still holds is kept for its readers.
// One vacuum runs at a time. Cut off anywhere, it may be run again.
func Vacuum(ctx context.Context, lk *lake.Lake, opts VacuumOptions) ([]Deletion, error) {
	unlock, err := Lock(ctx, lk)
	if err != nil {
		return nil, fmt.Errorf("vacuum: %w", err)
	}
	defer unlock()
	return vacuumLocked(ctx, lk, opts)
}

func vacuumLocked(ctx context.Context, lk *lake.Lake, opts VacuumOptions) ([]Deletion, error) {
	opts.setDefaults()
	v := &vacuum{lake: lk, opts: opts, deleted: []Deletion{}}
	if err := v.run(ctx); err != nil {
		return v.deleted, fmt.Errorf("vacuum: %w", err)
	}
	return v.deleted, nil
}

type vacuum struct {
	lake    *lake.Lake
	opts    VacuumOptions
	shown   catalog.Shown // files that readers of current/ and the catalog may be at
	deleted []Deletion
}

func (v *vacuum) run(ctx context.Context) error {
	tables, err := tablesOf(ctx, v.lake, v.opts.Tables)
	if err != nil {
		return err
	}
	if !v.opts.DryRun {
		// Whoever opens the catalog from now on sees none of the files that go.
		if err := catalog.Publish(ctx, v.lake, catalog.Options{}); err != nil {
			return err
		}
	}
	if v.shown, err = catalog.ShownFiles(v.lake); err != nil {
		return err
	}
	// A table that cannot be read keeps all its files; the others are seen to.
	var errs []error
	for _, table := range tables {
		if err := v.table(ctx, table); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", table, err))
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	if len(v.opts.Tables) == 0 {
		errs = append(errs, v.nobodys(ctx), v.temp())
	}
	return errors.Join(errs...)
}

func (v *vacuum) table(ctx context.Context, name string) error {
	table, err := v.lake.Table(name)
	if err != nil {
		return err
	}
	// The folder is read before the log: a file that is committed meanwhile is
	// in the log then.
	files, err := filesIn(table.Dir())
	if err != nil {
		return err
	}
	live, err := livePaths(ctx, v.lake, name)
	if err != nil {
		return err
	}
	tombstones, err := table.Tombstones(ctx)
	if err != nil {
		return err
	}
	removed := map[string]lake.Tombstone{}
	for _, tombstone := range tombstones {
		removed[tombstone.Path] = tombstone
	}
	var going []Deletion
	for _, file := range files {
		tombstone, isRemoved := removed[file.Name()]
		switch {
		case live[file.Name()] || v.shown.Has(file):
		case isRemoved && !tombstone.RemovedAt.After(v.opts.Now.Add(-v.opts.Horizon)):
			going = append(going, v.deletion(KindRemoved, name, table.Dir(), file))
		case !isRemoved && file.ModTime().Before(v.opts.grace(tempGrace)):
			going = append(going, v.deletion(KindOrphan, name, table.Dir(), file))
		}
	}
	// Log entries go first: a version that cannot be read any more should not
	// look as if it could.
	if err := v.log(ctx, table); err != nil {
		return err
	}
	return v.delete(ctx, name, table.Dir(), going)
}

// delete deletes files of a table, unless the table has taken one back: Lock
// keeps others from that, but not all may hold it.
func (v *vacuum) delete(ctx context.Context, name, dir string, going []Deletion) error {
	if !v.opts.DryRun && len(going) > 0 {
		v.opts.Fault("vacuum.before-delete")
		live, err := livePaths(ctx, v.lake, name)
		if err != nil {
			return err
		}
		going = slices.DeleteFunc(going, func(d Deletion) bool { return live[filepath.Base(d.Path)] })
		paths := make([]string, len(going))
		for i, deletion := range going {
			paths[i] = filepath.Base(deletion.Path)
		}
		if err := deleteFiles(dir, paths); err != nil {
			return err
		}
		v.opts.Fault("vacuum.after-delete")
	}
	v.deleted = append(v.deleted, going...)
	return nil
}

// log cuts the log off before the newest checkpoint from which every version
// within the horizon can be read.
func (v *vacuum) log(ctx context.Context, table *lake.Table) error {
	oldest, err := table.LiveAt(ctx, v.opts.Now.Add(-v.opts.Horizon))
	if errors.Is(err, lake.ErrNoVersion) || errors.Is(err, lake.ErrNoTable) {
		return nil // all of the log is younger
	}
	if err != nil {
		return err
	}
	dir := filepath.Join(table.Dir(), "_delta_log")
	files, err := filesIn(dir)
	if err != nil {
		return err
	}
	keepFrom := int64(-1)
	for _, file := range files {
		if version, kind := logVersion(file.Name()); kind == "checkpoint.parquet" && version <= oldest {
			keepFrom = max(keepFrom, version)
		}
	}
	var going []Deletion
	for _, file := range files {
		if version, kind := logVersion(file.Name()); kind != "" && version < keepFrom {
			going = append(going, v.deletion(KindLog, table.Name(), dir, file))
		}
	}
	if len(going) == 0 {
		return nil
	}
	if !v.opts.DryRun {
		if err := table.TruncateLog(ctx, keepFrom); err != nil {
			return err
		}
	}
	v.deleted = append(v.deleted, going...)
	return nil
}

// logVersion reads the name of a log entry or checkpoint; the kind is empty
// where it is neither.
func logVersion(name string) (version int64, kind string) {
	digits, kind, _ := strings.Cut(name, ".")
	version, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || len(digits) != 20 {
		return 0, ""
	}
	return version, kind
}

// nobodys deletes files of folders that are no table: of a first commit that
// never came about.
func (v *vacuum) nobodys(ctx context.Context) error {
	for _, layer := range lake.Namespaces() {
		entries, err := os.ReadDir(filepath.Join(v.lake.Dir(), layer))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		tables, err := v.lake.Tables(ctx, layer)
		if err != nil {
			return err
		}
		for _, entry := range entries {
			name := layer + "." + entry.Name()
			if !entry.IsDir() || slices.Contains(tables, name) {
				continue
			}
			if _, err := v.lake.Table(name); err != nil {
				continue // not ours
			}
			if err := v.orphansOf(ctx, name); err != nil {
				return err
			}
		}
	}
	return nil
}

func (v *vacuum) orphansOf(ctx context.Context, name string) error {
	dir := duck.TableDir(v.lake.Dir(), name)
	files, err := filesIn(dir)
	if err != nil {
		return err
	}
	var going []Deletion
	for _, file := range files {
		if file.ModTime().Before(v.opts.grace(tempGrace)) {
			going = append(going, v.deletion(KindOrphan, name, dir, file))
		}
	}
	return v.delete(ctx, name, dir, going)
}

// temp deletes half-written files. Locks stay: deleting one would let two in.
func (v *vacuum) temp() error {
	dir := v.lake.TempDir()
	files, err := filesIn(dir)
	if err != nil {
		return err
	}
	for _, file := range files {
		if strings.HasSuffix(file.Name(), ".lock") || !file.ModTime().Before(v.opts.grace(tempGrace)) {
			continue
		}
		if !v.opts.DryRun {
			if err := removeIfThere(filepath.Join(dir, file.Name())); err != nil {
				return err
			}
		}
		v.deleted = append(v.deleted, v.deletion(KindTemp, "", dir, file))
	}
	return nil
}

func (v *vacuum) deletion(kind, table, dir string, file fs.FileInfo) Deletion {
	path, err := filepath.Rel(v.lake.Dir(), filepath.Join(dir, file.Name()))
	if err != nil {
		path = file.Name()
	}
	return Deletion{Kind: kind, Table: table, Path: filepath.ToSlash(path), Bytes: file.Size()}
}

// filesIn describes the files that stand directly in a folder, by name.
func filesIn(dir string) ([]fs.FileInfo, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var files []fs.FileInfo
	for _, entry := range entries {
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // deleted meanwhile
		}
		if err != nil {
			return nil, err
		}
		if info.Mode().IsRegular() {
			files = append(files, info)
		}
	}
	return files, nil
}
