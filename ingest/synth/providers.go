package synth

import (
	"encoding/json"
	"math"
	"time"
)

type block struct {
	Type      string          `json:"type"`
	Text      string          `json:"text,omitempty"`
	Thinking  string          `json:"thinking,omitempty"`
	Signature string          `json:"signature,omitempty"`
	ID        string          `json:"id,omitempty"`
	Name      string          `json:"name,omitempty"`
	Input     json.RawMessage `json:"input,omitempty"`
	ToolUseID string          `json:"tool_use_id,omitempty"`
	Content   string          `json:"content,omitempty"`
	IsError   bool            `json:"is_error,omitempty"`
}

type blockMessage struct {
	Role    string  `json:"role"`
	Content []block `json:"content"`
}

// blocks is a message in Anthropic's form; results stand in a user message.
func blocks(m message) blockMessage {
	if m.role == "tool" {
		return blockMessage{Role: "user", Content: []block{{Type: "tool_result", ToolUseID: m.callID, Content: m.content, IsError: m.failed}}}
	}
	out := blockMessage{Role: m.role}
	if m.content != "" {
		out.Content = append(out.Content, block{Type: "text", Text: m.content})
	}
	for _, c := range m.calls {
		out.Content = append(out.Content, block{Type: "tool_use", ID: c.id, Name: c.name, Input: json.RawMessage(c.arguments)})
	}
	return out
}

const (
	claude      = "claude-sonnet-4-5-20250929"
	claudeSmall = "claude-haiku-4-5-20251001"
)

// anthropic writes a conversation as a log of Messages API calls. These calls
// are part of no A/B test and report no cost.
func (w *writer) anthropic(e *episode) {
	e.subject = subjectOf(w.seed, e.number)
	d := newDialogue(e.content, e.ids, e.agent, 1+e.content.IntN(2))
	type toolSchema struct {
		Name        string          `json:"name"`
		Description string          `json:"description"`
		InputSchema json.RawMessage `json:"input_schema"`
	}
	type request struct {
		Model     string         `json:"model"`
		MaxTokens int            `json:"max_tokens"`
		System    string         `json:"system"`
		Messages  []blockMessage `json:"messages"`
		Tools     []toolSchema   `json:"tools"`
	}
	type response struct {
		ID         string           `json:"id"`
		Type       string           `json:"type"`
		Role       string           `json:"role"`
		Model      string           `json:"model"`
		Content    []block          `json:"content"`
		StopReason string           `json:"stop_reason"`
		Usage      map[string]int64 `json:"usage"`
	}
	ask := request{Model: claude, MaxTokens: 4096, System: e.agent.longPrompt()}
	for _, t := range e.agent.tools {
		ask.Tools = append(ask.Tools, toolSchema{t.name, t.description, json.RawMessage(t.parameters)})
	}
	at, cached := e.start, int64(0)
	for _, m := range d.messages {
		if m.role != "assistant" {
			next := blocks(m)
			if last := len(ask.Messages) - 1; last >= 0 && ask.Messages[last].Role == "user" {
				// Results of parallel calls share one user message.
				merged := append(append([]block{}, ask.Messages[last].Content...), next.Content...)
				ask.Messages[last] = blockMessage{Role: "user", Content: merged}
			} else {
				ask.Messages = append(ask.Messages, next)
			}
			continue
		}
		sent, written := int64(len(encode(ask)))/4, int64(0)
		if written = sent - cached; written < 0 {
			written = 0
		}
		reply := response{
			ID: "msg_01" + letters(e.ids, alphanumeric, 22), Type: "message", Role: "assistant", Model: claude, Content: blocks(m).Content, StopReason: "end_turn",
			Usage: map[string]int64{"input_tokens": 4, "cache_creation_input_tokens": written, "cache_read_input_tokens": cached, "output_tokens": 1 + int64(len(m.content))/4 + 30*int64(len(m.calls))},
		}
		if len(m.calls) > 0 {
			reply.StopReason = "tool_use"
		}
		latency := math.Round(900 + 2500*e.ids.ExpFloat64())
		w.log("anthropic", "logs/anthropic", at, encode(exchange{
			ID: "req-" + letters(e.ids, "0123456789abcdef", 16), Timestamp: stamp(at), ConversationID: e.subject, TaskID: e.task,
			User: e.person, Agent: e.agent.name, Status: "success", HTTPStatus: 200, LatencyMS: latency, Request: ask, Response: reply,
		}))
		cached = sent
		at = at.Add(time.Duration(latency)*time.Millisecond + time.Duration(e.ids.IntN(60))*time.Second)
		ask.Messages = append(ask.Messages, blocks(m))
	}
	w.outcome(e, at, false)
}

