package derive

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
)

// world is a lake whose events tables are written by DuckDB, row by sparse row.
type world struct {
	t       *testing.T
	lake    *lake.Lake
	session *duck.Session
	offset  int64
}

func newWorld(t *testing.T) *world {
	t.Helper()
	lk, err := lake.Init(filepath.Join(t.TempDir(), "lake"), lake.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return &world{t: t, lake: lk, session: openSession(t)}
}

// append adds rows to an events table in one file and one commit.
func (w *world) append(table string, rows ...map[string]any) {
	w.t.Helper()
	for _, row := range rows {
		w.offset++
		row["kafka_offset"] = w.offset
	}
	w.commit(table, w.write(table, rows), nil, false)
}

func (w *world) write(table string, rows []map[string]any) []lake.DataFile {
	w.t.Helper()
	columns, _ := payloadColumns(table)
	var lines strings.Builder
	for _, row := range rows {
		line, err := json.Marshal(row)
		if err != nil {
			w.t.Fatal(err)
		}
		lines.Write(append(line, '\n'))
	}
	source := filepath.Join(w.t.TempDir(), "rows.jsonl")
	if err := os.WriteFile(source, []byte(lines.String()), 0o600); err != nil {
		w.t.Fatal(err)
	}
	types := make([]string, len(columns))
	for i, column := range columns {
		types[i] = duck.Ident(column.Name) + ": " + duck.Literal(column.SQL())
	}
	return w.copy(table, "select * from read_json("+duck.Literal(source)+", format = 'newline_delimited', columns = {"+strings.Join(types, ", ")+"})")
}

// copy writes the rows of a query as a file of an events table.
func (w *world) copy(table, query string) []lake.DataFile {
	w.t.Helper()
	columns, _ := payloadColumns(table)
	dir := duck.TableDir(w.lake.Dir(), table)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		w.t.Fatal(err)
	}
	name := uuid.NewString() + ".parquet"
	path := filepath.Join(dir, name)
	n, err := w.session.ExecCount(w.t.Context(), "copy ("+query+") to "+duck.Literal(path)+" (field_ids "+fieldIDs(columns)+")")
	if err != nil {
		w.t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		w.t.Fatal(err)
	}
	return []lake.DataFile{{Path: name, Bytes: info.Size(), Rows: n}}
}

func fieldIDs(columns []lake.Column) string {
	entries := make([]string, len(columns))
	for i, column := range columns {
		inner := fmt.Sprint(column.FieldID)
		if len(column.Fields) > 0 {
			inner = strings.TrimSuffix(fieldIDs(column.Fields), "}") + fmt.Sprintf(", __duckdb_field_id: %d}", column.FieldID)
			if column.List {
				inner = fmt.Sprintf("{__duckdb_field_id: %d, element: %s}", column.FieldID,
					strings.Replace(inner, fmt.Sprintf("__duckdb_field_id: %d", column.FieldID), fmt.Sprintf("__duckdb_field_id: %d", column.ElementID()), 1))
			}
		} else if column.List {
			inner = fmt.Sprintf("{__duckdb_field_id: %d, element: %d}", column.FieldID, column.ElementID())
		}
		entries[i] = duck.Ident(column.Name) + ": " + inner
	}
	return "{" + strings.Join(entries, ", ") + "}"
}

