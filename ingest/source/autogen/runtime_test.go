package autogen_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/autogen"
	"github.com/weir-lake/weir/ingest/source/llm/llmtest"
	"github.com/weir-lake/weir/lake"
)

// log writes a database as AutoGen's logger has it, and returns its path.
func log(t *testing.T, create string, rows ...[]any) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "logs.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(create); err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if _, err := db.Exec("insert into chat_completions values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row...); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

const createRuntime = `create table chat_completions (id integer primary key, invocation_id text, client_id integer, wrapper_id integer,
 session_id text, source_name text, request text, response text, is_cached ineger, cost real, start_time datetime, end_time datetime)`

const (
	ask   = `{"messages":[{"role":"system","content":"You are a pilot."},{"role":"user","name":"captain","content":"Berth?"}],"model":"atlas-2"}`
	reply = `{"id":"chatcmpl-0123456789abcdef","object":"chat.completion","created":1717315200,"model":"atlas-2","cost":0.01,
 "choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"Four."}}],"usage":{"prompt_tokens":20,"completion_tokens":2,"total_tokens":22}}`
)

// TestRuntime: a row is a call; what the log's cache replied costs nothing.
func TestRuntime(t *testing.T) {
	path := log(t, createRuntime,
		[]any{1, "i1", 7, 8, "s1", "pilot", ask, reply, 0, 0.01, "2024-06-02 08:00:00.250000", "2024-06-02 08:00:01.500000"},
		[]any{2, "i2", 7, 8, "s1", "pilot", ask, reply, 1, 0.01, "2024-06-02 08:01:00", "2024-06-02 08:01:00"},
		[]any{3, "i3", 7, 8, "s1", "clerk", ask, `{"response": "Rate limit reached"}`, 0, nil, "2024-06-02 08:02:00", "2024-06-02 08:02:01"},
		[]any{4, "i4", 7, 8, "s1", nil, `"not a request"`, nil, 0, 0.0, "2024-06-02 08:03:00", nil},
	)
	head, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if sure := autogen.Runtime().Detect(source.Probe{Name: "logs.db", Head: head}); sure != 95 {
		t.Errorf("detected: %d", sure)
	}
	result := llmtest.ReadFile(t, autogen.Runtime(), path)
	calls := result.Calls()
	if len(calls) != 3 || len(result.Rejects) != 1 || result.Rejects[0].Record != 3 {
		t.Fatalf("%d calls, rejects %+v", len(calls), result.Rejects)
	}
	first := calls[0]
	if first.ConversationID != "s1" || first.Agent != "pilot" || first.Model != "atlas-2" || first.RequestID != "i1" || first.Status != "success" ||
		first.LatencyMS == nil || *first.LatencyMS != 1250 || first.CostUSD == nil || *first.CostUSD != 0.01 || *first.InputTokens != 20 || *first.OutputTokens != 2 ||
		len(first.Messages) != 2 || len(first.Output) != 1 || first.Output[0].Content != "Four." {
		t.Errorf("first call: %+v", first)
	}
	if cached := calls[1]; cached.CostUSD != nil || cached.InputTokens != nil || len(cached.Output) != 1 || result.Events[0].ID == result.Events[1].ID {
		t.Errorf("cached call: %+v", cached)
	}
	if failed := calls[2]; failed.Status != "failure" || failed.Error != "Rate limit reached" || len(failed.Output) != 0 || failed.Agent != "clerk" {
		t.Errorf("failed call: %+v", failed)
	}
	again := llmtest.ReadFile(t, autogen.Runtime(), path)
	for i, e := range again.Events {
		if e.ID != result.Events[i].ID {
			t.Errorf("event %d has another id the second time", i)
		}
	}
}

// TestNoRuntime: what is no log of AutoGen's is one reject.
func TestNoRuntime(t *testing.T) {
	torn := filepath.Join(t.TempDir(), "torn.db")
	if err := os.WriteFile(torn, []byte("SQLite format 3\x00 and no more"), 0o644); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		log(t, "create table chat_completions (id text, messages text)"): source.ReasonWrongType,
		torn: "not_sqlite",
	} {
		if rejects := llmtest.ReadFile(t, autogen.Runtime(), path).Rejects; len(rejects) != 1 || rejects[0].Reason != want {
			t.Errorf("%s: %+v", path, rejects)
		}
	}
	if rejects := llmtest.Read(t, autogen.Runtime(), "SQLite format 3\x00").Rejects; len(rejects) != 1 || rejects[0].Reason != "not_a_file" {
		t.Errorf("a stream: %+v", rejects)
	}
}

// FuzzRuntime: whatever stands in a row, something comes of it, and the same the
// second time.
func FuzzRuntime(f *testing.F) {
	f.Add("i1", "s1", "pilot", ask, reply, "0", "0.01", "2024-06-02 08:00:00.250000", "2024-06-02 08:00:01")
	f.Add("i2", "", "", ask, `{"response": "Rate limit reached"}`, "1", "x", "now", "")
	f.Add("", "s", "a", `{"messages":[{"role":"user","content":[{"type":"text","text":"x"}]}],"tools":[{}]}`, `{"choices":[{"message":{"tool_calls":[{}]}}],"usage":{"prompt_tokens":"1"}}`, "0", "1e400", "0", "-1")
	f.Fuzz(func(t *testing.T, invocation, session, agent, request, response, cached, cost, start, end string) {
		var first, second llmtest.Result
		for _, out := range []*llmtest.Result{&first, &second} {
			if err := autogen.ReadRow(out, invocation, session, agent, request, response, cached, cost, start, end); err != nil {
				t.Fatal(err)
			}
		}
		if len(first.Events)+len(first.Rejects) == 0 {
			t.Fatal("nothing came of the row")
		}
		if !reflect.DeepEqual(first, second) {
			t.Fatal("the same row gives other events the second time")
		}
		for _, e := range first.Events {
			wire, err := e.Encode()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := lake.DecodeEvent(wire); err != nil {
				t.Fatal(err)
			}
		}
	})
}
