package lake

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

// Repair is what was done about a problem, or what a person can do.
type Repair struct {
	Problem
	Done   bool   `json:"done"`
	Action string `json:"action"`
}

// RepairOptions tune Repair. The zero value is right for a lake in use.
type RepairOptions struct {
	Audit  AuditOptions // OrphanAge must be longer than any build or flush takes
	DryRun bool         // say what would be done
}

// Repair audits the lake and mends what can be mended without a loss: it deletes
// orphans and temporary files that are old enough to be nobody's, writes bad
// checkpoints and pointers again from the log, and makes the settings private.
// No row is touched. There is an entry for every problem found.
func (l *Lake) Repair(ctx context.Context, opts RepairOptions) ([]Repair, error) {
	report, err := l.Audit(ctx, opts.Audit)
	if err != nil {
		return nil, err
	}
	repairs := make([]Repair, 0, len(report.Problems))
	for _, problem := range report.Problems {
		one := Repair{Problem: problem, Action: advice(problem)}
		mend := l.mender(problem)
		switch {
		case mend == nil:
		case opts.DryRun:
			one.Action = "can be repaired"
		default:
			if one.Action, err = mend(ctx); err != nil {
				return repairs, fmt.Errorf("repair %s %s: %w", cmp.Or(problem.Table, "lake"), problem.Path, err)
			}
			if one.Done = one.Action != ""; !one.Done {
				one.Action = advice(problem)
			}
		}
		repairs = append(repairs, one)
	}
	return repairs, nil
}

// mender is what mends a problem, nil where nothing does. It tells what it did,
// or nothing where it could not.
func (l *Lake) mender(p Problem) func(context.Context) (string, error) {
	switch p.Kind {
	case ProblemLooseSettings:
		return l.tighten
	case ProblemTemp:
		return func(ctx context.Context) (string, error) { return "deleted", l.removeIfThere(ctx, p.Path) }
	}
	table, err := l.Table(p.Table)
	if err != nil {
		return nil
	}
	switch p.Kind {
	case ProblemOrphan:
		// Discard looks into the log again: it may be named by now.
		return func(ctx context.Context) (string, error) {
			return "deleted", table.Discard(ctx, DataFile{Path: p.Path})
		}
	case ProblemPointer:
		return table.mendPointer
	case ProblemCheckpoint:
		return func(ctx context.Context) (string, error) { return table.mendCheckpoint(ctx, p.Path) }
	}
	return nil
}

func (l *Lake) removeIfThere(ctx context.Context, name string) error {
	err := l.storage.Remove(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// tighten writes the settings again, for their owner alone.
func (l *Lake) tighten(ctx context.Context) (string, error) {
	data, err := ReadFile(ctx, l.storage, settingsName)
	if err != nil {
		return "", err
	}
	return "made private; whoever has read it knows the key", put(ctx, l.storage, data, func(w FileWriter) error {
		if err := w.Private(); err != nil {
			return err
		}
		return w.Replace(settingsName)
	})
}

// mendPointer points at the newest checkpoint that can be used.
func (t *Table) mendPointer(ctx context.Context) (string, error) {
	listing, err := listLog(ctx, t.lake.storage, t.folder)
	if err != nil {
		return "", err
	}
	for _, version := range slices.Backward(listing.checkpoints) {
		_, err := t.readCheckpointWhole(ctx, version)
		if err == nil {
			return fmt.Sprintf("points at version %d", version), t.pointAt(ctx, version)
		}
		if !errors.Is(err, errBadCheckpoint) {
			return "", err
		}
	}
	return "deleted", t.lake.removeIfThere(ctx, t.folder+"/_delta_log/"+lastCheckpointName)
}

// mendCheckpoint writes a checkpoint again from the commits before it.
func (t *Table) mendCheckpoint(ctx context.Context, name string) (string, error) {
	digits, _, _ := strings.Cut(name, ".")
	version, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return "", err
	}
	state, err := t.loadFrom(ctx, version, func(t *Table, ctx context.Context, at int64) (*tableState, error) {
		if at == version {
			return nil, errBadCheckpoint
		}
		return t.readCheckpointWhole(ctx, at)
	})
	if errors.Is(err, errBadCheckpoint) || errors.Is(err, ErrNoVersion) || errors.Is(err, fs.ErrNotExist) {
		return "", nil // the commits before it are gone
	}
	if err != nil {
		return "", err
	}
	removed, err := t.worthTelling(ctx, state)
	if err != nil {
		return "", err
	}
	data, err := encodeCheckpoint(state, removed)
	if err != nil {
		return "", err
	}
	return "written again", replace(ctx, t.lake.storage, checkpointName(t.folder, version), data)
}

// advice is what a person can do about a problem that nothing mends.
func advice(p Problem) string {
	isEvents := strings.HasPrefix(p.Table, "events.")
	switch p.Kind {
	case ProblemLogGap, ProblemLogBroken, ProblemCheckpoint:
		if isEvents {
			return "copy the table's _delta_log from a backup, or weir lake rebuild"
		}
		return "copy the table's _delta_log from a backup, or delete the table's folder and build it again"
	case ProblemMissing, ProblemSize, ProblemBytes, ProblemRows:
		if isEvents {
			return "copy the file from a backup, weir lake restore a version without it, or weir lake rebuild"
		}
		return "copy the file from a backup, or delete the table's folder and build it again"
	case ProblemTxnGap, ProblemTxnBehind, ProblemDoubled:
		return "weir lake rebuild from the topics, which compares"
	case ProblemNoChecksum:
		return "nothing: compaction writes the rows again with a checksum"
	}
	return "can be repaired"
}
