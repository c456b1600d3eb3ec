package target

import (
	"github.com/weir-lake/weir/exporters/canonical"
	"github.com/weir-lake/weir/lake"
)

// alternate makes an example fit a format in which one system message stands
// first and user and assistant take turns. Tool results stand where they are.
func alternate(e *canonical.Example, losses Losses) Rule {
	merged := make([]lake.Message, 0, len(e.Messages))
	for _, m := range e.Messages {
		var last *lake.Message
		if len(merged) > 0 {
			last = &merged[len(merged)-1]
		}
		if m.Role == "system" && last != nil && last.Role != "system" {
			losses.add(RuleSystemMoved)
			m.Role = "user"
		}
		if last == nil || last.Role != m.Role || m.Role == "tool" {
			if m.Role == "assistant" && (last == nil || last.Role == "system") {
				return RuleAssistantFirst
			}
			merged = append(merged, m)
			continue
		}
		switch m.Role {
		case "system":
			losses.add(RuleSystemMerged)
		case "user":
			losses.add(RuleUserMerged)
		case "assistant":
			if canonical.IsTarget(*last) != canonical.IsTarget(m) {
				return RuleMixedTurns
			}
			losses.add(RuleTurnsMerged)
			last.Reasoning = joined(last.Reasoning, m.Reasoning)
			last.ToolCalls = append(last.ToolCalls[:len(last.ToolCalls):len(last.ToolCalls)], m.ToolCalls...)
		}
		last.Content = joined(last.Content, m.Content)
	}
	e.Messages = merged
	return ""
}

func joined(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "\n\n" + b
}
