package exporters

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/weir-lake/weir/lake/duck"
)

// sortAtOnce is how many rows are sorted in one go.
const sortAtOnce = 20_000

// order is what an export's rows are sorted by.
func (s *source) order() string {
	if s.pairs != nil {
		return "example_id, pair_id"
	}
	return "example_id"
}

// sortedParquet has DuckDB write the rows of a query into Parquet files under
// dir, sorted within each file and from file to file, and gives their paths. To
// sort all rows at once takes memory for a good part of them; so they are first
// dealt to files by the first letter of example_id, which are sorted one after
// the other, in parts where one is large. More files at a time take more memory
// than they save: each has buffers of its own.
func sortedParquet(ctx context.Context, session *duck.Session, query, order, dir string) (paths []string, err error) {
	dealt := filepath.Join(dir, "dealt")
	// What a partition buffers counts for all threads: the default holds half a
	// million rows of each.
	for _, statement := range []string{"set partitioned_write_flush_threshold = 4096", "set preserve_insertion_order = false"} {
		if err := session.Exec(ctx, statement); err != nil {
			return nil, err
		}
	}
	rows, err := session.ExecCount(ctx, "copy (select *, printf('%08x', unicode(example_id)) as letter from (\n"+query+"\n)) to "+duck.Literal(dealt)+
		" (format parquet, compression snappy, partition_by (letter), row_group_size 2048)")
	if err != nil {
		return nil, err
	}
	// The files that follow are to keep their order.
	if err := session.Exec(ctx, "set preserve_insertion_order = true"); err != nil {
		return nil, err
	}
	sortInto := func(from string) error {
		path := filepath.Join(dir, fmt.Sprintf("sorted-%05d.parquet", len(paths)))
		paths = append(paths, path)
		return session.Exec(ctx, "copy (select * from "+from+" order by "+order+") to "+duck.Literal(path)+" (format parquet, compression snappy, row_group_size 2048)")
	}
	letters, err := filepath.Glob(filepath.Join(dealt, "letter=*"))
	switch {
	case err != nil:
		return nil, err
	case len(letters) == 0:
		return paths, sortInto("(\n" + query + "\n)")
	case rows <= sortAtOnce:
		return paths, sortInto(scanParquet(filepath.Join(dealt, "*", "*.parquet")))
	}
	slices.Sort(letters)
	for _, letter := range letters {
		parts, err := partsOf(ctx, session, scanParquet(filepath.Join(letter, "*.parquet")))
		if err != nil {
			return nil, err
		}
		for _, part := range parts {
			if err := sortInto(part); err != nil {
				return nil, err
			}
		}
		if err := os.RemoveAll(letter); err != nil {
			return nil, err
		}
	}
	return paths, nil
}

// partsOf divides a scan into ranges of example_id that are sorted in one go
// each, in order.
func partsOf(ctx context.Context, session *duck.Session, scan string) ([]string, error) {
	bounds, err := session.Strings(ctx, fmt.Sprintf(`
		select min(example_id) as start
		from (select example_id, (row_number() over (order by example_id) - 1) // %d as part from %s)
		group by part
		order by start`, sortAtOnce, scan))
	if err != nil {
		return nil, err
	}
	parts := make([]string, len(bounds))
	for i, from := range bounds {
		parts[i] = scan + " where example_id >= " + duck.Literal(from)
		if i+1 < len(bounds) {
			parts[i] += " and example_id < " + duck.Literal(bounds[i+1])
		}
	}
	return parts, nil
}

// scanParquet reads files as they are: what their folders are called is no column.
func scanParquet(paths ...string) string {
	literals := make([]string, len(paths))
	for i, path := range paths {
		literals[i] = duck.Literal(path)
	}
	return "read_parquet([" + strings.Join(literals, ", ") + "], hive_partitioning = false)"
}
