package genai

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
	"github.com/weir-lake/weir/lake"
)

// blocksMessage reads a message in blocks: one in OpenAI's shape for each
// tool's answer, and for what stands between them.
func blocksMessage(head rawjson.Object, blocks []json.RawMessage) []rawjson.Object {
	var found []rawjson.Object
	var content, calls []json.RawMessage
	open := true // the head's own calls belong to its first message
	flush := func() {
		_, ownCalls := head["tool_calls"]
		if content == nil && calls == nil && !(open && ownCalls) {
			return
		}
		m := rawjson.Object{}
		for key, value := range head {
			m[key] = value
		}
		if !open || calls != nil {
			delete(m, "tool_calls")
		}
		m["content"] = rawjson.Marshal(content)
		if calls != nil {
			m["tool_calls"] = rawjson.Marshal(calls)
		}
		found = append(found, m)
		content, calls, open = nil, nil, false
	}
	for _, raw := range blocks {
		if text, ok := rawjson.Text(raw); ok {
			content = append(content, block("text", "text", text))
			continue
		}
		o := rawjson.Parse(raw)
		for _, key := range []string{"message_content", "tool_call"} { // OpenInference
			if inner := o.Object(key); inner != nil {
				o = inner
			}
		}
		kind := strings.ReplaceAll(o.String("type"), "-", "_")
		call, answer := o.Object("functionCall", "function_call"), o.Object("functionResponse", "function_response")
		switch {
		case call != nil:
			calls = append(calls, toolCall(call))
		case answer != nil:
			flush()
			found = append(found, result(answer, "response"))
		case kind == "tool_call", kind == "tool_use", kind == "function_call", kind == "function", kind == "" && o.Has("toolCallId"):
			calls = append(calls, toolCall(o))
		case kind == "tool_call_response", kind == "tool_result", kind == "function_call_output":
			flush()
			found = append(found, result(o, "response", "result", "output", "content"))
		case isTool(head):
			// A tool's answer in blocks is one text.
			content = append(content, block("text", "text", resultText(raw, maxNesting)))
		case kind == "text", kind == "input_text", kind == "output_text", kind == "" && o.Has("text"):
			text := o.String("text", "content")
			if thought := o.Bool("thought"); thought != nil && *thought {
				content = append(content, block("thinking", "thinking", text))
			} else {
				content = append(content, block("text", "text", text))
			}
		case kind == "reasoning", kind == "thinking":
			text := o.String("content", "text", "thinking", "reasoning")
			for _, part := range o.Objects("summary") {
				text = joinText(text, part.String("text"))
			}
			content = append(content, block("thinking", "thinking", text))
		case kind == "redacted_thinking", kind == "redacted_reasoning":
			// Nobody can read it.
		case kind == "" && o == nil:
		default:
			content = append(content, raw)
		}
	}
	flush()
	return found
}

func isTool(head rawjson.Object) bool { return head.String("role") == "tool" }

// toolCalls unpacks OpenInference's calls; the others are left as they are.
func toolCalls(calls []json.RawMessage) []json.RawMessage {
	list := make([]json.RawMessage, len(calls))
	for i, raw := range calls {
		list[i] = raw
		if inner := rawjson.Parse(raw).Object("tool_call"); inner != nil {
			list[i] = toolCall(inner)
		}
	}
	return list
}

// toolCall gives a call in OpenAI's shape.
func toolCall(o rawjson.Object) json.RawMessage {
	function := o
	if inner := o.Object("function"); inner != nil {
		function = inner
	}
	arguments := json.RawMessage(`"{}"`)
	for _, key := range []string{"arguments", "args", "input"} {
		if function.Has(key) {
			arguments = function[key]
			break
		}
	}
	return rawjson.Marshal(map[string]any{
		"id":       o.ID("toolCallId", "call_id", "id"),
		"function": map[string]any{"name": function.String("toolName", "name"), "arguments": arguments},
	})
}

// result is a tool's answer, which stands in the first of the keys that is there.
func result(o rawjson.Object, keys ...string) rawjson.Object {
	m := rawjson.Object{
		"role": quote("tool"), "name": quote(o.String("toolName", "name")),
		"tool_call_id": quote(o.ID("toolCallId", "tool_use_id", "call_id", "id")),
	}
	for _, key := range keys {
		if o.Has(key) {
			m["content"] = quote(resultText(o[key], maxNesting))
			break
		}
	}
	if failed := o.Bool("isError", "is_error"); failed != nil {
		m["is_error"] = rawjson.Marshal(*failed)
	}
	return m
}

