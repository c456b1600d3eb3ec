package openhands

import (
	"cmp"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/weir-lake/weir/ingest/source/llm"
	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
	"github.com/weir-lake/weir/lake"
)

// said is the text of an event.
func said(o rawjson.Object) string {
	return cmp.Or(o.Object("args").String("content"), o.String("content"), o.String("message"))
}

// action reads what a person, the agent or the program did; nil: nobody known
// did it.
func (r *run) action(o rawjson.Object, action string) *lake.ChatMessage {
	args := o.Object("args")
	who := o.String("source")
	switch {
	case action == "system":
		r.line.agent = cmp.Or(args.String("agent_class"), r.line.agent)
		m := &lake.ChatMessage{Kind: lake.KindSystem, Role: "system", Content: said(o)}
		for _, raw := range args.Objects("tools") {
			tool := raw
			if inner := raw.Object("function"); inner != nil {
				tool = inner
			}
			if name := tool.String("name"); name != "" {
				m.Tools = append(m.Tools, lake.Tool{Name: name, Description: tool.String("description"), Parameters: tool.Raw("parameters", "input_schema")})
			}
		}
		return m
	case action == "condensation":
		// From here on the model sees this instead of what it stands for.
		if summary := args.String("summary"); summary != "" {
			return &lake.ChatMessage{Kind: lake.KindSummary, Role: "user", Content: summary, Parts: without(args, "summary")}
		}
		return &lake.ChatMessage{Kind: lake.KindNotice, Name: action, Parts: without(args)}
	case action == "recall" || action == "change_agent_state" || action == "condensation_request":
		return &lake.ChatMessage{Kind: lake.KindNotice, Name: action, Parts: without(args, "query")}
	case who == "user" && action == "message":
		m := &lake.ChatMessage{Kind: lake.KindPrompt, Role: "user", Content: said(o)}
		m.Parts = images(args)
		return m
	case who == "user":
		// Run by the person beside the agent, which sees it.
		return &lake.ChatMessage{Kind: lake.KindContext, Role: "user", Name: action, Content: o.String("message"), Parts: without(args)}
	case who == "environment":
		return &lake.ChatMessage{Kind: lake.KindContext, Role: "user", Name: action, Content: said(o), Parts: without(args, "content")}
	case who != "agent":
		return nil
	}
	return r.output(o, action, args)
}

// output reads what the model did: as it replied, where the event has the
// reply; else as its program understood it. A reply with several calls is one
// event a call, and its text is told with the first.
func (r *run) output(o rawjson.Object, action string, args rawjson.Object) *lake.ChatMessage {
	m := &lake.ChatMessage{Kind: lake.KindOutput, Role: "assistant", Agent: r.line.agent, Model: r.model}
	metadata := o.Object("tool_call_metadata")
	reply := metadata.Object("model_response")
	choices := reply.Objects("choices")
	if len(choices) > 0 {
		m.ResponseID, m.Model = reply.String("id"), cmp.Or(reply.String("model"), m.Model)
		m.FinishReason = choices[0].String("finish_reason")
		written := llm.ReadMessage(choices[0].Object("message"))
		if m.ResponseID == "" || !r.told[m.ResponseID] {
			m.Content, m.Reasoning, m.Parts = written.Content, written.Reasoning, written.Parts
			r.told[m.ResponseID] = true
		}
		usage := reply.Object("usage")
		if len(usage) == 0 {
			usage = r.usage[m.ResponseID]
		}
		m.Usage = readUsage(usage)
		if ms, ok := r.latency[m.ResponseID]; ok {
			m.LatencyMS = &ms
		}
		for _, c := range written.ToolCalls {
			if c.ID == metadata.String("tool_call_id") {
				m.ToolCalls = []lake.ToolCall{c}
			}
		}
	}
	if action == "message" {
		if len(choices) == 0 {
			m.Content, m.Parts = said(o), images(args)
		}
		return m
	}
	if len(choices) == 0 {
		m.Content = cmp.Or(args.String("thought"), args.Object("thought").String("text"))
	}
	if m.ToolCalls == nil {
		c := lake.ToolCall{ID: metadata.String("tool_call_id"), Name: cmp.Or(metadata.String("function_name"), action), Arguments: arguments(args)}
		c.ID = cmp.Or(c.ID, "action-"+cmp.Or(o.ID("id"), strconv.Itoa(r.line.count+1)))
		m.ToolCalls = []lake.ToolCall{c}
	}
	r.called[o.ID("id")] = call{m.ToolCalls[0].ID, m.ToolCalls[0].Name}
	return m
}

