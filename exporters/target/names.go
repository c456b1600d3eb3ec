package target

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/weir-lake/weir/exporters/canonical"
)

// maxNameBytes is the longest name of a function or a speaker (OpenAI's
// FunctionObject; the others took it over).
const maxNameBytes = 64

// tools checks the declarations and gives tools names that providers take, in
// the declarations and in the calls.
func (t *Target) tools(e *canonical.Example, losses Losses) Rule {
	names := newNamer()
	declared := map[string]bool{}
	tools := e.Tools[:0]
	for _, tool := range e.Tools {
		if tool.Name == "" || tool.Parameters != "" && !isObject(tool.Parameters) {
			return RuleBadSchema
		}
		if declared[tool.Name] {
			losses.add(RuleTools)
			continue
		}
		declared[tool.Name] = true
		names.take(tool.Name)
		tools = append(tools, tool)
	}
	e.Tools = tools
	if t.MaxTools > 0 && len(tools) > t.MaxTools {
		return RuleManyTools
	}
	for i := range tools {
		tools[i].Name = names.clean(tools[i].Name, RuleToolName, losses)
	}
	if len(tools) > 0 && e.ToolsOrigin == "inferred" {
		losses.add(RuleInferred)
	}
	for _, m := range e.Messages {
		for i := range m.ToolCalls {
			call := &m.ToolCalls[i]
			if len(tools) == 0 {
				return RuleNoTools
			}
			if !declared[call.Name] {
				losses.add(RuleUndeclared)
			}
			call.Name = names.clean(call.Name, RuleToolName, losses)
		}
	}
	return ""
}

func isObject(text string) bool {
	var object map[string]json.RawMessage
	return json.Unmarshal([]byte(text), &object) == nil && object != nil
}

// names gives people pseudonyms, and puts speakers where the format has them.
func (t *Target) names(e *canonical.Example, opts Options, losses Losses) {
	people, speakers := map[string]string{}, newNamer()
	for _, m := range e.Messages {
		if m.Name != "" {
			speakers.take(m.Name)
		}
	}
	for i := range e.Messages {
		m := &e.Messages[i]
		if m.Name == "" {
			continue
		}
		if m.Role == "user" && (opts.IsAgent == nil || !opts.IsAgent(m.Name)) {
			losses.add(RulePerson)
			if people[m.Name] == "" {
				people[m.Name] = speakers.free("person_" + strconv.Itoa(len(people)+1))
			}
			m.Name = people[m.Name]
		}
		switch {
		case t.HasNames:
			m.Name = speakers.clean(m.Name, RuleName, losses)
		case m.Role == "user":
			losses.add(RuleNamePrefix)
			m.Content, m.Name = m.Name+": "+m.Content, ""
		default:
			// Before an assistant's text it would be trained.
			losses.add(RuleNameOmitted)
			m.Name = ""
		}
	}
}

// namer turns names into ones of letters, digits, _ and -, one for each: two
// names that become the same are told apart by a number.
type namer struct {
	cleaned map[string]string
	used    map[string]bool
}

func newNamer() *namer { return &namer{cleaned: map[string]string{}, used: map[string]bool{}} }

// take reserves a name that needs no cleaning, so that another's cleaned form
// does not become it.
func (n *namer) take(name string) {
	if cleanName(name) == name {
		n.cleaned[name], n.used[name] = name, true
	}
}

// free gives a name that nobody has, near to the wanted one, and reserves it.
func (n *namer) free(name string) string {
	found := name
	for i := 2; n.used[found]; i++ {
		suffix := "_" + strconv.Itoa(i)
		found = name[:min(len(name), maxNameBytes-len(suffix))] + suffix
	}
	n.cleaned[found], n.used[found] = found, true
	return found
}

func (n *namer) clean(name string, rule Rule, losses Losses) string {
	cleaned, known := n.cleaned[name]
	if !known {
		cleaned = n.free(cleanName(name))
		n.cleaned[name] = cleaned
	}
	if cleaned != name {
		losses.add(rule)
	}
	return cleaned
}

func cleanName(name string) string {
	cleaned := strings.Map(func(r rune) rune {
		if isNameRune(r) {
			return r
		}
		return '_'
	}, name)
	if cleaned == "" {
		return "_"
	}
	return cleaned[:min(len(cleaned), maxNameBytes)]
}

func isNameRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-'
}

func isName(name string) bool {
	return name != "" && cleanName(name) == name
}
