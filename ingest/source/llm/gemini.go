package llm

import (
	"cmp"
	"encoding/json"
	"strings"

	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
	"github.com/weir-lake/weir/lake"
)

const (
	geminiRequestKnown = " contents systemInstruction system_instruction tools toolConfig tool_config model "
	geminiReplyKnown   = " candidates modelVersion responseId createTime usageMetadata error "
)

func (c *Call) readGeminiRequest(request rawjson.Object) {
	c.Model = cmp.Or(c.Model, strings.TrimPrefix(request.String("model"), "models/"))
	if system := request.Object("systemInstruction", "system_instruction"); system != nil {
		c.Messages = append(c.Messages, readContent("system", system)...)
	}
	for _, content := range request.Objects("contents") {
		c.Messages = append(c.Messages, readContent(cmp.Or(role(content.String("role")), "user"), content)...)
	}
	groups := request.Objects("tools")
	if group := request.Object("tools"); group != nil {
		groups = []rawjson.Object{group}
	}
	var servers []any
	for _, group := range groups {
		c.readTools(group.Objects("functionDeclarations", "function_declarations"))
		if text := rest(group, " functionDeclarations function_declarations ", nil); text != "" {
			servers = append(servers, json.RawMessage(text))
		}
	}
	var server map[string]any
	if servers != nil {
		server = map[string]any{"_server_tools": servers}
	}
	c.ToolChoice = request.Raw("toolConfig", "tool_config")
	config := request.Object("generationConfig", "generation_config")
	format := rawjson.Object{}
	for _, key := range []string{"responseMimeType", "responseSchema", "responseJsonSchema"} {
		if config.Has(key) {
			format[key] = config[key]
		}
	}
	if len(format) > 0 {
		c.ResponseFormat = string(rawjson.Marshal(format))
	}
	c.Params = rest(request, geminiRequestKnown, server)
}

// readContent reads a content of Gemini's: one message of ours for each
// function response and for what stands between them. Calls have no id where
// the API gave none; their answers follow in the same order.
func readContent(speaker string, o rawjson.Object) []lake.Message {
	var messages []lake.Message
	d := draft{Message: lake.Message{Role: speaker}}
	for _, raw := range o.List("parts") {
		part := rawjson.Parse(raw)
		thought := part.Bool("thought")
		call, answer := part.Object("functionCall", "function_call"), part.Object("functionResponse", "function_response")
		switch {
		case thought != nil && *thought:
			d.think(part.String("text"))
		case call != nil:
			d.call(lake.ToolCall{ID: call.String("id"), Name: call.String("name"), Arguments: cmp.Or(call.Raw("args"), "{}")})
		case answer != nil:
			if !d.empty() {
				messages = append(messages, d.message())
				d = draft{Message: lake.Message{Role: speaker}}
			}
			messages = append(messages, lake.Message{
				Role: "tool", Name: answer.String("name"), ToolCallID: answer.String("id"), Content: functionResult(answer["response"]),
			})
		case part.Has("text"):
			d.text(part.String("text"))
		default:
			d.part(raw)
		}
	}
	if !d.empty() {
		messages = append(messages, d.message())
	}
	return messages
}

// functionResult unwraps what a client wrapped because the API takes objects
// only, so that the same result in another API's history reads the same.
func functionResult(raw json.RawMessage) string {
	o := rawjson.Parse(raw)
	if len(o) == 1 {
		for _, key := range []string{"return_value", "result", "output", "content", "error"} {
			if text, ok := rawjson.Text(o[key]); ok {
				return text
			}
		}
	}
	return rawjson.Compact(raw)
}

func (c *Call) readGeminiReply(body rawjson.Object) []Call {
	c.ResponseID = body.ID("responseId")
	c.ResponseModel = body.String("modelVersion")
	c.CreatedAt = body.Time("createTime")
	c.Usage = readGeminiUsage(body.Object("usageMetadata"))
	c.Error = errorText(body)
	if block := body.Object("promptFeedback").String("blockReason"); block != "" {
		c.Error, c.FinishReason = cmp.Or(c.Error, "prompt blocked: "+block), block
	}
	c.keepReply(body, geminiReplyKnown)
	candidates := body.Objects("candidates")
	if len(candidates) == 0 {
		return []Call{*c}
	}
	calls := make([]Call, len(candidates))
	for i, candidate := range candidates {
		call := *c
		call.FinishReason = candidate.String("finishReason")
		call.Output = outputOf(readContent("assistant", candidate.Object("content")))
		if index := candidate.Int("index"); index != nil && *index >= 0 {
			call.ChoiceIndex = *index
		}
		calls[i] = call
	}
	return calls
}

// readGeminiUsage counts tool prompts as input and thoughts as output: the
// total that Gemini reports holds both beside its two main numbers.
func readGeminiUsage(o rawjson.Object) lake.Usage {
	if len(o) == 0 {
		return lake.Usage{}
	}
	thoughts := o.Int("thoughtsTokenCount")
	return lake.Usage{
		InputTokens:     sum(o.Int("promptTokenCount"), o.Int("toolUsePromptTokenCount")),
		CachedTokens:    o.Int("cachedContentTokenCount"),
		OutputTokens:    sum(o.Int("candidatesTokenCount"), thoughts),
		ReasoningTokens: thoughts,
		TotalTokens:     o.Int("totalTokenCount"),
		Raw:             rawjson.Compact(rawjson.Marshal(o)),
	}
}

// joinGemini joins the chunks of streamGenerateContent: parts follow each
// other, the last usage counts.
func joinGemini(events []rawjson.Object) reply {
	type candidate struct {
		index  int64
		parts  []json.RawMessage
		finish string
	}
	var candidates builder[candidate]
	body := rawjson.Object{}
	finished := false
	for _, event := range events {
		for key, raw := range event {
			if key != "candidates" && event.Has(key) {
				body[key] = raw
			}
		}
		for _, o := range event.Objects("candidates") {
			c := candidates.at(o.Int("index"))
			if index := o.Int("index"); index != nil {
				c.index = *index
			}
			c.parts = append(c.parts, o.Object("content").List("parts")...)
			if finish := o.String("finishReason"); finish != "" {
				c.finish, finished = finish, true
			}
		}
	}
	var list []any
	for _, c := range candidates.order {
		list = append(list, map[string]any{
			"index": c.index, "finishReason": c.finish, "content": map[string]any{"role": "model", "parts": raws(c.parts)},
		})
	}
	body["candidates"] = rawjson.Marshal(list)
	return reply{body: body, truncated: !finished}
}
