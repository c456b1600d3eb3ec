package target

import (
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
	return encodeLine(chatLine{chatMessages(e.Messages, weight), chatTools(e.Tools), e.ParallelToolCalls})
}

func chatMessages(messages []lake.Message, weight func(lake.Message) *int) []chatMessage {
	list := make([]chatMessage, len(messages))
	for i, m := range messages {
		out := chatMessage{Role: m.Role, Name: m.Name, Reasoning: m.Reasoning, ToolCallID: m.ToolCallID, Weight: weight(m)}
		if m.Content != "" || len(m.ToolCalls) == 0 {
			out.Content = &messages[i].Content
		}
		for _, call := range m.ToolCalls {
			out.ToolCalls = append(out.ToolCalls, chatCall{call.ID, "function", chatFunction{call.Name, call.Arguments}})
		}
		list[i] = out
	}
	return list
}

func unweighted(lake.Message) *int { return nil }
