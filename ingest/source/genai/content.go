package genai

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/weir-lake/weir/ingest/source/llm"
	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
	"github.com/weir-lake/weir/lake"
)

// request finds the messages that were sent, in the newest convention that the
// span speaks.
func (s *Span) request(a rawjson.Object) []lake.Message {
	instructions := Messages(a["gen_ai.system_instructions"], "system")
	for i := range instructions {
		instructions[i].Role = "system"
	}
	for _, messages := range [][]lake.Message{
		Messages(a["gen_ai.input.messages"], "user"),
		s.told(a, false),
		Messages(indexed(a, "gen_ai.prompt"), "user"),
		Messages(a["gen_ai.prompt"], "user"),
		openInference(a),
		Messages(firstOf(a, "ai.prompt.messages", "ai.prompt"), "user"),
		Messages(a["gcp.vertex.agent.llm_request"], "user"),
		Messages(a["input.value"], "user"),
	} {
		if len(messages) > 0 {
			return withSystem(instructions, messages)
		}
	}
	return instructions
}

// openInference reads its numbered messages. It leaves out what has no text, as
// a message with calls alone; input.value then has more of them.
func openInference(a rawjson.Object) []lake.Message {
	messages := Messages(indexed(a, "llm.input_messages"), "user")
	if len(messages) == 0 {
		return nil
	}
	if whole := Messages(a["input.value"], "user"); len(whole) > len(messages) {
		return whole
	}
	return messages
}

// withSystem puts instructions before messages that have none.
func withSystem(instructions, messages []lake.Message) []lake.Message {
	if len(messages) > 0 && (messages[0].Role == "system" || messages[0].Role == "developer") {
		return messages
	}
	return append(slices.Clip(instructions), messages...)
}

// replies finds what the model answered: a message for each choice. body is the
// provider's reply where an attribute holds it whole.
func (s *Span) replies(a rawjson.Object) (replies []*lake.Message, body rawjson.Object) {
	if messages := Messages(a["gen_ai.output.messages"], "assistant"); len(messages) > 0 {
		return s.choices(a, messages), nil
	}
	for _, messages := range [][]lake.Message{
		s.told(a, true),
		Messages(indexed(a, "gen_ai.completion"), "assistant"),
		Messages(indexed(a, "llm.output_messages"), "assistant"),
		vercelAnswer(a),
	} {
		if len(messages) > 0 {
			return s.choices(a, messages), nil
		}
	}
	for _, key := range []string{"gen_ai.completion", "gcp.vertex.agent.llm_response", "output.value"} {
		if message, body := Reply(a[key]); message != nil {
			return []*lake.Message{message}, body
		}
	}
	return nil, nil
}

// choices parts the alternatives that were asked for; otherwise several
// messages are the pieces of one reply.
func (s *Span) choices(a rawjson.Object, messages []lake.Message) []*lake.Message {
	if n := a.Int("gen_ai.request.choice.count", "gen_ai.request.n"); n != nil && *n > 1 && int64(len(messages)) <= *n {
		var list []*lake.Message
		for i := range messages {
			list = append(list, &messages[i])
		}
		return list
	}
	if whole := join(messages); whole != nil {
		return []*lake.Message{whole}
	}
	return nil
}

// told reads the conversation from the span's events, and from the list of
// them that one SDK puts into an attribute: what was sent, or the choices.
func (s *Span) told(a rawjson.Object, answered bool) []lake.Message {
	var list []json.RawMessage
	for _, e := range s.Events {
		switch {
		case e.Name == "gen_ai.content.prompt" && !answered:
			list = append(list, firstOf(e.Attributes, "gen_ai.prompt"))
		case e.Name == "gen_ai.content.completion" && answered:
			list = append(list, firstOf(e.Attributes, "gen_ai.completion"))
		case isMessage(e.Name, answered):
			list = append(list, eventMessage(e, answered))
		}
	}
	for _, o := range a.Objects("events") {
		if isMessage(o.String("event.name"), answered) {
			list = append(list, rawjson.Marshal(o))
		}
	}
	if list == nil {
		return nil
	}
	speaker := "user"
	if answered {
		speaker = "assistant"
	}
	return Messages(rawjson.Marshal(list), speaker)
}

// isMessage says that an event is a message of the conversation.
func isMessage(name string, answered bool) bool {
	if answered {
		return name == "gen_ai.choice"
	}
	return strings.HasPrefix(name, "gen_ai.") && strings.HasSuffix(name, ".message")
}

// eventMessage makes a message of an event: its body, else its attributes; its
// name says the role.
func eventMessage(e Event, answered bool) json.RawMessage {
	o := rawjson.Parse(e.Body)
	if o == nil {
		o = rawjson.Object{}
		for key, value := range e.Attributes {
			o[strings.TrimPrefix(key, "gen_ai.")] = value
		}
		if text := rawjson.Compact(e.Body); text != "" {
			o["content"] = e.Body
		}
	}
	if inner := o.Object("message"); inner != nil {
		o = inner
	}
	if !o.Has("role") {
		role := strings.TrimSuffix(strings.TrimPrefix(e.Name, "gen_ai."), ".message")
		if answered {
			role = "assistant"
		}
		o["role"] = quote(role)
	}
	return rawjson.Marshal(o)
}

