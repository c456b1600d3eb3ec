package claudecode

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
	"github.com/weir-lake/weir/lake"
)

// message is the API message within a user or assistant record.
type message struct {
	ID         string          `json:"id"`
	Model      string          `json:"model"`
	Content    json.RawMessage `json:"content"`
	StopReason string          `json:"stop_reason"`
	Usage      json.RawMessage `json:"usage"`
}

// usage is what the API counts. Input does not include what came from, or went
// to, the cache.
type usage struct {
	Input      *int64 `json:"input_tokens"`
	CacheWrite *int64 `json:"cache_creation_input_tokens"`
	CacheRead  *int64 `json:"cache_read_input_tokens"`
	Output     *int64 `json:"output_tokens"`
}

// block is a piece of a message's content.
type block struct {
	Type      string          `json:"type"`
	Text      string          `json:"text"`
	Thinking  string          `json:"thinking"`
	ID        string          `json:"id"`
	Name      string          `json:"name"`
	Input     json.RawMessage `json:"input"`
	ToolUseID string          `json:"tool_use_id"`
	Content   json.RawMessage `json:"content"`
	IsError   *bool           `json:"is_error"`

	raw json.RawMessage
}

// blocksOf reads content that is a text or a list of blocks.
func blocksOf(content json.RawMessage) ([]block, error) {
	if len(content) == 0 || string(content) == "null" {
		return nil, nil
	}
	if text, ok := rawjson.Text(content); ok {
		return []block{{Type: "text", Text: text}}, nil
	}
	var raws []json.RawMessage
	if err := json.Unmarshal(content, &raws); err != nil {
		return nil, wrongType("content", err)
	}
	blocks := make([]block, len(raws))
	for i, raw := range raws {
		if text, ok := rawjson.Text(raw); ok {
			blocks[i] = block{Type: "text", Text: text}
			continue
		}
		if err := json.Unmarshal(raw, &blocks[i]); err != nil {
			return nil, wrongType(fmt.Sprintf("content[%d]", i), err)
		}
		blocks[i].raw = raw
	}
	return blocks, nil
}

// message emits the events of a user or assistant record.
func (r *reader) message(c conversation, l line) error {
	var m message
	if err := json.Unmarshal(l.Message, &m); err != nil {
		return wrongType("message", err)
	}
	blocks, err := blocksOf(m.Content)
	if err != nil {
		return err
	}
	switch l.Type {
	case "assistant":
		return r.assistant(c, l, m, blocks)
	case "user":
		return r.user(c, l, blocks)
	}
	return badRecord{source.ReasonUnknownType, "a message of type " + l.Type}
}

// eventID is the id of the k-th event of a record.
func (r *reader) eventID(l line, k int) string {
	id := l.UUID
	if id == "" {
		id = string(r.record.Raw)
	}
	if k == 0 {
		return lake.StableID("claude-code", id)
	}
	return lake.StableID("claude-code", id, fmt.Sprint(k))
}

func (r *reader) assistant(c conversation, l line, m message, blocks []block) error {
	out := lake.ChatMessage{
		Kind: lake.KindOutput, Role: "assistant", Agent: c.agent, Model: m.Model, FinishReason: m.StopReason,
		ResponseID: cmp.Or(m.ID, l.RequestID, l.UUID), MessageID: l.UUID, ParentID: l.ParentUUID,
	}
	var texts, thoughts []string
	var parts []json.RawMessage
	for _, b := range blocks {
		switch b.Type {
		case "text":
			thought, text := splitThinking(b.Text)
			texts, thoughts = append(texts, text), append(thoughts, thought)
		case "thinking":
			thoughts = append(thoughts, b.Thinking)
		case "redacted_thinking":
			// Encrypted: of no use to anyone but the provider.
		case "tool_use":
			out.ToolCalls = append(out.ToolCalls, lake.ToolCall{ID: b.ID, Name: b.Name, Arguments: string(b.Input)})
			r.calls[b.ID] = b.Name
		default:
			parts = append(parts, b.raw)
		}
	}
	out.Content, out.Reasoning, out.Parts = join(texts), join(thoughts), partsOf(parts)
	if l.IsAPIError || m.Model == "<synthetic>" {
		// The client's own words: neither billed nor ever a target.
		out.Kind, out.Model, out.ResponseID = lake.KindError, "", ""
	} else {
		out.Usage = usageOf(m.Usage)
	}
	return r.emit(c, r.eventID(l, 0), out)
}

func usageOf(raw json.RawMessage) lake.Usage {
	var u usage
	if len(raw) == 0 || json.Unmarshal(raw, &u) != nil || u.Input == nil && u.Output == nil {
		return lake.Usage{}
	}
	out := lake.Usage{CachedTokens: u.CacheRead, CacheWriteTokens: u.CacheWrite, OutputTokens: u.Output, Raw: rawjson.Compact(raw)}
	if u.Input != nil {
		total := *u.Input
		for _, cached := range []*int64{u.CacheRead, u.CacheWrite} {
			if cached != nil {
				total += *cached
			}
		}
		out.InputTokens = &total
	}
	return out
}

