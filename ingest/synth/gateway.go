package synth

import (
	"encoding/json"
	"fmt"
	"math"
	"time"
)

// The A/B test of the fleet: the big model with the long prompt against a
// small tuned one with a short prompt.
const (
	experiment = "prompt-distillation"
	control    = "control"
	tuned      = "tuned"
	tunedShare = 0.2
)

// price is USD per million tokens.
type price struct{ input, cached, output float64 }

var (
	models = map[string]string{control: "gpt-4.1", tuned: "ft:gpt-4.1-mini:northern-strait:fleet:9Qm2"}
	prices = map[string]price{control: {2, 0.5, 8}, tuned: {0.8, 0.2, 3.2}}
)

// gatewayDialogue is the dialogue of a gateway episode and its arm. The arm is
// part of what is said (it decides the system prompt), so copies share it.
func (w *writer) gatewayDialogue(e *episode) (d dialogue, arm, system string, failed bool) {
	arm, system = control, e.agent.longPrompt()
	if e.content.Float64() < tunedShare {
		arm, system = tuned, e.agent.shortPrompt()
	}
	failed = e.content.IntN(10) == 0
	d = newDialogue(e.content, e.ids, e.agent, 1+e.content.IntN(3))
	if failed {
		d.messages[len(d.messages)-1].content = fmt.Sprintf("I was not able to finish HF-%d. %s I could not reproduce it, and I changed nothing.", d.topic.ticket, pick(e.content, notes))
	}
	if e.source != nil {
		original := d
		truth := Truth{Kind: "duplicate", IDs: []string{subjectOf(w.seed, e.source.number), e.subject}}
		if e.source.editRate > 0 {
			d = d.edited(stream(w.seed, forEdits, e.number), e.source.editRate)
			truth.Kind, truth.EditRate = "near_duplicate", e.source.editRate
			truth.Jaccard = math.Round(jaccard(original, d)*1000) / 1000
		}
		w.plant(truth)
	}
	return d, arm, system, failed
}

// subjectOf is the conversation id of a gateway episode or group chat.
func subjectOf(seed, number uint64) string {
	return "conv-" + letters(stream(seed, forIDs, number^1<<40), "0123456789abcdef", 20)
}

type chatMessage struct {
	Role       string     `json:"role"`
	Content    *string    `json:"content"`
	ToolCalls  []chatCall `json:"tool_calls,omitempty"`
	ToolCallID string     `json:"tool_call_id,omitempty"`
}

type chatCall struct {
	ID       string       `json:"id"`
	Type     string       `json:"type"`
	Function chatFunction `json:"function"`
}

type chatFunction struct {
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	Parameters  json.RawMessage `json:"parameters,omitempty"`
	Arguments   string          `json:"arguments,omitempty"`
}

type chatTool struct {
	Type     string       `json:"type"`
	Function chatFunction `json:"function"`
}

type chatRequest struct {
	Model       string        `json:"model"`
	Messages    []chatMessage `json:"messages"`
	Tools       []chatTool    `json:"tools,omitempty"`
	Temperature float64       `json:"temperature"`
}

type chatResponse struct {
	ID      string       `json:"id"`
	Object  string       `json:"object"`
	Created int64        `json:"created"`
	Model   string       `json:"model"`
	Choices []chatChoice `json:"choices"`
	Usage   chatUsage    `json:"usage"`
}

type chatChoice struct {
	Index        int         `json:"index"`
	Message      chatMessage `json:"message"`
	FinishReason string      `json:"finish_reason"`
}

type chatUsage struct {
	Prompt        int64        `json:"prompt_tokens"`
	Completion    int64        `json:"completion_tokens"`
	Total         int64        `json:"total_tokens"`
	PromptDetails chatCached   `json:"prompt_tokens_details"`
	OutputDetails chatThinking `json:"completion_tokens_details"`
}

type (
	chatCached struct {
		Cached int64 `json:"cached_tokens"`
	}
	chatThinking struct {
		Reasoning int64 `json:"reasoning_tokens"`
	}
)

// exchange is one line of the OpenAI-style log.
type exchange struct {
	ID             string   `json:"id"`
	Timestamp      string   `json:"timestamp"`
	ConversationID string   `json:"conversation_id"`
	TaskID         string   `json:"task_id"`
	User           string   `json:"user"`
	Agent          string   `json:"agent"`
	Experiment     string   `json:"experiment,omitempty"`
	Arm            string   `json:"arm,omitempty"`
	Status         string   `json:"status"`
	HTTPStatus     int      `json:"http_status"`
	LatencyMS      float64  `json:"latency_ms"`
	TTFTMS         float64  `json:"time_to_first_token_ms,omitempty"`
	CostUSD        *float64 `json:"cost_usd,omitempty"`
	Request        any      `json:"request"`
	Response       any      `json:"response"`
}

func toChat(m message) chatMessage {
	c := chatMessage{Role: m.role, ToolCallID: m.callID}
	if m.content != "" || len(m.calls) == 0 {
		c.Content = &m.content
	}
	for _, call := range m.calls {
		c.ToolCalls = append(c.ToolCalls, chatCall{ID: call.id, Type: "function", Function: chatFunction{Name: call.name, Arguments: call.arguments}})
	}
	return c
}

