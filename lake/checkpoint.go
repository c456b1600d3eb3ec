package lake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// checkpointEvery is how many commits may stand after the newest checkpoint.
// Each costs a reader an open and some 30 µs.
const checkpointEvery = 50

// errBadCheckpoint: a checkpoint is not there, torn, or not what was written.
var errBadCheckpoint = errors.New("the checkpoint cannot be used")

const lastCheckpointName = "_last_checkpoint"

// lastCheckpoint tells other readers where to begin. Ours look for themselves.
type lastCheckpoint struct {
	Version int64 `json:"version"`
	Actions int   `json:"size"`
	Bytes   int   `json:"sizeInBytes"`
	Adds    int   `json:"numOfAddFiles"`
}

func checkpointName(folder string, version int64) string {
	return fmt.Sprintf("%s/_delta_log/%020d.checkpoint.parquet", folder, version)
}

// Checkpoint writes what the log says up to its head into one file, so that
// readers need not go through every commit, and gives its version. Where there is
// one of the head already, it does nothing. Commit makes one from time to time.
func (t *Table) Checkpoint(ctx context.Context) (int64, error) {
	state, err := t.loadRemoved(ctx, -1)
	if err == nil && state.version < 0 {
		err = ErrNoTable
	}
	if err == nil {
		err = t.writeCheckpoint(ctx, state)
	}
	if err != nil {
		return 0, fmt.Errorf("%s: checkpoint: %w", t.name, err)
	}
	return state.version, nil
}

// writeCheckpoint writes the checkpoint of a state that knows what was removed.
func (t *Table) writeCheckpoint(ctx context.Context, state *tableState) error {
	if state.checkpoint < state.version {
		if err := t.putCheckpoint(ctx, state); err != nil {
			return err
		}
	}
	return t.pointAt(ctx, state.version)
}

func (t *Table) putCheckpoint(ctx context.Context, state *tableState) error {
	removed, err := t.worthTelling(ctx, state)
	if err != nil {
		return err
	}
	data, err := encodeCheckpoint(state, removed)
	if err != nil {
		return err
	}
	// Parquet writers have written wrong files in silence before.
	if _, err := decodeCheckpoint(data, state.version, true); err != nil {
		return fmt.Errorf("read back: %w", err)
	}
	name := checkpointName(t.folder, state.version)
	err = PutIfAbsent(ctx, t.lake.storage, name, data)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	// Another process has just made it, or what is there is of no use.
	if _, err := t.readCheckpointWhole(ctx, state.version); !errors.Is(err, errBadCheckpoint) {
		return err
	}
	return replace(ctx, t.lake.storage, name, data)
}

// worthTelling are the removed files that are still there, and those that went
// so lately that another tool may ask.
func (t *Table) worthTelling(ctx context.Context, state *tableState) ([]Tombstone, error) {
	young := t.lake.clock().Add(-tombstoneRetention)
	all := state.tombstones()
	if len(all) == 0 || !all[0].RemovedAt.Before(young) {
		return all, nil
	}
	entries, err := t.lake.storage.List(ctx, t.folder)
	if err != nil {
		return nil, err
	}
	there := map[string]bool{}
	for _, entry := range entries {
		there[entry.Name] = true
	}
	kept := all[:0]
	for _, tombstone := range all {
		first, _, _ := strings.Cut(tombstone.Path, "/") // another tool's folder: as long as that is there
		if there[first] || !tombstone.RemovedAt.Before(young) {
			kept = append(kept, tombstone)
		}
	}
	return kept, nil
}

// pointAt makes _last_checkpoint name a version, unless it names a later one.
func (t *Table) pointAt(ctx context.Context, version int64) error {
	name := t.folder + "/_delta_log/" + lastCheckpointName
	if now, err := t.pointer(ctx); err == nil && now.Version >= version {
		if _, err := t.lake.storage.Stat(ctx, checkpointName(t.folder, now.Version)); err == nil {
			return nil
		}
	}
	data, err := ReadFile(ctx, t.lake.storage, checkpointName(t.folder, version))
	if err != nil {
		return err
	}
	state, err := decodeCheckpoint(data, version, true)
	if err != nil {
		return err
	}
	text, err := json.Marshal(lastCheckpoint{
		Version: version, Bytes: len(data), Adds: len(state.files),
		Actions: 2 + len(state.txns) + len(state.files) + len(state.removed),
	})
	if err != nil {
		return err
	}
	return replace(ctx, t.lake.storage, name, append(text, '\n'))
}

