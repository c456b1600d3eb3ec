package messages

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/weir-lake/weir/ingest/source/llm"
	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
	"github.com/weir-lake/weir/lake"
)

// Conversation is a whole conversation as a list of messages, without times of
// its own: a line of a training set, or a run of an agent.
type Conversation struct {
	Scheme   string         // kind of source: namespace of the ids, scheme of the URI
	Origin   string         // path of the URI; empty: the id alone
	ID       string         // the conversation, also its subject
	TaskID   string         // native task id, where there is one
	Model    string         // model of the outputs, where the record says
	At       time.Time      // zero: 1970, for the clock would give the same file other events each time
	Messages []lake.Message // in order; an assistant's message of weight 0 is no target
	Tools    []lake.Tool    // declared
	Rest     rawjson.Object // what the record says beside: kept as a notice
}

// Events gives an event a message, and one for the rest of the record. Calls
// and results that have no ids get some, so that they can be paired: the n-th
// call of the conversation and the result that follows it. position is that of
// the first event.
func (c Conversation) Events(position int64) []lake.Event {
	var events []lake.Event
	add := func(key string, m *lake.ChatMessage) {
		m.ConversationID, m.TaskID = c.ID, c.TaskID
		m.Position = position + int64(len(events))
		m.OrderedAt = c.time()
		events = append(events, lake.Event{
			ID: lake.StableID(c.Scheme, c.ID, key), Source: c.source(), Type: "weir.chat.message.v1",
			Subject: c.ID, Time: c.time(), Data: m,
		})
	}
	if parts := Rest(c.Rest); parts != "" {
		add("rest", &lake.ChatMessage{Kind: lake.KindNotice, Name: "record", Parts: parts})
	}
	var open pending
	for i, said := range c.Messages {
		m := &lake.ChatMessage{
			MessageID: strconv.Itoa(i), Role: said.Role, Name: said.Name, Content: said.Content, Reasoning: said.Reasoning,
			ToolCalls: said.ToolCalls, ToolCallID: said.ToolCallID, IsError: said.IsError, Parts: said.Parts,
		}
		if i > 0 {
			m.ParentID = strconv.Itoa(i - 1)
		}
		switch said.Role {
		case "assistant":
			m.Kind, m.Agent, m.Model = lake.KindOutput, "assistant", cmp.Or(said.Model, c.Model)
			if said.Weight != nil && *said.Weight == 0 {
				m.Kind = lake.KindContext
			}
			open.calls(i, m.ToolCalls)
		case "tool":
			m.Kind = lake.KindToolResult
			m.ToolCallID, m.Name = open.answer(m.ToolCallID, m.Name)
		case "system", "developer":
			m.Kind = lake.KindSystem
		default:
			m.Kind = lake.KindPrompt
		}
		if i == 0 {
			m.Tools = c.Tools
		}
		if i == len(c.Messages)-1 {
			m.IsFinal = new(bool)
			*m.IsFinal = true // the record is whole: nothing will follow
		}
		add(m.MessageID, m)
	}
	return events
}

func (c Conversation) time() time.Time {
	if c.At.IsZero() {
		return time.Unix(0, 0).UTC()
	}
	return c.At
}

func (c Conversation) source() string {
	return c.Scheme + "://" + cmp.Or(c.Origin, url.PathEscape(c.ID))
}

// pending are the calls that wait for a result, in order.
type pending []lake.ToolCall

func (p *pending) calls(message int, calls []lake.ToolCall) {
	for k := range calls {
		if calls[k].ID == "" {
			calls[k].ID = fmt.Sprintf("call_%d_%d", message, k)
		}
		*p = append(*p, calls[k])
	}
}

// answer finds the call that a result answers: by id, else the oldest of the
// tool's name, else the oldest.
func (p *pending) answer(id, name string) (string, string) {
	at := -1
	for i, call := range *p {
		if id != "" && call.ID == id || id == "" && name != "" && call.Name == name {
			at = i
			break
		}
	}
	if at < 0 && id == "" && len(*p) > 0 {
		at = 0
	}
	if at < 0 {
		return id, name
	}
	call := (*p)[at]
	*p = append((*p)[:at:at], (*p)[at+1:]...)
	return call.ID, cmp.Or(name, call.Name)
}

// Rest gives what a record says beside its messages as the only element of a
// JSON array, keys sorted, blobs by reference; "" for nothing.
func Rest(o rawjson.Object) string {
	left := rawjson.Object{}
	for key, raw := range o {
		if text := rawjson.Shrink(raw); text != "" {
			left[key] = json.RawMessage(text)
		}
	}
	if len(left) == 0 {
		return ""
	}
	return "[" + string(rawjson.Marshal(left)) + "]"
}

// Tools reads declarations as APIs take them: functions, bare or wrapped.
func Tools(list []json.RawMessage) []lake.Tool {
	var tools []lake.Tool
	for _, raw := range list {
		o := rawjson.Parse(raw)
		if inner := o.Object("function"); inner != nil {
			o = inner
		}
		if name := o.String("name"); name != "" {
			tools = append(tools, lake.Tool{
				Name: name, Description: o.String("description"), Parameters: o.Raw("parameters", "input_schema", "inputSchema", "arguments"),
			})
		}
	}
	return tools
}

// list reads a list of chat messages as OpenAI's API has them. detail says what
// is wrong with a list that cannot be taken whole: a conversation with a hole
// would train a model on answers whose question is gone.
func list(raws []json.RawMessage) (messages []lake.Message, reason, detail string) {
	for i, raw := range raws {
		o := rawjson.Parse(raw)
		if o == nil {
			return nil, wrongType, fmt.Sprintf("messages[%d]: no object", i)
		}
		m := llm.ReadMessage(o)
		if !roles[m.Role] {
			return nil, unknownType, fmt.Sprintf("messages[%d]: role %q", i, o.String("role"))
		}
		m.Model, m.Weight = o.String("model"), o.Float("weight")
		messages = append(messages, m)
	}
	return messages, "", ""
}

var roles = map[string]bool{"system": true, "developer": true, "user": true, "assistant": true, "tool": true}

// says: a list without any text or call is no conversation.
func says(messages []lake.Message) bool {
	for _, m := range messages {
		if m.Content != "" || m.Parts != "" || len(m.ToolCalls) > 0 {
			return true
		}
	}
	return false
}
