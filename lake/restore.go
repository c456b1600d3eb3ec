package lake

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Keys of Snapshot.Info that other packages set or read.
const (
	InfoErasure   = "erasure"          // request id: the commit removed an erased subject's rows
	InfoRetention = "retention"        // the commit removed rows that had grown too old
	InfoRestored  = "restored_version" // what Restore went back to
)

// ErrErased: rows were removed for good since the version that was asked for.
var ErrErased = errors.New("rows were erased since then")

// RestoreOptions say how far a restore goes.
type RestoreOptions struct {
	// KeepOffsets leaves the counters of an events table where they are: what
	// came after the version is not read from Kafka again.
	KeepOffsets bool
	Info        map[string]string // goes into commitInfo
}

// Restore makes the files of an earlier version the live ones again, in one
// commit, and returns the table as it is then. Versions between stay in the log.
//
// The counters of an events table go back as well: a running sink gets ErrStale,
// reads the log again and takes what came after from Kafka once more. In other
// tables they move on by one, so that a build that is running gets ErrStale.
//
// The error matches ErrNoVersion where the log does not hold the version,
// fs.ErrNotExist where a file of it was deleted, and ErrErased where an erasure or
// retention removed rows since, or, outside events, an erasure was requested:
// nothing may bring those back.
func (t *Table) Restore(ctx context.Context, version int64, opts RestoreOptions) (*Snapshot, error) {
	state, err := t.append(ctx, func(head *tableState, id string) ([]logAction, error) {
		return t.restoreActions(ctx, head, version, opts, id)
	})
	if err != nil {
		return nil, fmt.Errorf("%s: restore version %d: %w", t.name, version, err)
	}
	t.checkpointIfDue(ctx, state)
	// A vacuum that took the files for removed ones may have been deleting them.
	for _, file := range state.files {
		if _, err := t.lake.storage.Stat(ctx, path.Join(t.folder, file.Path)); err != nil {
			return nil, WithHint(fmt.Errorf("%s: version %d was restored, and its files deleted meanwhile: %w", t.name, version, err),
				fmt.Sprintf("weir lake restore --version %d %s", state.version-1, t.name))
		}
	}
	return state.snapshot(t.name), nil
}

func (t *Table) restoreActions(ctx context.Context, head *tableState, version int64, opts RestoreOptions, id string) ([]logAction, error) {
	if head.version < 0 {
		return nil, ErrNoTable
	}
	if version < 0 || version > head.version {
		return nil, ErrNoVersion
	}
	target, err := t.load(ctx, version)
	if err != nil {
		return nil, err
	}
	if err := t.checkNotErased(ctx, version, head.version); err != nil {
		return nil, err
	}
	if !t.isEvents() {
		if err := t.lake.checkNoRequest(ctx, time.UnixMilli(target.timestamp)); err != nil {
			return nil, err
		}
	}
	now := max(t.lake.clock().UnixMilli(), head.timestamp)
	info := maps.Clone(opts.Info)
	if info == nil {
		info = map[string]string{}
	}
	info[InfoRestored] = strconv.FormatInt(version, 10)
	actions := []logAction{{CommitInfo: &commitInfo{
		Timestamp: now, Operation: "restore", Parameters: info, EngineInfo: "weir", TxnID: id,
	}}}
	// Columns with ids only grow: the older files are read by them. Without
	// ids, files and columns belong together.
	if target.meta.SchemaString != head.meta.SchemaString && slices.ContainsFunc(target.columns, func(c Column) bool { return c.FieldID == 0 }) {
		actions = append(actions, logAction{MetaData: &target.meta})
	}
	for _, txn := range t.restoredTxns(head, target, opts.KeepOffsets) {
		txn.LastUpdated = now
		actions = append(actions, logAction{Txn: &txn})
	}
	for _, file := range head.files {
		if target.live[file.Path] {
			continue
		}
		remove, err := removeOf(file, now, true)
		if err != nil {
			return nil, err
		}
		actions = append(actions, logAction{Remove: remove})
	}
	for _, file := range target.files {
		if head.live[file.Path] {
			continue
		}
		stored, err := t.lake.storage.Stat(ctx, path.Join(t.folder, file.Path))
		if err == nil && stored.Bytes != file.Bytes {
			err = fmt.Errorf("%s has %d bytes, %d were committed", file.Path, stored.Bytes, file.Bytes)
		}
		if err != nil {
			return nil, WithHint(err, "a later version: files that were removed are deleted after a while (weir lake log "+t.name+")")
		}
		add, err := addOf(file, true)
		if err != nil {
			return nil, err
		}
		actions = append(actions, logAction{Add: add})
	}
	return actions, nil
}

func (t *Table) isEvents() bool { return strings.HasPrefix(t.name, "events.") }

// restoredTxns are the counters to write.
func (t *Table) restoredTxns(head, target *tableState, keep bool) []txnAction {
	apps := map[string]bool{}
	for _, txns := range []map[string]int64{head.txns, target.txns} {
		for app := range txns {
			apps[app] = true
		}
	}
	var txns []txnAction
	for _, app := range slices.Sorted(maps.Keys(apps)) {
		now, next := head.counter(app), target.counter(app)
		switch {
		case !t.isEvents():
			next = now + 1
		case keep:
			next = now
		}
		if next != now {
			txns = append(txns, txnAction{AppID: app, Version: next})
		}
	}
	return txns
}

// checkNotErased looks for removals for good after a version.
func (t *Table) checkNotErased(ctx context.Context, version, head int64) error {
	for v := version + 1; v <= head; v++ {
		actions, err := t.readCommit(ctx, v)
		if errors.Is(err, fs.ErrNotExist) {
			return ErrNoVersion // cut off since it was read
		}
		if err != nil {
			return err
		}
		for _, action := range actions {
			if action.CommitInfo == nil {
				continue
			}
			for _, key := range []string{InfoErasure, InfoRetention} {
				if _, ok := action.CommitInfo.Parameters[key]; ok {
					return WithHint(fmt.Errorf("version %d (%s): %w", v, key, ErrErased), fmt.Sprintf("version %d or later", v))
				}
			}
		}
	}
	return nil
}

// checkNoRequest looks for requests to be forgotten that came after a time.
// What was derived before may hold the rows, and its own log does not tell.
func (l *Lake) checkNoRequest(ctx context.Context, since time.Time) error {
	requests := &Table{lake: l, name: "events.erasures", folder: "events/erasures"}
	history, err := requests.History(ctx, 0)
	if err != nil {
		return err
	}
	for _, v := range history { // youngest first
		if v.CommittedAt.Before(since) {
			return nil
		}
		if v.RowsAdded > v.RowsGone {
			return WithHint(fmt.Errorf("erasure requested at %s: %w", v.CommittedAt.Format(time.RFC3339), ErrErased), "build the table again: weir transform")
		}
	}
	if n := len(history); n > 0 && history[n-1].Version > 0 {
		return fmt.Errorf("erasures may have been requested since, and their log is cut off: %w", ErrErased)
	}
	return nil
}
