package chatgpt

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
	"github.com/weir-lake/weir/lake"
)

// agent is who the person talks to.
const agent = "assistant"

// message reads a message; nil without a fault is one that says nothing. What
// it means for the messages below goes to p.
func message(o rawjson.Object, key string, p *place) (m *lake.ChatMessage, fault string) {
	author, metadata := o.Object("author"), o.Object("metadata")
	recipient := cmp.Or(o.String("recipient"), "all")
	said := wordsOf(o.Object("content"), metadata)
	m = &lake.ChatMessage{
		Role: author.String("role"), Name: author.String("name"), Channel: o.String("channel"),
		Content: said.text, Parts: said.parts, Model: metadata.String("model_slug"),
		FinishReason: metadata.Object("finish_details").String("type"),
	}
	hidden := metadata.Bool("is_visually_hidden_from_conversation")
	switch m.Role {
	case "user":
		m.Kind = lake.KindPrompt
		if said.instructions || hidden != nil && *hidden {
			m.Kind = lake.KindContext // the person's standing instructions, or what the client says for them
		}
		m.Model, p.response, p.call = "", "", ""
	case "system":
		m.Kind, m.Model = lake.KindSystem, ""
		p.response = ""
	case "assistant":
		m.Kind, m.Agent = lake.KindOutput, agent
		switch {
		case said.kind == "system_error":
			m.Kind, m.Agent = lake.KindError, ""
		case said.kind == "reasoning_recap":
			m.Kind, m.Agent, m.Name = lake.KindNotice, "", said.kind // "Thought for 9 seconds"
		case said.kind == "model_editable_context":
			m.Kind, m.Agent = lake.KindContext, "" // what the client remembers for the model
		case said.kind == "thoughts", m.Channel == "analysis" && recipient == "all":
			m.Reasoning, m.Content = m.Content, ""
		case recipient != "all":
			m.ToolCalls = []lake.ToolCall{{ID: key, Name: recipient, Arguments: arguments(m.Content)}}
			m.Content = ""
		}
		if m.Kind == lake.KindOutput {
			p.response = cmp.Or(p.response, key)
			m.ResponseID = p.response
		}
		if m.ToolCalls != nil {
			p.call, p.tool = key, recipient
		}
	case "tool":
		m.Kind, m.Model = lake.KindToolResult, ""
		m.Name = cmp.Or(m.Name, p.tool)
		// A tool may answer in several messages; the first is paired.
		m.ToolCallID, p.call, p.response = p.call, "", ""
		if said.kind == "system_error" {
			failed := true
			m.IsError = &failed
		}
		return m, ""
	default:
		return nil, fmt.Sprintf("author.role %q", m.Role)
	}
	if m.Content == "" && m.Parts == "" && m.Reasoning == "" && m.ToolCalls == nil {
		return nil, ""
	}
	return m, ""
}

// arguments gives what was sent to a tool as JSON text: ChatGPT sends code, a
// query, or JSON.
func arguments(text string) string {
	if rawjson.Parse([]byte(text)) != nil && strings.HasPrefix(strings.TrimSpace(text), "{") {
		return text
	}
	return string(rawjson.Marshal(map[string]string{"input": text}))
}

// words is a content read.
type words struct {
	kind         string // content_type
	text, parts  string
	instructions bool // the person's standing instructions
}

// wordsOf reads a content of any type. Text stands in parts, text, result or
// under a name of the type's own; what is no text becomes a part.
func wordsOf(o rawjson.Object, metadata rawjson.Object) words {
	w := words{kind: o.String("content_type")}
	var texts []string
	var others []string
	add := func(text string) {
		if strings.TrimSpace(text) != "" {
			texts = append(texts, text)
		}
	}
	keep := func(raw []byte) {
		if text := rawjson.Shrink(raw); text != "" {
			others = append(others, text)
		}
	}
	for _, raw := range o.List("parts") {
		if text, ok := rawjson.Text(raw); ok {
			add(text)
			continue
		}
		part := rawjson.Parse(raw)
		if text := part.String("text"); text != "" { // a transcription, or a text in a wrapper
			add(text)
		} else {
			keep(raw)
		}
	}
	for _, thought := range o.Objects("thoughts") {
		text := thought.String("content", "text")
		if summary := thought.String("summary"); summary != "" {
			text = strings.TrimSpace("**" + summary + "**\n" + text)
		}
		add(text)
	}
	switch w.kind {
	case "user_editable_context":
		w.instructions = true
		add(o.String("user_profile"))
		add(o.String("user_instructions"))
		if about := metadata.Object("user_context_message_data"); len(texts) == 0 {
			add(about.String("about_user_message"))
			add(about.String("about_model_message"))
		}
	case "model_editable_context":
		add(o.String("model_set_context"))
	case "reasoning_recap":
		add(o.String("content"))
	case "text", "multimodal_text", "thoughts":
	default:
		add(o.String("title"))
		add(o.String("text"))
		add(o.String("result"))
		add(o.String("summary"))
		if url := o.String("url"); url != "" && len(texts) > 0 {
			add(url)
		}
		if len(texts) == 0 && len(others) == 0 && len(o) > 1 {
			keep(rawjson.Marshal(o)) // a type that is not known
		}
	}
	w.text = strings.Join(texts, "\n\n")
	if others != nil {
		w.parts = "[" + strings.Join(others, ",") + "]"
	}
	return w
}

// bookkeeping is metadata that says nothing of the conversation.
var bookkeeping = []string{
	"timestamp_", "message_type", "model_slug", "finish_details", "parent_id", "request_id", "message_source", "is_complete",
	"turn_exchange_id", "default_model_slug", "can_save", "is_visually_hidden_from_conversation", "user_context_message_data",
}

// native keeps the fields of a message that have no column.
func native(o rawjson.Object) string {
	left := rawjson.Object{}
	for key, raw := range o {
		switch key {
		case "id", "author", "create_time", "content", "recipient", "channel", "metadata":
		default:
			text := rawjson.Shrink(raw)
			if text != "" && !(key == "status" && text == `"finished_successfully"`) && !(key == "weight" && (text == "1.0" || text == "1")) {
				left[key] = json.RawMessage(text)
			}
		}
	}
	metadata := rawjson.Object{}
	for key, raw := range o.Object("metadata") {
		if text := rawjson.Shrink(raw); text != "" && text != "[]" && text != "{}" {
			metadata[key] = json.RawMessage(text)
		}
	}
	for _, key := range bookkeeping {
		delete(metadata, key)
	}
	if len(metadata) > 0 {
		left["metadata"] = rawjson.Marshal(metadata)
	}
	if len(left) == 0 {
		return ""
	}
	return string(rawjson.Marshal(map[string]any{"native": left}))
}
