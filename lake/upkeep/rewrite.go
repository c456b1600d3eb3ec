package upkeep

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
	"github.com/weir-lake/weir/lake/derive"
	"github.com/weir-lake/weir/lake/duck"
)

// errUnfaithful: a file that was written does not hold the rows of its inputs.
var errUnfaithful = errors.New("the new file does not hold the rows of its inputs")

// Views of the session for the rows of a merge.
const (
	viewsSchema = "upkeep"
	before      = viewsSchema + ".inputs"
	after       = viewsSchema + ".merged"
)

// Without writes a live file of an events table again, durably, but for some
// rows, n of them: those whose place in Kafka (kafka_cluster, kafka_topic,
// kafka_partition, kafka_offset) stands in the session's table named gone. Rows
// keep their order, and what is written is compared with what is to stay. The
// caller commits the file in the place of the old one. On error it is not there.
func Without(ctx context.Context, session *duck.Session, lk *lake.Lake, table *lake.Snapshot, file lake.DataFile, gone string, n int64) (lake.DataFile, error) {
	return rewrite(ctx, session, lk, table, rewriting{
		prefix: "kept-", files: []lake.DataFile{file}, rows: file.Rows - n,
		but: " anti join " + gone + " using (kafka_cluster, kafka_topic, kafka_partition, kafka_offset)",
	})
}

// merging is the rewriting of all rows of some files into one.
func merging(files []lake.DataFile) rewriting {
	r := rewriting{prefix: "merged-", files: files}
	for _, file := range files {
		r.rows += file.Rows
	}
	return r
}

// rewriting is a file to be made of others.
type rewriting struct {
	prefix string // of its name
	files  []lake.DataFile
	but    string // SQL after the scan of the files: which rows to leave out
	rows   int64  // that it must have
}

// rewrite writes the rows of some files of a table into a new one in its
// folder, durably, and compares. On error the file is gone.
func rewrite(ctx context.Context, session *duck.Session, lk *lake.Lake, table *lake.Snapshot, r rewriting) (lake.DataFile, error) {
	file := lake.DataFile{Path: r.prefix + uuid.NewString() + ".parquet", Rows: r.rows}
	path := filepath.Join(duck.TableDir(lk.Dir(), table.Table), file.Path)
	err := writeMerged(ctx, session, lk, table, r, path)
	if err == nil {
		err = checkMerged(ctx, session, lk, table, r, file)
	}
	var info os.FileInfo
	if err == nil {
		info, err = os.Stat(path)
	}
	if err != nil {
		return lake.DataFile{}, errors.Join(fmt.Errorf("%s: %w", file.Path, err), removeIfThere(path))
	}
	file.Bytes, file.ModifiedAt = info.Size(), info.ModTime().UTC()
	return file, nil
}

func writeMerged(ctx context.Context, session *duck.Session, lk *lake.Lake, table *lake.Snapshot, r rewriting, path string) error {
	options := fmt.Sprintf("format parquet, compression zstd, compression_level 1, row_group_size %d", rowGroupRows(r.files))
	if ids := duck.FieldIDs(table.Columns); ids != "" {
		options += ", field_ids " + ids
	}
	err := session.Exec(ctx, fmt.Sprintf("copy (select %s from %s%s order by %s) to %s (%s)", columnList(table.Columns),
		duck.Scan(lk.Dir(), table, r.files, "filename = true", "file_row_number = true"), r.but, order(table.Columns), duck.Literal(path), options))
	if err != nil {
		return err
	}
	if err := lake.SyncPath(path); err != nil {
		return err
	}
	return lake.SyncPath(filepath.Dir(path))
}

// order is how a file's rows lie. A subject of a derived table has all its rows
// in one file, in the order of the key.
func order(columns []lake.Column) string {
	has := func(name string) bool {
		return slices.ContainsFunc(columns, func(c lake.Column) bool { return c.Name == name })
	}
	switch {
	case has("kafka_offset"):
		return "kafka_cluster, kafka_topic, kafka_partition, kafka_offset, filename, file_row_number"
	case has(derive.SubjectColumn):
		return derive.SubjectColumn + ", filename, file_row_number"
	}
	return "filename, file_row_number"
}

// rowGroupRows lets a reader that needs a few rows of a wide table read a
// little: groups of some 16 MiB in memory.
func rowGroupRows(files []lake.DataFile) int64 {
	var bytes, rows int64
	for _, file := range files {
		bytes, rows = bytes+file.Bytes, rows+file.Rows
	}
	return min(max((16<<20)*rows/max(uncompressed*bytes, 1), 2048), 122_880)
}

// checkMerged compares a merged file with its inputs: columns and types as they
// stand in it, the number of rows, and what is in them.
func checkMerged(ctx context.Context, session *duck.Session, lk *lake.Lake, table *lake.Snapshot, r rewriting, merged lake.DataFile) error {
	path := duck.Literal(filepath.Join(duck.TableDir(lk.Dir(), table.Table), merged.Path))
	found, err := session.Describe(ctx, "select * from read_parquet("+path+")")
	if err != nil {
		return err
	}
	if !slices.EqualFunc(found, table.Columns, func(a, b lake.Column) bool { return a.Name == b.Name && duck.SameType(a, b) }) {
		return fmt.Errorf("columns: %w", errUnfaithful)
	}
	var rows int64
	if err := session.Get(ctx, "select num_rows from parquet_file_metadata("+path+")", &rows); err != nil {
		return err
	}
	if rows != merged.Rows {
		return fmt.Errorf("%d rows for %d: %w", rows, merged.Rows, errUnfaithful)
	}
	var hashes [2]string
	for i, side := range []struct {
		view, rows string
	}{
		{before, duck.Scan(lk.Dir(), table, r.files) + r.but},
		{after, duck.Scan(lk.Dir(), table, []lake.DataFile{merged})},
	} {
		if err := session.Exec(ctx, "create schema if not exists "+viewsSchema); err != nil {
			return err
		}
		if err := session.RegisterQuery(ctx, side.view, "select "+columnList(table.Columns)+" from "+side.rows); err != nil {
			return err
		}
		if hashes[i], err = derive.LogicalHash(ctx, session, side.view); err != nil {
			return err
		}
	}
	if hashes[0] != hashes[1] {
		return fmt.Errorf("logical hash %s for %s: %w", hashes[1], hashes[0], errUnfaithful)
	}
	return nil
}

func columnList(columns []lake.Column) string {
	names := make([]string, len(columns))
	for i, column := range columns {
		names[i] = duck.Ident(column.Name)
	}
	return strings.Join(names, ", ")
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
