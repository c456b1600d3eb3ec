package autogen

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/llm"
	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
	"github.com/weir-lake/weir/lake"
)

var (
	turnRoles  = []string{"user", "assistant", "tool", "function"}
	turnFields = []string{"content", "role", "name", "tool_calls", "function_call", "tool_responses", "tool_call_id", "context"}
)

// isTurn knows a message of AutoGen 0.2 and AG2: every one has its speaker's
// name, for its role is only what one of the agents takes it for.
func isTurn(o rawjson.Object) bool {
	if _, content := o["content"]; !content || o.String("name") == "" || !slices.Contains(turnRoles, o.String("role")) {
		return false
	}
	for field := range o {
		if !slices.Contains(turnFields, field) {
			return false
		}
	}
	return true
}

// isChatResult knows what initiate_chat returns.
func isChatResult(o rawjson.Object) bool {
	list := o.List("chat_history")
	return len(list) > 0 && isTurn(rawjson.Parse(list[0]))
}

// isHistory knows a list of messages that all have a name, as far as the head
// goes. A chat of one model has names for its people at most.
func isHistory(head []byte) bool {
	text, isArray := strings.CutPrefix(strings.TrimLeft(string(head), "\ufeff \t\r\n"), "[")
	dec := json.NewDecoder(strings.NewReader("[" + text))
	if _, err := dec.Token(); err != nil || !isArray {
		return false
	}
	turns := 0
	isOwn := false // the first message is of the agent whose view it is
	for dec.More() {
		var raw json.RawMessage
		if dec.Decode(&raw) != nil {
			break // cut off
		}
		o := rawjson.Parse(raw)
		if !isTurn(o) {
			return false
		}
		isOwn = isOwn || turns == 0 && o.String("role") == "assistant"
		turns++
	}
	return turns > 1 || isOwn
}

// history is a chat of AutoGen 0.2.
type history []turnAt

type turnAt struct {
	o        rawjson.Object
	position int64
}

// chatResult reads what initiate_chat returns: the messages, and what it cost.
func chatResult(o rawjson.Object, record source.Record, out source.Out) error {
	chat, rest := history(nil), maps.Clone(o)
	delete(rest, "chat_history")
	for i, raw := range o.List("chat_history") {
		turn := rawjson.Parse(raw)
		if !isTurn(turn) {
			reject := source.Reject{
				Reason: source.ReasonUnknownType, Detail: fmt.Sprintf("chat_history[%d]: no message with a name", i),
				Line: record.Line, Record: record.Ordinal, Body: raw, Length: int64(len(raw)),
			}
			if err := out.Reject(reject); err != nil {
				return err
			}
			continue
		}
		chat = append(chat, turnAt{turn, record.Ordinal*1000 + int64(i)})
	}
	return chat.send(out, rest)
}

// send sends the chat. It is named by its first two messages: the first alone, a
// task, is often given again.
func (h history) send(out source.Out, rest rawjson.Object) error {
	if len(h) == 0 {
		return nil
	}
	parts := []string{"autogen"}
	for _, t := range h[:min(2, len(h))] {
		parts = append(parts, hash(t.o))
	}
	subject, at := "autogen/"+lake.StableID(parts...), time.Unix(0, 0).UTC()
	emit := func(key string, m *lake.ChatMessage, extra string) error {
		m.ConversationID, m.OrderedAt = subject, at
		return out.Emit(lake.Event{
			ID: lake.StableID("autogen", subject, key), Source: "groupchat://autogen/" + url.PathEscape(subject), Type: "weir.chat.message.v1",
			Subject: subject, Time: at, Data: m, Extra: extra,
		})
	}
	before, place := "", int64(-1)
	for i, t := range h {
		for j, m := range spoken(t.o, i == 0) {
			place = max(place+1, t.position)
			m.MessageID, m.ParentID, m.Position = fmt.Sprint(i), before, place
			if j > 0 {
				m.MessageID += fmt.Sprintf("/%d", j)
			}
			before = m.MessageID
			if err := emit(m.MessageID, m, ""); err != nil {
				return err
			}
		}
	}
	extra := native(rest)
	if extra == "" {
		return nil
	}
	return emit("result", &lake.ChatMessage{Kind: lake.KindNotice, Name: "result", Position: place + 1}, extra)
}

// ran is how what a person's stand-in says begins, when it has run code.
const ran = "exitcode: "

// spoken reads a message: one, or as many as there are results.
func spoken(o rawjson.Object, isFirst bool) []*lake.ChatMessage {
	said, name := llm.ReadMessage(o), o.String("name")
	var list []*lake.ChatMessage
	for _, response := range o.Objects("tool_responses") {
		list = append(list, &lake.ChatMessage{
			Kind: lake.KindToolResult, Role: "tool", Content: llm.ReadMessage(response).Content, ToolCallID: response.ID("tool_call_id"),
		})
	}
	if list != nil {
		return list // the content is all of them
	}
	m := &lake.ChatMessage{Role: said.Role, Name: name, Content: said.Content, Parts: said.Parts, ToolCalls: said.ToolCalls}
	switch {
	case said.Role == "tool" || said.Role == "function":
		m.Kind, m.ToolCallID = lake.KindToolResult, said.ToolCallID
	case environments.MatchString(name) || strings.HasPrefix(said.Content, ran):
		m.Kind = lake.KindEnvironment
	case isPerson(name):
		m.Kind = lake.KindPrompt
	case isFirst: // the task, in an agent's name
		m.Kind = lake.KindContext
	default:
		m.Kind, m.Agent = lake.KindOutput, name
	}
	return []*lake.ChatMessage{m}
}