func (t *Table) pointer(ctx context.Context) (lastCheckpoint, error) {
	var pointer lastCheckpoint
	data, err := ReadFile(ctx, t.lake.storage, t.folder+"/_delta_log/"+lastCheckpointName)
	if err != nil {
		return pointer, err
	}
	if err := json.Unmarshal(data, &pointer); err != nil {
		return pointer, fmt.Errorf("%s: %w", lastCheckpointName, err)
	}
	return pointer, nil
}

// readCheckpointState reads a checkpoint without the removed files, of which
// there may be many and few need them.
func (t *Table) readCheckpointState(ctx context.Context, version int64) (*tableState, error) {
	return t.readCheckpoint(ctx, version, false)
}

// readCheckpointWhole reads a checkpoint with the removed files.
func (t *Table) readCheckpointWhole(ctx context.Context, version int64) (*tableState, error) {
	return t.readCheckpoint(ctx, version, true)
}

func (t *Table) readCheckpoint(ctx context.Context, version int64, withRemoved bool) (*tableState, error) {
	data, err := ReadFile(ctx, t.lake.storage, checkpointName(t.folder, version))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("checkpoint %d: %w: %w", version, errBadCheckpoint, err)
	}
	if err != nil {
		return nil, err
	}
	state, err := decodeCheckpoint(data, version, withRemoved)
	if err != nil {
		return nil, fmt.Errorf("checkpoint %d: %w: %w", version, errBadCheckpoint, err)
	}
	if state.info.Operation != "" {
		return state, nil
	}
	// Another tool's checkpoint does not tell who made the version.
	actions, err := t.readCommit(ctx, version)
	if errors.Is(err, fs.ErrNotExist) {
		return state, nil
	}
	if err != nil {
		return nil, err
	}
	for _, action := range actions {
		if action.CommitInfo != nil {
			state.info, state.timestamp = *action.CommitInfo, action.CommitInfo.Timestamp
		}
	}
	return state, nil
}

// checkpointIfDue makes a checkpoint where enough commits stand after the
// newest. The commit that asks has come about whatever comes of this: without a
// checkpoint readers are slower, and the next commit tries again.
func (t *Table) checkpointIfDue(ctx context.Context, state *tableState) {
	if state.version-state.checkpoint >= checkpointEvery {
		_, _ = t.Checkpoint(ctx)
	}
}

// TruncateLog deletes the log entries and checkpoints of the versions before
// keepFrom, which must have a checkpoint. Those versions can no longer be read;
// SnapshotAt and Changes give ErrNoVersion for them. The data files
// stay as they are. Cut off halfway, it may be called again.
func (t *Table) TruncateLog(ctx context.Context, keepFrom int64) error {
	if err := t.truncateLog(ctx, keepFrom); err != nil {
		return fmt.Errorf("%s: truncate log: %w", t.name, err)
	}
	return nil
}

func (t *Table) truncateLog(ctx context.Context, keepFrom int64) error {
	if _, err := t.readCheckpointWhole(ctx, keepFrom); err != nil {
		return WithHint(err, "weir lake checkpoint "+t.name)
	}
	if err := t.pointAt(ctx, keepFrom); err != nil {
		return err
	}
	listing, err := listLog(ctx, t.lake.storage, t.folder)
	if err != nil {
		return err
	}
	// Commits go last and oldest first: at no moment is there a hole, or a
	// checkpoint with none of the commits that follow it.
	var names []string
	for _, file := range listing.others {
		if file.version < keepFrom {
			names = append(names, t.folder+"/_delta_log/"+file.name)
		}
	}
	for _, version := range listing.checkpoints {
		if version < keepFrom {
			names = append(names, checkpointName(t.folder, version))
		}
	}
	for _, version := range listing.versions {
		if version < keepFrom {
			names = append(names, logName(t.folder, version))
		}
	}
	for _, name := range names {
		if err := t.lake.storage.Remove(ctx, name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