// litellm writes a conversation as LiteLLM's standard logging payloads.
func (w *writer) litellm(e *episode) {
	e.subject = subjectOf(w.seed, e.number)
	d, arm, system, failed := w.gatewayDialogue(e)
	type payload struct {
		ID           string         `json:"id"`
		TraceID      string         `json:"trace_id"`
		CallType     string         `json:"call_type"`
		Stream       bool           `json:"stream"`
		Status       string         `json:"status"`
		Provider     string         `json:"custom_llm_provider"`
		Model        string         `json:"model"`
		ModelGroup   string         `json:"model_group"`
		APIBase      string         `json:"api_base"`
		StartTime    float64        `json:"startTime"`
		EndTime      float64        `json:"endTime"`
		FirstToken   float64        `json:"completionStartTime"`
		ResponseTime float64        `json:"response_time"`
		Prompt       int64          `json:"prompt_tokens"`
		Completion   int64          `json:"completion_tokens"`
		Total        int64          `json:"total_tokens"`
		Cost         float64        `json:"response_cost"`
		CacheHit     bool           `json:"cache_hit"`
		Tags         []string       `json:"request_tags"`
		EndUser      string         `json:"end_user"`
		Metadata     map[string]any `json:"metadata"`
		Messages     []chatMessage  `json:"messages"`
		Response     chatResponse   `json:"response"`
		Parameters   map[string]any `json:"model_parameters"`
	}
	w.assign(e, arm)
	at, cached := e.start, int64(0)
	history := []chatMessage{toChat(message{role: "system", content: system})}
	tools := toChatTools(e.agent.tools)
	for _, m := range d.messages {
		if m.role == "assistant" {
			usage := w.usage(chatRequest{Messages: history, Tools: tools}, m, cached)
			cached = usage.Prompt / 128 * 128
			total, first := w.latency(e, arm, usage)
			id := "chatcmpl-" + letters(e.ids, alphanumeric, 24)
			finish := "stop"
			if len(m.calls) > 0 {
				finish = "tool_calls"
			}
			w.log("litellm", "logs/litellm", at, encode(payload{
				ID: id, TraceID: e.subject, CallType: "acompletion", Stream: true, Status: "success", Provider: "openai", Model: models[arm], ModelGroup: "fleet-" + arm,
				APIBase: "https://api.openai.com", StartTime: seconds(at, 0), EndTime: seconds(at, total), FirstToken: seconds(at, first), ResponseTime: total / 1000,
				Prompt: usage.Prompt, Completion: usage.Completion, Total: usage.Total, Cost: usage.cost(prices[arm]),
				Tags: []string{"agent:" + e.agent.name, "experiment:" + experiment, "arm:" + arm}, EndUser: e.person,
				Metadata: map[string]any{"user_api_key_alias": "harbour-proxy", "requester_metadata": map[string]any{
					"session_id": e.subject, "task_id": e.task, "agent": e.agent.name, "experiment": experiment, "arm": arm}},
				Messages: history, Parameters: map[string]any{"temperature": 0.2, "tools": tools},
				Response: chatResponse{ID: id, Object: "chat.completion", Created: at.Unix(), Model: models[arm], Choices: []chatChoice{{Message: toChat(m), FinishReason: finish}}, Usage: usage},
			}))
			at = at.Add(time.Duration(total)*time.Millisecond + time.Duration(5+e.ids.IntN(90))*time.Second)
		}
		history = append(history, toChat(m))
	}
	w.outcome(e, at, failed)
	w.feedback(e, at, failed)
}

// seconds since the epoch with a fraction, ms later.
func seconds(t time.Time, ms float64) float64 {
	return math.Round(float64(t.UnixMilli())+ms) / 1000
}
