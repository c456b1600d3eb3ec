package derive

import (
	"strings"
	"testing"

	"github.com/weir-lake/weir/lake"
)

const sampleHeader = `-- Turns, one a model output: parts joined. A second
-- sentence.
--
-- A paragraph that only people read.
--
-- grain:   one row per turn
-- key:     turn_id
-- scope:   subject
-- inputs:  curated.messages,
--          curated.configs (whole)
-- order:   started_at
-- rules:   parts of one response are joined
--   in their order
-- columns:
--   turn_id     VARCHAR  the turn
--   subject_id  VARCHAR
--   messages    MESSAGE[]  the messages
--                          in order
--   pair        STRUCT(a VARCHAR, "b c" BIGINT[])[]
--   started_at  TIMESTAMP WITH TIME ZONE  UTC
select 1;
`

func TestParse(t *testing.T) {
	table, err := Parse("transforms/turns.sql", "curated", sampleHeader)
	if err != nil {
		t.Fatal(err)
	}
	if table.Name != "curated.turns" || table.Scope != ScopeSubject || table.Order != "started_at" ||
		table.Grain != "one row per turn" || strings.Join(table.Key, ",") != "turn_id" {
		t.Errorf("header: %+v", table)
	}
	if want := "Turns, one a model output: parts joined. A second sentence"; table.Doc != want {
		t.Errorf("doc %q", table.Doc)
	}
	if len(table.Inputs) != 2 || table.Inputs[0] != (Input{Table: "curated.messages"}) || table.Inputs[1] != (Input{Table: "curated.configs", Whole: true}) {
		t.Errorf("inputs: %+v", table.Inputs)
	}
	if len(table.Columns) != 5 {
		t.Fatalf("columns: %+v", table.Columns)
	}
	messages := table.Columns[2]
	if messages.Doc != "the messages in order" || !messages.List || len(messages.Fields) != 11 || messages.Fields[10].Name != "parts" {
		t.Errorf("messages: %+v", messages)
	}
	if pair := table.Columns[3].SQL(); pair != `STRUCT("a" VARCHAR, "b c" BIGINT[])[]` {
		t.Errorf("pair is %s", pair)
	}
	if table.Columns[4].Type != lake.TimestampTZ || table.Columns[4].Doc != "UTC" {
		t.Errorf("started_at: %+v", table.Columns[4])
	}
	if !strings.HasSuffix(table.SQL(), "select 1") {
		t.Errorf("query keeps its semicolon: %q", table.SQL())
	}
}

func TestParseFaults(t *testing.T) {
	cases := []struct{ name, from, to, want string }{
		{"missing_key", "-- key:     turn_id\n", "", "transforms/turns.sql:19: header: no key"},
		{"unknown_key", "-- order: ", "-- sort: ", `transforms/turns.sql:11: header: unknown key "sort"`},
		{"key_twice", "-- order:   started_at", "-- grain:   one", "grain stands on line 6 already"},
		{"key_is_no_column", "-- key:     turn_id", "-- key:     turn", "transforms/turns.sql:7: header: turn is no column"},
		{"unknown_scope", "scope:   subject", "scope:   person", `scope is row, subject or all, not "person"`},
		{"row_scope_without_events", "scope:   subject", "scope:   row", "scope row is for tables that read events"},
		{"no_subject", "--   subject_id  VARCHAR\n", "", "needs a column subject_id"},
		{"bad_type", "VARCHAR  the turn", "TEXT  the turn", `transforms/turns.sql:15: header: column turn_id: type "TEXT"`},
		{"bad_column_name", "--   turn_id     V", "--   Turn     V", `"Turn" is no column name`},
		{"list_of_lists", "BIGINT[])[]", "BIGINT[][])[]", "no place in a table"},
		{"column_twice", "--   pair  ", "--   turn_id", "column turn_id stands twice"},
		{"bad_mark", "(whole)", "(hole)", "is not layer.table"},
		{"unqualified_input", "curated.messages", "messages", `"messages" is not layer.table`},
		{"order_is_no_column", "order:   started_at", "order:   begun_at", "begun_at is no column"},
		{"no_query", "select 1;", "", "no query follows"},
		{"no_doc", sampleHeader[:strings.Index(sampleHeader, "-- grain")], "", "the first line says what the table is"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if !strings.Contains(sampleHeader, c.from) {
				t.Fatalf("the sample has no %q", c.from)
			}
			_, err := Parse("transforms/turns.sql", "curated", strings.Replace(sampleHeader, c.from, c.to, 1))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add(sampleHeader)
	f.Add("-- x\n--\n-- columns:\n--      doc without a column\nselect")
	f.Add("-- columns:\n--   a STRUCT(STRUCT(STRUCT(")
	f.Fuzz(func(t *testing.T, text string) {
		table, err := Parse("transforms/turns.sql", "curated", text)
		if err == nil && (len(table.Columns) == 0 || len(table.Key) == 0) {
			t.Errorf("accepted without columns or key: %q", text)
		}
	})
}
