package lake

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Kinds of Problem.
const (
	ProblemLogGap        = "log_gap"        // versions are missing from the log: they, and what follows without a checkpoint, cannot be read
	ProblemLogBroken     = "log_broken"     // a version's entry cannot be read
	ProblemCheckpoint    = "bad_checkpoint" // a checkpoint cannot be read, or does not say what the commits say
	ProblemPointer       = "bad_pointer"    // _last_checkpoint names a checkpoint that is not there
	ProblemMissing       = "missing_file"   // the log names a file that is not there
	ProblemSize          = "wrong_size"     // the file is shorter or longer than the log says
	ProblemBytes         = "changed_bytes"  // the file is not what was committed
	ProblemRows          = "wrong_rows"     // the file does not hold as many rows as the log says
	ProblemOrphan        = "orphan"         // no version names the file; it holds no data of the table
	ProblemNoChecksum    = "no_checksum"    // another writer added the file: its bytes cannot be checked
	ProblemTxnGap        = "txn_gap"        // offsets before the counter have no row, and nothing recorded explains it
	ProblemTxnBehind     = "txn_behind"     // rows lie at or after the counter: they would be read again
	ProblemDoubled       = "doubled"        // a record is there twice
	ProblemLooseSettings = "loose_settings" // others than the owner can read the erasure key
	ProblemTemp          = "left_behind"    // a temporary file that nobody has written to for long
)

// Problem is something in a lake that is not as its log says.
type Problem struct {
	Table string `json:"table"`
	Path  string `json:"path"` // relative to the table's folder
	Kind  string `json:"kind"`
	What  string `json:"what"`
}

// AuditReport is what Audit looked at and found.
type AuditReport struct {
	Tables   int       `json:"tables"`
	Files    int       `json:"files"` // live ones
	Bytes    int64     `json:"bytes"`
	Problems []Problem `json:"problems"`
	// Holes counts offsets without a row of tables whose history has been cut
	// off, that an erasure or a restore has rewritten, or that have a damaged
	// file: that may be why, so they are no problem of their own.
	Holes int64 `json:"holes"`
}

// AuditOptions tune Audit. The zero value is right for a lake in use.
type AuditOptions struct {
	// OrphanAge is how old a file must be to count as an orphan: a younger one
	// may be about to be committed. 0: an hour.
	OrphanAge time.Duration
	// Progress is told the bytes checked and all there are; may be nil.
	Progress func(done, total int64)
}

// Audit compares every table with its log: the log is whole and its
// checkpoints say the same, each live file is there with the size, the SHA-256
// and the rows that were committed, nothing lies about that no version names,
// and the rows of events tables lie where the counters say that Kafka was read.
// It reads every live byte and changes nothing.
func (l *Lake) Audit(ctx context.Context, opts AuditOptions) (AuditReport, error) {
	if opts.OrphanAge == 0 {
		opts.OrphanAge = defaultGrace
	}
	a := audit{lake: l, opts: opts, report: AuditReport{Problems: []Problem{}}, offsets: map[partitionKey]*partitionOffsets{}, damaged: map[string]bool{}}
	if err := a.all(ctx); err != nil {
		return a.report, fmt.Errorf("audit: %w", err)
	}
	return a.report, nil
}

// defaultGrace is how old a file without an owner must be to belong to nobody.
const defaultGrace = time.Hour

func (a *audit) all(ctx context.Context) error {
	if err := a.settings(ctx); err != nil {
		return err
	}
	var tables []auditedTable
	for _, namespace := range namespaces {
		names, err := a.lake.Tables(ctx, namespace)
		if err != nil {
			return err
		}
		for _, name := range names {
			table, err := a.lake.Table(name)
			if err != nil {
				return err
			}
			one, err := a.log(ctx, table)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			tables = append(tables, one)
		}
	}
	for _, table := range tables {
		if err := a.files(ctx, table); err != nil {
			return fmt.Errorf("%s: %w", table.name, err)
		}
	}
	a.continuity(tables)
	return a.temporaries(ctx)
}

