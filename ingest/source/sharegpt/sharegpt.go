// Package sharegpt reads conversations in ShareGPT's shape, as FastChat and
// LLaMA-Factory write training sets: {"conversations": [{"from", "value"}]}.
// docs/formats/sharegpt.md has the mapping. Start at Format.
package sharegpt

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/llm"
	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
	"github.com/weir-lake/weir/ingest/source/messages"
	"github.com/weir-lake/weir/lake"
)

// Format is the ShareGPT format.
func Format() source.Format {
	return source.Format{
		Name:    "sharegpt",
		Doc:     "conversations of training sets in ShareGPT's shape (JSON array or JSONL)",
		Version: 1,
		Detect:  detect,
		Read:    read,
	}
}

// opening is how the turns begin in a record that is longer than the head.
var opening = regexp.MustCompile(`^\[?\s*\{[^{}]*"conversations"\s*:\s*\[\s*\{\s*"(from|value)"\s*:`)

func detect(p source.Probe) int {
	o := rawjson.First(p.Head)
	if o == nil {
		if opening.Match(bytes.TrimLeft(p.Head, "\ufeff \t\r\n")) {
			return 80
		}
		return 0
	}
	turns := o.Objects("conversations")
	switch {
	case len(turns) == 0:
		return 0
	case turns[0].Has("from") && turns[0].Has("value"):
		return 85
	case roles[turns[0].String("role")] != "" && turns[0].Has("content"):
		return 60
	}
	return 0
}

// roles are the names that speakers go by.
var roles = map[string]string{
	"human": "user", "user": "user",
	"gpt": "assistant", "assistant": "assistant", "chatgpt": "assistant", "model": "assistant", "bing": "assistant", "bard": "assistant",
	"system":        "system",
	"function_call": "call", "tool_call": "call",
	"observation": "tool", "tool": "tool", "function": "tool", "function_response": "tool", "tool_response": "tool",
}

func read(ctx context.Context, in *source.Input, out source.Out) error {
	return source.Whole(ctx, in, out, func(record source.Record) (events []lake.Event, reason, detail string) {
		c, reason, detail := conversation(record.Raw)
		if reason != "" {
			return nil, reason, detail
		}
		return c.Events(record.Ordinal * 1000), "", ""
	})
}

// conversation reads a record. It is taken whole or not at all: with a turn
// that cannot be read the rest would be answers without their question.
func conversation(raw []byte) (c messages.Conversation, reason, detail string) {
	o := rawjson.Parse(raw)
	turns := o.List("conversations")
	if len(turns) == 0 {
		return c, source.ReasonIncomplete, "no conversations"
	}
	// In sets of preferences the turns end before the answer.
	if o.Object("chosen") != nil {
		turns = append(slices.Clone(turns), o["chosen"])
	}
	c = messages.Conversation{
		Scheme: "sharegpt",
		ID:     lake.StableID("sharegpt", string(rawjson.Canonical(raw))),
		Model:  o.String("model"),
		Tools:  messages.Tools(o.List("tools")),
		Rest:   rawjson.Object{},
	}
	if system := o.String("system", "system_prompt"); system != "" {
		c.Messages = append(c.Messages, lake.Message{Role: "system", Content: system})
	}
	for i, turn := range turns {
		m, fault := message(rawjson.Parse(turn))
		if fault != "" {
			return c, source.ReasonUnknownType, fmt.Sprintf("conversations[%d]: %s", i, fault)
		}
		c.Messages = append(c.Messages, m)
	}
	for key, value := range o {
		switch key {
		case "conversations", "tools", "system", "system_prompt", "model", "chosen":
		default:
			c.Rest[key] = value
		}
	}
	if o.Has("tools") && len(c.Tools) < len(o.List("tools")) || o.String("tools") != "" && o.List("tools") == nil {
		c.Rest["tools"] = o["tools"] // not what tools look like
	}
	return c, "", ""
}

// message reads a turn.
func message(turn rawjson.Object) (m lake.Message, fault string) {
	if turn == nil {
		return m, "no object"
	}
	from := turn.String("from", "role")
	role := roles[from]
	if role == "" {
		return m, fmt.Sprintf("from %q", from)
	}
	value := turn["value"]
	if !turn.Has("value") {
		value = turn["content"]
	}
	said := rawjson.Object{"content": value}
	for _, key := range []string{"tool_calls", "tool_call_id", "name", "reasoning_content"} {
		if turn.Has(key) {
			said[key] = turn[key]
		}
	}
	if role == "call" {
		role = "assistant"
		if calls := callsOf(value); calls != nil {
			said["content"], said["tool_calls"] = json.RawMessage("null"), rawjson.Marshal(calls)
		}
	}
	said["role"] = rawjson.Marshal(role)
	m = llm.ReadMessage(said)
	m.Weight = turn.Float("weight")
	return m, ""
}

// callsOf reads the value of a function_call: a string that holds a call or a
// list of them. nil: it is none, and stays text.
func callsOf(value json.RawMessage) []map[string]json.RawMessage {
	var calls []map[string]json.RawMessage
	list := rawjson.List(value)
	if list == nil {
		if o := rawjson.Parse(value); o != nil {
			list = []json.RawMessage{rawjson.Marshal(o)}
		}
	}
	for _, raw := range list {
		o := rawjson.Parse(raw)
		if inner := o.Object("function"); inner != nil {
			o = inner
		}
		if o.String("name") == "" {
			return nil
		}
		call := map[string]json.RawMessage{"name": o["name"], "arguments": json.RawMessage(`"{}"`)}
		for _, key := range []string{"arguments", "parameters"} {
			if o.Has(key) {
				call["arguments"] = o[key]
				break
			}
		}
		calls = append(calls, call)
	}
	return calls
}