// user emits an event for each tool result of a record and one for each run of
// other blocks between them.
func (r *reader) user(c conversation, l line, blocks []block) error {
	if isTaskPrompt(l, c.taskPrompt) {
		return r.taskPrompt(c, l.UUID)
	}
	var events []lake.ChatMessage
	var texts []string
	var parts []json.RawMessage
	flush := func() {
		if len(texts) == 0 && len(parts) == 0 {
			return
		}
		m := lake.ChatMessage{Role: "user", Content: join(texts), Parts: partsOf(parts)}
		m.Kind = kindOf(l, c, m)
		events = append(events, m)
		texts, parts = nil, nil
	}
	for i, b := range blocks {
		switch b.Type {
		case "text":
			texts = append(texts, b.Text)
		case "tool_result":
			flush()
			m, err := r.toolResult(l, b)
			if err != nil {
				return badRecord{source.ReasonWrongType, fmt.Sprintf("content[%d]: %v", i, err)}
			}
			events = append(events, m)
		default:
			parts = append(parts, b.raw)
		}
	}
	flush()
	if len(events) == 0 {
		events = []lake.ChatMessage{{Kind: lake.KindNotice, Role: "user"}} // keeps the chain
	}
	answers := false
	for k, m := range events {
		m.MessageID, m.ParentID = l.UUID, l.ParentUUID
		if m.Kind == lake.KindPrompt && c.parent == "" {
			r.queue.typed(m.Content)
		}
		answers = answers || m.ToolCallID != ""
		if err := r.emit(c, r.eventID(l, k), m); err != nil {
			return err
		}
	}
	if answers && c.parent == "" {
		return r.deliver(c)
	}
	return nil
}

func (r *reader) toolResult(l line, b block) (lake.ChatMessage, error) {
	inner, err := blocksOf(b.Content)
	if err != nil {
		return lake.ChatMessage{}, err
	}
	m := lake.ChatMessage{Kind: lake.KindToolResult, Role: "tool", ToolCallID: b.ToolUseID, Name: r.calls[b.ToolUseID], IsError: b.IsError}
	delete(r.calls, b.ToolUseID)
	var texts []string
	var parts []json.RawMessage
	for _, x := range inner {
		if x.Type == "text" {
			texts = append(texts, x.Text)
		} else {
			parts = append(parts, x.raw)
		}
	}
	m.Content, m.Parts = strings.Join(texts, "\n"), partsOf(parts)
	if isRefusal(l, m.Content) {
		// The person said no: the tool did not fail.
		m.Kind, m.IsError = lake.KindRefusal, nil
	}
	return m, nil
}

// taskPrompt emits what a sub-agent was asked. Every progress record repeats
// it, so its id does not depend on which of them is read first.
func (r *reader) taskPrompt(c conversation, uuid string) error {
	return r.emit(c, lake.StableID("claude-code", c.id, "task"), lake.ChatMessage{
		Kind: lake.KindPrompt, Role: "user", MessageID: uuid, Content: c.taskPrompt,
	})
}

// isTaskPrompt: the first message of a sub-agent is what its caller asked.
func isTaskPrompt(l line, prompt string) bool {
	if l.Type != "user" || prompt == "" {
		return false
	}
	var m message
	if json.Unmarshal(l.Message, &m) != nil {
		return false
	}
	text, ok := textOf(m.Content)
	return ok && text == prompt
}

// textOf reads content that is nothing but text.
func textOf(content json.RawMessage) (string, bool) {
	blocks, err := blocksOf(content)
	if err != nil {
		return "", false
	}
	var texts []string
	for _, b := range blocks {
		if b.Type != "text" {
			return "", false
		}
		texts = append(texts, b.Text)
	}
	return join(texts), true
}

// join joins the texts of blocks by an empty line; empty ones don't count.
func join(texts []string) string {
	var kept []string
	for _, text := range texts {
		if text != "" {
			kept = append(kept, text)
		}
	}
	return strings.Join(kept, "\n\n")
}

// partsOf keeps blocks that are not text; base64 data goes by reference.
func partsOf(blocks []json.RawMessage) string {
	if len(blocks) == 0 {
		return ""
	}
	shrunk := make([]json.RawMessage, len(blocks))
	for i, raw := range blocks {
		shrunk[i] = json.RawMessage(rawjson.Shrink(raw))
	}
	return string(rawjson.Marshal(shrunk))
}

// splitThinking takes literal thinking tags off the beginning of a text. One
// that is never closed holds all of it.
func splitThinking(text string) (thought, rest string) {
	const open, end = "<thinking>", "</thinking>"
	var thoughts []string
	rest = text
	for {
		inner, ok := strings.CutPrefix(strings.TrimLeft(rest, " \t\r\n"), open)
		if !ok {
			return join(thoughts), rest
		}
		inner, rest, _ = strings.Cut(inner, end)
		thoughts = append(thoughts, strings.TrimSpace(inner))
		rest = strings.TrimLeft(rest, " \t\r\n")
	}
}
