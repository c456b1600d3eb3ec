package langgraph

import (
	"encoding/json"
	"strings"

	"github.com/weir-lake/weir/ingest/source/llm"
	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
	"github.com/weir-lake/weir/lake"
)

// readMessage reads a message in any of the forms that states hold: LangChain's
// constructor ({"lc": 1, "id": […, "AIMessage"], "kwargs": {…}}), its dict
// ({"type": "ai", "data": {…}} or flat), or a chat message with a role. ok is
// false for what is none, such as the mark that removes a message.
func readMessage(raw json.RawMessage) (m lake.Message, ok bool) {
	o := rawjson.Parse(raw)
	class := ""
	if kwargs := o.Object("kwargs"); kwargs != nil && o.Has("id") {
		if path := o.Strings("id"); len(path) > 0 {
			class = path[len(path)-1]
		}
		o = kwargs
	} else if data := o.Object("data"); data != nil && o.Has("type") {
		class = o.String("type")
		o = data
	}
	role := o.String("role")
	if role == "" {
		role = roleOf(o.String("type"))
	}
	if role == "" {
		role = roleOf(strings.ToLower(strings.TrimSuffix(strings.TrimSuffix(class, "Chunk"), "Message")))
	}
	if role == "" {
		return lake.Message{}, false
	}
	fields := rawjson.Object{"role": rawjson.Marshal(role)}
	for key, raw := range o {
		if key != "role" {
			fields[key] = raw
		}
	}
	extra := o.Object("additional_kwargs")
	for _, key := range []string{"tool_calls", "function_call", "reasoning_content", "refusal"} {
		if extra.Has(key) && (!o.Has(key) || len(o.List(key)) == 0) {
			fields[key] = extra[key]
		}
	}
	if len(o.List("tool_calls")) > 0 {
		delete(fields, "function_call")
	}
	if calls := broken(o); calls != nil {
		fields["tool_calls"] = rawjson.Marshal(append(o.List("tool_calls"), calls...))
	}
	m = llm.ReadMessage(fields)
	m.EventID = o.String("id")
	if role == "tool" && o.String("status") == "error" {
		failed := true
		m.IsError = &failed
	}
	reply := o.Object("response_metadata")
	m.Model = o.String("model")
	if m.Model == "" {
		m.Model = reply.String("model", "model_name", "model_id")
	}
	m.Usage = o.Raw("usage_metadata", "usage")
	if m.Usage == "" {
		m.Usage = reply.Raw("usage", "token_usage")
	}
	return m, true
}

// broken are the calls whose arguments LangChain could not parse: the model
// made them all the same.
func broken(o rawjson.Object) []json.RawMessage {
	return o.List("invalid_tool_calls")
}

func roleOf(kind string) string {
	switch kind {
	case "human", "user":
		return "user"
	case "ai", "assistant", "aimessagechunk", "AIMessageChunk":
		return "assistant"
	case "system", "developer":
		return kind
	case "tool", "function":
		return "tool"
	case "HumanMessageChunk":
		return "user"
	case "ToolMessageChunk", "FunctionMessageChunk":
		return "tool"
	case "SystemMessageChunk":
		return "system"
	}
	return "" // among them "remove"
}
