package target

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/weir-lake/weir/exporters/canonical"
	"github.com/weir-lake/weir/lake"
)

// systemFirst leaves one system message at most, at the start.
func systemFirst(e *canonical.Example, losses Losses) Rule {
	kept := make([]lake.Message, 0, len(e.Messages))
	for _, m := range e.Messages {
		if m.Role == "system" && len(kept) > 0 {
			if last := &kept[len(kept)-1]; last.Role == "system" {
				losses.add(RuleSystemMerged)
				last.Content = joined(last.Content, m.Content)
				continue
			}
			losses.add(RuleSystemMoved)
			m.Role = "user"
		}
		kept = append(kept, m)
	}
	e.Messages = kept
	return ""
}

// userFirst refuses what begins with an assistant.
func userFirst(e *canonical.Example, _ Losses) Rule {
	for _, m := range e.Messages {
		switch m.Role {
		case "user":
			return ""
		case "assistant":
			return RuleAssistantFirst
		}
	}
	return ""
}

// eachCall changes the calls of an example, whose messages it may share with
// other pieces, in copies.
func eachCall(e *canonical.Example, change func(call *lake.ToolCall) Rule) Rule {
	e.Messages = slices.Clone(e.Messages)
	for i := range e.Messages {
		m := &e.Messages[i]
		m.ToolCalls = slices.Clone(m.ToolCalls)
		for j := range m.ToolCalls {
			if rule := change(&m.ToolCalls[j]); rule != "" {
				return rule
			}
		}
	}
	return ""
}

// objectArguments sees to it that arguments are JSON objects.
func objectArguments(e *canonical.Example, losses Losses) Rule {
	return eachCall(e, func(call *lake.ToolCall) Rule {
		if strings.TrimSpace(call.Arguments) == "" {
			losses.add(RuleArgumentsMade)
			call.Arguments = "{}"
		}
		if !isObject(call.Arguments) {
			return RuleArguments
		}
		return ""
	})
}

// callIDsOf gives calls ids of a form, each once in the example. made is the
// format of new ones, with a number.
func callIDsOf(isID func(string) bool, made string) pass {
	return func(e *canonical.Example, losses Losses) Rule {
		used := map[string]bool{}
		for _, m := range e.Messages {
			for _, call := range m.ToolCalls {
				used[call.ID] = true
			}
		}
		e.Messages = slices.Clone(e.Messages)
		number, seen, renamed := 0, map[string]bool{}, map[string]string{}
		for i := range e.Messages {
			m := &e.Messages[i]
			if m.Role == "tool" {
				if id, ok := renamed[m.ToolCallID]; ok {
					m.ToolCallID = id
				}
				continue
			}
			renamed = map[string]string{} // an id means the last message's call of it
			m.ToolCalls = slices.Clone(m.ToolCalls)
			for j := range m.ToolCalls {
				call := &m.ToolCalls[j]
				if isID(call.ID) && !seen[call.ID] {
					seen[call.ID] = true
					continue
				}
				losses.add(RuleCallIDRewritten)
				id := ""
				for id == "" || used[id] {
					number++
					id = fmt.Sprintf(made, number)
				}
				used[id], renamed[call.ID], call.ID = true, id, id
			}
		}
		return ""
	}
}

// textOrCalls lets go the text beside calls.
func textOrCalls(e *canonical.Example, losses Losses) Rule {
	e.Messages = slices.Clone(e.Messages)
	for i := range e.Messages {
		if m := &e.Messages[i]; len(m.ToolCalls) > 0 && m.Content != "" {
			losses.add(RuleTextBesideCall)
			m.Content = ""
		}
	}
	return ""
}

// declaredOnly refuses calls of tools that are not declared.
func declaredOnly(e *canonical.Example, _ Losses) Rule {
	for _, m := range e.Messages {
		for _, call := range m.ToolCalls {
			if !slices.ContainsFunc(e.Tools, func(tool lake.Tool) bool { return tool.Name == call.Name }) {
				return RuleNotDeclared
			}
		}
	}
	return ""
}

// replyAfterTool refuses a user's message after a tool's.
func replyAfterTool(e *canonical.Example, _ Losses) Rule {
	for i, m := range e.Messages {
		if i > 0 && m.Role == "user" && e.Messages[i-1].Role == "tool" {
			return RuleUserAfterTool
		}
	}
	return ""
}

// toolDescriptions and toolParameters make what a declaration lacks.
func toolDescriptions(e *canonical.Example, losses Losses) Rule {
	e.Tools = slices.Clone(e.Tools)
	for i := range e.Tools {
		if tool := &e.Tools[i]; tool.Description == "" {
			losses.add(RuleToolDescription)
			tool.Description = tool.Name
		}
	}
	return ""
}

func toolParameters(e *canonical.Example, losses Losses) Rule {
	e.Tools = slices.Clone(e.Tools)
	for i := range e.Tools {
		if tool := &e.Tools[i]; tool.Parameters == "" {
			losses.add(RuleToolParameters)
			tool.Parameters = `{"type":"object","properties":{}}`
		}
	}
	return ""
}

// encodeLine writes JSON as lines have it: text as it is, no newline.
func encodeLine(line any) ([]byte, error) {
	var buf strings.Builder
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(line); err != nil {
		return nil, err
	}
	return []byte(strings.TrimSuffix(buf.String(), "\n")), nil
}
