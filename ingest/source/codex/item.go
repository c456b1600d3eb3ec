package codex

import (
	"cmp"
	"encoding/json"
	"strings"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/llm"
	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
	"github.com/weir-lake/weir/lake"
)

// item reads an item of the model's history.
func (r *reader) item(o rawjson.Object, raw []byte) error {
	kind := o.String("type")
	if kind == "" && o.Has("role") {
		kind = "message"
	}
	switch kind {
	case "message":
		return r.message(o)
	case "reasoning":
		var thoughts []string
		var told []text
		for _, block := range append(o.Objects("summary"), o.Objects("content")...) {
			if words := block.String("text"); words != "" {
				thoughts, told = append(thoughts, words), append(told, text{"thought", words})
			}
		}
		m := lake.ChatMessage{Reasoning: strings.Join(thoughts, "\n\n")}
		if m.Reasoning == "" {
			return nil // encrypted: of no use to anyone but the provider
		}
		return r.answer(m, o.String("id"), told...)
	case "function_call", "custom_tool_call", "local_shell_call", "tool_search_call":
		c := call(o, kind)
		r.calls[c.ID] = c.Name
		return r.answer(lake.ChatMessage{ToolCalls: []lake.ToolCall{c}}, o.String("id"))
	case "function_call_output", "custom_tool_call_output", "tool_search_output":
		return r.result(o)
	case "web_search_call", "image_generation_call":
		// Run by the provider: nothing has to answer them.
		return r.answer(lake.ChatMessage{Parts: "[" + rawjson.Shrink(raw) + "]"}, o.String("id"))
	case "ghost_snapshot":
		return nil // a commit that the client can undo to
	case "compaction", "compaction_summary", "context_compaction":
		return nil // encrypted; the line of type compacted opens the next window
	}
	return r.reject(source.ReasonUnknownType, "an item of type "+cmp.Or(kind, "none"))
}

// said reads an item that is a message.
func said(o rawjson.Object) lake.Message {
	return llm.ReadMessage(rawjson.Object{"role": o["role"], "content": o["content"]})
}

// openings tell what a user's message is that no person wrote, by how its text
// begins: the client's words for the model.
var openings = []string{
	"<environment_context>", "<user_instructions>", "# AGENTS.md instructions", "<permissions instructions>", "<turn_aborted>",
	"<collaboration_mode>", "<skill>", "<skills_instructions>", "<subagent_notification>", "<user_shell_command>", "<personality_spec>",
}

func (r *reader) message(o rawjson.Object) error {
	words := said(o)
	m := lake.ChatMessage{Role: words.Role, Content: words.Content, Reasoning: words.Reasoning, Parts: words.Parts}
	id := o.String("id")
	switch words.Role {
	case "assistant":
		return r.answer(m, id, text{"assistant", words.Content})
	case "developer", "system":
		m.Kind = lake.KindContext
		return r.say(m, id, "")
	case "user":
		if err := r.untold(); err != nil {
			return err
		}
		m.Kind = lake.KindPrompt
		for _, opening := range openings {
			if strings.HasPrefix(strings.TrimLeft(m.Content, " \t\r\n"), opening) {
				m.Kind = lake.KindContext
			}
		}
		if m.Kind == lake.KindPrompt {
			r.prompts = append(r.prompts, r.parent)
			if r.inTurn && r.isWorking {
				m.Kind = lake.KindQueued
			}
			r.twins.tell(text{"user", words.Content})
		}
		return r.say(m, id, "")
	}
	return r.reject(source.ReasonUnknownType, "a message of role "+cmp.Or(words.Role, "none"))
}

// call reads a call of a tool that the client runs.
func call(o rawjson.Object, kind string) lake.ToolCall {
	c := lake.ToolCall{ID: o.ID("call_id", "id"), Name: o.String("name")}
	switch kind {
	case "custom_tool_call": // its input is text, not JSON
		c.Arguments = string(rawjson.Marshal(map[string]string{"input": o.String("input")}))
	case "local_shell_call":
		c.Name, c.Arguments = cmp.Or(c.Name, "local_shell"), o.Raw("action")
	default:
		if text, ok := rawjson.Text(o["arguments"]); ok {
			c.Arguments = text
		} else {
			c.Arguments = o.Raw("arguments")
		}
		if kind == "tool_search_call" {
			c.Name = cmp.Or(c.Name, "tool_search")
		}
	}
	c.Arguments = cmp.Or(c.Arguments, "{}")
	return c
}

// refusals begin the result of a call that the person did not let happen.
var refusals = []string{"exec command rejected by user", "patch rejected by user", "rejected by user"}

func (r *reader) result(o rawjson.Object) error {
	raw := o["output"]
	if !o.Has("output") && o.Has("tools") {
		raw = rawjson.Marshal(o["tools"])
	}
	m := lake.ChatMessage{Kind: lake.KindToolResult, Role: "tool", ToolCallID: o.ID("call_id", "id")}
	m.Name = cmp.Or(o.String("name"), r.calls[m.ToolCallID])
	delete(r.calls, m.ToolCallID)
	if text, ok := rawjson.Text(raw); ok {
		m.Content = text
	} else if inner := rawjson.Parse(raw); inner.Has("content") || inner.Has("success") {
		body := blocks(inner["content"])
		m.Content, m.Parts = body.Content, body.Parts
		if ok := inner.Bool("success"); ok != nil {
			failed := !*ok
			m.IsError = &failed
		}
	} else {
		body := blocks(raw)
		m.Content, m.Parts = body.Content, body.Parts
	}
	for _, opening := range refusals {
		if strings.HasPrefix(m.Content, opening) {
			m.Kind, m.IsError = lake.KindRefusal, nil
		}
	}
	return r.say(m, "", "")
}

// blocks reads a result that is a list of blocks, or an object.
func blocks(raw json.RawMessage) lake.Message {
	return llm.ReadMessage(rawjson.Object{"role": json.RawMessage(`"tool"`), "content": raw})
}
