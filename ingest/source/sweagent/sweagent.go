// Package sweagent reads the trajectories of SWE-agent: a file with the
// messages of a run, as the model saw them, and how the run ended. Start at
// Format.
package sweagent

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"time"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/llm"
	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
	"github.com/weir-lake/weir/ingest/source/messages"
	"github.com/weir-lake/weir/lake"
)

// Format is the format of SWE-agent's trajectories.
func Format() source.Format {
	return source.Format{
		Name:    "swe-agent",
		Doc:     "SWE-agent trajectories (.traj, JSON)",
		Version: 1,
		Detect:  detect,
		Read:    read,
	}
}

// opening is how a trajectory begins that is longer than the head.
var opening = regexp.MustCompile(`^\{\s*("environment"\s*:\s*"[^"]*"\s*,\s*)?"(trajectory"\s*:\s*\[\s*(\]|\{\s*"(action|observation|response|thought|execution_time|query|messages|state)")|` +
	`history"\s*:\s*\[\s*\{\s*"(role|message_type|agent|content)")`)

func detect(p source.Probe) int {
	o := rawjson.First(p.Head)
	if o == nil {
		head := bytes.TrimLeft(p.Head, "\ufeff \t\r\n")
		if opening.Match(head) && (bytes.Contains(head, []byte(`"trajectory"`)) || bytes.Contains(head, []byte(`"agent"`))) {
			return 75
		}
		return 0
	}
	history := o.List("history")
	if len(history) == 0 || rawjson.Parse(history[0]).String("role") == "" {
		return 0
	}
	info := o.Object("info")
	if o.Has("trajectory") || info.Has("exit_status") || info.Has("model_stats") || o.Has("replay_config") {
		return 85
	}
	return 0
}

func read(ctx context.Context, in *source.Input, out source.Out) error {
	return source.Whole(ctx, in, out, run)
}

// message is a message of the history, read.
type message struct {
	lake.Message
	agent, kind, id string
	native          string
}

// run reads a trajectory: its history. A history with a hole would train a
// model on answers whose question is gone, so it is taken whole or not at all.
func run(record source.Record) (events []lake.Event, reason, detail string) {
	o := rawjson.Parse(record.Raw)
	raws := o.List("history")
	if len(raws) == 0 {
		return nil, source.ReasonIncomplete, "no history"
	}
	task := o.Object("replay_config").Object("problem_statement").ID("id")
	history := make([]message, 0, len(raws))
	asked := false
	for i, raw := range raws {
		entry := rawjson.Parse(raw)
		if entry == nil {
			return nil, source.ReasonWrongType, fmt.Sprintf("history[%d]: no object", i)
		}
		m := readMessage(entry)
		if m.kind = kindOf(m.Role, entry, asked); m.kind == "" {
			return nil, source.ReasonUnknownType, fmt.Sprintf("history[%d]: role %q", i, entry.String("role"))
		}
		asked = asked || m.kind == lake.KindPrompt
		history = append(history, m)
	}
	c := conversation{task: task, messages: history, isEnded: o.Object("info").String("exit_status") != ""}
	c.identify(o)
	return c.events(record.Ordinal*1000, rest(o)), "", ""
}

func readMessage(entry rawjson.Object) message {
	m := message{Message: llm.ReadMessage(entry), agent: entry.String("agent")}
	if ids := entry.Strings("tool_call_ids"); len(ids) > 0 && m.ToolCallID == "" {
		m.ToolCallID = ids[0]
	}
	known := []string{
		"role", "content", "agent", "name", "tool_calls", "tool_call_id", "tool_call_ids", "function_call", "is_demo", "thinking_blocks", "reasoning", "reasoning_content",
		"message_type", "cache_control",
		"thought", "action", // the two parts of the content, as the program took it apart
	}
	left := rawjson.Object{}
	for key, raw := range entry {
		if text := rawjson.Shrink(raw); text != "" {
			left[key] = json.RawMessage(text)
		}
	}
	for _, key := range known {
		delete(left, key)
	}
	if len(left) > 0 {
		m.native = string(rawjson.Marshal(map[string]any{"native": left}))
	}
	return m
}