// observation reads what came of an action, or came by itself.
func (r *run) observation(o rawjson.Object, observation string) *lake.ChatMessage {
	extras := o.Object("extras")
	metadata := o.Object("tool_call_metadata")
	answered := r.called[o.ID("cause")]
	id := cmp.Or(metadata.String("tool_call_id"), answered.id)
	switch {
	case observation == "agent_state_changed", observation == "condense":
		return &lake.ChatMessage{Kind: lake.KindNotice, Name: observation, Content: o.String("content")}
	case observation == "recall" || observation == "microagent":
		m := &lake.ChatMessage{Kind: lake.KindContext, Role: "user", Content: recalled(extras)}
		if m.Content == "" {
			m = &lake.ChatMessage{Kind: lake.KindNotice, Name: observation, Content: o.String("content")}
		}
		return m
	case id == "":
		// Such as the refusal of a call that could not be read: the model sees it.
		return &lake.ChatMessage{Kind: lake.KindContext, Role: "user", Name: observation, Content: said(o)}
	}
	m := &lake.ChatMessage{
		Kind: lake.KindToolResult, Role: "tool", ToolCallID: id, Name: cmp.Or(metadata.String("function_name"), answered.name, observation),
		Content: o.String("content"),
	}
	switch success := o.Bool("success"); {
	case observation == "user_rejected":
		m.Kind = lake.KindRefusal
	case observation == "error":
		failed := true
		m.IsError = &failed
	case success != nil:
		failed := !*success
		m.IsError = &failed
	}
	return m
}

// recalled is what the program told the model of the workspace, and the
// knowledge whose triggers stood in what was asked.
func recalled(extras rawjson.Object) string {
	var texts []string
	for _, key := range []string{"repo_instructions", "additional_agent_instructions", "conversation_instructions"} {
		if text := extras.String(key); text != "" {
			texts = append(texts, text)
		}
	}
	for _, knowledge := range extras.Objects("microagent_knowledge") {
		if text := knowledge.String("content"); text != "" {
			texts = append(texts, text)
		}
	}
	return strings.Join(texts, "\n\n")
}

// arguments are those of a call whose reply was not kept: without what the
// program added, and without the thought, which is the message's text.
func arguments(args rawjson.Object) string {
	left := rawjson.Object{}
	for key, raw := range args {
		switch key {
		case "thought", "confirmation_state", "security_risk", "blocking", "hidden", "is_input", "impl_source", "translated_ipython_code":
		default:
			if args.Has(key) {
				left[key] = raw
			}
		}
	}
	return string(rawjson.Marshal(left))
}

// images are by reference where they are data.
func images(args rawjson.Object) string {
	var parts []string
	for _, raw := range args.List("image_urls", "images_urls") {
		if text := rawjson.Shrink(rawjson.Marshal(map[string]json.RawMessage{"image_url": raw})); text != "" {
			parts = append(parts, text)
		}
	}
	if parts == nil {
		return ""
	}
	return "[" + strings.Join(parts, ",") + "]"
}

// without gives an action's arguments as parts.
func without(args rawjson.Object, keys ...string) string {
	left := rawjson.Object{}
	for key, raw := range args {
		if text := rawjson.Shrink(raw); text != "" && text != "[]" && text != `""` {
			left[key] = json.RawMessage(text)
		}
	}
	for _, key := range keys {
		delete(left, key)
	}
	if len(left) == 0 {
		return ""
	}
	return "[" + string(rawjson.Marshal(left)) + "]"
}

// readUsage reads the usage of a reply, which is in OpenAI's words whatever the
// provider, or the one that OpenHands counted itself.
func readUsage(o rawjson.Object) lake.Usage {
	if len(o) == 0 {
		return lake.Usage{}
	}
	u := llm.ReadUsage(o)
	if cached := o.Int("cache_read_input_tokens", "cache_read_tokens"); u.CachedTokens == nil {
		u.CachedTokens = cached
	}
	if written := o.Int("cache_creation_input_tokens", "cache_write_tokens"); u.CacheWriteTokens == nil {
		u.CacheWriteTokens = written
	}
	return u
}
