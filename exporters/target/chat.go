package target

import (
	"bytes"
	"encoding/json"

	"github.com/weir-lake/weir/exporters/canonical"
	"github.com/weir-lake/weir/lake"
)

// The chat form that OpenAI began and most others took over. The order of the
// fields is the order of the keys in the files.
type (
	chatLine struct {
		Messages          []chatMessage `json:"messages"`
		Tools             []chatTool    `json:"tools,omitempty"`
		ParallelToolCalls *bool         `json:"parallel_tool_calls,omitempty"`
	}
	chatMessage struct {
		Role       string     `json:"role"`
		Name       string     `json:"name,omitempty"`
		Reasoning  string     `json:"reasoning_content,omitempty"`
		Content    *string    `json:"content,omitempty"`
		ToolCalls  []chatCall `json:"tool_calls,omitempty"`
		ToolCallID string     `json:"tool_call_id,omitempty"`
		Weight     *int       `json:"weight,omitempty"`
	}
	chatCall struct {
		ID       string       `json:"id"`
		Type     string       `json:"type"`
		Function chatFunction `json:"function"`
	}
	chatFunction struct {
		Name      string `json:"name"`
		Arguments string `json:"arguments"`
	}
	chatTool struct {
		Type     string         `json:"type"`
		Function chatDefinition `json:"function"`
	}
	chatDefinition struct {
		Name        string          `json:"name"`
		Description string          `json:"description,omitempty"`
		Parameters  json.RawMessage `json:"parameters,omitempty"`
	}
)

// encodeChat writes an example in the chat form. weight says what stands on a
// message; nil: nothing.
func encodeChat(e *canonical.Example, weight func(lake.Message) *int) ([]byte, error) {
	line := chatLine{ParallelToolCalls: e.ParallelToolCalls, Messages: make([]chatMessage, len(e.Messages))}
	for i, m := range e.Messages {
		out := chatMessage{Role: m.Role, Name: m.Name, Reasoning: m.Reasoning, ToolCallID: m.ToolCallID, Weight: weight(m)}
		if m.Content != "" || len(m.ToolCalls) == 0 {
			out.Content = &e.Messages[i].Content
		}
		for _, call := range m.ToolCalls {
			out.ToolCalls = append(out.ToolCalls, chatCall{call.ID, "function", chatFunction{call.Name, call.Arguments}})
		}
		line.Messages[i] = out
	}
	for _, tool := range e.Tools {
		line.Tools = append(line.Tools, chatTool{"function", chatDefinition{tool.Name, tool.Description, json.RawMessage(tool.Parameters)}})
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(line); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}
