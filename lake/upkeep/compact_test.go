package upkeep

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/derive"
	"github.com/weir-lake/weir/lake/duck"
	"github.com/weir-lake/weir/lake/laketest"
)

// chats makes n chat messages, numbered from the given one, of 16 conversations.
func chats(from, n int) []lake.Event {
	var events []lake.Event
	for i := from; i < from+n; i++ {
		message := &lake.ChatMessage{
			Content: fmt.Sprint("it's ", i), OrderedAt: laketest.Start,
			ToolCalls: []lake.ToolCall{{ID: fmt.Sprint("t", i), Name: "look"}},
		}
		if i%3 == 0 { // null, and not an empty list
			message.Content, message.ToolCalls = "", nil
		}
		events = append(events, lake.Event{
			ID: fmt.Sprint("m", i), Source: "test://upkeep", Type: "weir.chat.message.v1", Subject: fmt.Sprint("c", i%16),
			Time: laketest.Start.Add(time.Duration(i) * time.Minute), ParserVersion: 1, Data: message,
		})
	}
	return events
}

// appendEach appends messages in n commits, one each, from the given number on.
func appendEach(t testing.TB, lk *lake.Lake, from, n int) {
	t.Helper()
	for i := range n {
		laketest.Append(t, lk, chats(from+i, 1)...)
	}
}

const lengths = `-- Lengths of messages.
--
-- grain:   one row per event
-- key:     event_id
-- scope:   row
-- inputs:  events.chat_messages
-- columns:
--   event_id    VARCHAR  the event's id
--   subject_id  VARCHAR
--   chars       BIGINT   characters
select id as event_id, subject as subject_id, length(content) as chars
from events.chat_messages`

func transform(t testing.TB, lk *lake.Lake, opts derive.Options) derive.TableReport {
	t.Helper()
	table, err := derive.Parse("transforms/lengths.sql", "curated", lengths)
	if err != nil {
		t.Fatal(err)
	}
	opts.Session = open(t)
	report, err := derive.Build(t.Context(), lk, []*derive.Table{table}, opts)
	if err != nil {
		t.Fatal(err)
	}
	return report[0]
}

func open(t testing.TB) *duck.Session {
	t.Helper()
	session, err := duck.Open(t.Context(), duck.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { session.Close() })
	return session
}

func snapshot(t testing.TB, lk *lake.Lake, name string) *lake.Snapshot {
	t.Helper()
	table, err := lk.Table(name)
	if err != nil {
		t.Fatal(err)
	}
	head, err := table.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return head
}

