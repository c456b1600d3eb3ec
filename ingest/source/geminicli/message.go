package geminicli

import (
	"cmp"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
	"github.com/weir-lake/weir/lake"
)

// mainAgent is the agent that a person talks to.
const mainAgent = "main"

// message emits the events of a message; reject makes a reject of it.
func (r *reader) message(o rawjson.Object, raw []byte, reject func(reason, detail string) source.Reject) error {
	if o == nil {
		return r.out.Reject(reject(source.ReasonWrongType, "no object"))
	}
	at := r.last
	if o.Has("timestamp") {
		if at = o.Time("timestamp"); at.IsZero() {
			return r.out.Reject(reject(source.ReasonWrongType, "a timestamp that is none"))
		}
	}
	id := o.ID("id")
	if id == "" {
		id = lake.StableID(string(rawjson.Canonical(raw)))
	}
	kind := o.String("type")
	role := map[string]string{"user": "user", "gemini": "assistant", "info": "system", "warning": "system", "error": "system"}[kind]
	if role == "" {
		return r.out.Reject(reject(source.ReasonUnknownType, "type "+cmp.Or(kind, "is missing")))
	}
	if at.After(r.last) {
		r.last = at
	}
	m := &lake.ChatMessage{MessageID: id, ParentID: r.parent, Role: role}
	m.Content, m.Parts = content(o["content"])
	switch kind {
	case "user":
		m.Kind = lake.KindPrompt
	case "error":
		m.Kind = lake.KindError
	case "gemini":
		r.reply(o, m)
	default:
		m.Kind, m.Name = lake.KindNotice, kind
	}
	if err := r.emit(r.eventID(id), at, native(o), m); err != nil {
		return err
	}
	r.parents[id] = r.parent
	r.parent = id
	if kind != "gemini" {
		return nil
	}
	return r.calls(o, m, at)
}

// reply fills in what the model wrote, its calls apart.
func (r *reader) reply(o rawjson.Object, m *lake.ChatMessage) {
	m.Kind, m.Agent, m.ResponseID, m.Model = lake.KindOutput, mainAgent, m.MessageID, o.String("model")
	var thoughts []string
	for _, thought := range o.Objects("thoughts") {
		var words []string
		if subject := thought.String("subject"); subject != "" {
			words = append(words, "**"+subject+"**") // as the model writes its headings
		}
		if text := thought.String("description"); text != "" {
			words = append(words, text)
		}
		if len(words) > 0 {
			thoughts = append(thoughts, strings.Join(words, "\n"))
		}
	}
	m.Reasoning = strings.Join(thoughts, "\n\n")
	m.Usage = usage(o.Object("tokens"))
}

// calls emits an event for each call of a reply, then one for each result. A
// call stands in the session before it has run: a later snapshot adds its
// result.
func (r *reader) calls(o rawjson.Object, reply *lake.ChatMessage, at time.Time) error {
	calls := o.Objects("toolCalls")
	ids := make([]string, len(calls))
	for i, call := range calls {
		key := call.ID("id")
		ids[i] = cmp.Or(key, reply.MessageID+"/"+strconv.Itoa(i))
		m := &lake.ChatMessage{
			Kind: lake.KindOutput, Role: "assistant", Agent: mainAgent, Model: reply.Model,
			MessageID: reply.MessageID, ParentID: reply.ParentID, ResponseID: reply.ResponseID,
			ToolCalls: []lake.ToolCall{{ID: ids[i], Name: call.String("name"), Arguments: cmp.Or(call.Raw("args"), "{}")}},
		}
		if err := r.emit(r.eventID(reply.MessageID, "call", ids[i]), at, "", m); err != nil {
			return err
		}
	}
	for i, call := range calls {
		status := call.String("status")
		if !call.Has("result") && !ended(status) {
			continue
		}
		m := &lake.ChatMessage{
			Kind: lake.KindToolResult, Role: "tool", Name: call.String("name"), ToolCallID: ids[i],
			MessageID: reply.MessageID, ParentID: reply.ParentID,
		}
		m.Content, m.Parts = result(call["result"])
		switch status {
		case "error":
			failed := true
			m.IsError = &failed
			if m.Content == "" {
				m.Content, _ = rawjson.Text(call["resultDisplay"])
			}
		case "cancelled":
			m.Kind = lake.KindRefusal // the person did not let it run, or stopped it
		}
		ended := call.Time("timestamp")
		if ended.IsZero() {
			ended = at
		}
		if ended.After(r.last) {
			r.last = ended
		}
		if err := r.emit(r.eventID(reply.MessageID, "result", ids[i]), ended, nativeCall(call), m); err != nil {
			return err
		}
	}
	return nil
}

