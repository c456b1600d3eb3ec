package langgraph

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/llm/llmtest"
	"github.com/weir-lake/weir/lake"
)

func TestGolden(t *testing.T) { llmtest.Golden(t, JSONL(), "testdata/*.jsonl") }

// database writes a database of our own and returns its path.
func database(t *testing.T, statements ...any) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "check points%3f.db") // a name that a careless URI breaks on
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for i := 0; i < len(statements); i++ {
		text := statements[i].(string)
		args := []any{}
		for i+1 < len(statements) {
			list, ok := statements[i+1].([]any)
			if !ok {
				break
			}
			args, i = append(args, list...), i+1
		}
		if _, err := db.Exec(text, args...); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	return path
}

const (
	createCheckpoints = "create table checkpoints (thread_id text, checkpoint_ns text default '', checkpoint_id text, parent_checkpoint_id text, type text, checkpoint blob, metadata blob)"
	createWrites      = "create table writes (thread_id text, checkpoint_ns text, checkpoint_id text, task_id text, idx integer, channel text, type text, value blob)"
	insertCheckpoint  = "insert into checkpoints values (?, ?, ?, ?, ?, ?, ?)"
)

const jsonState = `{"v":1,"id":"c1","ts":"2025-10-09T08:00:00.123456+00:00","channel_values":{
 "messages":[
  {"lc":1,"type":"constructor","id":["langchain","schema","messages","HumanMessage"],"kwargs":{"content":"Is 4 free?","type":"human","id":"m1"}},
  {"lc":1,"type":"constructor","id":["langchain","schema","messages","AIMessage"],"kwargs":{"content":"","id":"m2","tool_calls":[{"name":"berth","args":{"n":4},"id":"k1","type":"tool_call"}],"additional_kwargs":{"tool_calls":[{"id":"k1","type":"function","function":{"name":"berth","arguments":"{\"n\": 4}"}}]},"invalid_tool_calls":[{"name":"berth","args":"{n:","id":"k2","type":"invalid_tool_call"}],"response_metadata":{"model_name":"atlas-2"},"usage_metadata":{"input_tokens":9,"output_tokens":4,"total_tokens":13}}},
  {"lc":1,"type":"constructor","id":["langchain","schema","messages","ToolMessage"],"kwargs":{"content":"free","type":"tool","tool_call_id":"k1","id":"m3","status":"success"}},
  {"odd":true}],
 "summary":"So far.","plan":{"next":"report"},"agent":"agent","branch:to:x":null,"start:x":"__start__"}}`

