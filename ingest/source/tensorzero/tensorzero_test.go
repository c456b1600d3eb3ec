package tensorzero

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/llm/llmtest"
	"github.com/weir-lake/weir/lake"
)

func TestGolden(t *testing.T) { llmtest.Golden(t, Format(), "testdata/*") }

func TestDetect(t *testing.T) {
	for head, want := range map[string]bool{
		`{"id":"019a0000-0000-7000-8000-000000000001","function_name":"f","variant_name":"v","episode_id":"e"}`: true,
		`{"id":"1","inference_id":"2","model_name":"m"}`:                                                        true,
		`{"id":"019a0000-0000-7000-8000-000000000001","metric_name":"m","target_id":"t","value":true}`:          true,
		`{"id":"1","metric_name":"m","target_id":"t","value":true}`:                                             false,
		`{"id":"1","object":"chat.completion.chunk","choices":[]}`:                                              false,
		`{"function_name":"f","variant_name":"v","episode_id":"e","input":"` + "cut":                            true,
		`{"id":"1","value":3}`: false,
		`[1]`:                  false,
	} {
		if got := Format().Detect(source.Probe{Name: "x", Head: []byte(head)}) > 0; got != want {
			t.Errorf("%s: %v", head, got)
		}
	}
}

// TestBilledOnce: an inference and the model's call behind it are one output,
// with one usage, and the copy that the model read comes first.
func TestBilledOnce(t *testing.T) {
	got := llmtest.ReadFile(t, Format(), "testdata/rows.jsonl")
	byTask := map[string][]*lake.GatewayCall{}
	times := map[string]map[time.Time]bool{}
	for _, e := range got.Events {
		call, ok := e.Data.(*lake.GatewayCall)
		if !ok || call.TaskID == "" {
			continue
		}
		byTask[call.TaskID] = append(byTask[call.TaskID], call)
		if times[call.TaskID] == nil {
			times[call.TaskID] = map[time.Time]bool{}
		}
		times[call.TaskID][e.Time] = true
	}
	pair := byTask["019a0000-0000-7000-8000-000000000001"]
	if len(pair) != 2 || pair[0].ResponseID != pair[1].ResponseID || len(times["019a0000-0000-7000-8000-000000000001"]) != 1 {
		t.Fatalf("%d calls at %v", len(pair), times)
	}
	inference, model := pair[0], pair[1]
	if inference.InputTokens != nil || inference.CostUSD != nil || model.InputTokens == nil || model.CostUSD == nil || model.Position >= inference.Position {
		t.Errorf("inference %+v\nmodel %+v", inference, model)
	}
	if templated := byTask["019a0000-0000-7000-8000-000000000002"][0]; len(templated.Output) > 0 || !strings.Contains(templated.Params, "_output") {
		t.Errorf("what the model read is not in the row: %+v", templated)
	}
}

func TestSamples(t *testing.T) {
	dir := llmtest.Samples(t, "tensorzero")
	got := llmtest.ReadFile(t, Format(), filepath.Join(dir, "chat_datapoint_fixture.jsonl"))
	answered := 0
	for _, e := range got.Events {
		s := e.Data.(*lake.Scenario)
		if s.Suite == "" || s.Prompt == "" || len(s.Messages) == 0 {
			t.Errorf("%+v", s)
		}
		if s.Expected != "" {
			answered++
		}
	}
	if len(got.Events) != 41 || len(got.Rejects) != 0 || answered == 0 || answered == 41 {
		t.Errorf("%d scenarios, %d with an answer, %d rejects", len(got.Events), answered, len(got.Rejects))
	}
	got = llmtest.ReadFile(t, Format(), filepath.Join(dir, "chat_completions_streaming_example.jsonl"))
	calls := got.Calls()
	if len(calls) != 1 || len(got.Rejects) != 0 {
		t.Fatalf("%d calls, %d rejects", len(calls), len(got.Rejects))
	}
	call := calls[0]
	if !strings.HasPrefix(call.Output[0].Content, "Santa Claus is a popular figure in Christmas") || *call.InputTokens != 57 || *call.OutputTokens != 17 ||
		*call.TotalTokens != 74 || *call.CachedTokens != 2 || call.FinishReason != "length" || call.ConversationID == "" {
		t.Errorf("%+v", call)
	}
}

func FuzzRead(f *testing.F) {
	text, err := os.ReadFile("testdata/rows.jsonl")
	if err != nil {
		f.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		f.Add(string(line))
	}
	f.Fuzz(func(t *testing.T, text string) {
		first, second := llmtest.Read(t, Format(), text), llmtest.Read(t, Format(), text)
		a, _ := json.Marshal(first)
		b, _ := json.Marshal(second)
		if !bytes.Equal(a, b) {
			t.Fatalf("read twice, it differs:\n%s\n%s", a, b)
		}
	})
}
