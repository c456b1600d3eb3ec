package otel_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/llm/llmtest"
	"github.com/weir-lake/weir/ingest/source/otel"
	"github.com/weir-lake/weir/lake"
)

func TestGolden(t *testing.T) { llmtest.Golden(t, otel.Format(), "testdata/*.json*") }

func TestDetect(t *testing.T) {
	for head, want := range map[string]bool{
		`{"resourceSpans":[]}`:                                         true,
		"{\n  \"resourceLogs\": [{\"resource\": {":                     true,
		`[{"resourceSpans":[{"scopeSpans`:                              true,
		`{"resourceMetrics":[]}`:                                       true,
		`{"resourceSpans":"x"}`:                                        false,
		`{"messages":[{"content":"\"resourceSpans\""}]}`:               false,
		`{"trace":{"id":"t"},"observations":[]}`:                       false,
		`{"request":{"messages":[]},"response":{"resourceSpans":[1]}}`: false,
		"resourceSpans: []":                                            false,
	} {
		if got := otel.Format().Detect(source.Probe{Name: "x.json", Head: []byte(head)}) > 0; got != want {
			t.Errorf("%s: %v", head, got)
		}
	}
}

const span = `{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7","startTimeUnixNano":"1770000000000000001",
"attributes":[{"key":"gen_ai.operation.name","value":{"stringValue":"chat"}},
{"key":"gen_ai.output.messages","value":{"stringValue":"[{\"role\":\"assistant\",\"parts\":[{\"type\":\"text\",\"content\":\"x\"}]}]"}}]}`

func document(spans ...string) string {
	return `{"resourceSpans":[{"scopeSpans":[{"spans":[` + strings.Join(spans, ",") + `]}]}]}` + "\n"
}

// TestSameSpanAnywhere: an event depends on its span alone, not on the batch
// that brought it.
func TestSameSpanAnywhere(t *testing.T) {
	other := strings.ReplaceAll(span, "00f067aa0ba902b7", "00f067aa0ba902b8")
	together := wires(t, document(span, other))
	apart := wires(t, document(other)+document(span))
	if !slices.Equal(together, apart) || len(together) != 2 {
		t.Errorf("together:\n%s\napart:\n%s", strings.Join(together, "\n"), strings.Join(apart, "\n"))
	}
	encoded := strings.ReplaceAll(strings.ReplaceAll(span, "4bf92f3577b34da6a3ce929d0e0e4736", "S/kvNXezTaajzpKdDg5HNg=="), "00f067aa0ba902b7", "APBnqgupArc=")
	if got := wires(t, document(encoded)); !slices.Contains(together, got[0]) {
		t.Errorf("ids in base64 make another event: %s", got)
	}
}

func wires(t *testing.T, text string) []string {
	var list []string
	for _, e := range llmtest.Read(t, otel.Format(), text).Events {
		wire, err := e.Encode()
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, string(wire))
	}
	slices.Sort(list)
	return list
}

// TestWordsOutrankNumbers: a span without content and the log record with it
// are one event, and the copy with the words counts.
func TestWordsOutrankNumbers(t *testing.T) {
	got := llmtest.ReadFile(t, otel.Format(), "testdata/spans.jsonl")
	ranks := map[int64]int{}
	var id string
	for _, e := range got.Events {
		if call, ok := e.Data.(*lake.GatewayCall); ok && call.ResponseID == "chatcmpl-bare0000000001" {
			if id != "" && e.ID != id {
				t.Errorf("two ids: %s, %s", id, e.ID)
			}
			id, ranks[e.ParserVersion] = e.ID, len(call.Messages)
		}
	}
	// 0: the format's version, filled in by the caller.
	if len(ranks) != 2 || ranks[0] == 0 || ranks[1] != 0 || otel.Format().Version <= 1 {
		t.Errorf("messages by parser version: %v", ranks)
	}
}

// TestGapInMessages: OpenInference leaves out a message that has no text; the
// whole request is in input.value.
func TestGapInMessages(t *testing.T) {
	attribute := func(key, value string) string {
		quoted, _ := json.Marshal(value)
		return `{"key":"` + key + `","value":{"stringValue":` + string(quoted) + `}}`
	}
	text := document(`{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7","attributes":[` + strings.Join([]string{
		attribute("openinference.span.kind", "LLM"), attribute("llm.provider", "OpenAI"), attribute("llm.model_name", "gpt-demo"),
		attribute("llm.input_messages.0.message.role", "user"), attribute("llm.input_messages.0.message.content", "Trends?"),
		attribute("llm.input_messages.2.message.role", "tool"), attribute("llm.input_messages.2.message.content", "none"),
		attribute("input.value", `{"messages":["role='user' content='Trends?'","role='assistant' content=None tool_calls=[{'id': 'c', 'function': {'name': 'f', 'arguments': '{}'}}]","role='tool' content='none'"]}`),
		attribute("output.value", `{"id":"chatcmpl-trend000000001","choices":[{"finish_reason":"stop","message":{"content":"None."}}]}`),
	}, ",") + `]}`)
	call := llmtest.Read(t, otel.Format(), text).Calls()[0]
	if len(call.Messages) != 3 || len(call.Messages[1].ToolCalls) != 1 || call.Messages[2].ToolCallID != "c" ||
		call.ResponseID != "chatcmpl-trend000000001" || call.FinishReason != "stop" || call.Output[0].Content != "None." {
		t.Errorf("%+v", call)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(document(span))
	f.Add(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"eventName":"gen_ai.evaluation.result","traceId":"4bf92f3577b34da6a3ce929d0e0e4736","attributes":[{"key":"gen_ai.evaluation.name","value":{"stringValue":"x"}}]}]}]}]}`)
	f.Add(strings.NewReplacer("gen_ai.output.messages", "gen_ai.completion.0.content", "gen_ai.operation.name", "openinference.span.kind", "chat", "LLM").Replace(document(span)))
	f.Add(document(`{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7","attributes":[{"key":"ai.operationId","value":{"stringValue":"ai.generateText.doGenerate"}},{"key":"ai.prompt.messages","value":{"arrayValue":{"values":[{"kvlistValue":{"values":[{"key":"role","value":{"stringValue":"user"}}]}}]}}},{"key":"llm.input_messages.0.message.contents.0.message_content.text","value":{"stringValue":"role='user' content='x'"}}]}`))
	f.Fuzz(func(t *testing.T, text string) { fuzz(t, text) })
}

func fuzz(t *testing.T, text string) {
	first := llmtest.Read(t, otel.Format(), text)
	second := llmtest.Read(t, otel.Format(), text)
	if len(first.Events) != len(second.Events) || len(first.Rejects) != len(second.Rejects) {
		t.Fatal("read twice, it differs")
	}
	for i := range first.Events {
		a, _ := first.Events[i].Encode()
		b, _ := second.Events[i].Encode()
		if string(a) != string(b) {
			t.Fatalf("read twice, it differs:\n%s\n%s", a, b)
		}
	}
}
