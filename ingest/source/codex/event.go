package codex

import (
	"cmp"
	"strings"

	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
	"github.com/weir-lake/weir/lake"
)

// noise are events that repeat what items say, or that only a screen needs.
var noise = map[string]bool{
	"context_compacted": true, "exec_command_begin": true, "exec_command_end": true, "exec_command_output_delta": true,
	"patch_apply_begin": true, "patch_apply_updated": true, "patch_apply_end": true, "mcp_tool_call_begin": true, "mcp_tool_call_end": true,
	"web_search_begin": true, "web_search_end": true, "image_generation_begin": true, "image_generation_end": true,
	"view_image_tool_call": true, "dynamic_tool_call_request": true, "dynamic_tool_call_response": true, "terminal_interaction": true,
	"turn_diff": true, "plan_update": true, "plan_delta": true, "item_started": true, "background_event": true, "session_configured": true,
	"agent_message_delta": true, "agent_message_content_delta": true, "agent_reasoning_delta": true, "agent_reasoning_section_break": true,
	"agent_reasoning_raw_content_delta": true, "reasoning_content_delta": true, "reasoning_raw_content_delta": true, "raw_response_item": true,
	"exec_approval_request": true, "apply_patch_approval_request": true, "request_user_input": true, "elicitation_request": true,
	"mcp_startup_update": true, "mcp_startup_complete": true, "skills_update_available": true, "hook_started": true, "hook_completed": true,
	"shutdown_complete": true, "undo_started": true, "deprecation_notice": true,
}

// event reads an event of the client.
func (r *reader) event(o rawjson.Object) error {
	kind := o.String("type")
	switch kind {
	case "user_message":
		return r.twin(o.String("message"), lake.ChatMessage{Kind: lake.KindPrompt, Role: "user"})
	case "agent_message":
		return r.twin(o.String("message"), lake.ChatMessage{Kind: lake.KindOutput, Role: "assistant"})
	case "agent_reasoning", "agent_reasoning_raw_content":
		return r.twin(o.String("text"), lake.ChatMessage{Kind: lake.KindOutput, Role: "assistant", Reasoning: o.String("text")})
	case "item_completed":
		return r.completed(o.Object("item"))
	case "token_count":
		return r.tokens(o.Object("info"))
	case "task_started", "turn_started":
		r.inTurn, r.isWorking = true, false
		if err := r.untold(); err != nil {
			return err
		}
		return r.flush()
	case "task_complete", "turn_complete":
		r.inTurn = false
		details := rawjson.Object{}
		if o.Has("time_to_first_token_ms") {
			details["time_to_first_token_ms"] = o["time_to_first_token_ms"]
		}
		if latency := o.Float("duration_ms"); latency != nil || len(details) > 0 {
			return r.notice(kind, lake.ChatMessage{LatencyMS: latency, Parts: parts(details)})
		}
		return nil
	case "turn_aborted":
		r.inTurn = false
		m := lake.ChatMessage{Content: o.String("reason")}
		if m.Content == "" || m.Content == "interrupted" {
			m.Kind, m.Role = lake.KindInterrupt, "user"
		}
		return r.notice(kind, m)
	case "thread_rolled_back":
		turns := o.Int("num_turns")
		if turns == nil {
			return r.notice(kind, lake.ChatMessage{Parts: parts(o)})
		}
		return r.rollback(*turns)
	case "error":
		return r.notice(kind, lake.ChatMessage{Kind: lake.KindError, Content: o.String("message"), Parts: parts(without(o, "type", "message"))})
	}
	if noise[kind] {
		return nil
	}
	return r.notice(cmp.Or(kind, "event_msg"), lake.ChatMessage{Content: o.String("message"), Parts: parts(without(o, "type", "message"))})
}

// twin keeps an event that tells a text, unless its item has come.
func (r *reader) twin(words string, m lake.ChatMessage) error {
	if strings.TrimSpace(words) == "" || r.isCopy {
		return nil
	}
	said := text{m.Role, words}
	if m.Reasoning != "" {
		said.by = "thought"
	}
	for _, told := range r.twins.told {
		if told.tells(said) {
			return nil
		}
	}
	if m.Kind == lake.KindPrompt {
		if err := r.untold(); err != nil {
			return err
		}
	}
	if m.Reasoning == "" {
		m.Content = words
	}
	if m.Kind == lake.KindOutput {
		m.Agent, m.Model = r.agent, r.model
	}
	m.MessageID, m.ParentID = r.id(""), r.parent
	m.ConversationID, m.ParentConversationID = r.conversation, r.parentSession
	m.Position, m.OrderedAt = r.record.Ordinal*1000, r.last
	r.twins.waiting = append(r.twins.waiting, twin{said, lake.Event{
		ID: m.MessageID, Source: r.source, Type: "weir.chat.message.v1", Subject: r.subject, Time: r.at, Data: &m,
	}})
	return nil
}

// completed reads an item as newer clients log it: like an event that tells a
// text. Items of other types repeat calls and results.
func (r *reader) completed(item rawjson.Object) error {
	words := cmp.Or(item.String("text", "message"), blocks(item["content"]).Content)
	switch strings.ToLower(item.String("type")) {
	case "usermessage", "user_message":
		return r.twin(words, lake.ChatMessage{Kind: lake.KindPrompt, Role: "user"})
	case "agentmessage", "agent_message":
		return r.twin(words, lake.ChatMessage{Kind: lake.KindOutput, Role: "assistant"})
	}
	return nil
}

// tokens gives the reply that is held its usage: that of the last call, never
// the running total. The total tells a new count from one that is shown again.
func (r *reader) tokens(info rawjson.Object) error {
	total := info.Raw("total_token_usage")
	if info == nil || total != "" && total == r.total {
		return nil
	}
	r.total = total
	last := info.Object("last_token_usage")
	switch {
	case last == nil || r.isCopy:
		return nil
	case r.group == nil:
		return r.notice("token_count", lake.ChatMessage{Parts: parts(info)})
	}
	for _, event := range r.group.events {
		if m := event.Data.(*lake.ChatMessage); m.Kind == lake.KindOutput {
			m.Usage = lake.Usage{
				InputTokens: last.Int("input_tokens"), CachedTokens: last.Int("cached_input_tokens"), OutputTokens: last.Int("output_tokens"),
				ReasoningTokens: last.Int("reasoning_output_tokens"), TotalTokens: last.Int("total_tokens"),
				Raw: rawjson.Compact(rawjson.Marshal(last)),
			}
			break
		}
	}
	return r.flush()
}

func without(o rawjson.Object, keys ...string) rawjson.Object {
	left := rawjson.Object{}
	for key, raw := range o {
		if o.Has(key) {
			left[key] = raw
		}
	}
	for _, key := range keys {
		delete(left, key)
	}
	return left
}