func ended(status string) bool {
	return status == "success" || status == "error" || status == "cancelled"
}

func (r *reader) eventID(parts ...string) string {
	return lake.StableID(append([]string{"gemini-cli", r.id}, parts...)...)
}

// content reads a text, a part, or a list of them.
func content(raw json.RawMessage) (text, parts string) {
	if text, ok := rawjson.Text(raw); ok {
		return text, ""
	}
	list := rawjson.List(raw)
	if list == nil && rawjson.Parse(raw) != nil {
		list = []json.RawMessage{raw}
	}
	var texts, others []string
	for _, part := range list {
		if text, ok := rawjson.Text(part); ok {
			texts = append(texts, text)
			continue
		}
		o := rawjson.Parse(part)
		if text := o.String("text"); text != "" && o.Bool("thought") == nil {
			texts = append(texts, text)
		} else if shrunk := rawjson.Shrink(part); shrunk != "" {
			others = append(others, shrunk)
		}
	}
	if others != nil {
		parts = "[" + strings.Join(others, ",") + "]"
	}
	return strings.Join(texts, "\n\n"), parts
}

// result reads what a tool gave: function responses, whose output is unwrapped,
// and parts beside them.
func result(raw json.RawMessage) (text, parts string) {
	list := rawjson.List(raw)
	if list == nil {
		return content(raw)
	}
	var texts []string
	var others []json.RawMessage
	for _, part := range list {
		response := rawjson.Parse(part).Object("functionResponse").Object("response")
		switch {
		case response == nil:
			others = append(others, part)
		case len(response) == 1 && response.String("output", "error") != "":
			texts = append(texts, response.String("output", "error"))
		default:
			texts = append(texts, rawjson.Compact(rawjson.Marshal(response)))
		}
	}
	more := ""
	if others != nil {
		more, parts = content(rawjson.Marshal(others))
	}
	if more != "" {
		texts = append(texts, more)
	}
	return strings.Join(texts, "\n\n"), parts
}

// usage counts tool prompts as input and thoughts as output, as the total
// does. A reply whose count is nothing but zeros was not counted.
func usage(o rawjson.Object) lake.Usage {
	if len(o) == 0 {
		return lake.Usage{}
	}
	u := lake.Usage{Raw: rawjson.Compact(rawjson.Marshal(o))}
	counted := false
	for key := range o {
		n := o.Float(key)
		counted = counted || n != nil && *n != 0
	}
	if !counted {
		return u
	}
	u.InputTokens, u.OutputTokens = sum(o.Int("input"), o.Int("tool")), sum(o.Int("output"), o.Int("thoughts"))
	u.CachedTokens, u.ReasoningTokens, u.TotalTokens = o.Int("cached"), o.Int("thoughts"), o.Int("total")
	return u
}

func sum(a, b *int64) *int64 {
	if a == nil || b == nil {
		return cmp.Or(a, b)
	}
	total := *a + *b
	return &total
}

// native keeps the fields of a message that have no column.
func native(o rawjson.Object) string {
	return extra(o, "id", "timestamp", "type", "content", "thoughts", "tokens", "model", "toolCalls")
}

// nativeCall keeps those of a call. How the client shows it is left out:
// description repeats the tool's declaration, resultDisplay the result.
func nativeCall(o rawjson.Object) string {
	return extra(o, "id", "name", "args", "result", "timestamp", "displayName", "description", "resultDisplay", "renderOutputAsMarkdown")
}

func extra(o rawjson.Object, known ...string) string {
	left := rawjson.Object{}
	for key, raw := range o {
		if text := rawjson.Shrink(raw); text != "" {
			left[key] = json.RawMessage(text)
		}
	}
	for _, key := range known {
		delete(left, key)
	}
	if len(left) == 0 {
		return ""
	}
	return string(rawjson.Marshal(map[string]any{"native": left}))
}