func TestDatabase(t *testing.T) {
	path := database(t, createCheckpoints, createWrites,
		insertCheckpoint, []any{"t-1", "", "c1", nil, "json", []byte(jsonState), []byte(`{"source":"loop","step":2,"writes":{"agent":{}},"user_id":"mara"}`)},
		insertCheckpoint, []any{"t-1", "sub:1", "c2", "c1", "msgpack", msgpackState(t), []byte(`{"source":"input","step":-1,"parents":{}}`)},
		insertCheckpoint, []any{"t-1", "", "c3", "c1", "pickle", []byte("\x80\x04."), nil},
		insertCheckpoint, []any{"t-1", "", "c4", "c1", "json", []byte(`{"ts":"2025-10-09T08:00:09Z"`), nil},
		"insert into writes values ('t-1', '', 'c1', 'k', 0, '__interrupt__', 'json', 'null'), ('t-1', 'sub:1', 'c2', 'k', 0, '__error__', 'json', 'null')")
	got := llmtest.ReadFile(t, Format(), path)
	golden := "testdata/database.golden"
	var text bytes.Buffer
	for _, e := range got.Events {
		wire, err := e.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Indent(&text, wire, "", "  "); err != nil {
			t.Fatal(err)
		}
		text.WriteByte('\n')
	}
	for _, r := range got.Rejects {
		text.WriteString(r.Reason + ": " + r.Detail + "\n")
	}
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(golden, text.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || !bytes.Equal(want, text.Bytes()) {
		t.Errorf("%v; UPDATE=1 rewrites the golden file. Got:\n%s", err, text.String())
	}
}

// msgpackState is a checkpoint as LangGraph packs it: a message is a pydantic
// model, ids, times and numbers are constructors with an argument.
func msgpackState(t testing.TB) []byte {
	human := pack(t, extPydanticV2, "langchain_core.messages.human", "HumanMessage", map[string]any{"content": "Wie tief?", "type": "human", "id": "m9"}, "model_validate_json")
	ai := pack(t, extPydanticV2, "langchain_core.messages.ai", "AIMessage", map[string]any{"content": []any{map[string]any{"type": "text", "text": "Neun."}}, "type": "ai", "id": "m10"}, nil)
	state := ordered{
		{"v", 4}, {"ts", "2025-10-09T08:00:05+00:00"}, {"id", "c2"},
		{"channel_values", ordered{
			{"messages", []any{human, ai}},
			{"when", pack(t, extMethod, "datetime", "datetime", "2025-10-09T08:00:00+00:00", "fromisoformat")},
			{"seen", pack(t, extSingleArgument, "builtins", "set", []any{"a", "b"})},
			{"path", pack(t, extPositional, "pathlib", "Path", []any{"berths"})},
			{"plan", pack(t, extKeywords, "plans", "Plan", map[string]any{"steps": 3})},
			{"image", []byte{0, 1, 2, 0xff}},
			{"array", pack(t, extArray, "float32")},
			{"later", pack(t, 9, "x", 1)},
			{"odd", map[int]any{1: nil, 2: 2.5}},
		}},
	}
	return encode(t, state)
}

type ordered []struct {
	key   string
	value any
}

func (o ordered) EncodeMsgpack(enc *msgpack.Encoder) error {
	if err := enc.EncodeMapLen(len(o)); err != nil {
		return err
	}
	for _, field := range o {
		if err := enc.EncodeString(field.key); err != nil {
			return err
		}
		if err := enc.Encode(field.value); err != nil {
			return err
		}
	}
	return nil
}

// extension is an ext value of LangGraph's: a kind and a packed tuple.
type extension struct {
	kind    int8
	payload []byte
}

func (e extension) EncodeMsgpack(enc *msgpack.Encoder) error {
	if err := enc.EncodeExtHeader(e.kind, len(e.payload)); err != nil {
		return err
	}
	_, err := enc.Writer().Write(e.payload)
	return err
}

func pack(t testing.TB, kind int8, tuple ...any) extension {
	return extension{kind, encode(t, tuple)}
}

func encode(t testing.TB, value any) []byte {
	t.Helper()
	var b bytes.Buffer
	enc := msgpack.NewEncoder(&b)
	enc.SetSortMapKeys(true)
	enc.UseCompactInts(true)
	if err := enc.Encode(value); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestOldDatabase: the first releases had neither namespaces nor types, and
// called the id thread_ts.
func TestOldDatabase(t *testing.T) {
	path := database(t, "create table checkpoints (thread_id text, thread_ts text, parent_ts text, checkpoint blob, metadata blob)",
		"insert into checkpoints values (?, ?, ?, ?, ?)", []any{"t-1", "2024-01-02", "2024-01-01", []byte(`{"ts":"2024-01-02T00:00:00+00:00","channel_values":{}}`), []byte(`{"step":1}`)})
	got := llmtest.ReadFile(t, Format(), path)
	if len(got.Events) != 1 || len(got.Rejects) != 0 {
		t.Fatalf("%d events, rejects %+v", len(got.Events), got.Rejects)
	}
	if c := got.Events[0].Data.(*lake.Checkpoint); c.CheckpointID != "2024-01-02" || c.ParentCheckpointID != "2024-01-01" || *c.Step != 1 {
		t.Errorf("%+v", c)
	}
}

func TestRefused(t *testing.T) {
	foreign := database(t, "create table notes (id text)")
	torn := filepath.Join(t.TempDir(), "torn.db")
	if err := os.WriteFile(torn, []byte("SQLite format 3\x00 and then nothing"), 0o644); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{foreign: "wrong_type", torn: "not_sqlite"} {
		got := llmtest.ReadFile(t, Format(), path)
		if len(got.Events) != 0 || len(got.Rejects) != 1 || got.Rejects[0].Reason != want {
			t.Errorf("%s: %d events, rejects %+v, want %s", path, len(got.Events), got.Rejects, want)
		}
	}
	if got := llmtest.Read(t, Format(), "SQLite format 3\x00"); len(got.Rejects) != 1 || got.Rejects[0].Reason != "not_a_file" {
		t.Errorf("a stream: %+v", got.Rejects)
	}
}

// TestReadOnly: reading leaves neither a changed file nor a file beside it.
func TestReadOnly(t *testing.T) {
	path := database(t, createCheckpoints, insertCheckpoint, []any{"t-1", "", "c1", nil, "json", []byte(jsonState), nil})
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	llmtest.ReadFile(t, Format(), path)
	after, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("the database changed (%v)", err)
	}
	files, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(files) != 1 {
		t.Errorf("%d files beside it (%v)", len(files)-1, err)
	}
}

// TestWriteAheadLog: what a running program has committed, but not yet folded
// into the database file, is read.
func TestWriteAheadLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "live.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, text := range []string{"pragma journal_mode = wal", "pragma wal_autocheckpoint = 0", createCheckpoints} {
		if _, err := db.Exec(text); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.Exec(insertCheckpoint, "t-1", "", "c1", nil, "json", []byte(jsonState), nil); err != nil {
		t.Fatal(err)
	}
	if got := llmtest.ReadFile(t, Format(), path); len(got.Events) != 1 {
		t.Errorf("%d events, rejects %+v", len(got.Events), got.Rejects)
	}
}

