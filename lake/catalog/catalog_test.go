package catalog

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/derive"
	"github.com/weir-lake/weir/lake/duck"
	"github.com/weir-lake/weir/lake/laketest"
)

// chats makes n chat messages, numbered from the given one.
func chats(from, n int) []lake.Event {
	var events []lake.Event
	for i := from; i < from+n; i++ {
		events = append(events, lake.Event{
			ID: fmt.Sprint("m", i), Source: "test://catalog", Type: "weir.chat.message.v1", Subject: fmt.Sprint("c", i%3),
			Time: laketest.Start.Add(time.Duration(i) * time.Minute), ParserVersion: 1,
			Data: &lake.ChatMessage{Content: fmt.Sprint("it's ", i), OrderedAt: laketest.Start, ToolCalls: []lake.ToolCall{{ID: "t", Name: "look"}}},
		})
	}
	return events
}

const lengths = `-- Lengths of messages.
--
-- grain:   one row per event
-- key:     event_id
-- scope:   subject
-- inputs:  events.chat_messages
-- columns:
--   event_id    VARCHAR  the event's id
--   subject_id  VARCHAR
--   chars       BIGINT   characters
select id as event_id, subject as subject_id, length(content) as chars
from events.chat_messages`

// newLake has 10 chat messages and a derived table.
func newLake(t *testing.T) *lake.Lake {
	t.Helper()
	lk := laketest.New(t)
	laketest.Append(t, lk, chats(0, 10)...)
	table, err := derive.Parse("transforms/lengths.sql", "curated", lengths)
	if err != nil {
		t.Fatal(err)
	}
	session, err := duck.Open(t.Context(), duck.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	if _, err := derive.Build(t.Context(), lk, []*derive.Table{table}, derive.Options{Session: session}); err != nil {
		t.Fatal(err)
	}
	return lk
}

func publishAt(t *testing.T, lk *lake.Lake, at time.Time) {
	t.Helper()
	if err := Publish(t.Context(), lk, Options{Clock: func() time.Time { return at }}); err != nil {
		t.Fatal(err)
	}
}

// query opens a catalog as a reader would, read-only, and reads one text.
func query(t *testing.T, path, query string, before ...string) (text string, err error) {
	t.Helper()
	db, err := sql.Open("duckdb", path+"?access_mode=READ_ONLY")
	if err != nil {
		return "", err
	}
	defer db.Close()
	conn, err := db.Conn(t.Context())
	if err != nil {
		return "", err
	}
	defer conn.Close()
	for _, statement := range before {
		if _, err := conn.ExecContext(t.Context(), statement); err != nil {
			return "", err
		}
	}
	err = conn.QueryRowContext(t.Context(), query).Scan(&text)
	return text, err
}

func expect(t *testing.T, path, ask, want string, before ...string) {
	t.Helper()
	got, err := query(t, path, ask, before...)
	if err != nil || got != want {
		t.Errorf("%s: got %q, %v; want %q", ask, got, err, want)
	}
}

const countMessages = "select concat_ws(' ', count(*), min(content), any_value(tool_calls[1].name)) from events.chat_messages"

func TestCatalogIsReadFromAnywhere(t *testing.T) {
	lk := newLake(t)
	publishAt(t, lk, laketest.Start)
	here := filepath.Join(lk.Dir(), fileName)
	parent := filepath.Dir(lk.Dir())
	want := "10 it's 0 look"

	expect(t, here, countMessages, want)
	expect(t, here, "select sum(chars)::varchar from curated.lengths", "60")
	expect(t, here, "select count(*)::varchar from events.swarm", "0")

	t.Chdir(t.TempDir())
	expect(t, here, countMessages, want)
	t.Chdir(lk.Dir())
	expect(t, fileName, countMessages, want)
	t.Chdir(parent)
	expect(t, filepath.Join(filepath.Base(lk.Dir()), fileName), countMessages, want)

	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(lk.Dir(), link); err != nil {
		t.Fatal(err)
	}
	expect(t, filepath.Join(link, fileName), countMessages, want)

	moved := filepath.Join(t.TempDir(), "o'ther [lake] *")
	if err := os.Rename(lk.Dir(), moved); err != nil {
		t.Fatal(err)
	}
	expect(t, filepath.Join(moved, fileName), countMessages, want)

	elsewhere := filepath.Join(t.TempDir(), "copy.duckdb")
	text, err := os.ReadFile(filepath.Join(moved, fileName))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(elsewhere, text, 0o600); err != nil {
		t.Fatal(err)
	}
	expect(t, elsewhere, countMessages, want, "set variable weir_root = "+duck.Literal(moved))
	if _, err := query(t, elsewhere, countMessages); err == nil {
		t.Error("a copy found the files of a lake that moved away")
	}
}

func TestCatalogCommentsEveryViewAndColumn(t *testing.T) {
	lk := newLake(t)
	publishAt(t, lk, laketest.Start)
	path := filepath.Join(lk.Dir(), fileName)
	expect(t, path, "select comment from duckdb_views() where schema_name = 'curated' and view_name = 'lengths'", "Lengths of messages")
	expect(t, path, "select comment from duckdb_columns() where table_name = 'lengths' and column_name = 'chars'", "characters")
	expect(t, path, "select count(*)::varchar from duckdb_views() where schema_name in ('events') and comment is null", "0")
	expect(t, path, "select count(*)::varchar from duckdb_columns() where schema_name = 'events' and comment is null", "0")
}

func TestPublishDropsTheLogOfAnOldCatalog(t *testing.T) {
	lk := newLake(t)
	publishAt(t, lk, laketest.Start)
	path := filepath.Join(lk.Dir(), fileName)
	// Another tool's write, left behind in the log by a kill.
	db, err := sql.Open("duckdb", path)
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{"pragma disable_checkpoint_on_shutdown", "create table stray as select 1 as x"} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path + ".wal"); err != nil {
		t.Fatalf("the test has no stale log: %v", err)
	}
	laketest.Append(t, lk, chats(10, 5)...)
	publishAt(t, lk, laketest.Start)
	expect(t, path, "select count(*)::varchar from events.chat_messages", "15")
	expect(t, path, "select count(*)::varchar from duckdb_tables() where table_name = 'stray'", "0")
}

