// Package openai is the format of request/response logs of OpenAI's APIs, chat
// completions and responses, and of the many servers that speak them. The wire
// shapes are read by package llm; docs/formats/openai.md lists the fields of a
// record. Start at Format.
package openai

import (
	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/llm"
)

// Format is the request/response log of an OpenAI-compatible API, JSONL. It
// also reads records of the other APIs, for logs that mix them.
func Format() source.Format {
	return source.Format{
		Name:    "openai",
		Doc:     "request/response log of an OpenAI-compatible API (JSONL)",
		Version: 1,
		Detect: func(p source.Probe) int {
			api, score := llm.DetectRecord(p.Head)
			if api == llm.Messages {
				return 0
			}
			return score
		},
		Read: llm.ReadLog,
	}
}