func TestDetect(t *testing.T) {
	path := database(t, createCheckpoints)
	head, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if Format().Detect(source.Probe{Head: head}) < 90 {
		t.Error("a checkpointer database is not found")
	}
	text, err := os.ReadFile("testdata/checkpoints.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{string(text): true, "{oops\n" + string(text): true, string(text[:330]): true, "": false, `{"thread_id":"t","message":"m"}`: false} {
		if got := JSONL().Detect(source.Probe{Head: []byte(name)}) > 0; got != want {
			t.Errorf("%q: found %v", name, got)
		}
	}
}

func TestSamples(t *testing.T) {
	dir := llmtest.Samples(t, "langgraph")
	got := llmtest.ReadFile(t, Format(), filepath.Join(dir, "academy_example.db"))
	if len(got.Events) != 19 || len(got.Rejects) != 0 {
		t.Fatalf("%d checkpoints and %d rejects, want 19 and none", len(got.Events), len(got.Rejects))
	}
	messages := map[string]string{}
	for _, e := range got.Events {
		for _, m := range e.Data.(*lake.Checkpoint).Messages {
			messages[m.EventID] = m.Role
			if m.Role == "assistant" && (m.Model == "" || m.Usage == "") {
				t.Errorf("message %s has no model or no usage", m.EventID)
			}
		}
	}
	count := map[string]int{}
	for _, role := range messages {
		count[role]++
	}
	if count["user"] != 6 || count["assistant"] != 6 || len(messages) != 12 {
		t.Errorf("messages by role: %v, want 6 and 6", count)
	}
	last := got.Events[18].Data.(*lake.Checkpoint)
	if len(last.Messages) != 6 || len(last.Summary) != 545 {
		t.Errorf("the last checkpoint has %d messages and a summary of %d bytes, want 6 and 545", len(last.Messages), len(last.Summary))
	}
}

// TestMsgpackClaims: a length that is not there costs no memory.
func TestMsgpackClaims(t *testing.T) {
	for _, stored := range []string{"\xc6\xff\xff\xff\xff", "\xdb\xff\xff\xff\xff", "\xc9\xff\xff\xff\xff\x05", "\xdd\xff\xff\xff\xff", "\xdf\xff\xff\xff\xff"} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if text, err := msgpackToJSON([]byte(stored + "x")); err == nil {
			t.Errorf("%q: %s", stored, text)
		}
		runtime.ReadMemStats(&after)
		if taken := after.TotalAlloc - before.TotalAlloc; taken > 1<<20 {
			t.Errorf("%q: %d bytes", stored, taken)
		}
	}
}

func FuzzMsgpack(f *testing.F) {
	f.Add(msgpackState(f))
	f.Add([]byte{0xc9, 0xff, 0xff, 0xff, 0xff, 5})
	f.Add([]byte{0xdf, 0xff, 0xff, 0xff, 0xff})
	f.Add(bytes.Repeat([]byte{0x81}, 300))
	f.Fuzz(func(t *testing.T, stored []byte) {
		text, err := msgpackToJSON(stored)
		if err == nil && !json.Valid(text) {
			t.Fatalf("no JSON: %s", text)
		}
	})
}

func FuzzCheckpoint(f *testing.F) {
	text, err := os.ReadFile("testdata/checkpoints.jsonl")
	if err != nil {
		f.Fatal(err)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		f.Add([]byte(line))
	}
	f.Add([]byte(jsonState))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if e, err := checkpointOf(raw); err == nil {
			if _, err := e.Encode(); err != nil {
				t.Fatal(err)
			}
		}
		(&row{thread: "t", id: "c", kind: "json", checkpoint: raw}).event()
	})
}
