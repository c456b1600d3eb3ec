package target

import (
	"encoding/json"

	"github.com/weir-lake/weir/exporters/canonical"
	"github.com/weir-lake/weir/lake"
)

// The chat form as trainers of open models read it: a message always has a
// content, since templates join it without asking, and tools are one JSON
// text, since the loader of the files wants one type a column and the schemas
// of tools have none.
type (
	openLine struct {
		Messages   []openMessage `json:"messages,omitempty"`
		Prompt     []openMessage `json:"prompt,omitempty"`
		Completion []openMessage `json:"completion,omitempty"`
		Tools      any           `json:"tools,omitempty"` // a list, or its JSON text
	}
	openMessage struct {
		Role       string     `json:"role"`
		Reasoning  string     `json:"reasoning_content,omitempty"`
		Content    string     `json:"content"`
		ToolCalls  []openCall `json:"tool_calls,omitempty"`
		Name       string     `json:"name,omitempty"` // of the tool whose result it is
		ToolCallID string     `json:"tool_call_id,omitempty"`
		Train      *bool      `json:"train,omitempty"`
	}
	openCall struct {
		ID       string       `json:"id,omitempty"`
		Type     string       `json:"type"`
		Function openFunction `json:"function"`
	}
	openFunction struct {
		Name      string `json:"name"`
		Arguments any    `json:"arguments"` // json.RawMessage or string
	}
)

// openMessages writes messages. Arguments are objects, or texts.
func openMessages(messages []lake.Message, asText bool) []openMessage {
	out := make([]openMessage, len(messages))
	names := map[string]string{}
	for i, m := range messages {
		out[i] = openMessage{Role: m.Role, Reasoning: m.Reasoning, Content: m.Content, ToolCallID: m.ToolCallID}
		if m.Role == "tool" {
			out[i].Name = names[m.ToolCallID]
		}
		for _, call := range m.ToolCalls {
			names[call.ID] = call.Name
			var arguments any = json.RawMessage(call.Arguments)
			if asText {
				arguments = call.Arguments
			}
			out[i].ToolCalls = append(out[i].ToolCalls, openCall{call.ID, "function", openFunction{call.Name, arguments}})
		}
	}
	return out
}

func chatTools(tools []lake.Tool) []chatTool {
	var out []chatTool
	for _, tool := range tools {
		out = append(out, chatTool{"function", chatDefinition{tool.Name, tool.Description, json.RawMessage(tool.Parameters)}})
	}
	return out
}

// inOneText writes a list of tools as a JSON text; nil where there are none.
func inOneText[T any](tools []T) (any, error) {
	if len(tools) == 0 {
		return nil, nil
	}
	text, err := encodeLine(tools)
	return string(text), err
}

func encodeOpen(e *canonical.Example) ([]byte, error) {
	tools, err := inOneText(chatTools(e.Tools))
	if err != nil {
		return nil, err
	}
	return encodeLine(openLine{Messages: openMessages(e.Messages, false), Tools: tools})
}

// openMessagesOf checks messages in this form and tells whether an assistant
// is among those that are trained: all but those that mark refuses.
func (c *checker) openMessagesOf(messages []object, path string, hasTools bool, more ...string) (trained bool) {
	for i, m := range messages {
		at := index(path, i)
		role := c.role(m, at, "system", "user", "assistant", "tool")
		c.keys(m, at, append(more, "role", "content", "tool_calls", "tool_call_id", "name", "reasoning_content", "thinking")...)
		c.reasoning(m, at)
		if m["name"] != nil {
			c.text(m, at, "name")
		}
		c.content(m, at, role)
		c.calls(m, at, role, hasTools)
		mark, has := m["train"]
		if has && mark != nil {
			if _, isBool := mark.(bool); !isBool {
				c.add(ruleType, at+".train", "is no boolean")
			}
		}
		trained = trained || role == "assistant" && mark != false
	}
	return trained
}

// openForm is the check of a line that has messages in this form.
func openForm(more ...string) func(*checker, object) {
	return func(c *checker, line object) {
		c.keys(line, "", "messages", "tools")
		hasTools := c.tools(line, 0)
		messages := c.messages(line)
		trained := c.openMessagesOf(messages, "messages", hasTools, more...)
		c.systemFirst(messages)
		c.answers(messages, false)
		c.ending(messages, trained)
	}
}
