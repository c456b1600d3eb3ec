package exporters_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
	"github.com/weir-lake/weir/lake/laketest"
)

// chunkRows is how many examples a data file of the benchmark's lake has.
const chunkRows = 25_000

// TestMakeLake makes the lake of scripts/export_bench.sh: WEIR_EXPORT_LAKE names
// its folder, WEIR_EXPORT_ROWS the number of examples. A small lake is built as
// always; then DuckDB puts made-up rows in the place of what the export reads.
func TestMakeLake(t *testing.T) {
	dir, rows := os.Getenv("WEIR_EXPORT_LAKE"), benchRows(t)
	small := built(t, 40)
	session, _, err := duck.OpenLake(t.Context(), small, duck.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	// Words of two to four syllables, the common ones often; 20,000 sentences.
	for _, statement := range []string{
		`create table words as
		select k, list_aggregate(list_transform(range(2 + (k % 3)), lambda j: ['ka','to','mi','ren','sol','vi','dra','ne','pu','ost','el','ba'][1 + ('0x' || md5(k || '-' || j)[:6])::bigint % 12]), 'string_agg', '') as word
		from range(20000) as t(k)`,
		`create table sentences as
		select k, upper(words[1][1]) || list_aggregate(words, 'string_agg', ' ')[2:] || '.' as sentence
		from (
			select k, (select list(word order by j) from (select j, (20000 * pow((('0x' || md5(s.k || '/' || j)[:6])::bigint % 100000) / 100000.0, 3))::bigint as pick from range(12) as r(j)) inner join words on words.k = pick) as words
			from range(20000) as s(k)
		)`,
		// What an example says, and how many sentences each part has.
		`create table parts as select * from (values ('s', 4), ('u', 5), ('q', 1), ('t', 8), ('f', 6), ('a', 6), ('v', 3), ('b', 6)) as t(part, n)`,
	} {
		if err := session.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	for _, table := range []struct{ name, rows string }{
		{"curated.examples", examplesOf},
		{"curated.funnel", "select md5(i::varchar) as example_id, case when i % 10 = 0 then 'validation' else 'train' end as fate from numbers"},
		{"curated.quality", "select md5(i::varchar) as example_id, 'keep' as verdict, 0.8::double as success_score from numbers"},
		{"curated.splits", "select md5(i::varchar) as example_id, md5(i::varchar) as group_id, case when i % 10 = 0 then 'validation' else 'train' end as split from numbers"},
	} {
		replaceRows(t, small, session, table.name, table.rows, rows)
	}
	if err := os.Rename(small.Dir(), dir); err != nil {
		t.Fatal(err)
	}
}

// Four turns of some 2 kB in all; every fifth example has two calls.
const examplesOf = `
select
    md5(i::varchar) as example_id, 'task-' || i as subject_id, 'gateway' as source, 'desk' as agent, 'task_completion' as task_type,
    md5('content' || i) as content_hash, 'declared' as tools_origin, [md5('a' || i), md5('b' || i)] as origin_event_ids,
    list_transform(
        case when i % 5 = 0 then [
            {'role': 'system', 'content': say['s'], 'calls': null, 'call': null},
            {'role': 'user', 'content': say['u'], 'calls': null, 'call': null},
            {'role': 'assistant', 'content': '', 'calls': [{'id': 'call_' || i, 'name': 'look_up', 'arguments': '{"query":"' || say['q'] || '"}'}], 'call': null},
            {'role': 'tool', 'content': say['t'], 'calls': null, 'call': 'call_' || i},
            {'role': 'assistant', 'content': say['f'], 'calls': null, 'call': null}
        ] else [
            {'role': 'system', 'content': say['s'], 'calls': null, 'call': null},
            {'role': 'user', 'content': say['u'], 'calls': null, 'call': null},
            {'role': 'assistant', 'content': say['a'], 'calls': null, 'call': null},
            {'role': 'user', 'content': say['v'], 'calls': null, 'call': null},
            {'role': 'assistant', 'content': say['b'], 'calls': null, 'call': null}
        ] end,
        lambda m: {
            'role': m.role, 'name': null::varchar, 'content': m.content, 'reasoning': null::varchar, 'tool_calls': m.calls, 'tool_call_id': m.call,
            'is_error': null::boolean, 'weight': case when m.role = 'assistant' then 1::double end, 'model': null::varchar, 'event_id': null::varchar, 'parts': null::varchar
        }
    ) as messages,
    case when i % 5 = 0 then [{'name': 'look_up', 'description': 'Look something up', 'parameters': '{"type":"object","properties":{"query":{"type":"string"}}}'}] else [] end as tools

from (
    select i, map_from_entries(list((part, said))) as say

    from (
        select i, part, string_agg(sentence, ' ' order by j) as said

        from (
            select i, part, unnest(range(n)) as j, ('0x' || md5((case when part = 's' then i % 100 else i end) || part || j)[:7])::bigint % 20000 as pick

            from numbers, parts
        )

        inner join sentences on sentences.k = pick

        group by all
    )

    group by all
)`

// replaceRows puts the rows of a query over numbers(i) in the place of a
// table's; columns that it has not are null.
func replaceRows(t *testing.T, lk *lake.Lake, session *duck.Session, name, query string, rows int) {
	t.Helper()
	table, err := lk.Table(name)
	if err != nil {
		t.Fatal(err)
	}
	live, err := table.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	commit := lake.Commit{Operation: "test", Columns: live.Columns, Overwrite: true}
	for _, file := range live.Files {
		commit.Remove = append(commit.Remove, file.Path)
	}
	for first := 0; first < rows; first += chunkRows {
		n := min(chunkRows, rows-first)
		path := fmt.Sprintf("made-%09d.parquet", first)
		err := session.Exec(t.Context(), fmt.Sprintf(`copy (
			with numbers as (select i from range(%d, %d) as made(i))
			select * from (select * from %s limit 0) union all by name %s) to %s (format parquet, compression zstd, row_group_size 20480)`,
			first, first+n, duck.TableIdent(name), query, duck.Literal(filepath.Join(table.Dir(), path))))
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(filepath.Join(table.Dir(), path))
		if err != nil {
			t.Fatal(err)
		}
		commit.Add = append(commit.Add, lake.DataFile{Path: path, Bytes: info.Size(), Rows: int64(n), ModifiedAt: laketest.Start})
	}
	if _, err := table.Commit(t.Context(), commit); err != nil {
		t.Fatal(err)
	}
}

// TestCopyToJSON writes the examples of WEIR_EXPORT_LAKE by DuckDB alone, in the
// same order, to WEIR_EXPORT_OUT: what an export is measured against.
func TestCopyToJSON(t *testing.T) {
	rows, out := benchRows(t), os.Getenv("WEIR_EXPORT_OUT")
	lk, err := lake.Open(os.Getenv("WEIR_EXPORT_LAKE"))
	if err != nil {
		t.Fatal(err)
	}
	session, _, err := duck.OpenLake(t.Context(), lk, duck.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	query, err := os.ReadFile("examples.sql")
	if err != nil {
		t.Fatal(err)
	}
	started := time.Now()
	n, err := session.ExecCount(t.Context(), "copy (select messages, tools from (\n"+string(query)+"\n) order by example_id) to "+duck.Literal(out)+" (format json)")
	if err != nil || n != int64(rows) {
		t.Fatalf("%d rows of %d, %v", n, rows, err)
	}
	t.Logf("%.1f s", time.Since(started).Seconds())
}

func benchRows(t *testing.T) int {
	t.Helper()
	if os.Getenv("WEIR_EXPORT_LAKE") == "" {
		t.Skip("for scripts/export_bench.sh")
	}
	rows, err := strconv.Atoi(os.Getenv("WEIR_EXPORT_ROWS"))
	if err != nil {
		t.Fatal(err)
	}
	return rows
}
