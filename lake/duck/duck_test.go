package duck

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-lake/weir/lake"
)

func open(t *testing.T, opts Options) *Session {
	t.Helper()
	session, err := Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { session.Close() })
	return session
}

func get(t *testing.T, session *Session, query string) string {
	t.Helper()
	var text string
	if err := session.Get(t.Context(), query, &text); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return text
}

func TestEveryConnectionIsOfOneInstanceInUTC(t *testing.T) {
	session := open(t, Options{Threads: 1, MemoryLimit: "300MB", TempDir: t.TempDir()})
	if err := session.Exec(t.Context(), "create table shared as select 1 as x"); err != nil {
		t.Fatal(err)
	}
	for range 3 { // each holds a connection while the next is opened
		conn, err := session.DB().Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		var text string
		query := "select concat_ws(' ', current_setting('TimeZone'), current_setting('threads'), current_setting('memory_limit'), (select count(*) from shared))"
		if err := conn.QueryRowContext(t.Context(), query).Scan(&text); err != nil || text != "UTC 1 286.1 MiB 1" {
			t.Errorf("got %q, %v", text, err)
		}
	}
}

func TestNothingIsDownloaded(t *testing.T) {
	session := open(t, Options{Threads: 1})
	err := session.Exec(t.Context(), "select * from read_parquet('https://weir.invalid/x.parquet')")
	if err == nil || !strings.Contains(err.Error(), "httpfs") {
		t.Errorf("reading a URL: %v", err)
	}
	if got := get(t, session, "select concat(current_setting('autoinstall_known_extensions'), current_setting('autoload_known_extensions'))"); got != "falsefalse" {
		t.Error(got)
	}
}

func TestMemoryIsSpilled(t *testing.T) {
	spill := filepath.Join(t.TempDir(), "spill")
	session := open(t, Options{Threads: 1, MemoryLimit: "40MB", TempDir: spill})
	// 1.2 M rows of some 50 bytes do not fit.
	if err := session.Exec(t.Context(), "create table wide as select md5(i::varchar) as x from range(1200000) r(i)"); err != nil {
		t.Fatal(err)
	}
	if got := get(t, session, "select count(*)::varchar from wide"); got != "1200000" {
		t.Error(got)
	}
}

