package lake

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"time"
)

// Keys of Snapshot.Info that a commit's own Info may not use.
const (
	infoOperation = "operation"
	infoCommitID  = "commit_id"
)

// dataPath is a path that needs no encoding in the log or in a URL. The last
// element does not start with a dot or underscore: readers skip such files.
var dataPath = regexp.MustCompile(`^([A-Za-z0-9-][A-Za-z0-9._-]*/)*[A-Za-z0-9-][A-Za-z0-9._-]*$`)

// Commit makes the change the table's next version, or none of it, and returns
// the table as it is then. The added files are in the table's folder already.
// While other writers take the next version first, the change is checked again
// against theirs and tried on top of it.
//
// The error matches ErrStale, ErrConflict or ErrSchema where the change is
// definitely not in the log: only then may the caller discard the files. After
// any other error it may be. Trying again with the same files then fails, with
// an error of none of these kinds, if it was; with new files it gets ErrStale
// from the same Txns. Vacuum takes files that no version names.
func (t *Table) Commit(ctx context.Context, c Commit) (*Snapshot, error) {
	state, err := t.commit(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("%s: commit: %w", t.name, err)
	}
	t.checkpointIfDue(ctx, state)
	return state.snapshot(t.name), nil
}

func (t *Table) commit(ctx context.Context, c Commit) (*tableState, error) {
	if err := t.checkCommit(ctx, c); err != nil {
		return nil, err
	}
	c.Add = slices.Clone(c.Add)
	for i, file := range c.Add {
		sum, err := t.hashFile(ctx, file.Path)
		if err != nil {
			return nil, err
		}
		c.Add[i].SHA256 = sum
	}
	return t.append(ctx, func(state *tableState, id string) ([]logAction, error) { return t.actions(state, c, id) })
}

// append makes the actions that build finds right for the head its next
// version. It asks again for every head that others make meanwhile. The actions'
// commitInfo bears the id.
func (t *Table) append(ctx context.Context, build func(head *tableState, id string) ([]logAction, error)) (*tableState, error) {
	id, err := t.lake.newUUID()
	if err != nil {
		return nil, err
	}
	state, err := t.load(ctx, -1)
	if err != nil {
		return nil, err
	}
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		actions, err := build(state, id)
		if err != nil {
			return nil, err
		}
		data, err := encodeActions(actions)
		if err != nil {
			return nil, err
		}
		putErr := PutIfAbsent(ctx, t.lake.storage, logName(t.folder, state.version+1), data)
		// What is done is done: the answer must not depend on whether the
		// caller still waits.
		settled := context.WithoutCancel(ctx)
		if putErr == nil {
			head, err := t.settle(settled, state, id, actions)
			if head != nil || err != nil {
				return head, err
			}
			if state, err = t.load(ctx, -1); err != nil {
				return nil, err
			}
			continue
		}
		// Someone has the slot; after an ambiguous error it may be us.
		err = t.advance(settled, state)
		switch {
		case err == nil && state.info.TxnID == id:
			return state, nil
		case !errors.Is(putErr, fs.ErrExist):
			return nil, putErr
		case errors.Is(err, fs.ErrNotExist): // taken, and cut off since
			state, err = t.load(ctx, -1)
		case err == nil:
			err = t.catchUp(ctx, state)
		}
		if err != nil {
			return nil, err
		}
	}
}

// settle tells what became of a commit that has got its slot: the state with
// it, or no state where it fell into the part of the log that was cut
// off while this process slept between reading and writing. Its name was free
// again there, and nobody would ever read it.
func (t *Table) settle(ctx context.Context, state *tableState, id string, actions []logAction) (*tableState, error) {
	version := state.version + 1
	isCut, err := t.isCutOff(ctx, version)
	if err != nil {
		return nil, err
	}
	if !isCut {
		return state, state.apply(actions)
	}
	head, err := t.load(ctx, -1)
	if err != nil {
		return nil, err
	}
	switch i := len(head.recent) - 1 - int(head.version-version); {
	case i >= 0 && i < len(head.recent) && head.recent[i] == id:
		return head, nil // it was in time, and the log was cut off after it
	case i >= 0:
		err := t.lake.storage.Remove(ctx, logName(t.folder, version))
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return nil, err
	}
	return nil, fmt.Errorf("version %d: the log was cut off there, and has gone on for long: %w", version, fs.ErrNotExist)
}