type audit struct {
	lake    *Lake
	opts    AuditOptions
	report  AuditReport
	total   int64 // bytes of live files
	done    int64
	offsets map[partitionKey]*partitionOffsets
	damaged map[string]bool // tables with files that could not be read
}

// auditedTable is a table with every file that its log still knows.
type auditedTable struct {
	*Table
	live      []DataFile
	named     map[string]bool
	txns      map[string]int64
	isWhole   bool // the log could be read to its end
	rewritten bool // rows may be missing for a reason that the log does not tell by offsets
	gaps      []string
}

func (a *audit) found(table *Table, path, kind, format string, args ...any) {
	a.report.Problems = append(a.report.Problems, Problem{Table: table.name, Path: path, Kind: kind, What: fmt.Sprintf(format, args...)})
}

// settings checks who can read the erasure key.
func (a *audit) settings(ctx context.Context) error {
	info, err := a.lake.storage.Stat(ctx, settingsName)
	if err == nil && !info.IsPrivate {
		a.report.Problems = append(a.report.Problems, Problem{
			Path: settingsName, Kind: ProblemLooseSettings, What: "others can read the key of the erasure hashes",
		})
	}
	return err
}

// temporaries looks for what was left behind by writers that were cut off.
func (a *audit) temporaries(ctx context.Context) error {
	entries, err := a.lake.storage.List(ctx, tempDir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if isTemporary(entry) && a.lake.clock().Sub(entry.ModifiedAt) >= a.opts.OrphanAge {
			a.report.Problems = append(a.report.Problems, Problem{
				Path: tempDir + "/" + entry.Name, Kind: ProblemTemp, What: fmt.Sprintf("%d bytes of a write that was cut off", entry.Bytes),
			})
		}
	}
	return nil
}

// temporaryName is a file that becomes another by a link or a rename. Locks and
// what DuckDB spills have other names.
var temporaryName = regexp.MustCompile(`^([0-9a-f]{16}|catalog-.*\.duckdb(\.wal)?)$`)

func isTemporary(entry FileInfo) bool { return !entry.IsDir && temporaryName.MatchString(entry.Name) }

// files checks the live files of a table, and looks for those of nobody.
func (a *audit) files(ctx context.Context, table auditedTable) error {
	for _, file := range table.live {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := a.file(ctx, table.Table, file); err != nil {
			return err
		}
		a.done += file.Bytes
		if a.opts.Progress != nil {
			a.opts.Progress(a.done, a.total)
		}
	}
	if !table.isWhole {
		return nil // what lies there may be named by what cannot be read
	}
	entries, err := a.lake.storage.List(ctx, table.folder)
	if err != nil {
		return err
	}
	slices.SortFunc(entries, func(a, b FileInfo) int { return strings.Compare(a.Name, b.Name) })
	for _, entry := range entries {
		age := a.lake.clock().Sub(entry.ModifiedAt)
		if entry.IsDir || table.named[entry.Name] || age < a.opts.OrphanAge {
			continue
		}
		a.found(table.Table, entry.Name, ProblemOrphan, "%d bytes that no version names", entry.Bytes)
	}
	return nil
}

func (a *audit) file(ctx context.Context, table *Table, file DataFile) error {
	before := len(a.report.Problems)
	defer func() {
		if len(a.report.Problems) > before {
			a.damaged[table.name] = true
		}
	}()
	a.report.Files++
	a.report.Bytes += file.Bytes
	info, err := a.lake.storage.Stat(ctx, path.Join(table.folder, file.Path))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		a.found(table, file.Path, ProblemMissing, "%d rows of the table are gone", file.Rows)
		return nil
	case err != nil:
		return err
	case info.Bytes != file.Bytes:
		a.found(table, file.Path, ProblemSize, "%d bytes, %d were committed", info.Bytes, file.Bytes)
		return nil
	case file.SHA256 == "":
		a.found(table, file.Path, ProblemNoChecksum, "added by another writer")
	default:
		sum, err := table.hashFile(ctx, file.Path)
		if err != nil {
			return err
		}
		if sum != file.SHA256 {
			a.found(table, file.Path, ProblemBytes, "sha256 %s, %s was committed", sum, file.SHA256)
			return nil
		}
	}
	return a.rows(ctx, table, file)
}
