// Package derivetest runs the cases of SQL files, and checks their headers. A
// case is a txtar file, testdata/<table>/<case>.txtar:
//
//	What is shown, in a sentence.
//	-- events.chat_messages.jsonl --
//	{"id": "m1", "subject": "c1", "content": "hello"}
//	-- want.jsonl --
//	{"event_id": "m1", "content": "hello"}
//
// Rows are sparse: a column that an input row does not name is null, one that
// a wanted row does not name may be anything. Inside structs and lists, null
// and absent are the same. An input without a file is empty. Names that no
// column has are errors. Each case runs in UTC and in America/New_York, and,
// where the table is of scope row or subject, once more subject by subject: the
// rows must come out the same, or the scope is a lie. A table that reads itself
// is made once more from what came out. Times read as
// 2026-03-01 10:00:00+00.
//
// Run one case: go test ./transforms -run 'Cases/messages/redelivered'.
// Rewrite the wanted rows: UPDATE=1 go test ./transforms.
package derivetest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/derive"
	"github.com/weir-lake/weir/lake/duck"
)

const (
	wantFile = "want.jsonl"
	result   = "fixture.result"
)

// Cases runs every case under dir. Tables are those that the cases are of and
// those that make their inputs.
func Cases(t *testing.T, dir string, tables []*derive.Table) {
	t.Helper()
	zones := []string{"UTC", "America/New_York"}
	sessions := make([]*duck.Session, len(zones))
	for i, zone := range zones {
		sessions[i] = open(t, zone)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*", "*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		folder := filepath.Base(filepath.Dir(file))
		name := folder + "/" + strings.TrimSuffix(filepath.Base(file), ".txtar")
		t.Run(name, func(t *testing.T) {
			table := find(tables, folder)
			if table == nil {
				t.Fatalf("%s: no table %s", file, folder)
			}
			c, err := read(file)
			if err != nil {
				t.Fatal(err)
			}
			for i, zone := range zones {
				err := c.run(t.Context(), sessions[i], table, tables)
				if err == nil && i == 0 && table.Scope != derive.ScopeAll {
					err = c.checkScope(t.Context(), sessions[i], table)
				}
				if err != nil {
					t.Fatalf("%s, %s: %v\n%s", file, zone, err, c.about)
				}
			}
		})
	}
}

// Headers checks every table's header against its query on empty inputs, and
// that the tables can be ordered. Inputs that neither lake nor tables know are
// reported.
func Headers(t *testing.T, tables []*derive.Table) {
	t.Helper()
	session := open(t, "UTC")
	if _, err := derive.Sorted(tables); err != nil {
		t.Error(err)
	}
	for _, table := range tables {
		if err := load(t.Context(), session, table, tables, nil); err != nil {
			t.Error(err)
			continue
		}
		if err := table.Check(t.Context(), session); err != nil {
			t.Error(err)
		}
	}
}

func open(t *testing.T, zone string) *duck.Session {
	t.Helper()
	session, err := duck.Open(t.Context(), duck.Options{Threads: 1, TimeZone: zone})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { session.Close() })
	if err := session.Exec(t.Context(), "create schema fixture"); err != nil {
		t.Fatal(err)
	}
	return session
}

func find(tables []*derive.Table, base string) *derive.Table {
	for _, table := range tables {
		if _, name, _ := strings.Cut(table.Name, "."); name == base {
			return table
		}
	}
	return nil
}

// testCase is one txtar file.
type testCase struct {
	path    string
	archive *txtar.Archive
	about   string
	inputs  map[string][]byte // table → JSON lines
	want    []map[string]any
	got     []map[string]any // of the last run
}