// isCutOff tells whether the log may begin after a version. TruncateLog deletes
// in ascending order, so where the entry before is there, it does not.
func (t *Table) isCutOff(ctx context.Context, version int64) (bool, error) {
	if version == 0 {
		listing, err := listLog(ctx, t.lake.storage, t.folder)
		return len(listing.checkpoints) > 0, err
	}
	_, err := t.lake.storage.Stat(ctx, logName(t.folder, version-1))
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	return false, err
}

// hashFile reads a data file through and gives its SHA-256 in hex.
func (t *Table) hashFile(ctx context.Context, name string) (string, error) {
	r, err := t.lake.storage.Open(ctx, path.Join(t.folder, name))
	if err != nil {
		return "", err
	}
	defer r.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(r, 0, r.Size())); err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// checkCommit checks what does not depend on the log.
func (t *Table) checkCommit(ctx context.Context, c Commit) error {
	if c.Operation == "" {
		return errors.New("no operation")
	}
	if err := checkColumns(c.Columns); err != nil {
		return err
	}
	for _, reserved := range []string{infoOperation, infoCommitID} {
		if _, taken := c.Info[reserved]; taken {
			return fmt.Errorf("info %q is reserved", reserved)
		}
	}
	seen := map[string]bool{}
	for _, txn := range c.Txns {
		if txn.AppID == "" || txn.Expect < -1 || txn.Next < txn.Expect || seen[txn.AppID] {
			return fmt.Errorf("txn %+v: no name, twice, or moving backwards", txn)
		}
		seen[txn.AppID] = true
	}
	seen = map[string]bool{}
	for _, file := range c.Add {
		if !dataPath.MatchString(file.Path) || seen[file.Path] || slices.Contains(c.Remove, file.Path) {
			return fmt.Errorf("add %q: not a plain relative path, twice, or also removed", file.Path)
		}
		seen[file.Path] = true
		info, err := t.lake.storage.Stat(ctx, path.Join(t.folder, file.Path))
		if err != nil {
			return err
		}
		if info.Bytes != file.Bytes || file.Rows < 0 {
			return fmt.Errorf("add %s: %d bytes stored, %d to be committed with %d rows", file.Path, info.Bytes, file.Bytes, file.Rows)
		}
	}
	return nil
}

// check tells whether the change still fits the head.
func (s *tableState) check(c Commit) error {
	for _, file := range c.Add {
		// An earlier try has landed. This comes first, and is no ErrStale:
		// whoever was told so would delete files that are in use.
		if s.live[file.Path] {
			return fmt.Errorf("add %s: in the table already", file.Path)
		}
	}
	if c.ExpectVersion != nil && *c.ExpectVersion != s.version {
		return fmt.Errorf("at version %d, expected %d: %w", s.version, *c.ExpectVersion, ErrConflict)
	}
	for _, txn := range c.Txns {
		if held := s.counter(txn.AppID); held != txn.Expect {
			return fmt.Errorf("%s stands at %d, expected %d: %w", txn.AppID, held, txn.Expect, ErrStale)
		}
	}
	for _, path := range c.Remove {
		if !s.live[path] {
			return fmt.Errorf("remove %s: not live: %w", path, ErrConflict)
		}
	}
	if c.Overwrite && len(c.Remove) != len(s.files) {
		return fmt.Errorf("overwrite removes %d of %d live files: %w", len(c.Remove), len(s.files), ErrConflict)
	}
	if s.protocol.MinWriterVersion > minWriterVersion {
		return WithHint(fmt.Errorf("needs Delta writer version %d, this binary knows %d", s.protocol.MinWriterVersion, minWriterVersion),
			"another tool has upgraded the table; restore it from a copy")
	}
	return nil
}

