// Package canonical has the canonical training example, the one form that all
// targets are made from, and reads it back from Parquet in bounded memory. It
// decides nothing about examples (the curated tables did) and knows no target.
// Start at Open.
package canonical

import (
	"slices"

	"github.com/weir-lake/weir/lake"
)

// Example is a row of curated.examples that is to be exported, with what the
// funnel and the quality table say of it.
type Example struct {
	ID                string         // example_id
	SubjectID         string         // conversation or task that a split never cuts through
	ContentHash       string         // md5 of the normalised content
	Source            string         // claude_code, group_chat, gateway, …
	TaskType          string         // coordination, handoff, …
	Split             string         // train, validation or test
	ToolsOrigin       string         // declared, inferred from observed calls, or none
	ResponseFormat    string         // JSON text as sent; empty: none
	ToolChoice        string         // JSON text as sent; empty: none
	Messages          []lake.Message // Usage is never set
	Tools             []lake.Tool
	OriginEventIDs    []string // events that the example was made from
	ParallelToolCalls *bool
	SuccessScore      *float64 // 0 to 1
	Against           *Against // the example is one of a preference pair; nil: it is not
}

// Against is the worse way to go on, of a preference pair: a row of
// curated.preference_pairs. The example's messages are the context that both
// share and then the better way.
type Against struct {
	PairID         string
	Basis          string         // what says which is better: edit, review, outcome, judge or retry
	Context        int            // messages of the example that both share
	Messages       []lake.Message // the worse way, from where they part
	ExampleID      string         // example that holds it
	SubjectID      string         // of that example, and so on
	ContentHash    string
	OriginEventIDs []string
}

// IsTarget tells whether the tokens of a message are trained. A weight that is
// missing is none: what nobody marked as a model's output is not learnt.
func IsTarget(m lake.Message) bool {
	return m.Role == "assistant" && m.Weight != nil && *m.Weight > 0
}

// Targets counts the messages that are trained.
func Targets(messages []lake.Message) int {
	n := 0
	for _, m := range messages {
		if IsTarget(m) {
			n++
		}
	}
	return n
}

// Clone copies an example so far that messages and tools may be changed
// without changing the original. Strings are shared.
func (e Example) Clone() Example {
	e.Messages = slices.Clone(e.Messages)
	for i := range e.Messages {
		e.Messages[i].ToolCalls = slices.Clone(e.Messages[i].ToolCalls)
	}
	e.Tools = slices.Clone(e.Tools)
	if e.Against != nil {
		against := *e.Against
		against.Messages = Example{Messages: against.Messages}.Clone().Messages
		e.Against = &against
	}
	return e
}
