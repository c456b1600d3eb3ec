package lake

import (
	"fmt"
	"testing"
	"time"
)

// smallMessage is about what an agent's chat line is: some 300 bytes.
func smallMessage(i int) Event {
	model, tokens := "model-a", int64(i%900)
	return Event{
		ID: StableID(fmt.Sprint(i)), Source: "bench://", Type: "weir.chat.message.v1", Subject: fmt.Sprintf("conversation-%d", i/40),
		Time: testStart.Add(time.Duration(i) * time.Second), ParserVersion: 1,
		Data: &ChatMessage{
			ConversationID: fmt.Sprintf("conversation-%d", i/40), MessageID: fmt.Sprintf("message-%d", i), Kind: KindOutput, Agent: "planner", Role: "assistant",
			Content:   fmt.Sprintf("Step %d: read the config, then run the tests again and compare what changed with run %d.", i, i*7919),
			ToolCalls: []ToolCall{{ID: fmt.Sprintf("call-%d", i), Name: "run_tests", Arguments: fmt.Sprintf(`{"suite":"unit","seed":%d}`, i)}},
			Model:     model, Position: int64(i) * 1000, OrderedAt: testStart.Add(time.Duration(i) * time.Second), Usage: Usage{InputTokens: &tokens, OutputTokens: &tokens},
		},
	}
}

func BenchmarkEventWriter(b *testing.B) {
	const rows = 100_000
	events := make([]Event, rows)
	for i := range events {
		events[i] = smallMessage(i)
	}
	p, _ := PayloadOf(events[0].Type)
	for b.Loop() {
		lk := testLake(b)
		w, err := lk.NewEventWriter(b.Context(), p)
		if err != nil {
			b.Fatal(err)
		}
		for i, event := range events {
			if err := w.Write(event, RecordPosition{"c", "weir.chat", 0, int64(i), testStart}); err != nil {
				b.Fatal(err)
			}
		}
		file, err := w.Close(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(file.Bytes)/rows, "file-bytes/row")
		b.ReportMetric(float64(w.Bytes())/rows, "value-bytes/row")
	}
	b.ReportMetric(float64(rows*b.N)/b.Elapsed().Seconds(), "rows/s")
}

func BenchmarkDecodeEvent(b *testing.B) {
	text, err := smallMessage(1).Encode()
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := DecodeEvent(text); err != nil {
			b.Fatal(err)
		}
	}
}
