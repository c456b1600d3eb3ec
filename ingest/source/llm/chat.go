package llm

import (
	"cmp"
	"encoding/json"

	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
	"github.com/weir-lake/weir/lake"
)

const chatRequestKnown = " messages model tools functions tool_choice function_call response_format parallel_tool_calls stream stream_options user "
const chatReplyKnown = " id object created model choices usage error "

func (c *Call) readChatRequest(request rawjson.Object) {
	c.Model = cmp.Or(request.String("model"), c.Model)
	for _, message := range request.Objects("messages") {
		c.Messages = append(c.Messages, ReadMessage(message))
	}
	if prompt := request.String("prompt"); prompt != "" && c.Messages == nil {
		c.Messages = []lake.Message{{Role: "user", Content: prompt}}
	}
	server := c.readTools(request.Objects("tools", "functions"))
	c.ToolChoice = request.Raw("tool_choice", "function_call")
	c.ResponseFormat = request.Raw("response_format")
	c.ParallelToolCalls = request.Bool("parallel_tool_calls")
	c.IsStream = cmp.Or(c.IsStream, request.Bool("stream"))
	c.person(request.ID("user"))
	c.Params = rest(request, chatRequestKnown, server)
	c.Annotate(request.Object("metadata"))
}

// readTools keeps the tools that the client runs. Those that the provider runs
// itself are parameters of the call: nothing has to answer them.
func (c *Call) readTools(tools []rawjson.Object) (server map[string]any) {
	var servers []any
	for _, tool := range tools {
		o := tool
		for _, key := range []string{"function", "custom"} {
			if inner := tool.Object(key); inner != nil {
				o = inner
			}
		}
		kind := tool.String("type")
		if !clientTool(kind) {
			servers = append(servers, json.RawMessage(rawjson.Shrink(rawjson.Marshal(tool))))
			continue
		}
		c.Tools = append(c.Tools, lake.Tool{
			Name:        cmp.Or(o.String("name"), kind),
			Description: o.String("description"),
			Parameters:  o.Raw("parameters", "input_schema", "parametersJsonSchema"),
		})
	}
	if servers == nil {
		return nil
	}
	return map[string]any{"_server_tools": servers}
}

// ReadMessage reads a chat message as OpenAI's API, and everyone who speaks
// its language, sends it.
func ReadMessage(o rawjson.Object) lake.Message {
	d := draft{Message: lake.Message{Role: role(o.String("role")), Name: o.String("name"), ToolCallID: o.String("tool_call_id")}}
	d.content(o["content"])
	if d.Content == "" {
		if text := o.String("refusal"); text != "" {
			d.text(text)
			d.aside("refusal", "true")
		}
	}
	if audio := o.Object("audio"); audio != nil {
		if text := audio.String("transcript"); text != "" && d.Content == "" {
			d.text(text)
		}
		d.aside("audio", o.Raw("audio"))
	}
	d.aside("annotations", o.Raw("annotations"))
	d.aside("images", o.Raw("images"))
	if d.reasoning == nil {
		d.think(o.String("reasoning_content", "reasoning"))
	}
	if d.reasoning == nil {
		for _, block := range o.Objects("thinking_blocks", "reasoning_details") {
			d.think(block.String("thinking", "text", "summary"))
		}
	}
	for _, call := range o.Objects("tool_calls") {
		d.call(toolCall(call))
	}
	if call := o.Object("function_call"); call != nil && len(d.ToolCalls) == 0 {
		d.call(lake.ToolCall{Name: call.String("name"), Arguments: arguments(call["arguments"])})
	}
	if o.Bool("is_error") != nil {
		d.IsError = o.Bool("is_error")
	}
	return d.message()
}

func toolCall(o rawjson.Object) lake.ToolCall {
	call := lake.ToolCall{ID: o.String("id")}
	if custom := o.Object("custom"); custom != nil {
		call.Name, call.Arguments = custom.String("name"), freeText(custom.String("input"))
	} else if function := o.Object("function"); function != nil {
		call.Name, call.Arguments = function.String("name"), arguments(function["arguments"])
	} else {
		call.Name, call.Arguments = o.String("name"), arguments(firstRaw(o, "arguments", "args", "input"))
	}
	return call
}

func role(name string) string {
	switch name {
	case "model", "ai":
		return "assistant"
	case "human":
		return "user"
	case "function":
		return "tool"
	}
	return name
}

