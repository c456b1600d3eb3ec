package catalog

import (
	"context"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
)

// reach is about how many versions of a table the catalog goes back: reading
// them must not hold up a publication. weir query --as-of knows them all.
const reach = 2000

// past is what a table was made of, as far back as the catalog tells.
type past struct {
	lives []lake.Life
	since time.Time
}

// readPast reads the past of a table. A log that tells its head and not what was
// before gives none: the catalog shows what there is.
func readPast(ctx context.Context, lk *lake.Lake, t table) (past, error) {
	if t.Version < 0 {
		return past{}, nil
	}
	handle, err := lk.Table(t.Table)
	if err != nil {
		return past{}, err
	}
	lives, since, err := handle.Lives(ctx, reach)
	if err != nil {
		return past{}, ctx.Err()
	}
	return past{lives, since}, nil
}

const filesTable = `create table main.weir_files (
    table_name varchar, path varchar, added_version bigint, added_at timestamptz, removed_version bigint, removed_at timestamptz
)`

// pastStatements make a table's macro for time travel, and its rows in
// main.weir_files, where people can look up what the macro goes by.
func (t table) pastStatements(p past) []string {
	_, name, _ := strings.Cut(t.Table, ".")
	macro := strings.TrimSuffix(duck.TableIdent(t.Table), duck.Ident(name)) + duck.Ident(name+"_at")
	if len(p.lives) == 0 {
		return []string{"create macro " + macro + "(moment) as table " + duck.EmptySelect(t.Columns)}
	}
	folder := strings.ReplaceAll(t.Table, ".", "/")
	lines := make([]string, len(p.lives))
	rows := make([]string, len(p.lives))
	for i, life := range p.lives {
		lines[i] = fmt.Sprintf("%016d %016d @/%s", life.AddedAt.UnixMicro(), removedAt(life), path.Join(folder, life.Path))
		removed, at := "null", "null"
		if life.RemovedVersion >= 0 {
			removed, at = strconv.FormatInt(life.RemovedVersion, 10), timeLiteral(life.RemovedAt)
		}
		rows[i] = fmt.Sprintf("(%s, %s, %d, %s, %s, %s)", duck.Literal(t.Table), duck.Literal(path.Join(folder, life.Path)), life.AddedVersion, timeLiteral(life.AddedAt), removed, at)
	}
	schema := duck.SchemaMap(t.Columns)
	if schema != "" {
		schema = ", schema = " + schema
	}
	// The list of files is chosen before any is opened: a condition on filename
	// would have all of them read. No lambda: their spelling changes between
	// releases of DuckDB, that of a list comprehension does not.
	const start, end = "l[:16]::bigint <= epoch_us(moment::timestamptz)", "epoch_us(moment::timestamptz) < l[18:33]::bigint"
	return []string{
		"insert into main.weir_files values " + strings.Join(rows, ", "),
		fmt.Sprintf("create macro %s(moment) as table select * from read_parquet(case when epoch_us(moment::timestamptz) < %d then [error(%s)] else"+
			" [replace(l[35:], '@', main.weir_root()) for l in string_split(%s, chr(10)) if %s and %s] end%s)",
			macro, p.since.UnixMicro(), duck.Literal(t.Table+": the catalog goes back to "+p.since.Format(time.RFC3339Nano)+"; weir query --as-of may go back further"),
			duck.Literal(strings.Join(lines, "\n")), start, end, schema),
		"comment on macro table " + macro + " is " + duck.Literal(t.Table+" as it was at a moment, such as '2026-11-01' or now() - interval 1 day. Goes back to "+p.since.Format(time.RFC3339Nano)),
	}
}

// removedAt is when a file went, in microseconds; one that is live goes at the
// end of time.
func removedAt(life lake.Life) int64 {
	if life.RemovedVersion < 0 {
		return 1e16 - 1
	}
	return life.RemovedAt.UnixMicro()
}

func timeLiteral(at time.Time) string {
	return "'" + at.UTC().Format(time.RFC3339Nano) + "'::timestamptz"
}
