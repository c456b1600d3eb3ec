package lake

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// Kinds of Problem.
const (
	ProblemLogGap     = "log_gap"      // a version is missing from the log: nothing after it can be read
	ProblemLogBroken  = "log_broken"   // a version's entry cannot be read
	ProblemMissing    = "missing_file" // the log names a file that is not there
	ProblemSize       = "wrong_size"   // the file is shorter or longer than the log says
	ProblemBytes      = "changed_bytes"
	ProblemOrphan     = "orphan"      // no version names the file; it holds no data of the table
	ProblemNoChecksum = "no_checksum" // another writer added the file: its bytes cannot be checked
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
}

// AuditOptions tune Audit. The zero value is right for a lake in use.
type AuditOptions struct {
	// OrphanAge is how old a file must be to count as an orphan: a younger one
	// may be about to be committed. 0: an hour.
	OrphanAge time.Duration
	// Progress is told the bytes checked and all there are; may be nil.
	Progress func(done, total int64)
}

// Audit compares every table with its log: the log is whole, each live file is
// there with the size and the SHA-256 that were committed, and nothing lies
// about that no version names. It reads every live byte and changes nothing.
func (l *Lake) Audit(ctx context.Context, opts AuditOptions) (AuditReport, error) {
	if opts.OrphanAge == 0 {
		opts.OrphanAge = time.Hour
	}
	a := audit{lake: l, opts: opts, report: AuditReport{Problems: []Problem{}}}
	var tables []auditedTable
	for _, namespace := range namespaces {
		names, err := l.Tables(ctx, namespace)
		if err != nil {
			return a.report, fmt.Errorf("audit: %w", err)
		}
		for _, name := range names {
			table, err := l.Table(name)
			if err != nil {
				return a.report, fmt.Errorf("audit: %w", err)
			}
			one, err := a.log(ctx, table)
			if err != nil {
				return a.report, fmt.Errorf("audit: %s: %w", name, err)
			}
			tables = append(tables, one)
		}
	}
	for _, table := range tables {
		if err := a.files(ctx, table); err != nil {
			return a.report, fmt.Errorf("audit: %s: %w", table.name, err)
		}
	}
	return a.report, nil
}

type audit struct {
	lake   *Lake
	opts   AuditOptions
	report AuditReport
	total  int64 // bytes of live files
	done   int64
}

// auditedTable is a table with every file that its log ever named.
type auditedTable struct {
	*Table
	live    []DataFile
	named   map[string]bool
	isWhole bool // the log could be read to its end
}

func (a *audit) found(table *Table, path, kind, format string, args ...any) {
	a.report.Problems = append(a.report.Problems, Problem{Table: table.name, Path: path, Kind: kind, What: fmt.Sprintf(format, args...)})
}

// log reads a table's log and reports what is wrong with it.
func (a *audit) log(ctx context.Context, table *Table) (auditedTable, error) {
	one := auditedTable{Table: table, named: map[string]bool{}, isWhole: true}
	listing, err := listLog(ctx, a.lake.storage, table.folder)
	if err != nil {
		return one, err
	}
	state := newTableState()
	for _, version := range listing.versions {
		if version != state.version+1 {
			a.found(table, logName("", state.version+1)[1:], ProblemLogGap, "versions %d to %d are missing from the log", state.version+1, version-1)
			one.isWhole = false
			break
		}
		actions, err := table.readCommit(ctx, version)
		if err == nil {
			err = state.apply(actions)
		}
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			return one, err
		}
		if err != nil {
			a.found(table, logName("", version)[1:], ProblemLogBroken, "%v", err)
			one.isWhole = false
			break
		}
		for _, action := range actions {
			if action.Add != nil {
				if file, err := action.Add.file(); err == nil {
					one.named[file.Path] = true
				}
			}
		}
	}
	one.live = state.files
	a.report.Tables++
	for _, file := range one.live {
		a.total += file.Bytes
	}
	return one, nil
}

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
		return nil
	}
	sum, err := table.hashFile(ctx, file.Path)
	if err != nil {
		return err
	}
	if sum != file.SHA256 {
		a.found(table, file.Path, ProblemBytes, "sha256 %s, %s was committed", sum, file.SHA256)
	}
	return nil
}
