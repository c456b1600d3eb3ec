package lake

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"
)

// Version is one commit of a table, as its log tells it.
type Version struct {
	Table       string            `json:"table"`
	Version     int64             `json:"version"`
	CommittedAt time.Time         `json:"committed_at"` // UTC, milliseconds
	Operation   string            `json:"operation"`
	FilesAdded  int               `json:"files_added"`
	FilesGone   int               `json:"files_removed"`
	RowsAdded   int64             `json:"rows_added"`
	RowsGone    int64             `json:"rows_removed"`
	Bytes       int64             `json:"bytes_added"`
	Info        map[string]string `json:"info"`
}

// History lists the commits of a table, youngest first, at most limit of them
// (0: all that the log still holds).
func (t *Table) History(ctx context.Context, limit int) ([]Version, error) {
	listing, err := listLog(ctx, t.lake.storage, t.folder)
	if err != nil {
		return nil, fmt.Errorf("%s: read log: %w", t.name, err)
	}
	versions := listing.versions
	slices.Reverse(versions)
	if limit > 0 && len(versions) > limit {
		versions = versions[:limit]
	}
	var history []Version
	for _, version := range versions {
		actions, err := t.readCommit(ctx, version)
		if errors.Is(err, fs.ErrNotExist) {
			continue // dropped since it was listed
		}
		if err != nil {
			return nil, fmt.Errorf("%s: read log: %w", t.name, err)
		}
		one, err := describeVersion(t.name, version, actions)
		if err != nil {
			return nil, fmt.Errorf("%s: version %d: %w", t.name, version, err)
		}
		history = append(history, one)
	}
	return history, nil
}

func describeVersion(table string, version int64, actions []logAction) (Version, error) {
	v := Version{Table: table, Version: version}
	for _, action := range actions {
		switch {
		case action.CommitInfo != nil:
			v.CommittedAt = time.UnixMilli(action.CommitInfo.Timestamp).UTC()
			v.Operation, v.Info = action.CommitInfo.Operation, action.CommitInfo.Parameters
		case action.Add != nil:
			file, err := action.Add.file()
			if err != nil {
				return Version{}, err
			}
			v.FilesAdded, v.RowsAdded, v.Bytes = v.FilesAdded+1, v.RowsAdded+file.Rows, v.Bytes+file.Bytes
		case action.Remove != nil:
			file, err := action.Remove.file()
			if err != nil {
				return Version{}, err
			}
			v.FilesGone, v.RowsGone = v.FilesGone+1, v.RowsGone+file.Rows
		}
	}
	return v, nil
}
