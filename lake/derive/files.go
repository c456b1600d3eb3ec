package derive

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/google/uuid"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
)

// writeRows writes rows to as many files as they need, whole subjects to each,
// in the order in which the subjects were first seen.
func (c *change) writeRows(ctx context.Context, rows string, target int64) error {
	b := c.b
	var count int64
	err := b.session.Get(ctx, "select count(*) from ("+rows+")", &count)
	if err != nil || count == 0 {
		return err
	}
	if count <= target || !c.table.hasSubject() {
		return c.copy(ctx, rows, count)
	}
	layout := b.newName("layout")
	if err := b.exec(ctx, "create table "+layout+" as "+c.layout(rows, target)); err != nil {
		return err
	}
	defer b.exec(context.WithoutCancel(ctx), "drop table if exists "+layout)
	// A subject larger than a file takes the place of several.
	files, err := b.session.Strings(ctx, "select concat_ws(' ', file, sum(n)::bigint) from "+layout+" group by file order by file")
	if err != nil {
		return err
	}
	for _, line := range files {
		var file, n int64
		if _, err := fmt.Sscan(line, &file, &n); err != nil {
			return err
		}
		part := fmt.Sprintf("select * from (%s) where %s in (select %s from %s where file = %d)", rows, SubjectColumn, SubjectColumn, layout, file)
		if err := c.copy(ctx, part, n); err != nil {
			return err
		}
	}
	return nil
}

// layout numbers the file of each subject.
func (c *change) layout(rows string, target int64) string {
	first := "''"
	join := ""
	switch {
	case c.table.Order != "":
		first = "min(" + duck.Ident(c.table.Order) + ")"
	case c.order != "":
		first, join = "any_value(first_seen)", " left join "+c.order+" using ("+SubjectColumn+")"
	}
	return fmt.Sprintf("select %s, n, ((sum(n) over (order by first_seen nulls first, %s rows unbounded preceding) - n) // %d)::bigint as file"+
		" from (select %s, count(*) as n, %s as first_seen from (select * exclude (%s), %s from (%s)) as rows%s group by %s)",
		SubjectColumn, SubjectColumn, target,
		SubjectColumn, first, SubjectColumn, SubjectColumn, rows, join, SubjectColumn)
}

// copy writes rows to a new file, sorted, and makes sure that it holds them.
func (c *change) copy(ctx context.Context, rows string, expected int64) error {
	name := uuid.NewString() + ".parquet"
	path := filepath.Join(c.dir, name)
	if err := os.MkdirAll(c.dir, 0o777); err != nil {
		return fmt.Errorf("%s: %w", c.table.Name, err)
	}
	// Remembered before it is written, so that it is removed when that fails.
	c.add = append(c.add, lake.DataFile{Path: name})
	file := &c.add[len(c.add)-1]
	keys := c.table.Key
	if c.table.hasSubject() && !slices.Contains(keys, SubjectColumn) {
		keys = append([]string{SubjectColumn}, keys...) // a conversation read at once lies at one place
	}
	// Level 1 halves the time of a rewrite for a few percent of size. Small row
	// groups let an exporter read a wide table piece by piece.
	written, err := c.b.session.ExecCount(ctx, fmt.Sprintf("copy (select %s from (%s) order by %s) to %s (format parquet, compression zstd, compression_level 1, row_group_size 16384)",
		columnList(c.table.Columns), rows, idents(keys), duck.Literal(path)))
	if err != nil {
		return fmt.Errorf("%s: write %s: %w", c.table.Name, name, err)
	}
	if err := lake.SyncPath(path); err != nil {
		return fmt.Errorf("%s: write %s: %w", c.table.Name, name, err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("%s: write %s: %w", c.table.Name, name, err)
	}
	if err := c.b.session.Get(ctx, "select num_rows from parquet_file_metadata("+duck.Literal(path)+")", &file.Rows); err != nil {
		return fmt.Errorf("%s: read back %s: %w", c.table.Name, name, err)
	}
	if written != expected || file.Rows != expected {
		return fmt.Errorf("%s: %s holds %d rows, %d were written of %d", c.table.Name, name, file.Rows, written, expected)
	}
	file.Bytes, file.ModifiedAt = info.Size(), info.ModTime().UTC()
	return nil
}

func columnList(columns []lake.Column) string {
	names := make([]string, len(columns))
	for i, column := range columns {
		names[i] = column.Name
	}
	return idents(names)
}