func (c *Call) readChatReply(body rawjson.Object) []Call {
	c.ResponseID = body.ID("id")
	c.ResponseModel = body.String("model")
	c.CreatedAt = body.Time("created")
	c.Usage = ReadUsage(body.Object("usage"))
	c.Error = errorText(body)
	c.keepReply(body, chatReplyKnown)
	choices := body.Objects("choices")
	if len(choices) == 0 {
		return []Call{*c}
	}
	calls := make([]Call, len(choices))
	for i, choice := range choices {
		call := *c
		if index := choice.Int("index"); index != nil && *index >= 0 {
			call.ChoiceIndex = *index
		}
		call.FinishReason = choice.String("finish_reason")
		message := choice.Object("message", "delta")
		if message == nil && choice.Has("text") {
			message = rawjson.Object{"content": choice["text"]}
		}
		if message != nil {
			output := ReadMessage(message)
			output.Role = "assistant"
			call.Output = []lake.Message{output}
		} else if call.Error == "" {
			call.Error = errorText(choice)
		}
		calls[i] = call
	}
	return calls
}

// ReadUsage reads token usage as OpenAI's two APIs report it, and what others
// added to it: cached tokens are part of the input.
func ReadUsage(o rawjson.Object) lake.Usage {
	if len(o) == 0 {
		return lake.Usage{}
	}
	in, out := o.Object("prompt_tokens_details", "input_tokens_details"), o.Object("completion_tokens_details", "output_tokens_details")
	return lake.Usage{
		InputTokens:      o.Int("prompt_tokens", "input_tokens"),
		CachedTokens:     cmp.Or(in.Int("cached_tokens"), o.Int("cache_read_input_tokens", "prompt_cache_hit_tokens")),
		CacheWriteTokens: cmp.Or(in.Int("cache_write_tokens", "cache_creation_tokens"), o.Int("cache_creation_input_tokens")),
		OutputTokens:     o.Int("completion_tokens", "output_tokens"),
		ReasoningTokens:  cmp.Or(out.Int("reasoning_tokens"), o.Int("reasoning_tokens")),
		TotalTokens:      o.Int("total_tokens"),
		CostUSD:          o.Float("cost"),
		Raw:              rawjson.Compact(rawjson.Marshal(o)),
	}
}

// joinChat joins chat.completion.chunk events: text and tool calls by index,
// several choices beside each other, usage from wherever it came.
func joinChat(events []rawjson.Object) reply {
	type tool struct{ id, kind, name, arguments string }
	type choice struct {
		index                       int64
		content, refusal, reasoning string
		finish                      string
		tools                       builder[tool]
		function                    *tool
		annotations                 []json.RawMessage
	}
	var choices builder[choice]
	body := rawjson.Object{}
	finished := false
	for _, event := range events {
		for key, raw := range event {
			if key != "choices" && key != "obfuscation" && event.Has(key) {
				body[key] = raw
			}
		}
		for _, o := range event.Objects("choices") {
			c := choices.at(o.Int("index"))
			if index := o.Int("index"); index != nil {
				c.index = *index
			}
			if finish := o.String("finish_reason"); finish != "" {
				c.finish, finished = finish, true
			}
			delta := o.Object("delta", "message")
			c.content += cmp.Or(delta.String("content"), o.String("text"))
			c.refusal += delta.String("refusal")
			c.reasoning += delta.String("reasoning_content", "reasoning")
			c.annotations = append(c.annotations, delta.List("annotations")...)
			for _, call := range delta.Objects("tool_calls") {
				t := c.tools.at(call.Int("index"))
				t.id = cmp.Or(t.id, call.String("id"))
				t.kind = cmp.Or(t.kind, call.String("type"))
				inner := call.Object("function", "custom")
				t.name += inner.String("name")
				if text, ok := rawjson.Text(firstRaw(inner, "arguments", "input")); ok {
					t.arguments += text
				} else {
					t.arguments += inner.Raw("arguments", "input")
				}
			}
			if call := delta.Object("function_call"); call != nil {
				if c.function == nil {
					c.function = &tool{}
				}
				c.function.name += call.String("name")
				c.function.arguments += call.String("arguments")
			}
		}
	}
	var list []any
	for _, c := range choices.order {
		message := map[string]any{"role": "assistant", "content": c.content, "refusal": c.refusal, "reasoning_content": c.reasoning, "annotations": raws(c.annotations)}
		var calls []any
		for _, t := range c.tools.order {
			function := map[string]any{"name": t.name, "arguments": t.arguments}
			if t.kind == "custom" {
				calls = append(calls, map[string]any{"id": t.id, "custom": map[string]any{"name": t.name, "input": t.arguments}})
			} else {
				calls = append(calls, map[string]any{"id": t.id, "function": function})
			}
		}
		message["tool_calls"] = calls
		if c.function != nil {
			message["function_call"] = map[string]any{"name": c.function.name, "arguments": c.function.arguments}
		}
		list = append(list, map[string]any{"index": c.index, "finish_reason": c.finish, "message": message})
	}
	delete(body, "object")
	body["choices"] = rawjson.Marshal(list)
	return reply{body: body, truncated: !finished}
}

func firstRaw(o rawjson.Object, keys ...string) json.RawMessage {
	for _, key := range keys {
		if o.Has(key) {
			return o[key]
		}
	}
	return nil
}
