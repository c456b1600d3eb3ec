package llm

import (
	"cmp"
	"encoding/json"
	"strings"

	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
	"github.com/weir-lake/weir/lake"
)

const responsesRequestKnown = " input instructions model tools tool_choice text parallel_tool_calls stream previous_response_id conversation user safety_identifier include "

// A response repeats the settings of its request; of its other fields these
// say something.
var responsesReplyKept = []string{"service_tier", "completed_at", "moderation", "incomplete_details"}

// readResponsesRequest reads the request, and from the reply what it repeats of
// a request that is not there.
func (c *Call) readResponsesRequest(request, reply rawjson.Object) {
	known := request
	if request == nil {
		known = reply
	}
	c.Model = cmp.Or(known.String("model"), c.Model)
	switch {
	case known.String("instructions") != "":
		c.Messages = []lake.Message{{Role: "system", Content: known.String("instructions")}}
	case known.List("instructions") != nil: // a stored prompt, resolved
		c.Messages = ReadItems(known.List("instructions"))
	}
	if text, ok := rawjson.Text(request["input"]); ok {
		c.Messages = append(c.Messages, lake.Message{Role: "user", Content: text})
	} else {
		c.Messages = append(c.Messages, ReadItems(request.List("input"))...)
	}
	server := c.readTools(known.Objects("tools"))
	c.ToolChoice = known.Raw("tool_choice")
	c.ResponseFormat = known.Object("text").Raw("format")
	c.ParallelToolCalls = known.Bool("parallel_tool_calls")
	c.PreviousResponseID = cmp.Or(known.String("previous_response_id"), reply.String("previous_response_id"))
	for _, o := range []rawjson.Object{known, reply} {
		c.ConversationID = cmp.Or(c.ConversationID, o.String("conversation"), o.Object("conversation").String("id"))
	}
	c.IsStream = cmp.Or(c.IsStream, request.Bool("stream"))
	c.person(known.ID("user"))
	c.person(known.ID("safety_identifier"))
	c.Params = rest(request, responsesRequestKnown, server)
	text := rawjson.Object{}
	for key, raw := range request.Object("text") {
		if key != "format" {
			text[key] = raw
		}
	}
	c.Keep("text", rawjson.Compact(rawjson.Marshal(text)))
	c.Annotate(known.Object("metadata"))
}

// clientItems are the calls that the client answers. Items of other tools are
// done by the provider and stay parts.
var clientItems = map[string]string{
	"function_call": "", "custom_tool_call": "",
	"local_shell_call": "local_shell", "shell_call": "shell", "apply_patch_call": "apply_patch", "computer_call": "computer",
}

// clientTool says whether a tool of this type is run by the client.
func clientTool(kind string) bool {
	switch kind {
	case "", "function", "custom", "local_shell", "shell", "apply_patch", "computer_use_preview":
		return true
	}
	for _, prefix := range []string{"bash_", "text_editor_", "computer_", "memory_"} {
		if strings.HasPrefix(kind, prefix) {
			return true
		}
	}
	return false
}

// ReadItems reads the items of a Responses input or output as messages: what
// the model gave in one go (reasoning, text, calls) is one assistant message.
func ReadItems(items []json.RawMessage) []lake.Message {
	var messages []lake.Message
	open := draft{Message: lake.Message{Role: "assistant"}}
	flush := func() {
		if !open.empty() {
			messages = append(messages, open.message())
		}
		open = draft{Message: lake.Message{Role: "assistant"}}
	}
	for _, raw := range items {
		o := rawjson.Parse(raw)
		if o == nil {
			if text, ok := rawjson.Text(raw); ok {
				flush()
				messages = append(messages, lake.Message{Role: "user", Content: text})
			}
			continue
		}
		kind := o.String("type")
		name, clientCall := clientItems[kind]
		switch {
		case kind == "message" || kind == "" && o.Has("role"):
			if role(o.String("role")) != "assistant" {
				flush()
				other := draft{Message: lake.Message{Role: o.String("role")}}
				other.content(o["content"])
				messages = append(messages, other.message())
				continue
			}
			// Without an id it was written by a client: a message of its own.
			if !o.Has("id") && (open.Content != "" || open.ToolCalls != nil) {
				flush()
			}
			open.touching = false
			open.content(o["content"])
			open.touching = false
		case kind == "reasoning":
			for _, block := range o.Objects("content") {
				open.think(block.String("text"))
			}
			if len(o.List("content")) == 0 {
				for _, block := range o.Objects("summary") {
					open.think(block.String("text"))
				}
			}
		case clientCall:
			call := lake.ToolCall{ID: o.String("call_id", "id"), Name: cmp.Or(o.String("name"), name)}
			if kind == "custom_tool_call" {
				call.Arguments = freeText(o.String("input"))
			} else {
				call.Arguments = arguments(firstRaw(o, "arguments", "action", "operation"))
			}
			open.call(call)
		case strings.HasSuffix(kind, "_call_output"):
			flush()
			result := draft{Message: lake.Message{Role: "tool", ToolCallID: o.String("call_id")}}
			result.content(o["output"])
			messages = append(messages, result.message())
		case kind == "compaction":
			// Encrypted: it stands for what the model saw and the log has not.
			flush()
			summary := draft{Message: lake.Message{Role: "system"}}
			summary.part(raw)
			messages = append(messages, summary.message())
		default:
			open.part(raw)
		}
	}
	flush()
	return messages
}