func (w *world) commit(table string, add []lake.DataFile, remove []string, noDataChange bool) {
	w.t.Helper()
	columns, _ := payloadColumns(table)
	handle, err := w.lake.Table(table)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := handle.Commit(w.t.Context(), lake.Commit{
		Operation: "append", Columns: columns, Add: add, Remove: remove, NoDataChange: noDataChange,
	}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) snapshot(table string) *lake.Snapshot {
	w.t.Helper()
	handle, err := w.lake.Table(table)
	if err != nil {
		w.t.Fatal(err)
	}
	snapshot, err := handle.Snapshot(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return snapshot
}

// rewrite replaces all files of an events table by one of the rows for which
// where holds.
func (w *world) rewrite(table, where string, noDataChange bool) {
	w.t.Helper()
	now := w.snapshot(table)
	now.Columns, _ = payloadColumns(table)
	var paths []string
	for _, file := range now.Files {
		paths = append(paths, file.Path)
	}
	w.commit(table, w.copy(table, "select * from "+duck.Scan(w.lake.Dir(), now, now.Files)+" where "+where), paths, noDataChange)
}

func (w *world) build(tables []*Table, opts Options) Report {
	w.t.Helper()
	opts.Session = w.session
	report, err := Build(w.t.Context(), w.lake, tables, opts)
	if err != nil {
		w.t.Fatalf("%v (%s)", err, lake.HintOf(err))
	}
	return report
}

func (w *world) hashes(tables []*Table) map[string]string {
	w.t.Helper()
	out := map[string]string{}
	for _, table := range tables {
		if err := w.session.Register(w.t.Context(), w.lake.Dir(), w.snapshot(table.Name)); err != nil {
			w.t.Fatal(err)
		}
		hash, err := LogicalHash(w.t.Context(), w.session, table.Name)
		if err != nil {
			w.t.Fatal(err)
		}
		out[table.Name] = hash
	}
	return out
}

// fresh is a lake with the same events and nothing derived.
func (w *world) fresh() *world {
	w.t.Helper()
	dir := filepath.Join(w.t.TempDir(), "fresh")
	for _, part := range []string{"events"} {
		if err := os.CopyFS(filepath.Join(dir, part), os.DirFS(filepath.Join(w.lake.Dir(), part))); err != nil {
			w.t.Fatal(err)
		}
	}
	settings, err := os.ReadFile(filepath.Join(w.lake.Dir(), "weir.json"))
	if err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "weir.json"), settings, 0o600); err != nil {
		w.t.Fatal(err)
	}
	lk, err := lake.Open(dir)
	if err != nil {
		w.t.Fatal(err)
	}
	return &world{t: w.t, lake: lk, session: w.session}
}

// The tables of the tests: one of each scope and kind of input.
var testTables = map[string]string{
	"settings": `-- Configuration.
--
-- grain:   one row per kind
-- key:     kind
-- scope:   all
-- inputs:  events.configs
-- columns:
--   kind        VARCHAR
--   subject_id  VARCHAR
--   content     VARCHAR
select kind, min(subject) as subject_id, arg_max(content, kafka_offset) as content
from events.configs
group by kind`,
	"lines": `-- Lines, one copy each.
--
-- grain:   one row per event
-- key:     event_id
-- scope:   row
-- inputs:  events.chat_messages
-- columns:
--   event_id    VARCHAR
--   subject_id  VARCHAR
--   content     VARCHAR
--   tool_calls  TOOL_CALL[]
--   position    BIGINT
select id as event_id, subject as subject_id, coalesce(content, '') as content, tool_calls, position
from events.chat_messages
qualify row_number() over (partition by id order by parser_version desc, kafka_offset) = 1;
`,
	"talks": `-- Talks, a subject each.
--
-- grain:   one row per subject
-- key:     subject_id
-- scope:   subject
-- inputs:  curated.lines, curated.settings (whole)
-- order:   first_position
-- columns:
--   subject_id      VARCHAR
--   texts           VARCHAR[]
--   first_position  BIGINT
--   tone            VARCHAR
select
    lines.subject_id,
    list(lines.content order by lines.position, lines.event_id) as texts,
    min(lines.position) as first_position,
    (select content from curated.settings where kind = 'tone') as tone
from curated.lines
group by lines.subject_id`,
	"repeats": `-- How often each line is said by anybody.
--
-- grain:   one row per event
-- key:     event_id
-- scope:   all
-- inputs:  curated.lines
-- columns:
--   event_id    VARCHAR
--   subject_id  VARCHAR
--   repeats     BIGINT
select event_id, subject_id, count(*) over (partition by content) as repeats
from curated.lines`,
	"verdicts": `-- Lines with their repeats and the talk's length.
--
-- grain:   one row per event
-- key:     event_id
-- scope:   subject
-- inputs:  curated.lines, curated.talks, curated.repeats
-- columns:
--   event_id    VARCHAR
--   subject_id  VARCHAR
--   verdict     VARCHAR
select lines.event_id, lines.subject_id, concat_ws('/', lines.content, len(talks.texts), talks.tone, repeats.repeats) as verdict
from curated.lines
inner join curated.talks using (subject_id)
inner join curated.repeats using (event_id)`,
	"totals": `-- Counts.
--
-- grain:   one row
-- key:     name
-- scope:   all
-- inputs:  curated.verdicts
-- columns:
--   name  VARCHAR
--   n     BIGINT
select 'verdicts' as name, count(distinct verdict) as n
from curated.verdicts`,
}