// resultText is the text of a tool's answer, out of the wrappings that clients
// put around it.
func resultText(raw json.RawMessage, depth int) string {
	if text, ok := rawjson.Text(raw); ok {
		if o := rawjson.Parse(raw); depth > 0 && o.String("type") == "function_result" {
			return resultText(o["result"], depth-1)
		}
		return text
	}
	if depth == 0 {
		return rawjson.Compact(raw)
	}
	if list := rawjson.List(raw); list != nil {
		var texts []string
		for _, item := range list {
			o := rawjson.Parse(item)
			if o.String("type") != "text" || len(o) > 2 && !o.Has("text") {
				return rawjson.Compact(raw)
			}
			texts = append(texts, o.String("text", "content"))
		}
		return strings.Join(texts, "\n\n")
	}
	o := rawjson.Parse(raw)
	switch kind := o.String("type"); {
	case kind == "function_result":
		return resultText(o["result"], depth-1)
	case (kind == "text" || kind == "json" || kind == "content" || strings.HasPrefix(kind, "error-")) && o.Has("value"):
		return resultText(o["value"], depth-1)
	case kind == "text":
		return o.String("text", "content")
	case len(o) == 1 && rawjson.List(o["content"]) != nil:
		return resultText(o["content"], depth-1)
	case len(o) == 1:
		for _, key := range []string{"return_value", "result", "output", "content", "error"} {
			if text, ok := rawjson.Text(o[key]); ok {
				return text
			}
		}
	}
	return rawjson.Compact(raw)
}

// roles are those that a message may have.
var roles = []string{"system", "developer", "user", "assistant", "tool"}

// pairResults gives tools' answers the call that they answer. A tracer may
// write the tool's name where the role belongs.
func pairResults(messages []lake.Message) {
	type call struct{ id, name string }
	var open []call
	for i := range messages {
		m := &messages[i]
		for _, c := range m.ToolCalls {
			open = append(open, call{c.ID, c.Name})
		}
		if !slices.Contains(roles, m.Role) {
			named := slices.ContainsFunc(open, func(c call) bool { return c.name == m.Role })
			if name := m.Role; named {
				m.Role, m.Name = "tool", name
			} else {
				m.Role, m.Name = "user", cmp.Or(m.Name, name)
			}
		}
		if m.Role != "tool" {
			continue
		}
		at := slices.IndexFunc(open, func(c call) bool {
			if m.ToolCallID != "" {
				return c.id == m.ToolCallID
			}
			return m.Name == "" || c.name == m.Name
		})
		if at < 0 {
			continue
		}
		m.ToolCallID, m.Name = open[at].id, cmp.Or(m.Name, open[at].name)
		open = slices.Delete(open, at, at+1)
	}
}

// Tools reads declarations of tools: a list, or an object by name, each in the
// shape of any provider, also as JSON in a text.
func Tools(raw json.RawMessage) []lake.Tool {
	var tools []lake.Tool
	for _, item := range rawjson.List(raw) {
		tools = append(tools, tool(rawjson.Parse(item), "")...)
	}
	if tools == nil {
		o := rawjson.Parse(raw)
		names := make([]string, 0, len(o))
		for name := range o {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			tools = append(tools, tool(o.Object(name), name)...)
		}
	}
	return tools
}

// unquote gives JSON text, also of JSON that was written as a text.
func unquote(raw json.RawMessage) string {
	if text, ok := rawjson.Text(raw); ok {
		if inner := rawjson.Compact([]byte(text)); inner != "" {
			return inner
		}
	}
	return rawjson.Compact(raw)
}

func tool(o rawjson.Object, name string) []lake.Tool {
	for _, key := range []string{"functionDeclarations", "function_declarations"} {
		if o.List(key) != nil {
			return Tools(o[key])
		}
	}
	for _, key := range []string{"tool", "function", "json_schema"} {
		if inner := o.Object(key); inner != nil {
			return tool(inner, name)
		}
	}
	if raw := o.String("tool.json_schema"); raw != "" {
		return tool(rawjson.Parse([]byte(raw)), name)
	}
	if name = cmp.Or(o.String("name"), name); name == "" {
		return nil
	}
	return []lake.Tool{{
		Name: name, Description: o.String("description"),
		Parameters: unquote(firstOf(o, "parameters", "inputSchema", "input_schema", "parametersJsonSchema")),
	}}
}
