package lake

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// log reads a table's log, entries and checkpoints, and reports what is wrong.
func (a *audit) log(ctx context.Context, table *Table) (auditedTable, error) {
	one := auditedTable{Table: table, named: map[string]bool{}, isWhole: true}
	listing, err := listLog(ctx, a.lake.storage, table.folder)
	if err != nil {
		return one, err
	}
	checkpoints, err := a.checkpoints(ctx, table, listing)
	if err != nil {
		return one, err
	}
	state := a.firstState(table, listing, checkpoints, &one)
	if state == nil {
		a.report.Tables++
		return one, nil
	}
	for state.version < listing.head() {
		next := state.version + 1
		if _, there := slices.BinarySearch(listing.versions, next); !there {
			upTo := listing.head()
			if i, _ := slices.BinarySearch(listing.versions, next); i < len(listing.versions) {
				upTo = listing.versions[i] - 1
			}
			a.found(table, entryName(next), ProblemLogGap, "versions %d to %d are missing from the log", next, upTo)
			if state = a.goOn(state, checkpoints, &one); state == nil {
				return one, nil
			}
			continue
		}
		actions, err := table.readCommit(ctx, next)
		if ctx.Err() != nil {
			return one, ctx.Err()
		}
		if err == nil {
			err = state.apply(actions)
		}
		if err != nil {
			a.found(table, entryName(next), ProblemLogBroken, "%v", err)
			// It may have been applied in part.
			if state = a.goOn(&tableState{version: next - 1}, checkpoints, &one); state == nil {
				return one, nil
			}
			continue
		}
		one.learn(state, actions)
		if made, ok := checkpoints[next]; ok && !sameState(state, made) {
			a.found(table, path.Base(checkpointName("", next)), ProblemCheckpoint, "it does not say what the commits up to it say")
		}
	}
	a.pointer(ctx, table, listing)
	one.live, one.txns = state.files, state.txns
	for path := range state.removed {
		one.named[path] = true
	}
	a.report.Tables++
	for _, file := range one.live {
		one.named[file.Path] = true
		a.total += file.Bytes
	}
	return one, nil
}

// entryName is the file of a version within the log.
func entryName(version int64) string { return path.Base(logName("", version)) }

// checkpoints reads all that can be read, and reports the others.
func (a *audit) checkpoints(ctx context.Context, table *Table, listing logListing) (map[int64]*tableState, error) {
	states := map[int64]*tableState{}
	for _, version := range listing.checkpoints {
		state, err := table.readCheckpointWhole(ctx, version)
		switch {
		case errors.Is(err, fs.ErrNotExist): // cut off since it was listed
		case errors.Is(err, errBadCheckpoint):
			a.found(table, path.Base(checkpointName("", version)), ProblemCheckpoint, "%v", err)
		case err != nil:
			return nil, err
		default:
			states[version] = state
		}
	}
	return states, nil
}

// firstState is where the log can be read from, nil where only a checkpoint
// that cannot be used would tell.
func (a *audit) firstState(table *Table, listing logListing, checkpoints map[int64]*tableState, one *auditedTable) *tableState {
	if listing.head() < 0 || len(listing.versions) > 0 && listing.versions[0] == 0 {
		return newTableState()
	}
	one.rewritten = true // what the entries told that were cut off
	first := listing.head()
	if len(listing.versions) > 0 {
		first = listing.versions[0]
	}
	if state := firstFrom(checkpoints, first-1); state != nil {
		if state.version > first {
			a.found(table, entryName(first), ProblemLogGap, "versions %d to %d have no checkpoint before them", first, state.version-1)
		}
		return copyState(state)
	}
	if _, wasCut := slices.BinarySearch(listing.checkpoints, first); wasCut {
		one.isWhole = false
		return nil
	}
	return newTableState() // and what is missing will be found
}

// goOn is the state after a hole, or nil where nothing after it can be read.
func (a *audit) goOn(before *tableState, checkpoints map[int64]*tableState, one *auditedTable) *tableState {
	one.rewritten = true
	if state := firstFrom(checkpoints, before.version+1); state != nil {
		return copyState(state)
	}
	one.isWhole = false
	one.live = before.files
	a.report.Tables++
	for _, file := range one.live {
		a.total += file.Bytes
	}
	return nil
}

// firstFrom is the first state of a version or later.
func firstFrom(states map[int64]*tableState, version int64) *tableState {
	var first *tableState
	for _, state := range states {
		if state.version >= version && (first == nil || state.version < first.version) {
			first = state
		}
	}
	return first
}

// copyState is a state that can move on while the other stays.
func copyState(s *tableState) *tableState {
	c := *s
	c.files, c.recent = slices.Clone(s.files), slices.Clone(s.recent)
	c.live, c.txns, c.removed = map[string]bool{}, map[string]int64{}, map[string]Tombstone{}
	for path := range s.live {
		c.live[path] = true
	}
	for app, version := range s.txns {
		c.txns[app] = version
	}
	for path, tombstone := range s.removed {
		c.removed[path] = tombstone
	}
	return &c
}

// sameState tells whether two states have the same rows and columns.
func sameState(a, b *tableState) bool {
	if len(a.files) != len(b.files) || len(a.txns) != len(b.txns) || a.meta.SchemaString != b.meta.SchemaString {
		return false
	}
	for _, file := range a.files {
		if !b.live[file.Path] {
			return false
		}
	}
	for app, version := range a.txns {
		if b.counter(app) != version {
			return false
		}
	}
	return true
}

// learn remembers what a commit tells of rows that are not there, and files
// that it named and another removed.
func (one *auditedTable) learn(state *tableState, actions []logAction) {
	parameters := state.info.Parameters
	for _, key := range []string{InfoErasure, InfoRetention, InfoRestored} {
		if _, ok := parameters[key]; ok {
			one.rewritten = true
		}
	}
	for _, key := range []string{InfoGaps, InfoUnread} {
		if gaps := parameters[key]; gaps != "" {
			one.gaps = append(one.gaps, strings.Split(gaps, ",")...)
		}
	}
	for _, action := range actions {
		if action.Add != nil {
			if file, err := action.Add.file(); err == nil {
				one.named[file.Path] = true
			}
		}
	}
}

// pointer checks _last_checkpoint, from which other readers begin.
func (a *audit) pointer(ctx context.Context, table *Table, listing logListing) {
	pointer, err := table.pointer(ctx)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		a.found(table, lastCheckpointName, ProblemPointer, "%v", err)
	case !slices.Contains(listing.checkpoints, pointer.Version):
		a.found(table, lastCheckpointName, ProblemPointer, "there is no checkpoint of version %d", pointer.Version)
	}
}
