package derive

import (
	"context"
	"encoding/json"
	"errors"
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

func named(t *testing.T, name string) *Table {
	t.Helper()
	for _, table := range parseTables(t) {
		if table.Name == name {
			return table
		}
	}
	t.Fatalf("no table %s", name)
	return nil
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
	switch random.IntN(6) {
	case 0:
		w.rewrite("events.chat_messages", "true", true) // compaction
	case 4:
		now := w.snapshot("events.chat_messages").Version
		w.restore("events.chat_messages", max(0, now-1-random.Int64N(2)))
	case 5:
		w.forget("events.chat_messages")
	case 1:
		w.rewrite("events.chat_messages", "subject <> "+duck.Literal(subject(4)), false) // erasure
	case 2:
		w.rewrite("events.chat_messages", "true", false) // a rewrite that changes nothing
	}
}

func (w *world) table(name string) *lake.Table {
	w.t.Helper()
	table, err := w.lake.Table(name)
	if err != nil {
		w.t.Fatal(err)
	}
	return table
}

func (w *world) restore(name string, version int64) {
	w.t.Helper()
	if _, err := w.table(name).Restore(w.t.Context(), version, lake.RestoreOptions{}); err != nil && !errors.Is(err, lake.ErrNoVersion) {
		w.t.Fatal(err)
	}
}

// forget cuts the log of a table off before its head.
func (w *world) forget(name string) {
	w.t.Helper()
	version, err := w.table(name).Checkpoint(w.t.Context())
	if err == nil {
		err = w.table(name).TruncateLog(w.t.Context(), version)
	}
	if err != nil {
		w.t.Fatal(err)
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

func (w *world) lines(from, n int) []map[string]any {
	var rows []map[string]any
	for i := from; i < from+n; i++ {
		rows = append(rows, line(fmt.Sprintf("e%05d", i), fmt.Sprintf("s%04d", i/5), fmt.Sprint("word ", i), i))
	}
	return rows
}

func (w *world) report(r Report, table string) TableReport {
	w.t.Helper()
	for _, done := range r {
		if done.Table == table {
			return done
		}
	}
	w.t.Fatalf("no report of %s", table)
	return TableReport{}
}

func TestIncrementTouchesOnlyWhatItMust(t *testing.T) {
	tables := parseTables(t)
	w := newWorld(t)
	opts := Options{FileRows: 100}
	w.append("events.chat_messages", w.lines(0, 1000)...)
	first := w.report(w.build(tables, opts), "curated.lines")
	if first.Mode != Full || first.Rows != 1000 || first.FilesAdded != 10 {
		t.Errorf("first build: %+v", first)
	}
	// Two new subjects, and one line more in an old one.
	more := append(w.lines(1000, 10), line("late", "s0100", "late", 2000))
	w.append("events.chat_messages", more...)
	report := w.build(tables, opts)
	for table, want := range map[string]TableReport{
		// The old subject leaves a file of 100, and joins the new ones in a young file.
		"curated.lines":    {Mode: Incremental, Rows: 1011, Touched: 3, Changed: 3, FilesAdded: 2, FilesRemoved: 1},
		"curated.talks":    {Mode: Incremental, Rows: 202, Touched: 3, Changed: 3, FilesAdded: 2, FilesRemoved: 1},
		"curated.repeats":  {Mode: Full, Rows: 1011, Changed: 3, FilesAdded: 2, FilesRemoved: 1},
		"curated.verdicts": {Mode: Incremental, Rows: 1011, Touched: 3, Changed: 3, FilesAdded: 2, FilesRemoved: 1},
		"curated.settings": {Mode: Skipped},
	} {
		got := w.report(report, table)
		got.Table, got.Version, got.Seconds = "", 0, 0
		if got != want {
			t.Errorf("%s: got %+v, want %+v", table, got, want)
		}
	}
	// Redelivery: rows come, and nothing changes downstream.
	w.append("events.chat_messages", w.lines(0, 50)...)
	report = w.build(tables, opts)
	if got := w.report(report, "curated.lines"); got.Mode != Incremental || got.Touched != 10 || got.Changed != 0 || got.FilesAdded != 0 {
		t.Errorf("redelivery: %+v", got)
	}
	if got := w.report(report, "curated.talks"); got.Mode != Skipped {
		t.Errorf("after redelivery: %+v", got)
	}
}

// TestFullFilesAreLeftAlone: files that are cut by bytes have few rows, but are
// not small.
// Without the log entries since the last build nobody knows what changed.
func TestAForgottenHistoryIsBuiltInFull(t *testing.T) {
	tables := parseTables(t)
	w := newWorld(t)
	w.append("events.chat_messages", w.lines(0, 50)...)
	w.build(tables, Options{})
	w.append("events.chat_messages", w.lines(50, 5)...)
	w.append("events.chat_messages", w.lines(55, 5)...)
	w.forget("events.chat_messages")
	report := w.build(tables, Options{})
	if got := w.report(report, "curated.lines"); got.Mode != Full || got.Rows != 60 {
		t.Errorf("%+v", got)
	}
	w.append("events.chat_messages", w.lines(60, 5)...)
	if got := w.report(w.build(tables, Options{}), "curated.lines"); got.Mode != Incremental || got.Rows != 65 {
		t.Errorf("afterwards: %+v", got)
	}
	// Its own record counts the same way.
	w.forget("curated.lines")
	if got := w.report(w.build(tables, Options{}), "curated.lines"); got.Mode != Skipped {
		t.Errorf("its own log: %+v", got)
	}
}

// A restored table is what its old version was, and is brought back to now from
// there.
func TestARestoredTableIsBroughtBack(t *testing.T) {
	tables := parseTables(t)
	w := newWorld(t)
	w.append("events.chat_messages", w.lines(0, 50)...)
	w.build(tables, Options{})
	old := w.snapshot("curated.lines").Version
	w.append("events.chat_messages", w.lines(50, 5)...)
	w.build(tables, Options{})
	want := w.hashes(tables)
	w.restore("curated.lines", old)
	if got := w.report(w.build(tables, Options{}), "curated.lines"); got.Mode != Incremental || got.Rows != 55 {
		t.Errorf("%+v", got)
	}
	for table, hash := range w.hashes(tables) {
		if hash != want[table] {
			t.Errorf("%s differs from what it was before", table)
		}
	}
}

func TestFullFilesAreLeftAlone(t *testing.T) {
	tables := []*Table{named(t, "curated.lines")}
	w := newWorld(t)
	opts := Options{FileBytes: 10_000} // some 100 rows
	w.append("events.chat_messages", w.lines(0, 1000)...)
	files := w.build(tables, opts)[0].FilesAdded
	w.append("events.chat_messages", w.lines(1000, 60)...)
	if got := w.build(tables, opts)[0]; files < 5 || got.FilesRemoved > 1 {
		t.Errorf("of %d files %+v", files, got)
	}
}

func TestSmallFilesStayFew(t *testing.T) {
	tables := []*Table{named(t, "curated.lines")}
	w := newWorld(t)
	written := int64(0)
	for i := range 24 {
		w.append("events.chat_messages", w.lines(i*5, 5)...)
		before := map[string]bool{}
		if i > 0 {
			for _, file := range w.snapshot("curated.lines").Files {
				before[file.Path] = true
			}
		}
		w.build(tables, Options{FileRows: 1000})
		for _, file := range w.snapshot("curated.lines").Files {
			if !before[file.Path] {
				written += file.Rows
			}
		}
	}
	if n := len(w.snapshot("curated.lines").Files); n > 6 {
		t.Errorf("%d files after 24 increments", n)
	}
	if written > 120*8 {
		t.Errorf("120 rows were written %d times over", written/120)
	}
}

func TestRecomputeInBatchesDropsSubjectsThatAreGone(t *testing.T) {
	tables := parseTables(t)
	w := newWorld(t)
	w.append("events.chat_messages", w.lines(0, 400)...)
	opts := Options{FileRows: 100, BatchBytes: 6000}
	w.build(tables, opts)
	w.rewrite("events.chat_messages", "subject <> 's0003'", false)
	w.append("events.configs", map[string]any{"id": "c", "subject": "tone", "kind": "tone", "content": "dry"})
	if got := w.report(w.build(tables, opts), "curated.talks"); got.Mode != Full || got.Rows != 79 || got.Changed != 80 {
		t.Errorf("%+v", got)
	}
	w.checkFiles(tables)
}

func TestAQueryThatBreaksItsScopeIsRefused(t *testing.T) {
	stray := strings.Replace(testTables["lines"], "subject as subject_id", "'everybody' as subject_id", 1)
	stray = strings.Replace(strings.Replace(stray, "scope:   row", "scope:   subject", 1), "qualify", "-- qualify", 1)
	table, err := Parse("transforms/lines.sql", "curated", stray)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	w.append("events.chat_messages", w.lines(0, 10)...)
	w.build([]*Table{table}, Options{})
	w.append("events.chat_messages", w.lines(10, 10)...)
	_, err = Build(t.Context(), w.lake, []*Table{table}, Options{Session: w.session})
	if err == nil || !strings.Contains(err.Error(), "not of scope subject") {
		t.Errorf("%v", err)
	}
}

func TestAKeyOfTwoSubjectsIsRefused(t *testing.T) {
	double := strings.Replace(strings.Replace(testTables["lines"], "qualify", "-- qualify", 1), "scope:   row", "scope:   subject", 1)
	table, err := Parse("transforms/lines.sql", "curated", double)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	w.append("events.chat_messages", w.lines(0, 10)...)
	w.build([]*Table{table}, Options{})
	w.append("events.chat_messages", line("e00003", "s7777", "again", 50))
	files := dataFiles(t, w, table.Name)
	_, err = Build(t.Context(), w.lake, []*Table{table}, Options{Session: w.session})
	if err == nil || !strings.Contains(err.Error(), "key event_id=e00003 on rows of two subjects") {
		t.Errorf("%v", err)
	}
	if after := dataFiles(t, w, table.Name); len(after) != len(files) {
		t.Errorf("a refused build left files: %v", after)
	}
}

func dataFiles(t *testing.T, w *world, table string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(duck.TableDir(w.lake.Dir(), table), "*.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestTwoBuildsAtOnce lets a second build finish while the first is under way.
func TestTwoBuildsAtOnce(t *testing.T) {
	tables := parseTables(t)
	w := newWorld(t)
	w.append("events.chat_messages", w.lines(0, 20)...)
	w.build(tables, Options{})
	w.append("events.chat_messages", w.lines(20, 20)...)
	other := &world{t: t, lake: w.lake, session: openSession(t)}
	done := false
	_, err := Build(t.Context(), w.lake, tables, Options{Session: w.session, Progress: func(p Progress) {
		if p.Table == "curated.lines" && !done {
			done = true
			other.build(tables, Options{})
		}
	}})
	// The first reads the log after the second's commit, and finds nothing to
	// do; or it read it before, and is refused.
	if err != nil && lake.HintOf(err) == "" {
		t.Errorf("%v", err)
	}
	w.build(tables, Options{})
	w.checkFiles(tables)
}

func TestASecondBuildIsRefusedAtTheCommit(t *testing.T) {
	table := named(t, "curated.lines")
	w := newWorld(t)
	w.append("events.chat_messages", w.lines(0, 20)...)
	w.build([]*Table{table}, Options{})
	w.append("events.chat_messages", w.lines(20, 20)...)
	other := &world{t: t, lake: w.lake, session: openSession(t)}
	calls := 0
	_, err := Build(t.Context(), w.lake, []*Table{table}, Options{Session: w.session, Progress: func(Progress) {
		if calls++; calls == 2 { // the plan is made, nothing is computed
			other.build([]*Table{table}, Options{})
		}
	}})
	if !errors.Is(err, lake.ErrStale) || lake.HintOf(err) == "" {
		t.Errorf("%v", err)
	}
	if files, live := dataFiles(t, w, table.Name), w.snapshot(table.Name).Files; len(files) > len(live)+1 {
		t.Errorf("%d files, %d live: the refused build left its own", len(files), len(live))
	}
	w.checkFiles([]*Table{table})
}

func TestCompactionMeanwhileIsNoConflict(t *testing.T) {
	table := named(t, "curated.lines")
	w := newWorld(t)
	w.append("events.chat_messages", w.lines(0, 20)...)
	w.build([]*Table{table}, Options{FileRows: 10})
	w.append("events.chat_messages", line("late", "s0001", "late", 99))
	calls := 0
	report, err := Build(t.Context(), w.lake, []*Table{table}, Options{Session: w.session, FileRows: 10, Progress: func(Progress) {
		if calls++; calls == 2 {
			w.compact(table)
		}
	}})
	if err != nil || report[0].Rows != 21 {
		t.Errorf("%+v, %v", report, err)
	}
	w.checkFiles([]*Table{table})
}

// compact joins the files of a derived table, as upkeep does.
func (w *world) compact(table *Table) {
	w.t.Helper()
	now := w.snapshot(table.Name)
	path := filepath.Join(duck.TableDir(w.lake.Dir(), table.Name), "compacted.parquet")
	n, err := w.session.ExecCount(w.t.Context(), "copy (select * from "+duck.Scan(w.lake.Dir(), now, now.Files)+") to "+duck.Literal(path))
	if err != nil {
		w.t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		w.t.Fatal(err)
	}
	var paths []string
	for _, file := range now.Files {
		paths = append(paths, file.Path)
	}
	handle, err := w.lake.Table(table.Name)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := handle.Commit(w.t.Context(), lake.Commit{
		Operation: "compact", Columns: now.Columns, NoDataChange: true, Remove: paths,
		Add: []lake.DataFile{{Path: "compacted.parquet", Bytes: info.Size(), Rows: n}},
	}); err != nil {
		w.t.Fatal(err)
	}
	if got := w.snapshot(table.Name).Info[infoQuery]; got != "" {
		w.t.Fatal("the compaction carries the record of a build")
	}
}

func TestAChangedQueryIsBuiltAgain(t *testing.T) {
	w := newWorld(t)
	w.append("events.chat_messages", w.lines(0, 20)...)
	tables := parseTables(t)
	w.build(tables, Options{})
	other := strings.Replace(testTables["repeats"], "count(*) over (partition by content)", "count(*) over (partition by content) + position // 10", 1)
	for i, table := range tables {
		if table.Name == "curated.repeats" {
			var err error
			if tables[i], err = Parse(table.File, "curated", other); err != nil {
				t.Fatal(err)
			}
		}
	}
	report := w.build(tables, Options{})
	if got := w.report(report, "curated.repeats"); got.Mode != Full || got.Changed != 2 {
		t.Errorf("changed query: %+v", got)
	}
	if got := w.report(report, "curated.verdicts"); got.Mode != Incremental || got.Touched != 2 {
		t.Errorf("downstream: %+v", got)
	}
	// A column more makes it another table: all files are written again.
	wider := strings.Replace(strings.Replace(other, "--   repeats     BIGINT", "--   repeats     BIGINT\n--   position    BIGINT", 1), "as repeats", "as repeats, position", 1)
	for i, table := range tables {
		if table.Name == "curated.repeats" {
			var err error
			if tables[i], err = Parse(table.File, "curated", wider); err != nil {
				t.Fatal(err)
			}
		}
	}
	report = w.build(tables, Options{})
	if got := w.report(report, "curated.repeats"); got.Mode != Full || got.FilesRemoved != 1 {
		t.Errorf("wider table: %+v", got)
	}
	if got := w.report(report, "curated.verdicts"); got.Mode != Full || got.Changed != 0 || got.FilesAdded != 0 {
		t.Errorf("downstream of the wider table: %+v", got)
	}
}

// TestATableReadsItselfAsItWas breaks the promise that what was there before
// changes no row, to show when it is there: after the same query alone.
func TestATableReadsItselfAsItWas(t *testing.T) {
	text := `-- What was said, and whether it was there before.
--
-- grain:   one row per content
-- key:     content
-- scope:   all
-- inputs:  events.chat_messages, curated.seen (before)
-- columns:
--   content   VARCHAR  text
--   is_known  BOOLEAN  it was there
select distinct content, content in (select content from curated.seen) as is_known from events.chat_messages`
	w := newWorld(t)
	known := func(text string, opts Options) string {
		t.Helper()
		table, err := Parse("seen.sql", "curated", text)
		if err != nil {
			t.Fatal(err)
		}
		w.build([]*Table{table}, opts)
		var counts string
		if err := w.session.Get(t.Context(), "select count(*) || ' ' || count_if(is_known) from curated.seen", &counts); err != nil {
			t.Fatal(err)
		}
		return counts
	}
	said := func(id, content string) {
		w.append("events.chat_messages", map[string]any{"id": id, "subject": "s", "content": content})
	}
	said("1", "one")
	for _, step := range []struct {
		about, content, query string
		opts                  Options
		want                  string
	}{
		{"first build", "two", text, Options{}, "2 0"},
		{"new rows", "three", text, Options{}, "3 2"},
		{"another query", "four", text + " where true", Options{}, "4 0"},
		{"the same again", "five", text + " where true", Options{}, "5 4"},
		{"a full build", "six", text + " where true", Options{Full: true}, "6 0"},
	} {
		said(step.content, step.content)
		if got := known(step.query, step.opts); got != step.want {
			t.Errorf("%s: contents and known ones %s, want %s", step.about, got, step.want)
		}
	}
	for _, bad := range []string{
		strings.Replace(text, " (before)", "", 1),
		strings.Replace(strings.Replace(text, "scope:   all", "scope:   row", 1), "--   is_known", "--   subject_id VARCHAR  subject\n--   is_known", 1),
	} {
		if _, err := Parse("seen.sql", "curated", bad); err == nil || !strings.Contains(err.Error(), "may read itself, as curated.seen (before)") {
			t.Errorf("%v", err)
		}
	}
	table, err := Parse("seen.sql", "curated", strings.Replace(text, "in (select content from curated.seen)", "is null", 1))
	if err != nil {
		t.Fatal(err)
	}
	if err := table.Check(t.Context(), w.session); err == nil || !strings.Contains(err.Error(), "curated.seen (before)") {
		t.Errorf("a query that does not read itself: %v", err)
	}
}

func TestOnlyBuildsWhatIsNeeded(t *testing.T) {
	w := newWorld(t)
	w.append("events.chat_messages", w.lines(0, 5)...)
	report := w.build(parseTables(t), Options{Only: []string{"curated.talks"}})
	var names []string
	for _, done := range report {
		names = append(names, done.Table)
	}
	if got := strings.Join(names, " "); got != "curated.lines curated.settings curated.talks" {
		t.Error(got)
	}
	if _, err := Build(t.Context(), w.lake, parseTables(t), Options{Session: w.session, Only: []string{"curated.talk"}}); err == nil || !strings.Contains(err.Error(), `no table "curated.talk"`) {
		t.Errorf("%v", err)
	}
	missing := []*Table{named(t, "curated.totals")}
	if _, err := Build(t.Context(), w.lake, missing, Options{Session: w.session}); !errors.Is(err, lake.ErrNoTable) || lake.HintOf(err) == "" {
		t.Errorf("%v", err)
	}
}

func TestSteps(t *testing.T) {
	w := newWorld(t)
	w.append("events.chat_messages", w.lines(0, 20)...)
	step := Step{
		Name: "curated.sizes", Doc: "Sizes", Grain: "one row per subject", Key: []string{"subject_id"},
		Inputs: []string{"curated.lines"}, Version: "1",
		Columns: []lake.Column{{Name: "subject_id", Type: lake.Varchar}, {Name: "n", Type: lake.BigInt}},
		Run: func(ctx context.Context, session *duck.Session, into string) error {
			return session.Exec(ctx, "create table "+into+" as select subject_id, count(*) as n from curated.lines group by 1")
		},
	}
	tables := []*Table{named(t, "curated.lines"), step.Table()}
	if got := w.report(w.build(tables, Options{}), "curated.sizes"); got.Mode != Full || got.Rows != 4 {
		t.Errorf("%+v", got)
	}
	if got := w.report(w.build(tables, Options{}), "curated.sizes"); got.Mode != Skipped {
		t.Errorf("unchanged: %+v", got)
	}
	step.Version = "2"
	tables[1] = step.Table()
	if got := w.report(w.build(tables, Options{}), "curated.sizes"); got.Mode != Full || got.Changed != 0 {
		t.Errorf("new version: %+v", got)
	}
	step.Columns[1].Type = lake.Double
	tables[1] = step.Table()
	if _, err := Build(t.Context(), w.lake, tables, Options{Session: w.session}); err == nil || !strings.Contains(err.Error(), "column n is BIGINT, header says DOUBLE") {
		t.Errorf("%v", err)
	}
}

func TestLogicalHash(t *testing.T) {
	session := openSession(t)
	hash := func(query string) string {
		if err := session.RegisterQuery(t.Context(), "curated.x", query); err != nil {
			t.Fatal(err)
		}
		sum, err := LogicalHash(t.Context(), session, "curated.x")
		if err != nil {
			t.Fatal(err)
		}
		return sum
	}
	base := hash("select * from (values ('a', ['x'], 0.1::double), ('b', null, null), ('b', null, null)) v(k, l, d)")
	if got := hash("select * from (values ('b', null, null), ('a', ['x'], 0.1::double), ('b', null, null)) v(k, l, d)"); got != base {
		t.Error("the order of rows counts")
	}
	for name, query := range map[string]string{
		"a_row_once":        "values ('a', ['x'], 0.1::double), ('b', null, null)",
		"empty_is_not_null": "values ('a', ['x'], 0.1::double), ('b', [], null), ('b', null, null)",
		"null_in_a_list":    "values ('a', ['x', null], 0.1::double), ('b', null, null), ('b', null, null)",
		"text_empty":        "values ('a', ['x'], 0.1::double), ('', null, null), ('b', null, null)",
		"last_bit":          "values ('a', ['x'], 0.1::double + 1.4e-17), ('b', null, null), ('b', null, null)",
	} {
		if got := hash("select * from (" + query + ") v(k, l, d)"); got == base {
			t.Errorf("%s: the same hash", name)
		}
	}
	if hash("select 1 as a where false") == hash("select 1 as a") {
		t.Error("no row and one row have one hash")
	}
}