// vercelAnswer reads the reply from the attributes of the Vercel AI SDK.
func vercelAnswer(a rawjson.Object) []lake.Message {
	reply := rawjson.Object{"text": firstOf(a, "ai.response.text", "ai.response.object", "ai.result.text"), "reasoning": a["ai.response.reasoning"]}
	reply["toolCalls"] = rawjson.Marshal(a.List("ai.response.toolCalls", "ai.result.toolCalls"))
	if !reply.Has("text") && !reply.Has("toolCalls") {
		return nil
	}
	var messages []lake.Message
	for _, o := range vercelReply(reply) {
		messages = append(messages, llm.ReadMessage(o))
	}
	return messages
}

func firstOf(a rawjson.Object, keys ...string) json.RawMessage {
	for _, key := range keys {
		if a.Has(key) {
			return a[key]
		}
	}
	return nil
}

// tools finds the declared tools.
func (s *Span) tools(a rawjson.Object) []lake.Tool {
	for _, raw := range []json.RawMessage{
		a["gen_ai.tool.definitions"], a["gen_ai.request.tools"], a["ai.prompt.tools"], indexed(a, "llm.tools"), indexed(a, "llm.request.functions"),
		rawjson.Marshal(a.Object("llm.invocation_parameters").List("tools")),
		rawjson.Marshal(a.Object("model_request_parameters").List("function_tools")),
		rawjson.Marshal(a.Object("gcp.vertex.agent.llm_request").Object("config").List("tools")),
	} {
		if tools := Tools(raw); tools != nil {
			return tools
		}
	}
	return nil
}

// indexed builds the list that attributes such as llm.tools.0.name spell out.
func indexed(a rawjson.Object, prefix string) json.RawMessage {
	root := map[string]any{}
	found := false
	for key, value := range a {
		path, ok := strings.CutPrefix(key, prefix+".")
		if !ok || path == "" || path[0] < '0' || path[0] > '9' {
			continue
		}
		found = true
		put(root, strings.Split(path, "."), value)
	}
	if !found {
		return nil
	}
	return rawjson.Marshal(fold(root))
}

// put adds a value to a tree. Of two values that claim the same place, as a and
// a.b do, the deeper one stays.
func put(node map[string]any, path []string, value json.RawMessage) {
	for len(path) > 1 {
		next, ok := node[path[0]].(map[string]any)
		if !ok {
			next = map[string]any{}
			node[path[0]] = next
		}
		node, path = next, path[1:]
	}
	if _, taken := node[path[0]]; !taken {
		node[path[0]] = value
	}
}

// fold turns the objects of a tree whose keys are all numbers into lists.
func fold(node map[string]any) any {
	numbers := make([]int, 0, len(node))
	for key, value := range node {
		if child, ok := value.(map[string]any); ok {
			node[key] = fold(child)
		}
		if n, err := strconv.Atoi(key); err == nil && n >= 0 && strconv.Itoa(n) == key {
			numbers = append(numbers, n)
		}
	}
	if len(numbers) < len(node) {
		return node
	}
	slices.Sort(numbers)
	list := make([]any, len(numbers))
	for i, n := range numbers {
		list[i] = node[strconv.Itoa(n)]
	}
	return list
}

// contentPrefixes are attributes that columns hold: what they carry is not kept
// a second time.
var contentPrefixes = []string{
	"gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions", "gen_ai.prompt", "gen_ai.completion", "gen_ai.tool.definitions",
	"gen_ai.request.tools", "llm.input_messages", "llm.output_messages", "llm.tools", "llm.request.functions", "ai.prompt", "ai.response.text",
	"ai.response.toolCalls", "ai.response.object", "ai.response.reasoning", "ai.result.", "events", "gcp.vertex.agent.llm_re", "input.", "output.",
	"gen_ai.request.model", "gen_ai.response.", "gen_ai.conversation.id", "gen_ai.agent.name", "session.id", "user.id", "enduser.id", "ai.response.id",
	"llm.invocation_parameters", "model_request_parameters", "logfire.json_schema", "langfuse.observation.input", "langfuse.observation.output",
	"metadata", "gen_ai.request.tool_choice",
}

// readParams keeps the request's parameters, and under _gateway the attributes
// that have no column.
func (s *Span) readParams(c *llm.Call, a rawjson.Object) {
	invocation := a.Object("llm.invocation_parameters")
	c.ResponseFormat = cmp.Or(unquote(firstOf(a, "gen_ai.request.response_format", "gen_ai.openai.request.response_format")), invocation.Raw("response_format"))
	for key, value := range invocation {
		if key != "tools" && key != "response_format" && key != "model" && key != "system_instruction" && key != "http_options" && key != "messages" {
			c.Keep(key, rawjson.Shrink(value))
		}
	}
	rest := rawjson.Object{}
	for _, key := range slices.Sorted(maps.Keys(a)) { // of two names for one parameter the later counts
		value := a[key]
		name, parameter := strings.CutPrefix(key, "gen_ai.request.")
		if vercel, ok := strings.CutPrefix(key, "ai.settings."); ok {
			name, parameter = vercel, true
		}
		switch {
		case isUsage(key), slices.ContainsFunc(contentPrefixes, func(prefix string) bool { return strings.HasPrefix(key, prefix) }):
		case parameter:
			c.Keep(name, rawjson.Shrink(value))
		default:
			if text := rawjson.Shrink(value); text != "" {
				rest[key] = json.RawMessage(text)
			}
		}
	}
	if s.Name != "" {
		rest["span"] = quote(s.Name)
	}
	if s.ParentID != "" {
		rest["parent_span_id"] = quote(s.ParentID)
	}
	if len(rest) > 0 {
		c.Keep("_gateway", string(rawjson.Marshal(rest)))
	}
}