// actions spells the change as the commit after the state.
func (t *Table) actions(s *tableState, c Commit, id string) ([]logAction, error) {
	if err := s.check(c); err != nil {
		return nil, err
	}
	// A clock that went back must not reorder the log.
	now := max(t.lake.clock().UnixMilli(), s.timestamp)
	parameters := c.Info
	if parameters == nil {
		parameters = map[string]string{}
	}
	actions := []logAction{{CommitInfo: &commitInfo{
		Timestamp: now, Operation: c.Operation, Parameters: parameters, EngineInfo: "weir", TxnID: id,
	}}}
	if s.version < 0 {
		actions = append(actions, logAction{Protocol: &protocol{minReaderVersion, minWriterVersion}})
	}
	meta, err := t.nextMeta(s, c, now)
	if err != nil {
		return nil, err
	}
	if meta != nil {
		actions = append(actions, logAction{MetaData: meta})
	}
	for _, txn := range c.Txns {
		actions = append(actions, logAction{Txn: &txnAction{AppID: txn.AppID, Version: txn.Next, LastUpdated: now}})
	}
	live := map[string]DataFile{}
	for _, file := range s.files {
		live[file.Path] = file
	}
	for _, path := range c.Remove {
		remove, err := removeOf(live[path], now, !c.NoDataChange)
		if err != nil {
			return nil, err
		}
		actions = append(actions, logAction{Remove: remove})
	}
	for _, file := range c.Add {
		if file.ModifiedAt.IsZero() {
			file.ModifiedAt = time.UnixMilli(now)
		}
		add, err := addOf(file, !c.NoDataChange)
		if err != nil {
			return nil, err
		}
		actions = append(actions, logAction{Add: add})
	}
	return actions, nil
}

func addOf(file DataFile, dataChange bool) (*addAction, error) {
	stats, err := encodeStats(file.Rows)
	if err != nil {
		return nil, err
	}
	add := &addAction{
		Path: encodePath(file.Path), PartitionValues: map[string]string{}, Size: file.Bytes,
		ModificationTime: file.ModifiedAt.UnixMilli(), DataChange: dataChange, Stats: stats,
	}
	if file.SHA256 != "" { // else another writer's
		add.Tags = map[string]string{tagSHA256: file.SHA256}
	}
	return add, nil
}

// removeOf removes a file at a time in milliseconds.
func removeOf(file DataFile, at int64, dataChange bool) (*removeAction, error) {
	stats, err := encodeStats(file.Rows)
	if err != nil {
		return nil, err
	}
	return &removeAction{
		Path: encodePath(file.Path), DeletionTimestamp: at, DataChange: dataChange, ExtendedMetadata: true,
		PartitionValues: map[string]string{}, Size: file.Bytes, Stats: stats,
	}, nil
}

func encodeStats(rows int64) (string, error) {
	text, err := json.Marshal(addStats{NumRecords: rows})
	return string(text), err
}

// nextMeta is the metadata to write, or nil where it does not change.
func (t *Table) nextMeta(s *tableState, c Commit, now int64) (*metaData, error) {
	columns := c.Columns
	if s.version >= 0 && !c.Overwrite {
		merged, err := extendColumns(s.columns, c.Columns)
		if err != nil {
			return nil, err
		}
		columns = merged
	}
	schema, err := deltaSchema(columns)
	if err != nil {
		return nil, err
	}
	if s.version >= 0 {
		if schema == s.meta.SchemaString {
			return nil, nil
		}
		meta := s.meta
		meta.SchemaString = schema
		return &meta, nil
	}
	id, err := t.lake.newUUID()
	if err != nil {
		return nil, err
	}
	return &metaData{
		ID: id, Format: metaFormat{Provider: "parquet", Options: map[string]string{}},
		SchemaString: schema, PartitionColumns: []string{}, CreatedTime: now,
		// Asks other writers, too, for no minima and maxima of text.
		Configuration: map[string]string{"delta.dataSkippingNumIndexedCols": "0"},
	}, nil
}
