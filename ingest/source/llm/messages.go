package llm

import (
	"cmp"
	"encoding/json"
	"strings"

	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
	"github.com/weir-lake/weir/lake"
)

const (
	messagesRequestKnown = " messages system model tools tool_choice output_format stream metadata anthropic_version "
	messagesReplyKnown   = " id type role model content stop_reason usage error "
)

func (c *Call) readMessagesRequest(request rawjson.Object) {
	c.Model = cmp.Or(request.String("model"), c.Model)
	system := draft{Message: lake.Message{Role: "system"}}
	system.blocks(request["system"])
	if !system.empty() {
		c.Messages = append(c.Messages, system.message())
	}
	for _, message := range request.Objects("messages") {
		c.Messages = append(c.Messages, readBlocksMessage(message)...)
	}
	server := c.readTools(request.Objects("tools"))
	c.ToolChoice = request.Raw("tool_choice")
	c.ResponseFormat = cmp.Or(request.Raw("output_format"), request.Object("output_config").Raw("format"))
	if choice := request.Object("tool_choice"); choice.Bool("disable_parallel_tool_use") != nil {
		parallel := !*choice.Bool("disable_parallel_tool_use")
		c.ParallelToolCalls = &parallel
	}
	c.IsStream = cmp.Or(c.IsStream, request.Bool("stream"))
	c.Params = rest(request, messagesRequestKnown, server)
	metadata := request.Object("metadata")
	c.person(metadata.ID("user_id"))
	c.Annotate(metadata)
}

// blocks adds a text or an array of text and other blocks.
func (d *draft) blocks(raw json.RawMessage) {
	if text, ok := rawjson.Text(raw); ok {
		d.text(text)
		return
	}
	for _, block := range rawjson.List(raw) {
		d.block(block)
	}
}

func (d *draft) block(raw json.RawMessage) {
	o := rawjson.Parse(raw)
	switch kind := o.String("type"); {
	case kind == "text":
		d.text(o.String("text"))
		d.aside("citations", o.Raw("citations"))
	case kind == "thinking":
		d.think(o.String("thinking"))
	case kind == "redacted_thinking":
		d.touching = false // nobody can read it
	case kind == "tool_use":
		d.call(lake.ToolCall{ID: o.String("id"), Name: o.String("name"), Arguments: arguments(o["input"])})
	default:
		d.part(raw)
	}
}

// readBlocksMessage reads a message of the Anthropic API: one of ours for each
// tool result and for what stands between them.
func readBlocksMessage(o rawjson.Object) []lake.Message {
	speaker := role(o.String("role"))
	d := draft{Message: lake.Message{Role: speaker}}
	if text, ok := rawjson.Text(o["content"]); ok {
		d.text(text)
		return []lake.Message{d.message()}
	}
	var messages []lake.Message
	for _, raw := range rawjson.List(o["content"]) {
		block := rawjson.Parse(raw)
		if block.String("type") != "tool_result" {
			d.block(raw)
			continue
		}
		if !d.empty() {
			messages = append(messages, d.message())
			d = draft{Message: lake.Message{Role: speaker}}
		}
		result := draft{Message: lake.Message{Role: "tool", ToolCallID: block.String("tool_use_id"), IsError: block.Bool("is_error")}}
		result.blocks(block["content"])
		messages = append(messages, result.message())
	}
	if !d.empty() || messages == nil {
		messages = append(messages, d.message())
	}
	return messages
}

func (c *Call) readMessagesReply(body rawjson.Object) []Call {
	c.ResponseID = body.ID("id")
	c.ResponseModel = body.String("model")
	c.Usage = readMessagesUsage(body.Object("usage"))
	c.FinishReason = body.String("stop_reason")
	c.Error = errorText(body)
	c.keepReply(body, messagesReplyKnown)
	if body.String("type") == "error" || body.List("content") == nil {
		return []Call{*c}
	}
	output := draft{Message: lake.Message{Role: "assistant"}}
	output.blocks(body["content"])
	if c.FinishReason == "compaction" {
		c.Purpose = "compaction"
	}
	// An empty turn is what the model said when it had nothing to add.
	if !output.empty() || c.FinishReason != "" {
		c.Output = []lake.Message{output.message()}
	}
	return []Call{*c}
}

// readMessagesUsage makes the input whole: Anthropic reports what was read from
// and written to the cache beside it.
func readMessagesUsage(o rawjson.Object) lake.Usage {
	if len(o) == 0 {
		return lake.Usage{}
	}
	read, write := o.Int("cache_read_input_tokens"), o.Int("cache_creation_input_tokens")
	return lake.Usage{
		InputTokens:      sum(o.Int("input_tokens"), read, write),
		CachedTokens:     read,
		CacheWriteTokens: write,
		OutputTokens:     o.Int("output_tokens"),
		ReasoningTokens:  o.Object("output_tokens_details").Int("thinking_tokens"),
		TotalTokens:      o.Int("total_tokens"),
		Raw:              rawjson.Compact(rawjson.Marshal(o)),
	}
}

// joinMessages joins the events of a Messages stream.
func joinMessages(events []rawjson.Object) reply {
	type block struct {
		start           rawjson.Object
		text, json      string
		thinking, extra string
		citations       []json.RawMessage
	}
	var blocks builder[block]
	body := rawjson.Object{}
	usage := rawjson.Object{}
	ended := false
	for _, event := range events {
		switch event.String("type") {
		case "message_start":
			for key, raw := range event.Object("message") {
				body[key] = raw
			}
			merge(usage, body.Object("usage"))
		case "content_block_start":
			blocks.at(event.Int("index")).start = event.Object("content_block")
		case "content_block_delta":
			b, delta := blocks.at(event.Int("index")), event.Object("delta")
			switch delta.String("type") {
			case "text_delta":
				b.text += delta.String("text")
			case "input_json_delta":
				b.json += delta.String("partial_json")
			case "thinking_delta":
				b.thinking += delta.String("thinking")
			case "compaction_delta":
				b.extra += delta.String("content")
			case "citations_delta":
				if delta.Has("citation") {
					b.citations = append(b.citations, delta["citation"])
				}
			}
		case "message_delta":
			for key, raw := range event.Object("delta") {
				body[key] = raw
			}
			merge(usage, event.Object("usage"))
		case "message_stop":
			ended = true
		case "error":
			body["error"] = event["error"]
		}
	}
	var content []any
	for _, b := range blocks.order {
		value := rawjson.Object{"type": json.RawMessage(`"text"`)}
		merge(value, b.start)
		appendText(value, "text", b.text)
		appendText(value, "thinking", b.thinking)
		appendText(value, "content", b.extra)
		if strings.TrimSpace(b.json) != "" {
			if json.Valid([]byte(b.json)) {
				value["input"] = json.RawMessage(b.json)
			} else { // cut off in the middle: kept as the text that came
				value["input"] = rawjson.Marshal(b.json)
			}
		}
		if b.citations != nil {
			value["citations"] = rawjson.Marshal(b.citations)
		}
		content = append(content, value)
	}
	body["content"] = rawjson.Marshal(content)
	if content == nil {
		body["content"] = json.RawMessage("[]")
	}
	body["usage"] = rawjson.Marshal(usage)
	return reply{body: body, truncated: !ended}
}

// merge copies the fields that are not null.
func merge(into, from rawjson.Object) {
	for key, raw := range from {
		if from.Has(key) {
			into[key] = raw
		}
	}
}

func appendText(o rawjson.Object, key, more string) {
	if more != "" {
		o[key] = rawjson.Marshal(o.String(key) + more)
	}
}
