package langgraph

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/llm/llmtest"
	"github.com/weir-lake/weir/lake"
)

// server is a database of checkpoints, in the order that it would give them.
type server struct {
	columns     []string // table.column
	checkpoints []stored
	breakAfter  int   // rows of a page after which the connection breaks once; 0: never
	refuse      error // what every query ends in
	dials       int
	queries     []string
}

type stored struct {
	thread, namespace, id string
	parent                *string
	checkpoint, metadata  string
	channels, kinds       []string
	values                [][]byte
	writes                *string
}

func (s *server) dial(context.Context) (session, error) {
	s.dials++
	return s, nil
}

func (s *server) close() {}

func (s *server) query(_ context.Context, sql string, args ...any) (rows, error) {
	s.queries = append(s.queries, sql)
	if s.refuse != nil {
		return nil, s.refuse
	}
	var result fakeRows
	if len(args) == 0 {
		for _, name := range s.columns {
			table, column, _ := strings.Cut(name, ".")
			result.rows = append(result.rows, []any{table, column})
		}
		return &result, nil
	}
	after := position{args[0].(string), args[1].(string), args[2].(string)}
	for _, c := range s.checkpoints {
		if c.thread+"\x00"+c.namespace+"\x00"+c.id <= after.thread+"\x00"+after.namespace+"\x00"+after.id {
			continue
		}
		if len(result.rows) == pageRows {
			break
		}
		result.rows = append(result.rows, []any{c.thread, c.namespace, c.id, c.parent, []byte(c.checkpoint), []byte(c.metadata), c.channels, c.kinds, c.values, c.writes})
	}
	if s.breakAfter > 0 && len(result.rows) > s.breakAfter {
		result.rows, result.err, s.breakAfter = result.rows[:s.breakAfter], io.ErrUnexpectedEOF, 0
	}
	return &result, nil
}

type fakeRows struct {
	rows [][]any
	at   int
	err  error
}

func (r *fakeRows) Next() bool { r.at++; return r.at <= len(r.rows) }
func (r *fakeRows) Close()     {}
func (r *fakeRows) Err() error { return r.err }

func (r *fakeRows) Scan(dest ...any) error {
	row := r.rows[r.at-1]
	if len(row) != len(dest) {
		return fmt.Errorf("%d columns for %d", len(row), len(dest))
	}
	for i := range dest {
		switch to := dest[i].(type) {
		case *string:
			*to = row[i].(string)
		case **string:
			*to = row[i].(*string)
		case *[]byte:
			*to = row[i].([]byte)
		case *[]string:
			*to = row[i].([]string)
		case *[][]byte:
			*to = row[i].([][]byte)
		default:
			return fmt.Errorf("a %T", to)
		}
	}
	return nil
}

var today = []string{
	"checkpoints.thread_id", "checkpoints.checkpoint_ns", "checkpoints.checkpoint_id", "checkpoints.parent_checkpoint_id", "checkpoints.checkpoint", "checkpoints.metadata",
	"checkpoint_blobs.version", "checkpoint_blobs.blob", "checkpoint_writes.channel",
}

func readServer(t *testing.T, s *server) (*llmtest.Result, error) {
	t.Helper()
	var result llmtest.Result
	reader := postgresReader{name: "postgres://db:5432/graphs", dial: s.dial}
	in := &source.Input{Name: reader.name, R: strings.NewReader("")}
	err := reader.read(t.Context(), in, &result)
	if err == nil && in.Records != int64(len(result.Events)+len(result.Rejects)) {
		t.Errorf("%d records, %d events, %d rejects", in.Records, len(result.Events), len(result.Rejects))
	}
	return &result, err
}

func TestPostgres(t *testing.T) {
	parent, interrupted := "c1", "__interrupt__"
	messages := `[{"lc":1,"type":"constructor","id":["langchain","HumanMessage"],"kwargs":{"content":"Is 4 free?","type":"human","id":"m1"}}]`
	s := &server{columns: today, checkpoints: []stored{
		{thread: "t", id: "c1", checkpoint: `{"id":"c1","ts":"2025-10-09T08:00:00Z","channel_values":{"berth":4}}`, metadata: `{"source":"input","step":-1}`},
		{
			thread: "t", id: "c2", parent: &parent, writes: &interrupted,
			checkpoint: `{"id":"c2","ts":"2025-10-09T08:00:01Z","channel_values":{"berth":4}}`, metadata: `{"source":"loop","step":0}`,
			channels: []string{"gone", "map", "messages", "odd"}, kinds: []string{"empty", "bytes", "json", "pickle"},
			values: [][]byte{nil, []byte("\x00\x01"), []byte(messages), []byte("\x80\x04.")},
		},
		{thread: "u", id: "c3", checkpoint: `{"id":"c3","ts":"2025-10-09T08:00:02Z"}`, metadata: `{}`, channels: []string{"messages"}, kinds: []string{"pickle"}, values: [][]byte{{0x80}}},
	}}
	got, err := readServer(t, s)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Events) != 2 || len(got.Rejects) != 1 || !strings.Contains(got.Rejects[0].Detail, "channel messages: a Python pickle") {
		t.Fatalf("%d events, rejects %+v", len(got.Events), got.Rejects)
	}
	c := got.Events[1].Data.(*lake.Checkpoint)
	if c.ParentCheckpointID != "c1" || c.Status != "interrupted" || len(c.Messages) != 1 || c.Messages[0].EventID != "m1" {
		t.Errorf("%+v", c)
	}
	for _, want := range []string{`"berth":4`, `"length":2`, `"odd":"a Python pickle`} {
		if !strings.Contains(c.State, want) {
			t.Errorf("no %s in %s", want, c.State)
		}
	}
	if strings.Contains(c.State, "gone") {
		t.Errorf("an empty channel in %s", c.State)
	}
	if got.Events[0].ID != lake.StableID("langgraph", "t", "", "c1") {
		t.Error("another id than the SQLite database gives")
	}
}