func read(file string) (*testCase, error) {
	archive, err := txtar.ParseFile(file)
	if err != nil {
		return nil, err
	}
	c := &testCase{path: file, archive: archive, about: strings.TrimSpace(string(archive.Comment)), inputs: map[string][]byte{}}
	if c.about == "" {
		return nil, fmt.Errorf("%s: begins with a sentence that says what is shown", file)
	}
	seen := false
	for _, part := range archive.Files {
		if part.Name == wantFile {
			if c.want, err = decodeLines(part.Data); err != nil {
				return nil, fmt.Errorf("%s: %s: %w", file, part.Name, err)
			}
			seen = true
			continue
		}
		table, ok := strings.CutSuffix(part.Name, ".jsonl")
		if !ok {
			return nil, fmt.Errorf("%s: %s: files are named layer.table.jsonl or %s", file, part.Name, wantFile)
		}
		c.inputs[table] = part.Data
	}
	if !seen {
		return nil, fmt.Errorf("%s: no %s", file, wantFile)
	}
	return c, nil
}

func (c *testCase) run(ctx context.Context, session *duck.Session, table *derive.Table, tables []*derive.Table) error {
	for name := range c.inputs {
		if !slices.ContainsFunc(table.Inputs, func(input derive.Input) bool { return input.Table == name }) {
			return fmt.Errorf("%s.jsonl: %s is no input of %s", name, name, table.Name)
		}
	}
	if err := load(ctx, session, table, tables, c.inputs); err != nil {
		return err
	}
	got, err := c.rows(ctx, session, table)
	if err != nil {
		return err
	}
	if os.Getenv("UPDATE") != "" {
		if err := c.update(got); err != nil {
			return err
		}
	}
	if err := checkKeys(c.want, table.Columns, wantFile); err != nil {
		return err
	}
	c.got = got
	if diff := compare(table, c.want, got); diff != "" {
		return fmt.Errorf("rows differ:\n%s", diff)
	}
	if !table.Before {
		return nil
	}
	if err := session.Exec(ctx, "create or replace table "+stored(table.Name)+" as select * from "+result); err != nil {
		return err
	}
	if got, err = c.rows(ctx, session, table); err != nil {
		return err
	}
	if diff := compare(table, c.want, got); diff != "" {
		return fmt.Errorf("rows differ where they were there before:\n%s", diff)
	}
	return nil
}

// rows makes the table and reads it in the order of its key.
func (c *testCase) rows(ctx context.Context, session *duck.Session, table *derive.Table) ([]map[string]any, error) {
	if err := session.Exec(ctx, "drop table if exists "+result); err != nil {
		return nil, err
	}
	if err := table.Make(ctx, session, result); err != nil {
		return nil, withHint(err)
	}
	if err := table.CheckRows(ctx, session, result); err != nil {
		return nil, err
	}
	lines, err := session.Strings(ctx, "select to_json(rows)::varchar from (select "+inUTC(table)+" from "+result+") as rows order by "+orderKey(table))
	if err != nil {
		return nil, err
	}
	return decodeLines([]byte(strings.Join(lines, "\n")))
}

// inUTC selects all columns, times as text in UTC: a wanted row reads the same
// in every zone.
func inUTC(table *derive.Table) string {
	var times []string
	for _, column := range table.Columns {
		if column.Type == lake.TimestampTZ && !column.List {
			name := duck.Ident(column.Name)
			times = append(times, "("+name+" at time zone 'UTC')::varchar || '+00' as "+name)
		}
	}
	if len(times) == 0 {
		return "*"
	}
	return "* replace (" + strings.Join(times, ", ") + ")"
}

func orderKey(table *derive.Table) string {
	quoted := make([]string, len(table.Key))
	for i, key := range table.Key {
		quoted[i] = duck.Ident(key)
	}
	return strings.Join(quoted, ", ")
}

