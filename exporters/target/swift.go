package target

import (
	"encoding/json"

	"github.com/weir-lake/weir/exporters/canonical"
	"github.com/weir-lake/weir/lake"
)

// swift is ms-swift's own form: each call and each result is a message of its
// own, a call is a JSON text, and so is the list of tools. loss says of each
// assistant message and call whether it is trained; of calls in a row the
// first one's holds, and an assistant's text before them has the same. Reasoning
// stands in the text, between think tags: the trainer drops other keys.
//
// (ms-swift 4.6 documentation and source, 2026-08.)
func swift() *Target {
	return &Target{
		Name: "ms-swift", Doc: "ms-swift messages with tool_call and tool_response", Provider: "local",
		Model: "Qwen/Qwen3-4B-Instruct-2507", MinLines: 1,
		Alternates: true, HasReasoning: true,
		fits:   []pass{userFirst, objectArguments, plainThoughts},
		calls:  callForm{toolsInOne: true, anyKey: true},
		encode: encodeSwift,
		check:  checkSwift,
	}
}

type (
	swiftLine struct {
		Messages []swiftMessage `json:"messages"`
		Tools    any            `json:"tools,omitempty"`
	}
	swiftMessage struct {
		Role    string `json:"role"`
		Content string `json:"content"`
		Loss    *bool  `json:"loss,omitempty"`
	}
)

func encodeSwift(e *canonical.Example) ([]byte, error) {
	tools, err := inOneText(chatTools(e.Tools))
	if err != nil {
		return nil, err
	}
	messages, err := swiftMessages(e.Messages)
	if err != nil {
		return nil, err
	}
	return encodeLine(swiftLine{messages, tools})
}

func swiftMessages(messages []lake.Message) ([]swiftMessage, error) {
	var list []swiftMessage
	for _, m := range messages {
		out := swiftMessage{Role: m.Role, Content: thought(m) + m.Content}
		if m.Role == "tool" {
			out.Role = "tool_response"
		}
		if m.Role == "assistant" {
			trained := canonical.IsTarget(m)
			out.Loss = &trained
		}
		if out.Content != "" || len(m.ToolCalls) == 0 {
			list = append(list, out)
		}
		for _, call := range m.ToolCalls {
			text, err := encodeLine(namedCall{call.Name, json.RawMessage(call.Arguments)})
			if err != nil {
				return nil, err
			}
			list = append(list, swiftMessage{"tool_call", string(text), out.Loss})
		}
	}
	return list, nil
}

func checkSwift(c *checker, line object) {
	c.keys(line, "", "messages", "tools")
	hasTools := c.swiftTools(line)
	c.swiftMessagesOf(c.messages(line), "messages", hasTools)
}

func (c *checker) swiftTools(line object) bool {
	value, ok := line["tools"]
	if !ok {
		return false
	}
	if _, isText := value.(string); !isText {
		c.add(ruleType, "tools", "is no string of JSON")
	} else {
		c.tools(line, 0)
	}
	return true
}

func (c *checker) swiftMessagesOf(messages []object, path string, hasTools bool) {
	trained, open, before := false, 0, ""
	for i, m := range messages {
		at := index(path, i)
		role := c.role(m, at, "system", "user", "assistant", "tool_call", "tool_response", "tool")
		if m == nil {
			continue
		}
		c.keys(m, at, "role", "content", "loss", "loss_scale")
		text := c.text(m, at, "content")
		loss, has := m["loss"]
		if _, isBool := loss.(bool); has && loss != nil && !isBool {
			c.add(ruleType, at+".loss", "is no boolean")
		}
		switch role {
		case "system":
			if i > 0 {
				c.add(ruleOrder, at, "is a system message that is not first")
			}
		case "tool_call":
			c.namedCalls(text, at+".content", false)
			if before != "tool_call" {
				open = 0
			}
			open++
			if !hasTools {
				c.add(ruleTool, "tools", "is missing, and %s calls", at)
			}
		case "tool", "tool_response":
			if open--; open < 0 {
				open = 0
				c.add(ruleAnswer, at, "answers no call")
			}
		}
		if open > 0 && (role == "user" || role == "assistant") {
			c.add(ruleAnswer, at, "comes before every call is answered")
			open = 0
		}
		trained = trained || (role == "assistant" || role == "tool_call") && loss != false
		before = role
	}
	if len(messages) > 0 && !trained {
		c.add(ruleTrained, path, "no assistant message is trained")
	}
	if n := len(messages); n > 0 && before != "assistant" && before != "tool_call" {
		c.add(ruleEnding, index(path, n-1), "is the last message and no assistant's")
	}
}
