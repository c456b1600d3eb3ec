package lake

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The Delta protocol that weir writes: the oldest that all readers know.
const (
	minReaderVersion = 1
	minWriterVersion = 2
)

// logAction is one line of a commit. Exactly one field is set; actions that
// this protocol does not know are skipped, as it asks.
type logAction struct {
	CommitInfo *commitInfo   `json:"commitInfo,omitempty"`
	Protocol   *protocol     `json:"protocol,omitempty"`
	MetaData   *metaData     `json:"metaData,omitempty"`
	Txn        *txnAction    `json:"txn,omitempty"`
	Add        *addAction    `json:"add,omitempty"`
	Remove     *removeAction `json:"remove,omitempty"`
}

type commitInfo struct {
	Timestamp  int64            `json:"timestamp"` // ms
	Operation  string           `json:"operation"`
	Parameters commitParameters `json:"operationParameters"`
	EngineInfo string           `json:"engineInfo,omitempty"`
	TxnID      string           `json:"txnId,omitempty"` // ours: tells whose commit took a slot
}

// commitParameters are text in our commits. Other tools' may be any JSON, which
// is kept as it stands.
type commitParameters map[string]string

func (p *commitParameters) UnmarshalJSON(data []byte) error {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	*p = commitParameters{}
	for key, value := range raw {
		var text string
		if json.Unmarshal(value, &text) != nil {
			text = string(value)
		}
		(*p)[key] = text
	}
	return nil
}

type protocol struct {
	MinReaderVersion int `json:"minReaderVersion"`
	MinWriterVersion int `json:"minWriterVersion"`
}

type metaData struct {
	ID               string            `json:"id"`
	Name             *string           `json:"name,omitempty"`
	Description      *string           `json:"description,omitempty"`
	Format           metaFormat        `json:"format"`
	SchemaString     string            `json:"schemaString"`
	PartitionColumns []string          `json:"partitionColumns"`
	Configuration    map[string]string `json:"configuration"`
	CreatedTime      int64             `json:"createdTime"` // ms
}

type metaFormat struct {
	Provider string            `json:"provider"`
	Options  map[string]string `json:"options"`
}

type txnAction struct {
	AppID       string `json:"appId"`
	Version     int64  `json:"version"`
	LastUpdated int64  `json:"lastUpdated,omitempty"` // ms
}

type addAction struct {
	Path             string            `json:"path"` // URL-encoded, relative to the table
	PartitionValues  map[string]string `json:"partitionValues"`
	Size             int64             `json:"size"`
	ModificationTime int64             `json:"modificationTime"` // ms
	DataChange       bool              `json:"dataChange"`
	Stats            string            `json:"stats,omitempty"` // JSON
	Tags             map[string]string `json:"tags,omitempty"`  // of the writer's own: tagSHA256
}

// tagSHA256 is the checksum of a data file, so that a changed byte is found
// without a second copy.
const tagSHA256 = "weir.sha256"

// addStats has the row count and nothing else: minima and maxima of text would
// keep erased words in the log.
type addStats struct {
	NumRecords int64 `json:"numRecords"`
}

type removeAction struct {
	Path              string            `json:"path"`
	DeletionTimestamp int64             `json:"deletionTimestamp"` // ms
	DataChange        bool              `json:"dataChange"`
	ExtendedMetadata  bool              `json:"extendedFileMetadata"`
	PartitionValues   map[string]string `json:"partitionValues"`
	Size              int64             `json:"size"`
	Stats             string            `json:"stats,omitempty"` // JSON
}

func (a *removeAction) file() (DataFile, error) {
	path, err := url.PathUnescape(a.Path)
	if err != nil {
		return DataFile{}, fmt.Errorf("remove %q: %w", a.Path, err)
	}
	var stats addStats
	if a.Stats != "" { // it is optional here
		if err := json.Unmarshal([]byte(a.Stats), &stats); err != nil {
			return DataFile{}, fmt.Errorf("remove %s: stats: %w", path, err)
		}
	}
	return DataFile{Path: path, Bytes: a.Size, Rows: stats.NumRecords}, nil
}

