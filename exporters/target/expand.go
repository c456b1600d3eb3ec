package target

import (
	"slices"

	"github.com/weir-lake/weir/exporters/canonical"
)

// loss says which messages a target's trainer learns from.
type loss int

const (
	lossMarked        loss = iota // those that the line marks
	lossAll                       // every assistant message
	lossLast                      // the last message
	lossLastWithTools             // the last message where the line declares tools, else those marked; parallel calls cannot be last
)

// expand gives the lines by which a target learns from an example's targets
// and from nothing else. The pieces share messages with the example.
func (t *Target) expand(e canonical.Example, losses Losses) ([]canonical.Example, Rule) {
	switch t.loss {
	case lossAll:
		for _, m := range e.Messages {
			if m.Role == "assistant" && !canonical.IsTarget(m) {
				return nil, RuleUnmasked
			}
		}
	case lossLast:
		return onTargets(e, losses), ""
	case lossLastWithTools:
		if len(e.Tools) > 0 {
			lines := slices.DeleteFunc(onTargets(e, losses), func(line canonical.Example) bool {
				parallel := len(line.Messages[len(line.Messages)-1].ToolCalls) > 1
				if parallel {
					losses.add(RuleParallelEnd)
				}
				return parallel
			})
			if len(lines) == 0 {
				return nil, RuleNoTarget
			}
			return lines, ""
		}
	}
	return []canonical.Example{e}, ""
}

// onTargets gives a line for each target, which ends on it. An example whose
// only target is its last message stays as it is.
func onTargets(e canonical.Example, losses Losses) []canonical.Example {
	var lines []canonical.Example
	for i, m := range e.Messages {
		if !canonical.IsTarget(m) {
			continue
		}
		line := e
		line.Messages = slices.Clone(e.Messages[:i+1])
		for j := range line.Messages[:i] {
			line.Messages[j] = weightless(line.Messages[j])
		}
		lines = append(lines, line)
	}
	if len(lines) > 1 {
		losses.add(RuleExpanded)
	}
	return lines
}
