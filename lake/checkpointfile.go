package lake

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/parquet-go/parquet-go"
)

// Keys of a checkpoint's Parquet metadata, for what Delta has no place for.
const (
	checkpointVersion   = "weir.version"
	checkpointInfo      = "weir.commit_info"    // of the version, as in its commit
	checkpointRecent    = "weir.recent_commits" // ids of the last commits, this version's last
	checkpointTime      = "weir.timestamp"      // ms: the latest up to the version
	checkpointRemoves   = "weir.removes"        // number of remove rows, which come last
	checkpointSum       = "weir.sha256"         // of what is not a remove, as a commit would spell it
	checkpointRemoveSum = "weir.removes_sha256" // of the rest
)

// The rows of a checkpoint, with the names and types that Delta's protocol
// gives. Everything is optional, as in Spark's own, so that no reader meets a
// required field inside a struct that is NULL.
type (
	checkpointRow struct {
		Txn      *checkpointTxn      `parquet:"txn,optional"`
		Add      *checkpointAdd      `parquet:"add,optional"`
		Remove   *checkpointRemove   `parquet:"remove,optional"`
		MetaData *checkpointMeta     `parquet:"metaData,optional"`
		Protocol *checkpointProtocol `parquet:"protocol,optional"`
	}
	checkpointTxn struct {
		AppID       *string `parquet:"appId,optional"`
		Version     *int64  `parquet:"version,optional"`
		LastUpdated *int64  `parquet:"lastUpdated,optional"`
	}
	checkpointAdd struct {
		Path             *string           `parquet:"path,optional"`
		PartitionValues  map[string]string `parquet:"partitionValues,optional"`
		Size             *int64            `parquet:"size,optional"`
		ModificationTime *int64            `parquet:"modificationTime,optional"`
		DataChange       *bool             `parquet:"dataChange,optional"`
		Stats            *string           `parquet:"stats,optional"`
		Tags             map[string]string `parquet:"tags,optional"`
	}
	checkpointRemove struct {
		Path              *string           `parquet:"path,optional"`
		DeletionTimestamp *int64            `parquet:"deletionTimestamp,optional"`
		DataChange        *bool             `parquet:"dataChange,optional"`
		ExtendedMetadata  *bool             `parquet:"extendedFileMetadata,optional"`
		PartitionValues   map[string]string `parquet:"partitionValues,optional"`
		Size              *int64            `parquet:"size,optional"`
		Stats             *string           `parquet:"stats,optional"`
	}
	checkpointMeta struct {
		ID               *string           `parquet:"id,optional"`
		Name             *string           `parquet:"name,optional"`
		Description      *string           `parquet:"description,optional"`
		Format           *checkpointFormat `parquet:"format,optional"`
		SchemaString     *string           `parquet:"schemaString,optional"`
		PartitionColumns []string          `parquet:"partitionColumns,optional,list"`
		CreatedTime      *int64            `parquet:"createdTime,optional"`
		Configuration    map[string]string `parquet:"configuration,optional"`
	}
	checkpointFormat struct {
		Provider *string           `parquet:"provider,optional"`
		Options  map[string]string `parquet:"options,optional"`
	}
	checkpointProtocol struct {
		MinReaderVersion *int32 `parquet:"minReaderVersion,optional"`
		MinWriterVersion *int32 `parquet:"minWriterVersion,optional"`
	}
)

// value is what a pointer points at, or the zero value.
func value[T any](p *T) T {
	var zero T
	if p == nil {
		return zero
	}
	return *p
}

