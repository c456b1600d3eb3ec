package genai

import (
	"cmp"
	"encoding/json"
	"strings"

	"github.com/weir-lake/weir/ingest/source/llm"
	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
	"github.com/weir-lake/weir/lake"
)

// maxNesting is how deep JSON in text in JSON … is followed.
const maxNesting = 6

// Messages reads a conversation: a list of messages, one message, an object
// that holds either (messages, contents, prompt, choices, candidates), or a
// text, each also as JSON in a text. The shapes are those of the GenAI
// conventions (role and parts), OpenAI, Anthropic, Gemini, the Vercel AI SDK,
// LangChain and OpenInference. A text, and a message that names no role, is
// the speaker's. Nil: raw holds no message.
//
// A tool's answer is a message of its own. Where it does not say which call it
// answers, it is the first call of its name, else the first, that is not
// answered yet.
func Messages(raw json.RawMessage, speaker string) []lake.Message {
	var messages []lake.Message
	for _, o := range expand(raw, speaker, maxNesting) {
		messages = append(messages, llm.ReadMessage(o))
	}
	pairResults(messages)
	return messages
}

// Reply reads what a model answered: as Messages does, joined into one message
// of the assistant, with what a provider's reply says of itself.
func Reply(raw json.RawMessage) (message *lake.Message, body rawjson.Object) {
	if o := rawjson.Parse(raw); o.Objects("choices") != nil || o.Objects("candidates") != nil {
		body = o
	}
	if message = join(Messages(raw, "assistant")); message == nil && body == nil {
		if text := rawjson.Compact(raw); text != "" && text != `""` && text != "[]" && text != "{}" { // an answer in JSON
			message = &lake.Message{Role: "assistant", Content: text}
		}
	}
	return message, body
}

// join makes one message of the assistant's in a list.
func join(messages []lake.Message) *lake.Message {
	var whole *lake.Message
	for _, m := range messages {
		if m.Role != "assistant" || m.Content == "" && m.Reasoning == "" && m.ToolCalls == nil && m.Parts == "" {
			continue
		}
		if whole == nil {
			whole = &m
			continue
		}
		whole.Content = joinText(whole.Content, m.Content)
		whole.Reasoning = joinText(whole.Reasoning, m.Reasoning)
		whole.ToolCalls = append(whole.ToolCalls, m.ToolCalls...)
		if whole.Parts = cmp.Or(whole.Parts, m.Parts); whole.Parts != m.Parts && m.Parts != "" {
			whole.Parts = whole.Parts[:len(whole.Parts)-1] + "," + m.Parts[1:]
		}
	}
	return whole
}

func joinText(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "\n\n" + b
}

// expand gives the messages in raw in OpenAI's shape, which package llm reads.
func expand(raw json.RawMessage, speaker string, depth int) []rawjson.Object {
	if text, ok := rawjson.Text(raw); ok {
		inner := strings.TrimSpace(text)
		if depth > 0 && inner != "" && (inner[0] == '[' || inner[0] == '{') && json.Valid([]byte(inner)) {
			if found := expand(json.RawMessage(inner), speaker, depth-1); found != nil {
				return found
			}
		}
		if o, ok := pythonMessage(text); ok {
			return []rawjson.Object{o}
		}
		if text == "" {
			return nil
		}
		return []rawjson.Object{{"role": quote(speaker), "content": raw}}
	}
	if list := rawjson.List(raw); list != nil {
		return expandList(list, speaker, depth)
	}
	o := rawjson.Parse(raw)
	if o == nil || depth == 0 {
		return nil
	}
	return expandObject(o, speaker, depth-1)
}

// expandList reads a list of messages; or of blocks and calls, which are one
// message of the speaker.
func expandList(list []json.RawMessage, speaker string, depth int) []rawjson.Object {
	var found []rawjson.Object
	var blocks []json.RawMessage
	flush := func() {
		if blocks != nil {
			found = append(found, blocksMessage(rawjson.Object{"role": quote(speaker)}, blocks)...)
			blocks = nil
		}
	}
	for _, item := range list {
		if o := rawjson.Parse(item); o != nil && isBlock(o) {
			blocks = append(blocks, item)
			continue
		}
		flush()
		found = append(found, expand(item, speaker, depth)...)
	}
	flush()
	return found
}

// isBlock says that an object is a part of a message: it has a type and no role.
func isBlock(o rawjson.Object) bool {
	if o.Has("role") || o.Has("message") || o.Has("lc") || o.Has("parts") {
		return false
	}
	return o.Has("toolCallId") || o.String("type") != "" && o.String("type") != "message" || o.Has("functionCall") || o.Has("function_call")
}