func parseTables(t *testing.T) []*Table {
	t.Helper()
	var tables []*Table
	for name, text := range testTables {
		table, err := Parse("transforms/"+name+".sql", "curated", text)
		if err != nil {
			t.Fatal(err)
		}
		tables = append(tables, table)
	}
	sorted, err := Sorted(tables)
	if err != nil {
		t.Fatal(err)
	}
	return sorted
}

func line(id, subject, content string, position int) map[string]any {
	return map[string]any{"id": id, "subject": subject, "content": content, "position": position, "parser_version": 1, "time": time.Unix(int64(position), 0).UTC()}
}

// TestIncrementalEqualsFull makes random histories and compares, after every
// step, what increments have made with what a lake with the same events makes
// from scratch.
func TestIncrementalEqualsFull(t *testing.T) {
	tables := parseTables(t)
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed_", seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			w := newWorld(t)
			opts := Options{FileRows: 4 + random.Int64N(30), BatchBytes: 1 << 30}
			if seed%2 == 1 {
				opts.BatchBytes = 4000 // several batches
			}
			for step := range 5 {
				w.randomStep(random, step)
				w.build(tables, opts)
				want, got := w.fresh(), w.hashes(tables)
				want.build(tables, Options{})
				for table, hash := range want.hashes(tables) {
					if got[table] != hash {
						t.Fatalf("step %d: %s differs from a build from scratch", step, table)
					}
				}
				w.checkFiles(tables)
			}
			for _, done := range w.build(tables, opts) {
				if done.Mode != Skipped {
					t.Errorf("%s is built again without a change: %+v", done.Table, done)
				}
			}
		})
	}
}

func (w *world) randomStep(random *rand.Rand, step int) {
	subject := func(n int) string { return fmt.Sprint("s", random.IntN(n)) }
	var rows []map[string]any
	for range random.IntN(25) {
		row := line(fmt.Sprint("e", random.IntN(200)), subject(3+step*4), fmt.Sprint("word ", random.IntN(30)), step*100+len(rows))
		row["parser_version"] = 1 + random.IntN(2) // may move an event to another subject
		if random.IntN(3) == 0 {
			row["tool_calls"] = []map[string]string{{"id": "c", "name": "look"}}
		}
		rows = append(rows, row)
	}
	w.append("events.chat_messages", rows...)
	if random.IntN(3) == 0 {
		w.append("events.configs", map[string]any{"id": fmt.Sprint("c", step), "subject": "tone", "kind": "tone", "content": fmt.Sprint("tone ", step)})
	}
	switch random.IntN(4) {
	case 0:
		w.rewrite("events.chat_messages", "true", true) // compaction
	case 1:
		w.rewrite("events.chat_messages", "subject <> "+duck.Literal(subject(4)), false) // erasure
	case 2:
		w.rewrite("events.chat_messages", "true", false) // a rewrite that changes nothing
	}
}

// checkFiles checks that every subject lies in one file, and the log tells the
// truth about rows.
func (w *world) checkFiles(tables []*Table) {
	w.t.Helper()
	for _, table := range tables {
		now := w.snapshot(table.Name)
		if len(now.Files) == 0 {
			continue
		}
		var rows int64
		for _, file := range now.Files {
			rows += file.Rows
		}
		scan := duck.Scan(w.lake.Dir(), now, now.Files, "filename = true")
		var found int64
		if err := w.session.Get(w.t.Context(), "select count(*) from "+scan, &found); err != nil || found != rows {
			w.t.Errorf("%s: %d rows, the log says %d (%v)", table.Name, found, rows, err)
		}
		if !table.hasSubject() {
			continue
		}
		cut, err := w.session.Strings(w.t.Context(), "select subject_id from "+scan+" group by subject_id having count(distinct filename) > 1")
		if err != nil || len(cut) > 0 {
			w.t.Errorf("%s: subjects %v lie in several files (%v)", table.Name, cut, err)
		}
	}
}
