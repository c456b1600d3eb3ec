package erasure

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
)

// rewrite writes those files of a table again that hold rows to take out, and
// puts the new ones in the place of the old ones in one commit. It gives how
// many files there were. The error matches lake.ErrConflict where another writer
// has removed one of the old files.
func rewrite(ctx context.Context, lk *lake.Lake, m *match, name string, version int64, requests []string) (int, error) {
	table, err := lk.Table(name)
	if err != nil {
		return 0, err
	}
	snapshot, err := table.SnapshotAt(ctx, version)
	if err != nil {
		return 0, err
	}
	commit := lake.Commit{Operation: "erase", Columns: snapshot.Columns, Info: map[string]string{lake.InfoErasure: strings.Join(requests, ",")}}
	files := 0
	for _, file := range snapshot.Files {
		scan := duck.Scan(lk.Dir(), snapshot, []lake.DataFile{file})
		var rows int64
		if err := m.session.Get(ctx, "select count(*) from "+scan+" where "+m.condition(name), &rows); err != nil {
			return files, errors.Join(err, table.Discard(ctx, commit.Add...))
		}
		if rows == 0 {
			continue
		}
		files++
		commit.Remove = append(commit.Remove, file.Path)
		kept, err := writeKept(ctx, lk, m, snapshot, scan)
		if err != nil {
			return files, errors.Join(fmt.Errorf("%s: %s: %w", name, file.Path, err), table.Discard(ctx, commit.Add...))
		}
		if kept.Rows > 0 {
			commit.Add = append(commit.Add, kept)
		}
	}
	if files == 0 {
		return 0, nil
	}
	_, err = table.Commit(ctx, commit)
	if errors.Is(err, lake.ErrConflict) || errors.Is(err, lake.ErrSchema) {
		err = errors.Join(err, table.Discard(ctx, commit.Add...))
	}
	return files, err
}

// writeKept writes what is left of a file, in its order, durably. It has no rows
// where nothing is left.
func writeKept(ctx context.Context, lk *lake.Lake, m *match, table *lake.Snapshot, scan string) (lake.DataFile, error) {
	file := lake.DataFile{Path: "erased-" + uuid.NewString() + ".parquet"}
	path := filepath.Join(duck.TableDir(lk.Dir(), table.Table), file.Path)
	options := "format parquet, compression zstd, compression_level 1, row_group_size 16384"
	if ids := duck.FieldIDs(table.Columns); ids != "" {
		options += ", field_ids " + ids
	}
	var err error
	file.Rows, err = m.session.ExecCount(ctx, fmt.Sprintf("copy (%s order by %s) to %s (%s)",
		m.kept(table.Table, scan), m.order(table.Table), duck.Literal(path), options))
	if err == nil && file.Rows > 0 {
		if err = lake.SyncPath(path); err == nil {
			err = lake.SyncPath(filepath.Dir(path))
		}
	}
	if err != nil || file.Rows == 0 {
		return lake.DataFile{}, errors.Join(err, removeIfThere(path))
	}
	info, err := os.Stat(path)
	if err != nil {
		return lake.DataFile{}, err
	}
	file.Bytes, file.ModifiedAt = info.Size(), info.ModTime().UTC()
	return file, nil
}

// order is how a table's rows lie.
func (m *match) order(table string) string {
	if slices.Contains(m.datasets, table) {
		return "example_id"
	}
	return "kafka_cluster, kafka_topic, kafka_partition, kafka_offset"
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
