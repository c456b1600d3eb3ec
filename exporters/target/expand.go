package target

import (
	"slices"

	"github.com/weir-lake/weir/exporters/canonical"
	"github.com/weir-lake/weir/lake"
)

// loss says which messages a target's trainer learns from.
type loss int

const (
	lossMarked            loss = iota // those that the line marks
	lossAll                           // every assistant message
	lossLast                          // the last message
	lossLastWithTools                 // the last message where the line declares tools, else those marked; parallel calls cannot be last
	lossLastAnswer                    // one reply a line: the last that answers a user
	lossLastWithReasoning             // the last message where the line has reasoning, else those marked
)

// enough is the share of what is to be trained at which one line will do: for
// less than a tenth more, a line for each reply would cost its context again.
const enough = 0.9

// expand gives the lines by which a target learns from an example's targets
// and from nothing else. The pieces share messages with the example.
func (t *Target) expand(e canonical.Example, opts Options, losses Losses) ([]canonical.Example, Rule) {
	switch t.loss {
	case lossAll:
		return beforeContext(e, opts, losses)
	case lossLastAnswer:
		return lastAnswer(e, losses)
	}
	lastOnly := t.loss == lossLast ||
		t.loss == lossLastWithTools && len(e.Tools) > 0 ||
		t.loss == lossLastWithReasoning && slices.ContainsFunc(e.Messages, func(m lake.Message) bool { return m.Reasoning != "" })
	if !lastOnly {
		return []canonical.Example{e}, ""
	}
	var ends []int // places of the messages that a line can end on
	for i, m := range e.Messages {
		switch {
		case !canonical.IsTarget(m):
		case t.loss == lossLastWithTools && len(m.ToolCalls) > 1:
			losses.add(RuleParallelEnd)
		default:
			ends = append(ends, i)
		}
	}
	if len(ends) == 0 {
		return nil, RuleNoTarget
	}
	if last := ends[len(ends)-1]; len(ends) > 1 && opts.trained(e.Messages[last:last+1]) >= enough*opts.trained(e.Messages) {
		for range ends[1:] {
			losses.add(RuleLastOnly)
		}
		ends = []int{last}
	}
	if len(ends) > 1 {
		losses.add(RuleExpanded)
	}
	lines := make([]canonical.Example, len(ends))
	for i, end := range ends {
		lines[i] = endingOn(e, end)
	}
	return lines, ""
}

// endingOn cuts an example behind a message, the only one that is trained.
func endingOn(e canonical.Example, end int) canonical.Example {
	messages := slices.Clone(e.Messages[:end+1])
	for i := range end {
		messages[i] = weightless(messages[i])
	}
	e.Messages = messages
	return e
}

// lastAnswer gives the line that ends on the last reply to a user.
func lastAnswer(e canonical.Example, losses Losses) ([]canonical.Example, Rule) {
	for i := len(e.Messages) - 1; i > 0; i-- {
		if !canonical.IsTarget(e.Messages[i]) || e.Messages[i-1].Role != "user" {
			continue
		}
		for range canonical.Targets(e.Messages) - 1 {
			losses.add(RuleOneAnswer)
		}
		item := endingOn(e, i)
		if reply := &item.Messages[i]; reply.Name != "" {
			losses.add(RuleNameOmitted) // a reference has none
			reply.Name = ""
		}
		return []canonical.Example{item}, ""
	}
	return nil, RuleNoQuestion
}

// beforeContext ends an example before its first reply that is context only,
// which would be trained. Where much is to be trained behind it, there is no
// line.
func beforeContext(e canonical.Example, opts Options, losses Losses) ([]canonical.Example, Rule) {
	i := slices.IndexFunc(e.Messages, func(m lake.Message) bool { return m.Role == "assistant" && !canonical.IsTarget(m) })
	if i < 0 {
		return []canonical.Example{e}, ""
	}
	before, behind := e, e.Messages[i:]
	before.Messages = e.Messages[:i]
	if tail(&before, Losses{}) != "" || opts.trained(before.Messages) < enough*opts.trained(e.Messages) {
		return nil, RuleUnmasked
	}
	for range canonical.Targets(behind) {
		losses.add(RuleUnmaskedCut)
	}
	return []canonical.Example{before}, ""
}

// trained counts what is trained of messages.
func (o Options) trained(messages []lake.Message) float64 {
	n := 0
	for _, m := range messages {
		switch {
		case !canonical.IsTarget(m):
		case o.Trained != nil:
			n += o.Trained(m)
		default:
			n += len(m.Reasoning) + len(m.Content)
			for _, call := range m.ToolCalls {
				n += len(call.Name) + len(call.Arguments)
			}
		}
	}
	return float64(n)
}