// notNil keeps a map that is empty from being NULL: Delta wants one or the other.
func notNil(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

// encodeCheckpoint gives the bytes of a state's checkpoint. Equal states give
// equal bytes.
func encodeCheckpoint(s *tableState, removed []Tombstone) ([]byte, error) {
	state, err := s.checkpointActions()
	if err != nil {
		return nil, err
	}
	removes := make([]logAction, len(removed))
	for i, tombstone := range removed {
		if removes[i].Remove, err = removeOf(tombstone.DataFile, tombstone.RemovedAt.UnixMilli(), tombstone.DataChange); err != nil {
			return nil, err
		}
	}
	sum, err := s.sumActions(state)
	if err != nil {
		return nil, err
	}
	removeSum, err := s.sumActions(removes)
	if err != nil {
		return nil, err
	}
	info, err := json.Marshal(s.info)
	if err != nil {
		return nil, err
	}
	recent := strings.Join(s.recent[max(0, len(s.recent)-recentCommits):], " ")
	var buf bytes.Buffer
	w := parquet.NewGenericWriter[checkpointRow](&buf, parquet.Compression(compression),
		parquet.KeyValueMetadata(checkpointVersion, strconv.FormatInt(s.version, 10)),
		parquet.KeyValueMetadata(checkpointInfo, string(info)),
		parquet.KeyValueMetadata(checkpointRecent, recent),
		parquet.KeyValueMetadata(checkpointTime, strconv.FormatInt(s.timestamp, 10)),
		parquet.KeyValueMetadata(checkpointRemoves, strconv.Itoa(len(removes))),
		parquet.KeyValueMetadata(checkpointSum, sum),
		parquet.KeyValueMetadata(checkpointRemoveSum, removeSum))
	for _, action := range slices.Concat(state[1:], removes) {
		if _, err := w.Write([]checkpointRow{action.row()}); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// checkpointActions spells a state as one commit would: the commit's info
// first, then what becomes rows.
func (s *tableState) checkpointActions() ([]logAction, error) {
	meta := s.meta
	meta.Format.Options, meta.Configuration = notNil(meta.Format.Options), notNil(meta.Configuration)
	meta.PartitionColumns = append([]string{}, meta.PartitionColumns...)
	actions := []logAction{{CommitInfo: &s.info}, {Protocol: &s.protocol}, {MetaData: &meta}}
	for _, app := range slices.Sorted(maps.Keys(s.txns)) {
		actions = append(actions, logAction{Txn: &txnAction{AppID: app, Version: s.txns[app]}})
	}
	for _, file := range s.files {
		add, err := addOf(file, false)
		if err != nil {
			return nil, err
		}
		actions = append(actions, logAction{Add: add})
	}
	return actions, nil
}

// sumActions is a checksum of actions of the state's version.
func (s *tableState) sumActions(actions []logAction) (string, error) {
	text, err := encodeActions(actions)
	sum := sha256.Sum256(fmt.Appendf(text, "%d at %d after %q", s.version, s.timestamp, s.recent[max(0, len(s.recent)-recentCommits):]))
	return hex.EncodeToString(sum[:]), err
}

// decodeCheckpoint reads a checkpoint's bytes, ours or another tool's.
func decodeCheckpoint(data []byte, version int64, withRemoved bool) (s *tableState, err error) {
	defer func() {
		if p := recover(); p != nil { // the library panics on some malformed files
			s, err = nil, fmt.Errorf("%v", p)
		}
	}()
	file, err := parquet.OpenFile(bytes.NewReader(data), int64(len(data)), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, err
	}
	s = newTableState()
	s.version, s.checkpoint = version, version
	sum, isOurs := file.Lookup(checkpointSum)
	removes := int64(0)
	if isOurs {
		if removes, err = s.readOwnMetadata(file); err != nil {
			return nil, err
		}
	}
	rows := parquet.NewGenericReader[checkpointRow](file)
	defer rows.Close()
	if err := s.readRows(rows, file.NumRows()-removes); err != nil {
		return nil, err
	}
	if s.protocol.MinReaderVersion == 0 || s.meta.SchemaString == "" {
		return nil, errors.New("no protocol or no metadata")
	}
	if isOurs {
		actions, err := s.checkpointActions()
		if err != nil {
			return nil, err
		}
		if got, err := s.sumActions(actions); err != nil || got != sum {
			return nil, errors.Join(errors.New("its checksum does not match"), err)
		}
	}
	if withRemoved && isOurs {
		return s, s.readRemoves(rows, removes, file)
	}
	return s, nil
}

// readOwnMetadata reads what our checkpoints have beside the rows.
func (s *tableState) readOwnMetadata(file *parquet.File) (removes int64, err error) {
	text := func(key string) string {
		text, _ := file.Lookup(key)
		return text
	}
	if version := strconv.FormatInt(s.version, 10); text(checkpointVersion) != version {
		return 0, fmt.Errorf("it is of version %s", text(checkpointVersion))
	}
	if err := json.Unmarshal([]byte(text(checkpointInfo)), &s.info); err != nil {
		return 0, err
	}
	if s.timestamp, err = strconv.ParseInt(text(checkpointTime), 10, 64); err != nil {
		return 0, err
	}
	s.recent = strings.Split(text(checkpointRecent), " ")
	removes, err = strconv.ParseInt(text(checkpointRemoves), 10, 64)
	if err == nil && (removes < 0 || removes > file.NumRows()) {
		err = fmt.Errorf("%d removes of %d rows", removes, file.NumRows())
	}
	return removes, err
}

// readRows takes rows into the state.
func (s *tableState) readRows(rows *parquet.GenericReader[checkpointRow], n int64) error {
	for range n {
		row := make([]checkpointRow, 1)
		if read, err := rows.Read(row); read < 1 {
			return cmp.Or(err, io.ErrUnexpectedEOF)
		}
		if err := s.takeRow(row[0]); err != nil {
			return err
		}
	}
	return nil
}

func (s *tableState) takeRow(row checkpointRow) error {
	action := row.action()
	switch {
	case action.Protocol != nil:
		return s.setProtocol(*action.Protocol)
	case action.MetaData != nil:
		return s.setMeta(*action.MetaData)
	case action.Txn != nil:
		s.setTxn(*action.Txn)
	case action.Add != nil:
		file, err := action.Add.file()
		if err != nil {
			return err
		}
		s.add(file)
	case action.Remove != nil:
		file, err := action.Remove.file()
		if err != nil {
			return err
		}
		s.removed[file.Path] = action.Remove.tombstone(file)
	}
	return nil
}

// readRemoves reads the rows at the end of one of our checkpoints.
func (s *tableState) readRemoves(rows *parquet.GenericReader[checkpointRow], n int64, file *parquet.File) error {
	if err := s.readRows(rows, n); err != nil {
		return err
	}
	var removes []logAction
	for _, tombstone := range s.tombstones() {
		remove, err := removeOf(tombstone.DataFile, tombstone.RemovedAt.UnixMilli(), tombstone.DataChange)
		if err != nil {
			return err
		}
		removes = append(removes, logAction{Remove: remove})
	}
	want, _ := file.Lookup(checkpointRemoveSum)
	if got, err := s.sumActions(removes); err != nil || got != want {
		return errors.Join(errors.New("the checksum of its removed files does not match"), err)
	}
	return nil
}

func (a logAction) row() checkpointRow {
	var row checkpointRow
	switch {
	case a.Protocol != nil:
		row.Protocol = &checkpointProtocol{new(int32(a.Protocol.MinReaderVersion)), new(int32(a.Protocol.MinWriterVersion))}
	case a.MetaData != nil:
		m := a.MetaData
		row.MetaData = &checkpointMeta{
			ID: &m.ID, Name: m.Name, Description: m.Description, Format: &checkpointFormat{&m.Format.Provider, m.Format.Options},
			SchemaString: &m.SchemaString, PartitionColumns: m.PartitionColumns, CreatedTime: &m.CreatedTime, Configuration: m.Configuration,
		}
	case a.Txn != nil:
		row.Txn = &checkpointTxn{AppID: &a.Txn.AppID, Version: &a.Txn.Version}
	case a.Add != nil:
		row.Add = &checkpointAdd{
			Path: &a.Add.Path, PartitionValues: a.Add.PartitionValues, Size: &a.Add.Size, ModificationTime: &a.Add.ModificationTime,
			DataChange: &a.Add.DataChange, Stats: &a.Add.Stats, Tags: a.Add.Tags,
		}
	case a.Remove != nil:
		row.Remove = &checkpointRemove{
			Path: &a.Remove.Path, DeletionTimestamp: &a.Remove.DeletionTimestamp, DataChange: &a.Remove.DataChange,
			ExtendedMetadata: &a.Remove.ExtendedMetadata, PartitionValues: a.Remove.PartitionValues, Size: &a.Remove.Size, Stats: &a.Remove.Stats,
		}
	}
	return row
}

func (r checkpointRow) action() logAction {
	var a logAction
	switch {
	case r.Protocol != nil:
		a.Protocol = &protocol{int(value(r.Protocol.MinReaderVersion)), int(value(r.Protocol.MinWriterVersion))}
	case r.MetaData != nil:
		m := r.MetaData
		a.MetaData = &metaData{
			ID: value(m.ID), Name: m.Name, Description: m.Description,
			SchemaString: value(m.SchemaString), PartitionColumns: m.PartitionColumns, CreatedTime: value(m.CreatedTime), Configuration: m.Configuration,
		}
		if m.Format != nil {
			a.MetaData.Format = metaFormat{value(m.Format.Provider), m.Format.Options}
		}
	case r.Txn != nil:
		a.Txn = &txnAction{AppID: value(r.Txn.AppID), Version: value(r.Txn.Version)}
	case r.Add != nil:
		a.Add = &addAction{
			Path: value(r.Add.Path), Size: value(r.Add.Size), ModificationTime: value(r.Add.ModificationTime),
			Stats: value(r.Add.Stats), Tags: r.Add.Tags,
		}
	case r.Remove != nil:
		a.Remove = &removeAction{
			Path: value(r.Remove.Path), DeletionTimestamp: value(r.Remove.DeletionTimestamp), DataChange: value(r.Remove.DataChange),
			Size: value(r.Remove.Size), Stats: value(r.Remove.Stats),
		}
	}
	return a
}

// encodePath spells a path as the log has it.
func encodePath(path string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		parts[i] = url.PathEscape(part)
	}
	return strings.Join(parts, "/")
}
