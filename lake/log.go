package lake

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
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