// hash is the logical hash of a table's rows.
func hash(t testing.TB, lk *lake.Lake, name string) string {
	t.Helper()
	session := open(t)
	if err := session.Register(t.Context(), lk.Dir(), snapshot(t, lk, name)); err != nil {
		t.Fatal(err)
	}
	sum, err := derive.LogicalHash(t.Context(), session, name)
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

func compact(t testing.TB, lk *lake.Lake, table string, opts Options) Result {
	t.Helper()
	result, err := Compact(t.Context(), lk, table, opts)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

const messages = "events.chat_messages"

func TestCompactKeepsEveryRowAndTheSchemaInTheFile(t *testing.T) {
	lk := laketest.New(t)
	appendEach(t, lk, 0, 20)
	before, rows := snapshot(t, lk, messages), hash(t, lk, messages)

	result := compact(t, lk, messages, Options{})
	after := snapshot(t, lk, messages)
	if result.Merges != 1 || result.FilesBefore != 20 || len(after.Files) != 1 || result.RowsWritten != 20 {
		t.Errorf("%+v, %d files are live", result, len(after.Files))
	}
	if got := hash(t, lk, messages); got != rows {
		t.Errorf("rows hash to %s, before %s", got, rows)
	}
	if app := lake.TxnAppID(laketest.Cluster, "weir.chat", 0); after.Txns[app] != 20 || before.Txns[app] != 20 {
		t.Errorf("txns %v, before %v", after.Txns, before.Txns)
	}
	table, _ := lk.Table(messages)
	if changes, err := table.Changes(t.Context(), before.Version, after.Version); err != nil || len(changes.Added)+len(changes.Removed) > 0 {
		t.Errorf("changes %+v, %v", changes, err)
	}
	if result := compact(t, lk, messages, Options{}); result.Merges != 0 {
		t.Errorf("again: %+v", result)
	}

	// The field ids are those of the sink's own files.
	session := open(t)
	ids := func(file lake.DataFile) []string {
		path := filepath.Join(duck.TableDir(lk.Dir(), messages), file.Path)
		found, err := session.Strings(t.Context(), "select concat_ws(' ', name, field_id, type, nullif(converted_type, 'INT_64')) from parquet_schema("+duck.Literal(path)+") where name not in ('schema', 'duckdb_schema') order by field_id, name")
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	if got, want := ids(after.Files[0]), ids(before.Files[0]); !slices.Equal(got, want) {
		t.Errorf("schema in the merged file:\n%q\nwant:\n%q", got, want)
	}
	order, err := session.Strings(t.Context(), "select kafka_offset::varchar from "+duck.Scan(lk.Dir(), after, after.Files, "file_row_number = true")+" order by file_row_number")
	if err != nil || !slices.IsSortedFunc(order, func(a, b string) int { return len(a) - len(b) }) || order[0] != "0" {
		t.Errorf("offsets lie as %v, %v", order, err)
	}
}

func TestTransformTakesCompactionForNoChange(t *testing.T) {
	lk := laketest.New(t)
	appendEach(t, lk, 0, 10)
	small := derive.Options{FileRows: 1}
	transform(t, lk, small) // a file for each conversation
	appendEach(t, lk, 10, 3)
	transform(t, lk, small)
	rows := hash(t, lk, "curated.lengths")

	compact(t, lk, messages, Options{})
	before := snapshot(t, lk, "curated.lengths")
	compact(t, lk, "curated.lengths", Options{})
	after := snapshot(t, lk, "curated.lengths")
	if len(after.Files) >= len(before.Files) || hash(t, lk, "curated.lengths") != rows {
		t.Errorf("%d files of %d, rows hash to %s, before %s", len(after.Files), len(before.Files), hash(t, lk, "curated.lengths"), rows)
	}
	if after.Info["operation"] != "compact" || after.Info["inputs"] != before.Info["inputs"] || after.Info["query"] == "" || after.Info["doc"] == "" {
		t.Errorf("the log's head says %v", after.Info)
	}
	if got := transform(t, lk, derive.Options{}); got.Mode != derive.Skipped {
		t.Errorf("after the compaction: %+v", got)
	}
	laketest.Append(t, lk, chats(13, 1)...)
	if got := transform(t, lk, derive.Options{}); got.Mode != derive.Incremental || got.Touched != 1 || got.Changed != 1 || got.Rows != 14 {
		t.Errorf("after one more message: %+v", got)
	}
	incremental := hash(t, lk, "curated.lengths")
	transform(t, lk, derive.Options{Full: true})
	if full := hash(t, lk, "curated.lengths"); full != incremental {
		t.Errorf("computed in part %s, whole %s", incremental, full)
	}
}

// race runs something at the moment at which a merge is about to be committed.
func race(between func()) Options {
	done := false
	return Options{Fault: func(step string) {
		if step == "compact.before-commit" && !done {
			done = true
			between()
		}
	}}
}

func TestCompactGoesOnBesideASink(t *testing.T) {
	lk := laketest.New(t)
	appendEach(t, lk, 0, 8)
	result := compact(t, lk, messages, race(func() { laketest.Append(t, lk, chats(8, 1)...) }))
	if result.Merges != 1 || result.Conflicts != 0 || len(snapshot(t, lk, messages).Files) != 2 {
		t.Errorf("%+v", result)
	}
}

func TestAnErasureWinsOverACompaction(t *testing.T) {
	lk := laketest.New(t)
	appendEach(t, lk, 0, 9)
	table, _ := lk.Table(messages)
	head := snapshot(t, lk, messages)
	result := compact(t, lk, messages, race(func() {
		commit := lake.Commit{Operation: "erase", Columns: head.Columns, Remove: []string{head.Files[4].Path}}
		if _, err := table.Commit(t.Context(), commit); err != nil {
			t.Error(err)
		}
	}))
	after := snapshot(t, lk, messages)
	if result.Conflicts != 1 || result.Merges != 1 || len(after.Files) != 1 || after.Files[0].Rows != 8 {
		t.Errorf("%+v, live: %+v", result, after.Files)
	}
	if n := len(orphans(t, lk, messages)); n != 0 {
		t.Errorf("the refused merge left %d files", n)
	}
}

func TestABuildWinsOverACompaction(t *testing.T) {
	lk := laketest.New(t)
	appendEach(t, lk, 0, 14)
	transform(t, lk, derive.Options{FileRows: 1})
	built := ""
	result := compact(t, lk, "curated.lengths", race(func() {
		laketest.Append(t, lk, chats(100, 1)...)
		transform(t, lk, derive.Options{FileRows: 1})
		built = snapshot(t, lk, "curated.lengths").Info["inputs"]
	}))
	if result.Conflicts == 0 {
		t.Errorf("%+v", result)
	}
	// The record must be the last build's, or the next would skip what it should compute.
	if got := snapshot(t, lk, "curated.lengths").Info["inputs"]; got != built {
		t.Errorf("the head names inputs %s, the last build's are %s", got, built)
	}
}

func TestCompactReadsFilesOfAnOlderSchema(t *testing.T) {
	lk := laketest.New(t)
	appendEach(t, lk, 0, 4)
	// A file that lacks a column, as an older release would have written it.
	session, head := open(t), snapshot(t, lk, messages)
	columns := slices.DeleteFunc(slices.Clone(head.Columns), func(c lake.Column) bool { return c.Name == "channel" })
	path := filepath.Join(duck.TableDir(lk.Dir(), messages), "older.parquet")
	if err := session.Exec(t.Context(), "copy (select "+columnList(columns)+" from "+duck.Scan(lk.Dir(), head, head.Files[:1])+") to "+duck.Literal(path)+
		" (format parquet, field_ids "+duck.FieldIDs(columns)+")"); err != nil {
		t.Fatal(err)
	}
	table, _ := lk.Table(messages)
	_, err := table.Commit(t.Context(), lake.Commit{
		Operation: "swap", Columns: head.Columns, Remove: []string{head.Files[0].Path},
		Add: []lake.DataFile{{Path: "older.parquet", Rows: 1, Bytes: size(t, path)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	appendEach(t, lk, 4, 4)
	rows := hash(t, lk, messages)
	result := compact(t, lk, messages, Options{})
	if got := hash(t, lk, messages); result.Merges != 1 || got != rows {
		t.Errorf("%+v: rows hash to %s, before %s", result, got, rows)
	}
}

func TestCheckMergedFindsAWrongRow(t *testing.T) {
	lk := laketest.New(t)
	appendEach(t, lk, 0, 3)
	session, head := open(t), snapshot(t, lk, messages)
	merged, err := rewrite(t.Context(), session, lk, head, merging(head.Files[:2]))
	if err != nil {
		t.Fatal(err)
	}
	if err := checkMerged(t.Context(), session, lk, head, merging(head.Files[:2]), merged); err != nil {
		t.Error(err)
	}
	for name, inputs := range map[string][]lake.DataFile{"other rows": head.Files[1:], "too few": head.Files} {
		merged.Rows = int64(len(inputs))
		if err := checkMerged(t.Context(), session, lk, head, merging(inputs), merged); !errors.Is(err, errUnfaithful) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
