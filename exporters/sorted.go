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
const sortAtOnce = 50_000

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
// the other.
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
	letters, err := filepath.Glob(filepath.Join(dealt, "letter=*"))
	if err != nil {
		return nil, err
	}
	slices.Sort(letters)
	sortInto := func(from string) error {
		path := filepath.Join(dir, fmt.Sprintf("sorted-%05d.parquet", len(paths)))
		paths = append(paths, path)
		return session.Exec(ctx, "copy (select * from "+from+" order by "+order+") to "+duck.Literal(path)+" (format parquet, compression snappy, row_group_size 2048)")
	}
	switch {
	case len(letters) == 0:
		return paths, sortInto("(\n" + query + "\n)")
	case rows <= sortAtOnce:
		return paths, sortInto(scanParquet(filepath.Join(dealt, "*", "*.parquet")))
	}
	for _, letter := range letters {
		if err := sortInto(scanParquet(filepath.Join(letter, "*.parquet"))); err != nil {
			return nil, err
		}
		if err := os.RemoveAll(letter); err != nil {
			return nil, err
		}
	}
	return paths, nil
}

// scanParquet reads files as they are: what their folders are called is no column.
func scanParquet(paths ...string) string {
	literals := make([]string, len(paths))
	for i, path := range paths {
		literals[i] = duck.Literal(path)
	}
	return "read_parquet([" + strings.Join(literals, ", ") + "], hive_partitioning = false)"
}
