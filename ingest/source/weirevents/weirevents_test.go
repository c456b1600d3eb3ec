package weirevents_test

import (
	"testing"

	"github.com/weir-lake/weir/ingest/source/llm/llmtest"
	"github.com/weir-lake/weir/ingest/source/weirevents"
)

func TestGolden(t *testing.T) { llmtest.Golden(t, weirevents.Format(), "testdata/*.jsonl") }

func FuzzRead(f *testing.F) {
	f.Add(`{"specversion":"1.0","id":"1","source":"s","type":"weir.feedback.given.v1","subject":"x","time":"2026-01-01T00:00:00Z","data":{"kind":"up"}}`)
	f.Fuzz(func(t *testing.T, text string) { llmtest.Read(t, weirevents.Format(), text) })
}