func logName(folder string, version int64) string {
	return fmt.Sprintf("%s/_delta_log/%020d.json", folder, version)
}

// logListing is what stands in a table's log.
type logListing struct {
	versions    []int64 // of the commits, ascending
	checkpoints []int64 // ascending; whether they can be read is another matter
	others      []logFile
}

// logFile is a file of a version that is neither: of another writer's, such as
// a checkpoint in parts.
type logFile struct {
	name    string
	version int64
}

// listLog lists a table's log. A folder that changes while it is listed may
// show neither the last entry that was deleted nor the next that came: where
// there is a log without a commit, it is listed again.
func listLog(ctx context.Context, s Storage, folder string) (logListing, error) {
	for attempt := 1; ; attempt++ {
		listing, err := listLogOnce(ctx, s, folder)
		if err != nil || len(listing.versions) > 0 || attempt == 10 {
			return listing, err
		}
		_, err = s.Stat(ctx, folder+"/_delta_log/"+lastCheckpointName)
		if errors.Is(err, fs.ErrNotExist) && len(listing.checkpoints) == 0 {
			return listing, nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return listing, err
		}
	}
}

func listLogOnce(ctx context.Context, s Storage, folder string) (logListing, error) {
	var listing logListing
	entries, err := s.List(ctx, folder+"/_delta_log")
	if err != nil {
		return listing, err
	}
	for _, entry := range entries {
		digits, kind, _ := strings.Cut(entry.Name, ".")
		version, err := strconv.ParseInt(digits, 10, 64)
		if len(digits) != 20 || err != nil || version < 0 {
			continue
		}
		switch kind {
		case "json":
			listing.versions = append(listing.versions, version)
		case "checkpoint.parquet":
			listing.checkpoints = append(listing.checkpoints, version)
		default:
			listing.others = append(listing.others, logFile{entry.Name, version})
		}
	}
	return listing, nil
}

// head is the newest version listed, -1 where there is none. Another tool may
// have deleted every commit that a checkpoint holds.
func (l logListing) head() int64 {
	head := int64(-1)
	for _, versions := range [][]int64{l.versions, l.checkpoints} {
		if n := len(versions); n > 0 {
			head = max(head, versions[n-1])
		}
	}
	return head
}

// startsLike tells whether reading would begin at the same place.
func (l logListing) startsLike(other logListing) bool {
	return slices.Equal(l.checkpoints, other.checkpoints) &&
		slices.Equal(l.versions[:min(1, len(l.versions))], other.versions[:min(1, len(other.versions))])
}

func encodeActions(actions []logAction) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf) // a line an action
	enc.SetEscapeHTML(false)
	for _, action := range actions {
		if err := enc.Encode(action); err != nil {
			return nil, err
		}
	}
	return buf.Bytes(), nil
}

func decodeActions(data []byte) ([]logAction, error) {
	var actions []logAction
	for i, line := range bytes.Split(data, []byte("\n")) {
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		var action logAction
		if err := json.Unmarshal(line, &action); err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		actions = append(actions, action)
	}
	return actions, nil
}

