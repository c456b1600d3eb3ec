package target

import (
	"encoding/json"
	"slices"

	"github.com/weir-lake/weir/exporters/canonical"
	"github.com/weir-lake/weir/lake"
)

// prepare makes an example fit for any chat format, in an order that matters:
// what drops it first, what removes messages before what pairs and counts them.
func (t *Target) prepare(e *canonical.Example, opts Options, losses Losses) Rule {
	for _, pass := range []func(*canonical.Example, Losses) Rule{
		parts,
		roles,
		t.omitted,
		empties,
		tail,
		pair,
		t.tools,
	} {
		if rule := pass(e, losses); rule != "" {
			return rule
		}
	}
	t.names(e, opts, losses)
	t.request(e, losses)
	return ""
}

// parts refuses what is not text. Asides about a text are let go.
func parts(e *canonical.Example, losses Losses) Rule {
	for i := range e.Messages {
		if e.Messages[i].Parts == "" {
			continue
		}
		var blocks []struct {
			Type string `json:"type"`
		}
		if json.Unmarshal([]byte(e.Messages[i].Parts), &blocks) != nil {
			return RuleNativeBlock
		}
		for _, block := range blocks {
			switch block.Type {
			case "annotations", "citations", "refusal":
				losses.add(RuleAside)
			case "image", "images", "image_url", "input_image", "audio", "input_audio", "video", "file", "input_file", "document":
				return RuleMedia
			default:
				return RuleNativeBlock
			}
		}
		e.Messages[i].Parts = ""
	}
	return ""
}

func roles(e *canonical.Example, losses Losses) Rule {
	for i := range e.Messages {
		switch m := &e.Messages[i]; m.Role {
		case "developer":
			losses.add(RuleDeveloper)
			m.Role = "system"
		case "system", "user", "assistant", "tool":
		default:
			return RuleUnknownRole
		}
	}
	return ""
}

// omitted lets go what no line can say. Weights become 0 or 1, and stand on
// assistant messages only.
func (t *Target) omitted(e *canonical.Example, losses Losses) Rule {
	for i := range e.Messages {
		m := &e.Messages[i]
		if m.Reasoning != "" && !(t.HasReasoning && m.Role == "assistant") {
			losses.add(RuleReasoning)
			m.Reasoning = ""
		}
		if m.IsError != nil && *m.IsError {
			losses.add(RuleIsError)
		}
		m.IsError = nil
		weight := 0.0
		if canonical.IsTarget(*m) {
			weight = 1
		}
		m.Weight = nil
		if m.Role == "assistant" {
			m.Weight = &weight
		}
	}
	return ""
}

// empties removes messages that say nothing. The result of a tool may be empty.
func empties(e *canonical.Example, losses Losses) Rule {
	e.Messages = slices.DeleteFunc(e.Messages, func(m lake.Message) bool {
		empty := m.Role != "tool" && m.Content == "" && len(m.ToolCalls) == 0
		if empty {
			losses.add(RuleEmpty)
			if m.Reasoning != "" {
				losses.add(RuleReasoning)
			}
		}
		return empty
	})
	return ""
}

// tail removes what follows the last target.
func tail(e *canonical.Example, losses Losses) Rule {
	last := len(e.Messages) - 1
	for last >= 0 && !canonical.IsTarget(e.Messages[last]) {
		last--
	}
	if last < 0 {
		return RuleNoTarget
	}
	if last < len(e.Messages)-1 {
		losses.add(RuleTailTrimmed)
		e.Messages = e.Messages[:last+1]
	}
	return ""
}

// request notes what the request asked for and a line cannot say.
func (t *Target) request(e *canonical.Example, losses Losses) {
	switch {
	case e.ResponseFormat == "" || isType(e.ResponseFormat, "text"):
		e.ResponseFormat = ""
	case t.HasFormat && isObject(e.ResponseFormat):
		losses.add(RuleFormatAside)
	default:
		losses.add(RuleResponseFormat)
		e.ResponseFormat = ""
	}
	if e.ToolChoice != "" && !isType(e.ToolChoice, "auto") && len(e.Tools) > 0 {
		losses.add(RuleToolChoice)
	}
	e.ToolChoice = ""
	if len(e.Tools) == 0 {
		// The API takes the flag only beside tools, where alone it means something.
		e.ParallelToolCalls = nil
	}
	if e.ParallelToolCalls != nil && !t.CanForbid {
		losses.add(RuleParallel)
		e.ParallelToolCalls = nil
	}
}

// isType tells whether a request field is the default that goes without
// saying: "auto" or {"type": "auto"}.
func isType(text, kind string) bool {
	var word string
	if json.Unmarshal([]byte(text), &word) == nil {
		return word == kind
	}
	var object struct {
		Type string `json:"type"`
	}
	if json.Unmarshal([]byte(text), &object) == nil {
		return object.Type == kind
	}
	return text == kind
}
