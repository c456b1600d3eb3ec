// Package anthropic is the format of request/response logs of Anthropic's
// Messages API. The wire shapes are read by package llm;
// docs/formats/anthropic.md lists the fields of a record. Start at Format.
package anthropic

import (
	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/llm"
)

// Format is the request/response log of the Messages API, JSONL. It also reads
// records of the other APIs, for logs that mix them.
func Format() source.Format {
	return source.Format{
		Name:    "anthropic",
		Doc:     "request/response log of the Anthropic Messages API (JSONL)",
		Version: 1,
		Detect: func(p source.Probe) int {
			api, score := llm.DetectRecord(p.Head)
			if api != llm.Messages {
				return 0
			}
			return score
		},
		Read: llm.ReadLog,
	}
}