func expandObject(o rawjson.Object, speaker string, depth int) []rawjson.Object {
	switch {
	case o.Int("lc") != nil && o.Object("kwargs") != nil:
		return langchainMessage(o)
	case o.Object("message") != nil:
		if inner := o.Object("message"); !inner.Has("role") && (inner.Has("content") || inner.Has("tool_calls")) {
			return message(inner, speaker)
		}
		return expand(o["message"], speaker, depth)
	case o.List("choices") != nil:
		choices := o.List("choices")
		if len(choices) == 0 {
			return nil
		}
		return expand(choices[0], "assistant", depth)
	case o.List("candidates") != nil:
		candidates := o.List("candidates")
		if len(candidates) == 0 {
			return nil
		}
		return expand(candidates[0], "assistant", depth)
	case o.Object("content").List("parts") != nil:
		return expand(o["content"], speaker, depth)
	case o.Has("role"), o.List("parts") != nil:
		return message(o, speaker)
	case o.List("toolCalls") != nil && !o.Has("messages"):
		return vercelReply(o)
	case isBlock(o):
		return blocksMessage(rawjson.Object{"role": quote(speaker)}, []json.RawMessage{rawjson.Marshal(o)})
	case speaker == "assistant" && !o.Has("tool_calls"):
		return nil // an answer in JSON, whatever its fields are called
	}
	system := expandSystem(o, depth)
	for _, key := range []string{"messages", "contents", "prompt", "input", "text"} {
		if found := expand(o[key], speaker, depth); found != nil {
			return append(system, found...)
		}
	}
	if o.Has("content") || o.Has("tool_calls") {
		return append(system, message(o, speaker)...)
	}
	if o.Object("response") != nil {
		return expand(o["response"], speaker, depth)
	}
	return system
}

// expandSystem finds the instructions that stand beside the messages.
func expandSystem(o rawjson.Object, depth int) []rawjson.Object {
	for _, place := range []rawjson.Object{o, o.Object("config")} {
		for _, key := range []string{"system", "instructions", "systemInstruction", "system_instruction"} {
			if found := expand(place[key], "system", depth); found != nil {
				for i := range found {
					found[i]["role"] = quote("system") // Gemini calls them the user's
				}
				return found
			}
		}
	}
	return nil
}

// message reads an object with a role: its content a text, or in blocks.
func message(o rawjson.Object, speaker string) []rawjson.Object {
	head := rawjson.Object{}
	for key, value := range o {
		head[key] = value
	}
	role := cmp.Or(o.String("role"), speaker)
	switch role {
	case "model", "ai":
		role = "assistant"
	case "human":
		role = "user"
	case "function":
		role = "tool"
	}
	head["role"] = quote(role)
	if role == "tool" && !o.Has("tool_call_id") {
		head["tool_call_id"] = quote(o.ID("toolCallId", "call_id", "id"))
	}
	if extra := o.Object("additional_kwargs"); !o.Has("tool_calls") && extra.Has("tool_calls") {
		head["tool_calls"] = extra["tool_calls"]
	}
	if calls := rawjson.List(head["tool_calls"]); calls != nil {
		head["tool_calls"] = rawjson.Marshal(toolCalls(calls))
	}
	for _, key := range []string{"parts", "contents", "content"} {
		if blocks := rawjson.List(o[key]); blocks != nil {
			delete(head, "parts")
			delete(head, "contents")
			return blocksMessage(head, blocks)
		}
	}
	if role == "tool" {
		head["content"] = quote(resultText(o["content"], maxNesting))
	} else if inner := o.Object("content"); inner != nil && o["content"][0] == '{' {
		return blocksMessage(head, []json.RawMessage{o["content"]})
	}
	return []rawjson.Object{head}
}

// langchainMessage reads a serialised message of LangChain.
func langchainMessage(o rawjson.Object) []rawjson.Object {
	kind := ""
	if path := o.Strings("id"); len(path) > 0 {
		kind = strings.TrimSuffix(path[len(path)-1], "Chunk")
	}
	role, ok := map[string]string{
		"HumanMessage": "user", "AIMessage": "assistant", "SystemMessage": "system", "ToolMessage": "tool", "FunctionMessage": "tool",
	}[kind]
	if !ok {
		return nil
	}
	kwargs := o.Object("kwargs")
	delete(kwargs, "role")
	if role == "assistant" {
		delete(kwargs, "name") // the graph's node, not a speaker
	}
	return message(kwargs, role)
}

// vercelReply reads what the Vercel AI SDK says of a reply as a whole.
func vercelReply(o rawjson.Object) []rawjson.Object {
	var blocks []json.RawMessage
	if text := o.String("reasoning"); text != "" {
		blocks = append(blocks, block("reasoning", "text", text))
	}
	if text := o.String("text"); text != "" {
		blocks = append(blocks, block("text", "text", text))
	}
	blocks = append(blocks, o.List("toolCalls")...)
	if blocks == nil {
		return nil
	}
	return blocksMessage(rawjson.Object{"role": quote("assistant")}, blocks)
}

func quote(text string) json.RawMessage { return rawjson.Marshal(text) }

func block(kind, key, text string) json.RawMessage {
	return rawjson.Marshal(map[string]string{"type": kind, key: text})
}