func TestPublishDoesNothingTwice(t *testing.T) {
	lk := newLake(t)
	publishAt(t, lk, laketest.Start)
	path := filepath.Join(lk.Dir(), fileName)
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	publishAt(t, lk, laketest.Start.Add(time.Minute))
	if after, err := os.Stat(path); err != nil || !os.SameFile(before, after) {
		t.Errorf("the catalog was written again (%v)", err)
	}
	if n := len(generationNames(t, lk)); n != 1 {
		t.Errorf("%d generations", n)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	publishAt(t, lk, laketest.Start.Add(2*time.Minute))
	expect(t, path, countMessages, "10 it's 0 look")
}

func generationNames(t *testing.T, lk *lake.Lake) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(lk.Dir(), generations))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

func TestCurrentKeepsAGenerationForItsReaders(t *testing.T) {
	lk := newLake(t)
	session, err := duck.Open(t.Context(), duck.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	rows := func(folder, table string) (n int64) {
		if err := session.Get(t.Context(), "select count(*) from read_parquet("+duck.Literal(filepath.Join(folder, table, "*.parquet"))+")", &n); err != nil {
			t.Error(err)
		}
		return n
	}
	publishAt(t, lk, laketest.Start)
	first, err := filepath.EvalSymlinks(filepath.Join(lk.Dir(), currentName))
	if err != nil {
		t.Fatal(err)
	}
	laketest.Append(t, lk, chats(10, 5)...)
	publishAt(t, lk, laketest.Start.Add(10*time.Minute))
	second, err := filepath.EvalSymlinks(filepath.Join(lk.Dir(), currentName))
	if err != nil {
		t.Fatal(err)
	}
	if a, b := rows(first, "events/chat_messages"), rows(second, "events/chat_messages"); a != 10 || b != 15 {
		t.Errorf("a reader of the first generation sees %d rows, of the second %d", a, b)
	}
	if n := rows(second, "events/swarm"); n != 0 {
		t.Errorf("%d rows in a table that does not exist", n)
	}
	publishAt(t, lk, laketest.Start.Add(time.Hour)) // the first was replaced 50 minutes ago
	if n := len(generationNames(t, lk)); n != 2 {
		t.Errorf("%d generations within the horizon", n)
	}
	publishAt(t, lk, laketest.Start.Add(time.Hour+11*time.Minute))
	if names := generationNames(t, lk); len(names) != 1 || names[0] != filepath.Base(second) {
		t.Errorf("after the horizon there are %v", names)
	}
	// A clock that goes back must not make the newest look old.
	laketest.Append(t, lk, chats(15, 1)...)
	publishAt(t, lk, laketest.Start.Add(-time.Hour))
	if n := rows(filepath.Join(lk.Dir(), currentName), "events/chat_messages"); n != 16 {
		t.Errorf("current has %d rows", n)
	}
}

func TestReadersMeetNoHalfCatalog(t *testing.T) {
	lk := newLake(t)
	publishAt(t, lk, laketest.Start)
	path := filepath.Join(lk.Dir(), fileName)
	var publishers sync.WaitGroup
	for range 3 {
		publishers.Go(func() {
			for range 4 {
				if err := Publish(t.Context(), lk, Options{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	publishers.Go(func() {
		for i := range 6 {
			laketest.Append(t, lk, chats(10+i, 1)...)
		}
	})
	done := make(chan struct{})
	go func() { publishers.Wait(); close(done) }()
	for reads := 0; ; reads++ {
		select {
		case <-done:
			if err := Publish(t.Context(), lk, Options{}); err != nil {
				t.Fatal(err)
			}
			expect(t, path, "select count(*)::varchar from events.chat_messages", "16")
			t.Logf("%d reads", reads)
			return
		default:
		}
		if got, err := query(t, path, "select count(*)::varchar from events.chat_messages"); err != nil || len(got) != 2 {
			t.Fatalf("read %d: %q, %v", reads, got, err)
		}
	}
}

func TestPublishFailsInOneLine(t *testing.T) {
	lk := newLake(t)
	if err := os.WriteFile(filepath.Join(lk.Dir(), currentName), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := Publish(t.Context(), lk, Options{})
	if err == nil || strings.Contains(err.Error(), "\n") || lake.HintOf(err) == "" {
		t.Errorf("%v", err)
	}
	if text, _ := os.ReadFile(filepath.Join(lk.Dir(), currentName)); string(text) != "mine" {
		t.Error("a file that is not ours was replaced")
	}
}

func TestDropGenerationsKeepsTheNewest(t *testing.T) {
	lk := newLake(t)
	publishAt(t, lk, laketest.Start)
	laketest.Append(t, lk, chats(10, 5)...)
	publishAt(t, lk, laketest.Start.Add(time.Minute))
	newest, err := os.Readlink(filepath.Join(lk.Dir(), currentName))
	if err != nil {
		t.Fatal(err)
	}
	if err := DropGenerations(t.Context(), lk, 1); err != nil {
		t.Fatal(err)
	}
	if names := generationNames(t, lk); len(names) != 1 || names[0] != filepath.Base(newest) {
		t.Errorf("generations %v, current is %s", names, newest)
	}
	if err := DropGenerations(t.Context(), lk, 0); err != nil {
		t.Fatal(err)
	}
	if names := generationNames(t, lk); len(names) != 0 {
		t.Errorf("generations %v", names)
	}
	if _, err := os.Lstat(filepath.Join(lk.Dir(), currentName)); !os.IsNotExist(err) {
		t.Errorf("current is there: %v", err)
	}
	publishAt(t, lk, laketest.Start.Add(2*time.Minute))
	if n := len(generationNames(t, lk)); n != 1 {
		t.Errorf("%d generations", n)
	}
}

func TestCatalogShowsTablesAsTheyWere(t *testing.T) {
	now := laketest.Start
	lk, err := lake.Init(filepath.Join(t.TempDir(), "lake"), lake.Options{Clock: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	for day := range 3 {
		now = laketest.Start.Add(time.Duration(day) * 24 * time.Hour)
		laketest.Append(t, lk, chats(day, 1)...)
	}
	// A day after the last, the first file goes.
	table, _ := lk.Table("events.chat_messages")
	head, err := table.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	now = laketest.Start.Add(72 * time.Hour)
	if _, err := table.Commit(t.Context(), lake.Commit{Operation: "erase", Columns: head.Columns, Remove: []string{head.Files[0].Path}}); err != nil {
		t.Fatal(err)
	}
	publishAt(t, lk, now)
	moved := filepath.Join(t.TempDir(), "moved")
	if err := os.Rename(lk.Dir(), moved); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(moved, fileName)
	for moment, want := range map[string]string{
		"'2026-01-05T08:00:00Z'":                              "1 it's 0",
		"'2026-01-06T07:59:59Z'":                              "1 it's 0",
		"timestamptz '2026-01-06T08:00:00Z'":                  "2 it's 0",
		"timestamptz '2026-01-08T07:00:00Z'":                  "3 it's 0",
		"'2026-01-08T08:00:00Z'":                              "2 it's 1",
		"now() + interval 1 year":                             "2 it's 1",
		"timestamptz '2026-01-08T08:00:00Z' - interval 1 day": "3 it's 0",
	} {
		expect(t, path, "select concat_ws(' ', count(*), min(content)) from events.chat_messages_at("+moment+")", want)
	}
	if _, err := query(t, path, "select count(*)::varchar from events.chat_messages_at('2026-01-01')"); err == nil || !strings.Contains(err.Error(), "the catalog goes back to 2026-01-05T08:00:00Z") {
		t.Errorf("before the table was made: %v", err)
	}
	expect(t, path, "select count(*)::varchar from events.swarm_at(now())", "0")
	expect(t, path, "select concat_ws(' ', count(*), count(removed_at), max(added_version), max(removed_version)) from main.weir_files", "3 1 2 3")
	expect(t, path, "select (comment like 'events.chat_messages as it was%')::varchar from duckdb_functions() where function_name = 'chat_messages_at'", "true")
}
