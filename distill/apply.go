package distill

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/weir-lake/weir/exporters/canonical"
	"github.com/weir-lake/weir/lake"
)

// Fired counts how often each rule did something, by its id.
type Fired map[string]int

// Example shortens an example. What it changes it changes in copies: nothing
// that the example shares with others is touched.
func (r *Rules) Example(e *canonical.Example) Fired {
	fired := Fired{}
	shared := len(e.Messages)
	if e.Against != nil {
		shared = e.Against.Context
	}
	messages := r.messages(e.Messages[:shared], fired)
	if e.Against != nil { // of a preference pair, both ways go on from the same context
		against := *e.Against
		against.Context, against.Messages = len(messages), r.messages(against.Messages, fired)
		e.Against = &against
	}
	messages = append(messages, r.messages(e.Messages[shared:], fired)...)
	forced := forcedTool(e.ToolChoice)
	tools := make([]lake.Tool, 0, len(e.Tools))
	for _, tool := range e.Tools {
		if kept, ok := r.tool(tool, forced, fired); ok {
			tools = append(tools, kept)
		}
	}
	if len(e.Tools) > 0 && len(tools) == 0 {
		tools, e.ToolsOrigin, e.ToolChoice, e.ParallelToolCalls = nil, "none", "", nil
	}
	e.Messages, e.Tools = messages, tools
	return fired
}

// messages shortens the system prompts among messages, in a copy. One of which
// nothing is left goes.
func (r *Rules) messages(messages []lake.Message, fired Fired) []lake.Message {
	kept := make([]lake.Message, 0, len(messages))
	for _, m := range messages {
		if isSystem(m.Role) {
			text, changed := r.prompt(m.Content, fired)
			if changed && text == "" {
				continue
			}
			m.Content = text
		}
		kept = append(kept, m)
	}
	return kept
}

func isSystem(role string) bool { return role == "system" || role == "developer" }

// prompt shortens a system prompt: as a whole, else by sections and then by
// texts. An empty one that was changed is to be left out.
func (r *Rules) prompt(text string, fired Fired) (_ string, changed bool) {
	if rule := r.systems[HashOf(MatchSystem, text)]; rule != nil {
		fired[rule.ID]++
		return rule.Replace, true
	}
	out := text
	if len(r.sections) > 0 {
		out = r.cutSections(text, fired)
	}
	for _, rule := range r.texts {
		if n := strings.Count(out, rule.Text); n > 0 {
			fired[rule.ID] += n
			out = strings.ReplaceAll(out, rule.Text, rule.Replace)
		}
	}
	if out == text {
		return text, false
	}
	// What parted the removed from the rest goes with it.
	return strings.Trim(out, " \t\r\n"), true
}

func (r *Rules) cutSections(text string, fired Fired) string {
	sections := cut(text)
	gone := make([]bool, len(sections))
	out := make([]string, len(sections))
	for i, s := range sections {
		out[i] = s.raw
		if s.isBare {
			continue
		}
		rule := r.sections[foldedHash(s.text())]
		if rule == nil {
			continue
		}
		fired[rule.ID]++
		gone[i] = rule.Do == DoRemove
		out[i] = ""
		if rule.Do == DoReplace {
			out[i] = rule.Replace + s.end()
		}
	}
	// A heading whose sections all went announces nothing; the last first, for
	// it may stand under another.
	for i, s := range slices.Backward(sections) {
		if !s.isBare || s.level == 0 {
			continue
		}
		under := 0
		for under < len(sections)-i-1 && sections[i+1+under].level > s.level && gone[i+1+under] {
			under++
		}
		next := i + 1 + under
		if under > 0 && (next == len(sections) || sections[next].level <= s.level) {
			gone[i], out[i] = true, ""
		}
	}
	return strings.Join(out, "")
}

// tool shortens a declaration, or says that it goes. One that the request
// forces to be called stays declared: providers refuse it otherwise.
func (r *Rules) tool(tool lake.Tool, forced string, fired Fired) (_ lake.Tool, kept bool) {
	rule := r.tools[tool.Name]
	switch {
	case rule == nil, rule.Do == DoRemove && tool.Name == forced:
		return tool, true
	case rule.Do == DoRemove:
		fired[rule.ID]++
		return tool, false
	}
	after := tool
	after.Description = rule.Replace
	if rule.Do == DoShorten && after.Parameters != "" {
		if bare := string(bareSchema(json.RawMessage(tool.Parameters))); bare != string(compact(json.RawMessage(tool.Parameters))) {
			after.Parameters = bare
		}
	}
	if after != tool {
		fired[rule.ID]++
	}
	return after, true
}

// forcedTool is the tool that a tool_choice names, in any API's form; "" for none.
func forcedTool(choice string) string {
	var named struct {
		Name     string `json:"name"`
		Function struct {
			Name string `json:"name"`
		} `json:"function"`
	}
	if json.Unmarshal([]byte(choice), &named) != nil {
		return ""
	}
	if named.Name != "" {
		return named.Name
	}
	return named.Function.Name
}