func toChatTools(tools []tool) []chatTool {
	var list []chatTool
	for _, t := range tools {
		list = append(list, chatTool{Type: "function", Function: chatFunction{Name: t.name, Description: t.description, Parameters: json.RawMessage(t.parameters)}})
	}
	return list
}

// openai writes a conversation as the request/response log of an
// OpenAI-compatible gateway: each request repeats the one before, its output
// and what came since.
func (w *writer) openai(e *episode) {
	e.subject = subjectOf(w.seed, e.number)
	d, arm, system, failed := w.gatewayDialogue(e)
	if e.ordinal%8 == 6 {
		secret := newSecret(e.ids)
		d.messages[0].content += " If you need access: " + secret
		w.plant(Truth{Kind: "secret", IDs: []string{e.subject}, Value: secret})
	}
	w.assign(e, arm)
	at := e.start
	history := []chatMessage{toChat(message{role: "system", content: system})}
	tools := toChatTools(e.agent.tools)
	cached := int64(0)
	for _, m := range d.messages {
		if m.role != "assistant" {
			history = append(history, toChat(m))
			if m.role == "user" {
				at = at.Add(time.Duration(20+e.ids.IntN(240)) * time.Second)
			}
			continue
		}
		request := chatRequest{Model: models[arm], Messages: history, Tools: tools, Temperature: 0.2}
		if e.ids.IntN(25) == 0 {
			at = at.Add(w.refused(e, at, arm, request))
		}
		usage := w.usage(request, m, cached)
		cached = usage.Prompt / 128 * 128
		line := exchange{
			ID: "req-" + letters(e.ids, "0123456789abcdef", 16), Timestamp: stamp(at), ConversationID: e.subject, TaskID: e.task,
			User: e.person, Agent: e.agent.name, Experiment: experiment, Arm: arm, Status: "success", HTTPStatus: 200, Request: request,
		}
		line.LatencyMS, line.TTFTMS = w.latency(e, arm, usage)
		if e.ids.IntN(5) > 0 {
			cost := usage.cost(prices[arm])
			line.CostUSD = &cost
		}
		finish := "stop"
		if len(m.calls) > 0 {
			finish = "tool_calls"
		}
		line.Response = chatResponse{
			ID: "chatcmpl-" + letters(e.ids, alphanumeric, 24), Object: "chat.completion", Created: at.Unix(), Model: models[arm],
			Choices: []chatChoice{{Message: toChat(m), FinishReason: finish}}, Usage: usage,
		}
		w.log("openai", "logs/openai", at, encode(line))
		at = at.Add(time.Duration(line.LatencyMS) * time.Millisecond)
		history = append(history, toChat(m))
	}
	w.outcome(e, at, failed)
	w.feedback(e, at, failed)
}

// refused writes a call that the provider turned away; the client tries again.
func (w *writer) refused(e *episode, at time.Time, arm string, request chatRequest) time.Duration {
	w.log("openai", "logs/openai", at, encode(exchange{
		ID: "req-" + letters(e.ids, "0123456789abcdef", 16), Timestamp: stamp(at), ConversationID: e.subject, TaskID: e.task,
		User: e.person, Agent: e.agent.name, Experiment: experiment, Arm: arm, Status: "failure", HTTPStatus: 429, LatencyMS: 80 + float64(e.ids.IntN(90)), Request: request,
		Response: map[string]any{"error": map[string]any{"message": "Rate limit reached, try again in 2 s.", "type": "requests", "code": "rate_limit_exceeded"}},
	}))
	return 3 * time.Second
}

// usage counts tokens as characters / 4, cached those of the call before.
func (w *writer) usage(request chatRequest, output message, cached int64) chatUsage {
	u := chatUsage{Prompt: int64(len(encode(request.Messages))+len(encode(request.Tools))) / 4, Completion: 1 + int64(len(encode(toChat(output))))/4}
	if cached >= 1024 {
		u.PromptDetails.Cached = min(cached, u.Prompt/128*128)
	}
	u.Total = u.Prompt + u.Completion
	return u
}

func (u chatUsage) cost(p price) float64 {
	cost := float64(u.Prompt-u.PromptDetails.Cached)*p.input + float64(u.PromptDetails.Cached)*p.cached + float64(u.Completion)*p.output
	return math.Round(cost*1e3) / 1e9
}

// latency gives the time to the last and to the first token, ms; both have a
// long tail.
func (w *writer) latency(e *episode, arm string, u chatUsage) (total, first float64) {
	scale := 1.0
	if arm == tuned {
		scale = 0.45
	}
	first = scale * (180 + float64(u.Prompt)*0.03) * math.Exp(0.35*e.ids.NormFloat64())
	total = first + scale*float64(u.Completion)*11*math.Exp(0.25*e.ids.NormFloat64())
	return math.Round(total), math.Round(first)
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