// readCommit reads one version. The error matches fs.ErrNotExist past the head.
func (t *Table) readCommit(ctx context.Context, version int64) ([]logAction, error) {
	name := logName(t.folder, version)
	data, err := ReadFile(ctx, t.lake.storage, name)
	if err != nil {
		return nil, err
	}
	actions, err := decodeActions(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return actions, nil
}

// tableState is what the log says up to a version.
type tableState struct {
	version    int64 // -1: no commit yet
	timestamp  int64 // ms, of the last commit
	checkpoint int64 // where reading began; -1: at the log's start
	protocol   protocol
	meta       metaData
	columns    []Column
	files      []DataFile // oldest commit first, then by path
	live       map[string]bool
	removed    map[string]Tombstone // by path
	txns       map[string]int64
	info       commitInfo
	recent     []string // commit ids of the last versions, this one's last
}

// recentCommits is how many commit ids a state remembers at least.
const recentCommits = 100

func newTableState() *tableState {
	return &tableState{version: -1, checkpoint: -1, live: map[string]bool{}, removed: map[string]Tombstone{}, txns: map[string]int64{}}
}

// apply moves the state by one commit. Order within a commit does not matter:
// a path is never both added and removed in one.
func (s *tableState) apply(actions []logAction) error {
	var added []DataFile
	removed := map[string]bool{}
	s.info = commitInfo{}
	for _, action := range actions {
		switch {
		case action.Protocol != nil:
			if err := s.setProtocol(*action.Protocol); err != nil {
				return err
			}
		case action.MetaData != nil:
			if err := s.setMeta(*action.MetaData); err != nil {
				return err
			}
		case action.Txn != nil:
			s.setTxn(*action.Txn)
		case action.Add != nil:
			file, err := action.Add.file()
			if err != nil {
				return err
			}
			added = append(added, file)
		case action.Remove != nil:
			file, err := action.Remove.file()
			if err != nil {
				return err
			}
			removed[file.Path] = true
			s.removed[file.Path] = action.Remove.tombstone(file)
		case action.CommitInfo != nil:
			s.info = *action.CommitInfo
			s.timestamp = max(s.timestamp, action.CommitInfo.Timestamp)
		}
	}
	if len(removed) > 0 {
		s.files = slices.DeleteFunc(s.files, func(file DataFile) bool { return removed[file.Path] })
		for path := range removed {
			delete(s.live, path)
		}
	}
	slices.SortFunc(added, func(a, b DataFile) int { return strings.Compare(a.Path, b.Path) })
	for _, file := range added {
		s.add(file)
	}
	s.version++
	s.recent = append(s.recent, s.info.TxnID)
	if len(s.recent) > 2*recentCommits {
		s.recent = slices.Clone(s.recent[recentCommits:])
	}
	return nil
}

func (s *tableState) add(file DataFile) {
	delete(s.removed, file.Path) // a restore brought it back
	if s.live[file.Path] {
		return // a foreign writer updated the file's statistics
	}
	s.live[file.Path] = true
	s.files = append(s.files, file)
}

func (s *tableState) setProtocol(p protocol) error {
	s.protocol = p
	if p.MinReaderVersion > minReaderVersion {
		return WithHint(fmt.Errorf("needs Delta reader version %d, this binary knows %d", p.MinReaderVersion, minReaderVersion),
			"another tool has upgraded the table; restore it from a copy")
	}
	return nil
}

func (s *tableState) setMeta(meta metaData) error {
	columns, err := parseDeltaSchema(meta.SchemaString)
	if err != nil {
		return err
	}
	s.meta, s.columns = meta, columns
	return nil
}

// setTxn moves a counter. Below zero it is none: Delta cannot take a txn back,
// and a restore may have to.
func (s *tableState) setTxn(txn txnAction) {
	if txn.Version < 0 {
		delete(s.txns, txn.AppID)
		return
	}
	s.txns[txn.AppID] = txn.Version
}

// counter is an application's version, -1 where it has none.
func (s *tableState) counter(app string) int64 {
	if version, ok := s.txns[app]; ok {
		return version
	}
	return -1
}

func (a *addAction) file() (DataFile, error) {
	path, err := url.PathUnescape(a.Path)
	if err != nil {
		return DataFile{}, fmt.Errorf("add %q: %w", a.Path, err)
	}
	var stats addStats
	if err := json.Unmarshal([]byte(a.Stats), &stats); err != nil {
		return DataFile{}, fmt.Errorf("add %s: stats: %w", path, err)
	}
	return DataFile{
		Path: path, Bytes: a.Size, Rows: stats.NumRecords, SHA256: a.Tags[tagSHA256],
		ModifiedAt: time.UnixMilli(a.ModificationTime).UTC(),
	}, nil
}

// load reads the log up to a version, or to its head where upTo is negative,
// from the newest checkpoint on that can be used. A table without a log gives
// the empty state. The error matches ErrNoVersion where the log begins later.
func (t *Table) load(ctx context.Context, upTo int64) (*tableState, error) {
	return t.loadFrom(ctx, upTo, (*Table).readCheckpointState)
}

// loadRemoved is load with the removed files that a checkpoint knows.
func (t *Table) loadRemoved(ctx context.Context, upTo int64) (*tableState, error) {
	return t.loadFrom(ctx, upTo, (*Table).readCheckpointWhole)
}

// checkpointReader reads the checkpoint of a version. The error matches
// errBadCheckpoint where others, or the log alone, may do instead.
type checkpointReader func(t *Table, ctx context.Context, version int64) (*tableState, error)

func (t *Table) loadFrom(ctx context.Context, upTo int64, read checkpointReader) (*tableState, error) {
	listing, err := listLog(ctx, t.lake.storage, t.folder)
	if err != nil {
		return nil, err
	}
	for {
		state, err := t.replay(ctx, listing, upTo, read)
		if err == nil || !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, ErrNoVersion) {
			return state, err
		}
		// The log may have been cut off before a newer checkpoint since it was
		// listed. Each turn needs another such cut, so this ends.
		again, listErr := listLog(ctx, t.lake.storage, t.folder)
		if listErr != nil || again.startsLike(listing) {
			return nil, errors.Join(err, listErr)
		}
		listing = again
	}
}