func (c *Call) readResponsesReply(body rawjson.Object, compact bool) []Call {
	c.ResponseID = body.ID("id")
	c.ResponseModel = body.String("model")
	c.CreatedAt = body.Time("created_at")
	c.Usage = ReadUsage(body.Object("usage"))
	c.Error = errorText(body)
	c.FinishReason = cmp.Or(body.Object("incomplete_details").String("reason"), body.String("status"))
	if background := body.Bool("background"); background != nil {
		c.Background = *background
	}
	kept := rawjson.Object{}
	for _, key := range responsesReplyKept {
		if body.Has(key) {
			kept[key] = body[key]
		}
	}
	c.keepReply(kept, "")
	switch body.String("status") {
	case "queued", "in_progress":
		c.FinishReason = ""
		if c.Pending = c.Background && c.Error == ""; !c.Pending {
			c.Error = cmp.Or(c.Error, truncated)
		}
	case "failed", "cancelled":
		c.Status = "failure"
		c.Error = cmp.Or(c.Error, body.String("status"))
	}
	if compact || body.String("object") == "response.compaction" {
		c.Purpose = "compaction"
		return []Call{*c} // its output is the request again, and a block that nobody can read
	}
	c.Output = outputOf(ReadItems(body.List("output")))
	return []Call{*c}
}

// outputOf makes one message of a reply's items.
func outputOf(messages []lake.Message) []lake.Message {
	if len(messages) < 2 {
		return messages
	}
	// Items that are not the model's words stand between: a provider's own
	// tool answered. The model's words are one output all the same.
	merged := draft{Message: lake.Message{Role: "assistant"}}
	for _, m := range messages {
		merged.touching = false
		if m.Role != "assistant" {
			merged.part(rawjson.Marshal(m))
			continue
		}
		if m.Content != "" {
			merged.text(m.Content)
		}
		merged.think(m.Reasoning)
		merged.ToolCalls = append(merged.ToolCalls, m.ToolCalls...)
		for _, part := range rawjson.List([]byte(m.Parts)) {
			merged.part(part)
		}
	}
	return []lake.Message{merged.message()}
}

// joinResponses finds the response in a stream. The last event holds it whole;
// of a stream that broke off, what came is put together from the items.
func joinResponses(events []rawjson.Object) reply {
	var body, failure rawjson.Object
	type item struct {
		done rawjson.Object
		text string
	}
	var items builder[item]
	for _, event := range events {
		switch kind := event.String("type"); kind {
		case "response.completed", "response.incomplete", "response.failed", "response.cancelled":
			if response := event.Object("response"); response != nil {
				return reply{body: response}
			}
		case "error":
			failure = event
			if inner := event.Object("error"); inner != nil {
				failure = inner
			}
		case "response.output_item.done", "response.output_item.added":
			if o := event.Object("item"); o != nil {
				items.at(event.Int("output_index")).done = o
			}
		case "response.output_text.delta":
			items.at(event.Int("output_index")).text += event.String("delta")
		default:
			if response := event.Object("response"); response != nil {
				body = response
			}
		}
	}
	if body == nil {
		body = rawjson.Object{}
	}
	var output []any
	for _, i := range items.order {
		switch {
		case i.done != nil && (i.done.String("status") != "in_progress" || i.text == ""):
			output = append(output, i.done)
		default:
			output = append(output, map[string]any{"type": "message", "id": i.done.String("id"), "role": "assistant", "content": i.text})
		}
	}
	body["output"] = rawjson.Marshal(output)
	if failure != nil {
		body["error"] = rawjson.Marshal(failure)
	}
	return reply{body: body, truncated: true}
}