func TestErrorsSayWhere(t *testing.T) {
	session := open(t, Options{Threads: 1})
	err := session.Exec(t.Context(), "select\n    1,\n    nothing\n")
	var duckErr *Error
	if !errors.As(err, &duckErr) || duckErr.Line != 3 || strings.Contains(duckErr.Message, "LINE") {
		t.Errorf("%#v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := session.Exec(ctx, "select 1"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// write makes a Parquet file with field ids.
func write(t *testing.T, session *Session, path, query, ids string) lake.DataFile {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := session.Exec(t.Context(), "copy ("+query+") to "+Literal(path)+" (field_ids "+ids+")"); err != nil {
		t.Fatal(err)
	}
	return lake.DataFile{Path: filepath.Base(path)}
}

func TestEvolvedFilesReadTogether(t *testing.T) {
	session := open(t, Options{Threads: 1})
	root := filepath.Join(t.TempDir(), "la'ke [1] *?")
	dir := TableDir(root, "events.swarm")
	old := write(t, session, filepath.Join(dir, "old.parquet"), "select 'a' as id, [{'role': 'user'}] as messages",
		"{id: 6, messages: {__duckdb_field_id: 27, element: {__duckdb_field_id: 27998, role: 27001}}}")
	grown := write(t, session, filepath.Join(dir, "new.parquet"), "select 'b' as id, [{'role': 'user', 'name': 'x'}] as messages, true as fresh",
		"{id: 6, messages: {__duckdb_field_id: 27, element: {__duckdb_field_id: 27998, role: 27001, name: 27002}}, fresh: 28}")
	snapshot := &lake.Snapshot{
		Table: "events.swarm",
		Columns: []lake.Column{
			{Name: "id", Type: lake.Varchar, FieldID: 6},
			{Name: "messages", Type: lake.Struct, List: true, FieldID: 27, Fields: []lake.Column{
				{Name: "role", Type: lake.Varchar, FieldID: 27001}, {Name: "name", Type: lake.Varchar, FieldID: 27002},
			}},
			{Name: "fresh", Type: lake.Boolean, FieldID: 28},
			{Name: "later", Type: lake.TimestampTZ, FieldID: 29},
		},
		Files: []lake.DataFile{old, grown},
	}
	if err := session.Register(t.Context(), root, snapshot); err != nil {
		t.Fatal(err)
	}
	got := get(t, session, "select string_agg(to_json(s)::varchar, ' ' order by id) from events.swarm s")
	want := `{"id":"a","messages":[{"role":"user","name":null}],"fresh":null,"later":null} {"id":"b","messages":[{"role":"user","name":"x"}],"fresh":true,"later":null}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := get(t, session, "select string_agg(parse_filename(filename), ' ' order by id) from "+Scan(root, snapshot, snapshot.Files, "filename = true")); got != "old.parquet new.parquet" {
		t.Error(got)
	}
}

func TestTablesWithoutFilesHaveTheirTypes(t *testing.T) {
	session := open(t, Options{Threads: 1})
	for _, payload := range lake.Payloads() {
		snapshot := &lake.Snapshot{Table: payload.Table, Columns: payload.Columns()}
		if err := session.Register(t.Context(), t.TempDir(), snapshot); err != nil {
			t.Fatal(err)
		}
		found, err := session.Describe(t.Context(), "select * from "+payload.Table)
		if err != nil {
			t.Fatal(err)
		}
		if len(found) != len(snapshot.Columns) {
			t.Fatalf("%s: %d columns, not %d", payload.Table, len(found), len(snapshot.Columns))
		}
		for i, column := range snapshot.Columns {
			if found[i].Name != column.Name || !SameType(found[i], column) {
				t.Errorf("%s.%s is %s %s, not %s", payload.Table, column.Name, found[i].Name, found[i].SQL(), column.SQL())
			}
		}
	}
}

func TestParseTypeFaults(t *testing.T) {
	for _, text := range []string{"", "INTEGER", "VARCHAR[3]", "VARCHAR[][]", "STRUCT(", "STRUCT()", "STRUCT(a)", "STRUCT(a VARCHAR", "STRUCT(a VARCHAR b)",
		`STRUCT("" VARCHAR)`, "MAP(VARCHAR, VARCHAR)", "BIGINTS", "TIMESTAMP", strings.Repeat("STRUCT(a ", 100)} {
		if column, rest, err := ParseType(text, nil); err == nil {
			t.Errorf("%.40q passes as %s, rest %q", text, column.SQL(), rest)
		}
	}
}

func FuzzParseType(f *testing.F) {
	f.Add(`STRUCT("role" VARCHAR, tool_calls STRUCT(id VARCHAR, n BIGINT[])[])[]`)
	f.Add(`TIMESTAMP WITH TIME ZONE[] rest`)
	f.Add(`STRUCT("a""b" DOUBLE)`)
	f.Fuzz(func(t *testing.T, text string) {
		column, _, err := ParseType(text, nil)
		if err != nil {
			return
		}
		again, rest, err := ParseType(column.SQL(), nil)
		if hasQuote(column) {
			return // lake.Column.SQL quotes as Go does: no table has such a name
		}
		if err != nil || rest != "" || !SameType(column, again) {
			t.Errorf("%q → %s → %s, rest %q, %v", text, column.SQL(), again.SQL(), rest, err)
		}
	})
}

func hasQuote(column lake.Column) bool {
	for _, field := range column.Fields {
		if fmt.Sprintf("%q", field.Name) != `"`+field.Name+`"` || hasQuote(field) {
			return true
		}
	}
	return false
}
