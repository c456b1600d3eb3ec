package lake

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

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
