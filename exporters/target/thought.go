package target

import (
	"slices"
	"strings"

	"github.com/weir-lake/weir/exporters/canonical"
	"github.com/weir-lake/weir/lake"
)

// The tags between which reasoning stands in a text, where a format has no
// other place for it: those of Qwen's and DeepSeek's templates, with the line
// breaks that LLaMA-Factory looks for.
const (
	thoughtStart = "<think>\n"
	thoughtEnd   = "\n</think>\n\n"
)

// thought is a message's reasoning as it stands before its text.
func thought(m lake.Message) string {
	if m.Reasoning == "" {
		return ""
	}
	return thoughtStart + m.Reasoning + thoughtEnd
}

// cutThought divides a text into the reasoning that it begins with and the rest.
func cutThought(text string) (reasoning, rest string) {
	inner, has := strings.CutPrefix(text, thoughtStart)
	if !has {
		return "", text
	}
	reasoning, rest, has = strings.Cut(inner, thoughtEnd)
	if !has {
		return "", text
	}
	return reasoning, rest
}

// plainThoughts lets go reasoning that has the tags itself: it would end where
// they stand.
func plainThoughts(e *canonical.Example, losses Losses) Rule {
	e.Messages = slices.Clone(e.Messages)
	for i := range e.Messages {
		if m := &e.Messages[i]; strings.Contains(m.Reasoning, "<think>") || strings.Contains(m.Reasoning, "</think>") {
			losses.add(RuleReasoning)
			m.Reasoning = ""
		}
	}
	return ""
}