// checkScope makes the table once for each subject of the inputs, from the
// rows that an incremental build would give it, and compares the union with the
// last run.
func (c *testCase) checkScope(ctx context.Context, session *duck.Session, table *derive.Table) error {
	subjects, err := inputSubjects(ctx, session, table)
	if err != nil {
		return err
	}
	var union []map[string]any
	for _, subject := range subjects {
		if err := filterInputs(ctx, session, table, subject); err != nil {
			return err
		}
		rows, err := c.rows(ctx, session, table)
		if err != nil {
			return fmt.Errorf("subject %s alone: %w", subject, err)
		}
		for _, row := range rows {
			if table.Scope == derive.ScopeSubject && row[derive.SubjectColumn] != subject {
				return fmt.Errorf("subject %s alone gives a row of subject %v: the table is not of scope subject", subject, row[derive.SubjectColumn])
			}
			if row[derive.SubjectColumn] == subject {
				union = append(union, row)
			}
		}
	}
	if diff := compare(table, c.got, union); diff != "" {
		return fmt.Errorf("subject by subject the rows differ: the table is not of scope %s:\n%s", table.Scope, diff)
	}
	return nil
}

// compare matches rows by key; a wanted row without the whole key is matched
// by place. It returns what differs, or nothing.
func compare(table *derive.Table, want, got []map[string]any) string {
	var out strings.Builder
	byKey := func(rows []map[string]any) (map[string]map[string]any, bool) {
		keyed := map[string]map[string]any{}
		for _, row := range rows {
			var parts []any
			for _, key := range table.Key {
				value, ok := row[key]
				if !ok {
					return nil, false
				}
				parts = append(parts, value)
			}
			keyed[text(parts)] = row
		}
		return keyed, len(keyed) == len(rows)
	}
	wantKeyed, ok := byKey(want)
	gotKeyed, _ := byKey(got)
	if !ok {
		wantKeyed, gotKeyed = byPlace(want), byPlace(got)
	}
	for _, key := range slices.Sorted(maps.Keys(wantKeyed)) {
		row, ok := gotKeyed[key]
		if !ok {
			fmt.Fprintf(&out, "missing %s\n", text(wantKeyed[key]))
			continue
		}
		for _, column := range slices.Sorted(maps.Keys(wantKeyed[key])) {
			if w, g := text(tidy(wantKeyed[key][column])), text(tidy(row[column])); w != g {
				fmt.Fprintf(&out, "%s %s: got %s\n%*swant %s\n", key, column, g, len(key)+len(column)+3, "", w)
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(gotKeyed)) {
		if _, ok := wantKeyed[key]; !ok {
			fmt.Fprintf(&out, "unwanted %s\n", text(tidy(gotKeyed[key])))
		}
	}
	return out.String()
}

func byPlace(rows []map[string]any) map[string]map[string]any {
	placed := map[string]map[string]any{}
	for i, row := range rows {
		placed[fmt.Sprintf("row %d", i+1)] = row
	}
	return placed
}

// tidy drops nulls inside structs.
func tidy(value any) any {
	switch value := value.(type) {
	case map[string]any:
		out := map[string]any{}
		for key, field := range value {
			if field != nil {
				out[key] = tidy(field)
			}
		}
		return out
	case []any:
		out := make([]any, len(value))
		for i, item := range value {
			out[i] = tidy(item)
		}
		return out
	}
	return value
}

func text(value any) string {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		return err.Error()
	}
	return strings.TrimSpace(buf.String())
}

// update rewrites the wanted rows, with the columns that some wanted row names,
// or all that are not null where there are none.
func (c *testCase) update(got []map[string]any) error {
	named := map[string]bool{}
	for _, row := range c.want {
		for column := range row {
			named[column] = true
		}
	}
	c.want = nil
	var lines bytes.Buffer
	for _, row := range got {
		kept := map[string]any{}
		for column, value := range row {
			if named[column] || len(named) == 0 && value != nil {
				kept[column] = tidy(value)
			}
		}
		c.want = append(c.want, kept)
		lines.WriteString(text(kept) + "\n")
	}
	for i := range c.archive.Files {
		if c.archive.Files[i].Name == wantFile {
			c.archive.Files[i].Data = lines.Bytes()
		}
	}
	return os.WriteFile(c.path, txtar.Format(c.archive), 0o644)
}

func withHint(err error) error {
	if hint := lake.HintOf(err); hint != "" {
		return fmt.Errorf("%w (%s)", err, hint)
	}
	return err
}