// TestPostgresGoesOnAfterABreak: pages follow each other, and a connection that
// breaks within one neither loses nor repeats a checkpoint.
func TestPostgresGoesOnAfterABreak(t *testing.T) {
	s := &server{columns: today, breakAfter: pageRows / 2}
	for i := range 2*pageRows + 10 {
		id := fmt.Sprintf("c%05d", i)
		s.checkpoints = append(s.checkpoints, stored{thread: "t" + fmt.Sprint(i/300), id: id, checkpoint: `{"id":"` + id + `","ts":"2025-10-09T08:00:00Z"}`})
	}
	got, err := readServer(t, s)
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for _, e := range got.Events {
		ids[e.ID] = true
	}
	if len(ids) != len(s.checkpoints) || len(got.Events) != len(ids) || s.dials != 2 {
		t.Errorf("%d events, %d ids of %d checkpoints over %d connections", len(got.Events), len(ids), len(s.checkpoints), s.dials)
	}
}

func TestPostgresErrors(t *testing.T) {
	for name, c := range map[string]struct {
		server *server
		dials  int
		want   string
	}{
		"not_langgraph":      {&server{columns: []string{"checkpoints.name"}}, 1, "none of LangGraph's tables"},
		"server_going_down":  {&server{refuse: &pgconn.PgError{Code: "57P01", Message: "going down"}}, attempts, "attempts: "},
		"may_not_read":       {&server{refuse: &pgconn.PgError{Code: "42501", Message: "permission denied"}}, 1, "permission denied"},
		"connection_is_gone": {&server{refuse: io.ErrUnexpectedEOF}, attempts, "unexpected EOF"},
	} {
		_, err := readServer(t, c.server)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "postgres://db:5432/graphs: ") || c.server.dials != c.dials {
			t.Errorf("%s: %v after %d connections", name, err, c.server.dials)
		}
	}
}

type refusing struct{ llmtest.Result }

var errFull = errors.New("full")

func (*refusing) Emit(lake.Event) error { return errFull }

func TestPostgresStopsWhereTheReceiverDoes(t *testing.T) {
	s := &server{columns: today, checkpoints: []stored{{thread: "t", id: "c", checkpoint: `{"id":"c","ts":"2025-10-09T08:00:00Z"}`}}}
	reader := postgresReader{name: "db", dial: s.dial}
	if err := reader.read(t.Context(), &source.Input{}, &refusing{}); !errors.Is(err, errFull) || s.dials != 1 {
		t.Errorf("%v after %d connections", err, s.dials)
	}
}

// TestPostgresQuery: the shallow checkpointer's tables, and those without
// columns that came later, are asked for what they have.
func TestPostgresQuery(t *testing.T) {
	shallow, err := postgresQuery(t.Context(), &server{columns: []string{"checkpoints.thread_id", "checkpoints.checkpoint", "checkpoint_blobs.blob"}})
	if err != nil || strings.Contains(shallow, "b.version") || !strings.Contains(shallow, "c.checkpoint ->> 'id'") || strings.Contains(shallow, "checkpoint_writes") {
		t.Errorf("%s, %v", shallow, err)
	}
}

// TestPostgresURL: nobody finds the password in a name or an error.
func TestPostgresURL(t *testing.T) {
	_, name, err := Postgres("postgres://mara:tidepool@db.example:6543/graphs?sslmode=disable")
	if err != nil || name != "postgres://db.example:6543/graphs" {
		t.Errorf("%q, %v", name, err)
	}
	for _, broken := range []string{"postgres://mara:tidepool@db:port/graphs", "postgres://mara:tidepool@db/graphs?sslmode=odd", "postgres://mara:tide pool@db\x7f/"} {
		if _, _, err := Postgres(broken); err == nil || strings.Contains(err.Error()+lake.HintOf(err), "tide") {
			t.Errorf("%q: %v", broken, err)
		}
	}
	for name, want := range map[string]bool{"postgres://h/d": true, "postgresql://h/d": true, "postgres://h:port/d": true, "postgres.db": false, "/var/postgres:/x": false} {
		if IsPostgres(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
}