// replay reads what is listed. The error matches fs.ErrNotExist where an entry
// is missing.
func (t *Table) replay(ctx context.Context, listing logListing, upTo int64, read checkpointReader) (*tableState, error) {
	last := listing.head()
	if upTo >= 0 && upTo < last {
		last = upTo
	}
	state, err := t.start(ctx, listing, last, read)
	if err != nil {
		return nil, err
	}
	for state.version < last {
		next := state.version + 1
		err := t.advance(ctx, state)
		if errors.Is(err, fs.ErrNotExist) {
			// The next commit would go into the hole and hide all that follow.
			return nil, WithHint(fmt.Errorf("%s is missing from the log: %w", logName(t.folder, next), fs.ErrNotExist),
				"copy the table's _delta_log folder again, whole")
		}
		if err != nil {
			return nil, err
		}
	}
	return state, nil
}

// start is the newest checkpoint that can be used for a version, or the empty
// state where the log is whole.
func (t *Table) start(ctx context.Context, listing logListing, last int64, read checkpointReader) (*tableState, error) {
	var bad error
	for _, version := range slices.Backward(listing.checkpoints) {
		if version > last {
			continue
		}
		state, err := read(t, ctx, version)
		if err == nil || !errors.Is(err, errBadCheckpoint) {
			return state, err
		}
		if bad == nil {
			bad = err
		}
	}
	switch {
	case listing.head() < 0 || len(listing.versions) > 0 && listing.versions[0] == 0:
		return newTableState(), nil
	case bad != nil:
		return nil, WithHint(fmt.Errorf("the commits before it are gone: %w", bad),
			"copy the table's _delta_log folder again, whole")
	case len(listing.versions) == 0 || last < listing.versions[0] || len(listing.checkpoints) > 0:
		return nil, fmt.Errorf("the log begins later: %w", ErrNoVersion)
	}
	return newTableState(), nil // and the first entry will be found missing
}

// advance reads the commit after the state's.
func (t *Table) advance(ctx context.Context, state *tableState) error {
	actions, err := t.readCommit(ctx, state.version+1)
	if err != nil {
		return err
	}
	if err := state.apply(actions); err != nil {
		return fmt.Errorf("%s: %w", logName(t.folder, state.version+1), err)
	}
	return nil
}

// catchUp reads commits until the head.
func (t *Table) catchUp(ctx context.Context, state *tableState) error {
	for {
		err := t.advance(ctx, state)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (s *tableState) snapshot(table string) *Snapshot {
	info := map[string]string{infoOperation: s.info.Operation, infoCommitID: s.info.TxnID}
	for key, value := range s.info.Parameters {
		info[key] = value
	}
	return &Snapshot{
		Table: table, Version: s.version, CommittedAt: time.UnixMilli(s.timestamp).UTC(),
		Columns: s.columns, Files: s.files, Txns: s.txns, Info: info,
	}
}
