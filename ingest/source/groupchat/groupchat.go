// Package groupchat reads a plain log of chats between several agents and
// people: JSON Lines, a message each, with the agents' prompts and the end of a
// chat as lines of their own. docs/formats/group-chat.md defines it. Start at
// Format.
package groupchat

import (
	"cmp"
	"context"
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

// Format is the group-chat format.
func Format() source.Format {
	return source.Format{
		Name:    "group-chat",
		Doc:     "chats between several agents and people, a message a line (JSON Lines)",
		Version: 1,
		Detect:  detect,
		Read:    read,
	}
}

// The names that fields go by; the first that is there counts.
var (
	conversationKeys = []string{"conversation", "conversation_id", "thread", "thread_id", "group", "group_id", "chat_id"}
	idKeys           = []string{"id", "message_id"}
	parentKeys       = []string{"parent", "parent_id", "reply_to"}
	agentKeys        = []string{"agent", "agent_name"}
	nameKeys         = []string{"name", "speaker", "sender", "from", "author"}
	recipientKeys    = []string{"to", "recipient", "recipients"}
	contentKeys      = []string{"content", "text", "message"}
	timeKeys         = []string{"time", "timestamp", "ts", "created_at"}
	taskKeys         = []string{"task", "task_id"}
	personKeys       = []string{"person_ids", "person_id", "user_id"}
)

func detect(p source.Probe) int {
	o := rawjson.First(p.Head)
	if o == nil || !hasAny(o, conversationKeys) || o.Has("messages") || o.Has("request") || o.Has("checkpoint_id") {
		return 0
	}
	kind := o.String("type")
	speaks := hasAny(o, contentKeys) || o.Has("tool_calls")
	names := hasAny(o, agentKeys) || hasAny(o, nameKeys) || o.Has("role")
	if speaks && names || kind == "agent" && names || kind == "end" {
		return 50
	}
	return 0
}

func hasAny(o rawjson.Object, keys []string) bool { return slices.ContainsFunc(keys, o.Has) }

// reader holds what later lines need of earlier ones.
type reader struct {
	out    source.Out
	last   time.Time                  // running maximum of the times
	roster map[string]map[string]bool // agents by conversation
	seen   map[string]int             // lines without an id, by id: how often they came
}

func read(ctx context.Context, in *source.Input, out source.Out) error {
	r := &reader{out: out, last: time.Unix(0, 0).UTC(), roster: map[string]map[string]bool{}, seen: map[string]int{}}
	for record, err := range source.Records(ctx, in, out, source.RecordOptions{}) {
		if err != nil {
			return err
		}
		event, fault := r.event(record)
		if fault != nil {
			err = out.Reject(*fault)
		} else {
			err = out.Emit(event)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) event(record source.Record) (lake.Event, *source.Reject) {
	o := rawjson.Parse(record.Raw)
	reject := func(reason, detail string) (lake.Event, *source.Reject) {
		bad := record.Reject(reason, detail)
		return lake.Event{}, &bad
	}
	conversation := o.ID(conversationKeys...)
	if conversation == "" {
		return reject(source.ReasonIncomplete, "no conversation")
	}
	at := r.last
	if hasAny(o, timeKeys) {
		if at = o.Time(timeKeys...); at.IsZero() {
			return reject(source.ReasonWrongType, "a time that is neither RFC 3339 nor a number")
		}
	}
	if at.After(r.last) {
		r.last = at
	}
	said := llm.ReadMessage(message(o))
	m := &lake.ChatMessage{
		ConversationID: conversation, MessageID: o.ID(idKeys...), ParentID: o.ID(parentKeys...), ResponseID: o.String("response_id"),
		Role: o.String("role"), Content: said.Content, Reasoning: said.Reasoning, ToolCalls: said.ToolCalls,
		ToolCallID: said.ToolCallID, IsError: said.IsError, Parts: said.Parts,
		Channel: o.String("channel"), TaskID: o.ID(taskKeys...), Recipient: strings.Join(o.Strings(recipientKeys...), ", "),
		Model: o.String("model"), FinishReason: o.String("finish_reason"), Tools: tools(o), Usage: llm.ReadUsage(o.Object("usage")),
		Position: record.Ordinal * 1000, OrderedAt: r.last,
	}
	m.PersonIDs = o.Strings(personKeys...)
	if fault := r.speaker(o, conversation, m); fault != "" {
		return reject(source.ReasonUnknownType, fault)
	}
	native := m.MessageID
	if native == "" {
		text := string(rawjson.Canonical(record.Raw))
		key := lake.StableID(conversation, text)
		r.seen[key]++
		native = fmt.Sprint(text, r.seen[key])
	}
	return lake.Event{
		ID: lake.StableID("group-chat", conversation, native), Source: "groupchat://" + url.PathEscape(cmp.Or(m.Channel, "chat")) + "/" + url.PathEscape(conversation),
		Type: "weir.chat.message.v1", Subject: conversation, Time: at, Data: m,
	}, nil
}

// message is the line as a chat message of the common form.
func message(o rawjson.Object) rawjson.Object {
	if inner := o.Object("message"); inner != nil {
		return inner
	}
	out := maps.Clone(o)
	for _, key := range contentKeys {
		if o.Has(key) {
			out["content"] = o[key]
			break
		}
	}
	return out
}

// tools are the tools that a line declares: names, or objects as in a request.
func tools(o rawjson.Object) []lake.Tool {
	var list []lake.Tool
	for _, raw := range o.List("tools") {
		if name, ok := rawjson.Text(raw); ok {
			list = append(list, lake.Tool{Name: name})
			continue
		}
		tool := rawjson.Parse(raw)
		if function := tool.Object("function"); function != nil {
			tool = function
		}
		if name := tool.String("name"); name != "" {
			list = append(list, lake.Tool{Name: name, Description: tool.String("description"), Parameters: tool.Raw("parameters", "input_schema")})
		}
	}
	return list
}

// speaker fills in who speaks, and what kind of line it is. Only what is known
// to be an agent's counts as a model's output: everything else would train a
// model on people's words.
func (r *reader) speaker(o rawjson.Object, conversation string, m *lake.ChatMessage) (fault string) {
	agent, name := o.String(agentKeys...), o.String(nameKeys...)
	switch kind := o.String("type"); kind {
	case "agent":
		m.Kind, m.Role, m.Agent = lake.KindSystem, "system", cmp.Or(agent, name)
		m.Content = cmp.Or(o.String("system_prompt", "prompt"), m.Content)
		r.enroll(conversation, m.Agent)
		return ""
	case "end":
		// Spoken by whoever runs the chat; without words it is no message, but
		// it closes the conversation.
		m.Kind, m.IsFinal, m.Outcome = lake.KindEnvironment, new(bool), outcome(o)
		*m.IsFinal = true
		return ""
	case "", "message", "chat":
	default:
		return "a line of type " + kind
	}
	human := isHuman(m.Role) || m.Role == "" && isHuman(cmp.Or(agent, name))
	switch {
	case m.Role == "system" || m.Role == "developer":
		m.Kind, m.Agent = lake.KindSystem, cmp.Or(agent, name)
		r.enroll(conversation, m.Agent)
	case m.Role == "tool" || m.Role == "function" || m.ToolCallID != "":
		m.Kind, m.Role, m.Name = lake.KindToolResult, "tool", cmp.Or(name, agent)
	case m.Role == "environment" || m.Role == "executor" || m.Role == "terminal":
		m.Kind, m.Name = lake.KindEnvironment, cmp.Or(name, agent)
	case agent != "" && !isHuman(agent):
		m.Kind, m.Agent = lake.KindOutput, agent
	case !human && name != "" && (m.Role == "assistant" || m.Model != "" || r.roster[conversation][name]):
		m.Kind, m.Agent = lake.KindOutput, name
	default:
		m.Kind, m.Name = lake.KindPrompt, cmp.Or(name, agent)
		if len(m.PersonIDs) == 0 && m.Name != "" && !isHuman(m.Name) {
			m.PersonIDs = []string{m.Name}
		}
	}
	if m.Kind == lake.KindOutput {
		m.Name = name
		r.enroll(conversation, m.Agent)
	}
	return ""
}

func (r *reader) enroll(conversation, agent string) {
	if agent == "" {
		return
	}
	if r.roster[conversation] == nil {
		r.roster[conversation] = map[string]bool{}
	}
	r.roster[conversation][agent] = true
}

// isHuman knows the words that stand for a person, as a role or for a name.
func isHuman(word string) bool {
	switch strings.ToLower(word) {
	case "user", "human", "person", "customer", "user_proxy", "userproxy", "admin":
		return true
	}
	return false
}

// outcome is success or failure where the line says so. Words of process
// (finished, stopped) are none.
func outcome(o rawjson.Object) string {
	switch word := strings.ToLower(o.String("outcome")); word {
	case "success", "failure":
		return word
	}
	return ""
}
