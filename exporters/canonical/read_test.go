package canonical_test

import (
	"errors"
	"io"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/weir-lake/weir/exporters/canonical"
	"github.com/weir-lake/weir/exporters/target"
	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
)

const noMessage = `{'role': null::varchar, 'name': null::varchar, 'content': null::varchar, 'reasoning': null::varchar,
	'tool_calls': null::struct(id varchar, name varchar, arguments varchar)[], 'tool_call_id': null::varchar,
	'is_error': null::boolean, 'weight': null::double, 'model': null::varchar, 'event_id': null::varchar, 'parts': null::varchar}`

// message is a message in SQL; fields that are not given are null.
func message(fields string) string { return "struct_update(" + noMessage + ", " + fields + ")" }

func row(id, messages string) string {
	return `select ` + id + ` as example_id, 'subject' as subject_id, 'hash' as content_hash, 'gateway' as source,
	null::varchar as task_type, 'train' as split, 'declared' as tools_origin, null::varchar as response_format,
	'"auto"' as tool_choice, ` + messages + ` as messages,
	[{'name': 'tide', 'description': null::varchar, 'parameters': '{}'}] as tools,
	['e1', 'e2'] as origin_event_ids, true as parallel_tool_calls, 0.5::double as success_score`
}

func write(t *testing.T, query string) string {
	t.Helper()
	session, err := duck.Open(t.Context(), duck.Options{Threads: 1, TempDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	path := filepath.Join(t.TempDir(), "examples.parquet")
	if err := session.Exec(t.Context(), "copy ("+query+") to "+duck.Literal(path)+" (format parquet, row_group_size 2048)"); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t *testing.T, path string) *canonical.Reader {
	t.Helper()
	reader, err := canonical.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := reader.Close(); err != nil {
			t.Error(err)
		}
	})
	return reader
}

func TestReadsEveryField(t *testing.T) {
	calls := message(`role := 'assistant', name := 'n', content := '', reasoning := 'why', weight := 1::double, model := 'm', event_id := 'ev', parts := '[]',
		tool_calls := [{'id': 'a', 'name': 'tide', 'arguments': '{"x":1}'}, {'id': 'b', 'name': 'tide', 'arguments': null::varchar}]`)
	result := message(`role := 'tool', content := 'é 你', tool_call_id := 'a', is_error := true`)
	query := row("'1'", "["+message("role := 'user', content := 'Hi'")+", "+calls+", "+result+"]") +
		" union all by name select '2' as example_id, null::boolean as parallel_tool_calls" +
		" union all by name select '3' as example_id, [] as messages order by example_id"
	reader := open(t, write(t, query))
	examples, err := reader.Next()
	if err != nil {
		t.Fatal(err)
	}
	yes, half, one := true, 0.5, 1.0
	want := []canonical.Example{
		{
			ID: "1", SubjectID: "subject", ContentHash: "hash", Source: "gateway", Split: "train", ToolsOrigin: "declared", ToolChoice: `"auto"`,
			Messages: []lake.Message{
				{Role: "user", Content: "Hi"},
				{Role: "assistant", Name: "n", Reasoning: "why", Weight: &one, Model: "m", EventID: "ev", Parts: "[]",
					ToolCalls: []lake.ToolCall{{ID: "a", Name: "tide", Arguments: `{"x":1}`}, {ID: "b", Name: "tide"}}},
				{Role: "tool", Content: "é 你", ToolCallID: "a", IsError: &yes},
			},
			Tools:          []lake.Tool{{Name: "tide", Parameters: "{}"}},
			OriginEventIDs: []string{"e1", "e2"}, ParallelToolCalls: &yes, SuccessScore: &half,
		},
		{ID: "2"},
		{ID: "3"},
	}
	if !reflect.DeepEqual(examples, want) {
		t.Errorf("got\n%+v\nwant\n%+v", examples, want)
	}
	if _, err := reader.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("after the last: %v", err)
	}
}

func TestEmptyFileHasNoExample(t *testing.T) {
	reader := open(t, write(t, row("'1'", "["+noMessage+"]")+" where false"))
	if _, err := reader.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("error %v, want io.EOF", err)
	}
}

func TestWrongColumnsAreNamed(t *testing.T) {
	for _, test := range []struct{ name, query, want string }{
		{"missing", "select '1' as example_id", "no column subject_id"},
		{"another_type", row("1", "["+noMessage+"]"), "column example_id is int32"},
		{"missing_in_a_message", row("'1'", "[{'role': 'user'}]"), "messages: no column name"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := open(t, write(t, test.query)).Next(); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %s", err, test.want)
			}
		})
	}
}

// What is in memory must not grow with the number of examples.
func TestMemoryIsFlat(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 50,000 examples")
	}
	openAI, err := target.Named("openai")
	if err != nil {
		t.Fatal(err)
	}
	messages := "[" + message("role := 'user', content := repeat(md5(i::varchar), 30)") + ", " +
		message("role := 'assistant', weight := 1::double, content := repeat(md5((-i)::varchar), 30)") + "]"
	heap := map[int64]uint64{}
	for _, rows := range []int64{5_000, 50_000} {
		query := row("md5(i::varchar)", messages) + " from range(" + map[int64]string{5_000: "5000", 50_000: "50000"}[rows] + ") as numbers(i)"
		reader := open(t, write(t, query))
		var examples int64
		for batch := 0; ; batch++ {
			found, err := reader.Next()
			if errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			for _, example := range found {
				if result, err := openAI.Convert(example, target.Options{}); err != nil || len(result.Lines) != 1 {
					t.Fatal(err, result.Dropped)
				}
			}
			examples += int64(len(found))
			if batch%8 == 0 {
				heap[rows] = max(heap[rows], liveHeap())
			}
		}
		if examples != rows || reader.Rows() != rows {
			t.Errorf("%d of %d examples read", examples, rows)
		}
	}
	t.Logf("live heap: %d kB of 5,000 examples, %d kB of 50,000", heap[5_000]>>10, heap[50_000]>>10)
	if heap[50_000] > heap[5_000]+16<<20 {
		t.Errorf("live heap grew from %d to %d bytes", heap[5_000], heap[50_000])
	}
}

// liveHeap is what a collection leaves.
func liveHeap() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}