// kindOf tells what a message is. The first thing that the user says is the
// task; whatever the user says after is the environment, for SWE-agent has
// nobody else to speak. Demonstrations are of another run.
func kindOf(role string, entry rawjson.Object, asked bool) string {
	demo := entry.Bool("is_demo")
	switch {
	case role != "system" && role != "user" && role != "assistant" && role != "tool":
		return ""
	case demo != nil && *demo:
		return lake.KindContext
	case role == "system":
		return lake.KindSystem
	case role == "assistant":
		return lake.KindOutput
	case role == "tool":
		return lake.KindToolResult
	case asked:
		return lake.KindEnvironment
	}
	return lake.KindPrompt
}

// rest is what the file says beside the history. The trajectory tells the same
// steps once more.
func rest(o rawjson.Object) string {
	left := rawjson.Object{}
	for key, raw := range o {
		switch key {
		case "history", "trajectory":
		default:
			if o.Has(key) {
				left[key] = raw
			}
		}
	}
	return messages.Rest(left)
}

// conversation is a run, on its way to events.
type conversation struct {
	task, id string
	messages []message
	isEnded  bool
}

// identify names the conversation and its messages. A file has no id and no
// times, and is written anew after each step: what the run began with, up to
// the first thing that the model wrote, names the conversation, and all that was
// said up to a message names the message. So a shorter copy has the same ids,
// and two runs that part later are branches of one conversation.
func (c *conversation) identify(o rawjson.Object) {
	parts := []string{"swe-agent", c.task, o.String("environment"), o.Object("replay_config").Object("agent").Object("model").String("name")}
	for i := range c.messages {
		m := &c.messages[i]
		calls := ""
		for _, call := range m.ToolCalls {
			calls += lake.StableID(call.ID, call.Name, call.Arguments)
		}
		parts = []string{lake.StableID(append(parts, m.kind, m.Role, m.Content, m.Reasoning, m.Parts, m.ToolCallID, calls)...)}
		m.id = parts[0]
		if m.kind == lake.KindOutput && c.id == "" {
			c.id = m.id[:16]
		}
	}
	if c.id == "" {
		c.id = parts[0][:16]
	}
	if c.task != "" {
		c.id = c.task + "/" + c.id
	}
}

func (c *conversation) events(position int64, rest string) []lake.Event {
	start := time.Unix(0, 0).UTC() // the clock would give the same file other events each time
	var events []lake.Event
	add := func(key, native string, m *lake.ChatMessage) {
		m.ConversationID, m.TaskID, m.OrderedAt = c.id, c.task, start
		m.Position = position + int64(len(events))
		events = append(events, lake.Event{
			ID: lake.StableID("swe-agent", c.id, key), Source: "swe-agent://" + url.PathEscape(c.id), Type: "weir.chat.message.v1",
			Subject: c.id, Time: start, Data: m, Extra: native,
		})
	}
	if rest != "" {
		add(lake.StableID("record", rest), "", &lake.ChatMessage{Kind: lake.KindNotice, Name: "record", Parts: rest})
	}
	named := map[string]string{}
	for i, said := range c.messages {
		m := &lake.ChatMessage{
			MessageID: said.id, Kind: said.kind, Role: said.Role, Name: said.Name, Content: said.Content, Reasoning: said.Reasoning,
			ToolCalls: said.ToolCalls, ToolCallID: said.ToolCallID, IsError: said.IsError, Parts: said.Parts,
		}
		if i > 0 {
			m.ParentID = c.messages[i-1].id
		}
		if said.Role == "assistant" {
			m.Agent = said.agent
			for _, call := range said.ToolCalls {
				named[call.ID] = call.Name
			}
		}
		if said.Role == "tool" && m.Name == "" {
			m.Name = named[m.ToolCallID]
		}
		if c.isEnded && i == len(c.messages)-1 {
			m.IsFinal = new(bool)
			*m.IsFinal = true
		}
		add(said.id, said.native, m)
	}
	return events
}
