package derive

import (
	"slices"
	"strings"
	"testing"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
)

func openSession(t *testing.T) *duck.Session {
	t.Helper()
	session, err := duck.Open(t.Context(), duck.Options{Threads: 2, TempDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { session.Close() })
	return session
}

// parseTable makes a table curated.out of two columns over the given query.
func parseTable(t *testing.T, inputs, query string) *Table {
	t.Helper()
	table, err := Parse("transforms/out.sql", "curated", "-- Out.\n--\n-- grain: one row per id\n-- key: id\n-- scope: all\n-- inputs: "+inputs+
		"\n-- columns:\n--   id  VARCHAR\n--   n   BIGINT\n"+query)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestQueryReads(t *testing.T) {
	session := openSession(t)
	cases := []struct{ name, query, want string }{
		{"join_using", "select * from events.a join curated.b using (id)", "curated.b events.a"},
		{"asof_join", "select * from curated.a asof join curated.b on a.t >= b.t", "curated.a curated.b"},
		{"natural_and_semi_join", "select * from curated.a natural join curated.b semi join curated.c using (id)", "curated.a curated.b curated.c"},
		{"lateral_unnest", "select u from curated.a, lateral (select unnest(a.items) as u)", "curated.a"},
		{"subquery_in_where", "select * from curated.a where exists (select 1 from curated.b where b.id = a.id)", "curated.a curated.b"},
		{"cte_is_no_table", "with c as (select * from curated.a), d as (select * from c) select * from d", "curated.a"},
		{"cte_named_like_a_table", "with b as (select * from curated.b) select * from b", "curated.b"},
		{"union_and_qualify", "select * from curated.a union all select * from curated.b qualify row_number() over (order by id) = 1;", "curated.a curated.b"},
		{"in_select_list", "select (select max(x) from curated.a) as m, 'it''s'", "curated.a"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			reads, err := parseTable(t, "curated.a", c.query).reads(t.Context(), session)
			if err != nil || strings.Join(reads, " ") != c.want {
				t.Errorf("got %q, %v; want %q", reads, err, c.want)
			}
		})
	}
}

func TestCheckComparesHeaderWithQuery(t *testing.T) {
	session := openSession(t)
	for _, table := range []string{"curated.a", "curated.b"} {
		if err := session.RegisterQuery(t.Context(), table, "select 'x' as id, 1::bigint as n where false"); err != nil {
			t.Fatal(err)
		}
	}
	cases := []struct{ name, inputs, query, want string }{
		{"right", "curated.a", "select id, n from curated.a", ""},
		{"input_not_named", "curated.a", "select a.id, a.n from curated.a join curated.b using (id)", "transforms/out.sql: the query reads curated.b, which is not among"},
		{"input_not_read", "curated.a, curated.b", "select id, n from curated.a", "curated.b stands among the header's inputs"},
		{"other_type", "curated.a", "select id, n::integer as n from curated.a", "column n is INTEGER, header says BIGINT"},
		{"other_name", "curated.a", "select id, n as m from curated.a", "column 2 is m, header says n"},
		{"column_missing", "curated.a", "select id from curated.a", "column n stands in the header, but is not returned"},
		{"column_too_many", "curated.a", "select id, n, n as o from curated.a", "column o is returned, but"},
		{"unknown_column_with_line", "curated.a", "select\n    id,\n    nn\nfrom curated.a", "transforms/out.sql:12: duckdb: Binder Error"},
		{"syntax_with_line", "curated.a", "select id,\n n frm curated.a", "transforms/out.sql:11: syntax error"},
		{"unqualified", "curated.a", "select id, n from a", "table a has no schema"},
		{"two_statements", "curated.a", "select id, n from curated.a; select 1", "2 statements"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			err := parseTable(t, c.inputs, c.query).Check(t.Context(), session)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "\n") {
				t.Errorf("not one line: %q", err)
			}
		})
	}
}

func TestQueryErrorHasDuckDBsSuggestionAsHint(t *testing.T) {
	session := openSession(t)
	if err := session.RegisterQuery(t.Context(), "curated.a", "select 'x' as id, 1::bigint as n"); err != nil {
		t.Fatal(err)
	}
	err := parseTable(t, "curated.a", "select idd, n from curated.a").Make(t.Context(), session, "curated.result")
	if hint := lake.HintOf(err); !strings.Contains(hint, `"id"`) {
		t.Errorf("error %v, hint %q", err, hint)
	}
}

func TestCheckRows(t *testing.T) {
	session := openSession(t)
	cases := []struct{ name, rows, want string }{
		{"sound", "('a', 1), ('b', 2)", ""},
		{"empty", "('a', 1) limit 0", ""},
		{"key_twice", "('a', 1), ('b', 2), ('a', 3)", "curated.out: key id=a on 2 rows, header says one row per id"},
		{"key_null", "('a', 1), (null, 2)", "curated.out: id null on 1 rows"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			table := parseTable(t, "curated.a", "select * from (values "+c.rows+") v(id, n)")
			err := table.CheckRows(t.Context(), session, "("+strings.SplitN(table.SQL(), "\n", 10)[9]+")")
			if c.want == "" && err != nil || c.want != "" && (err == nil || err.Error() != c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestSorted(t *testing.T) {
	table := func(name string, inputs ...string) *Table {
		made := &Table{Name: name, File: name + ".sql"}
		for _, input := range inputs {
			made.Inputs = append(made.Inputs, Input{Table: input})
		}
		return made
	}
	sorted, err := Sorted([]*Table{table("curated.z", "curated.m"), table("curated.m", "curated.b", "events.x"), table("curated.b"), table("curated.a")})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, made := range sorted {
		names = append(names, made.Name)
	}
	if want := []string{"curated.a", "curated.b", "curated.m", "curated.z"}; !slices.Equal(names, want) {
		t.Errorf("got %v, want %v", names, want)
	}
	if _, err := Sorted([]*Table{table("curated.a", "curated.b"), table("curated.b", "curated.a"), table("curated.c")}); err == nil || !strings.Contains(err.Error(), "curated.a, curated.b") {
		t.Errorf("cycle: %v", err)
	}
	if _, err := Sorted([]*Table{table("curated.a"), table("curated.a")}); err == nil {
		t.Error("two tables of one name pass")
	}
}
