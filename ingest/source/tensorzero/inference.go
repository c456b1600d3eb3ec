package tensorzero

import (
	"cmp"
	"encoding/json"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/genai"
	"github.com/weir-lake/weir/ingest/source/llm"
	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
	"github.com/weir-lake/weir/lake"
)

// afterTheModel is the position of an inference beside its model inferences,
// which are at 0 of the same time.
const afterTheModel = 1

func readInference(o rawjson.Object) []lake.Event {
	id := o.ID("id")
	c := llm.Call{At: at(o)}
	c.RequestID, c.ResponseID, c.TaskID, c.Position = id, id, id, afterTheModel
	c.ConversationID = o.ID("episode_id")
	c.Agent, c.Arm = o.String("function_name"), o.String("variant_name")
	c.API = llm.ChatCompletions
	c.Status = "success"
	messages, templated := conversation(o.Object("input"))
	c.Messages = messages
	output := reply(o["output"])
	switch {
	case output == nil:
	case templated: // what the model read is in its own row alone
		c.Keep("_output", string(rawjson.Marshal([]lake.Message{*output})))
	default:
		output.EventID = id
		c.Output = []lake.Message{*output}
	}
	c.LatencyMS, c.TimeToFirstTokenMS = o.Float("processing_time_ms"), o.Float("ttft_ms")
	readTools(&c, o)
	c.ResponseFormat = unquote(o["output_schema"])
	parameters := o.Object("inference_params")
	for _, key := range []string{"chat_completion", "json"} {
		if inner := parameters.Object(key); inner != nil {
			parameters = inner
		}
	}
	for key, value := range parameters {
		c.Keep(key, rawjson.Shrink(value))
	}
	readTags(&c, o.Object("tags"))
	keep(&c, o, "function_name", "variant_name", "extra_body", "auxiliary_content", "snapshot_hash", "tags")
	return events(&c, "inference", id)
}

func readModelInference(o rawjson.Object) []lake.Event {
	id, of := o.ID("id"), o.ID("inference_id")
	c := llm.Call{}
	// The request as the provider got it has tools and parameters; the rest
	// stands in columns of its own.
	if calls, err := llm.Parse(llm.Exchange{Request: []byte(body(o["raw_request"]))}); err == nil {
		c = calls[0]
	}
	var provider string
	if calls, err := llm.Parse(llm.Exchange{Reply: []byte(body(o["raw_response"]))}); err == nil {
		provider = calls[0].ResponseID
		c.Usage, c.FinishReason = calls[0].Usage, calls[0].FinishReason
		c.ResponseModel = calls[0].ResponseModel
		c.Output = calls[0].Output
	}
	if columns, _ := conversation(rawjson.Object{"system": o["system"], "messages": o["input_messages"]}); len(columns) > 0 {
		c.Messages = columns
	}
	if output := reply(o["output"]); output != nil {
		c.Output = []lake.Message{*output}
	}
	c.At = at(o, "inference_id")
	c.RequestID, c.ResponseID, c.TaskID, c.Position = id, of, of, 0
	c.Provider = cmp.Or(genai.Provider(o.String("model_provider_name")), c.Provider)
	c.API = cmp.Or(c.API, genai.API(c.Provider, ""))
	c.Model = cmp.Or(o.String("model_name"), c.Model)
	c.FinishReason = cmp.Or(o.String("finish_reason"), c.FinishReason)
	c.Status = "success"
	for i := range c.Output {
		c.Output[i].EventID, c.Output[i].Model = of, cmp.Or(c.ResponseModel, c.Model)
	}
	usage := rawjson.Object{}
	for _, column := range []struct {
		name string
		into **int64
	}{{"input_tokens", &c.InputTokens}, {"output_tokens", &c.OutputTokens}} {
		if n := o.Int(column.name); n != nil {
			*column.into = n
			usage[column.name] = rawjson.Marshal(*n)
		}
	}
	if c.Usage.Raw == "" && len(usage) > 0 {
		c.Usage.Raw = string(rawjson.Marshal(usage))
	}
	c.CostUSD = cmp.Or(o.Float("cost"), c.CostUSD)
	c.LatencyMS, c.TimeToFirstTokenMS = o.Float("response_time_ms"), o.Float("ttft_ms")
	if cached := o.Bool("cached"); cached != nil && *cached {
		c.Usage = lake.Usage{Raw: c.Usage.Raw} // TensorZero's cache replied: it cost nothing
	}
	keep(&c, o, "model_provider_name", "cached", "snapshot_hash")
	if provider != "" {
		c.Keep("_response", string(rawjson.Marshal(map[string]string{"id": provider})))
	}
	return events(&c, "model_inference", id)
}

// body is a request or reply: JSON, JSON as text, or a stream as it came.
func body(raw json.RawMessage) string {
	if text, ok := rawjson.Text(raw); ok {
		return text
	}
	return rawjson.Compact(raw)
}

// events makes the event of a call. Its id is of TensorZero's row, since the
// inference and its model inferences share the reply's.
func events(c *llm.Call, table, id string) []lake.Event {
	e := c.Event("tensorzero://gateway/" + table)
	e.ID = lake.StableID("tensorzero", table, id)
	return []lake.Event{e}
}

// conversation reads an input: instructions and messages. templated says that a
// part of it is arguments of a template, so that what the model read is not here.
func conversation(input rawjson.Object) (messages []lake.Message, templated bool) {
	var list []json.RawMessage
	if system := input["system"]; rawjson.Compact(system) != "" {
		if text, ok := rawjson.Text(system); ok && rawjson.Parse(system) == nil {
			if text != "" {
				list = append(list, rawjson.Marshal(map[string]string{"role": "system", "content": text}))
			}
		} else {
			templated = true
			part := map[string]any{"type": "template", "arguments": json.RawMessage(rawjson.Compact(system))}
			list = append(list, rawjson.Marshal(map[string]any{"role": "system", "content": []any{part}}))
		}
	}
	for _, m := range input.Objects("messages") {
		blocks, holes := content(m["content"])
		templated = templated || holes
		m["content"] = blocks
		list = append(list, rawjson.Marshal(m))
	}
	if list == nil {
		return nil, templated
	}
	return genai.Messages(rawjson.Marshal(list), "user"), templated
}

// content gives blocks in the shape that package genai reads.
func content(raw json.RawMessage) (blocks json.RawMessage, templated bool) {
	list := rawjson.List(raw)
	if list == nil {
		if o := rawjson.Parse(raw); o != nil { // arguments of the function's schema
			return rawjson.Marshal([]any{map[string]any{"type": "template", "arguments": o}}), true
		}
		return raw, false
	}
	out := make([]json.RawMessage, 0, len(list))
	for _, item := range list {
		o := rawjson.Parse(item)
		switch o.String("type") {
		case "text":
			if !o.Has("text") && o.Has("value") {
				o["text"] = o["value"]
			}
			if _, ok := rawjson.Text(o["text"]); !ok && (o.Has("arguments") || o.Has("text")) {
				templated = true
				o["type"] = rawjson.Marshal("template")
			}
		case "template":
			templated = true
		case "raw_text":
			o["type"], o["text"] = rawjson.Marshal("text"), o["value"]
		case "thought":
			o["type"] = rawjson.Marshal("reasoning")
		case "tool_call":
			if o.Has("raw_arguments") {
				o["arguments"] = o["raw_arguments"]
			}
			if o.Has("raw_name") && !o.Has("name") {
				o["name"] = o["raw_name"]
			}
		}
		if o == nil {
			out = append(out, item)
		} else {
			out = append(out, rawjson.Marshal(o))
		}
	}
	return rawjson.Marshal(out), templated
}

// reply reads an output: blocks of a chat function, or raw and parsed of a
// JSON function.
func reply(raw json.RawMessage) *lake.Message {
	if o := rawjson.Parse(raw); o.Has("raw") || o.Has("parsed") {
		text := o.String("raw")
		if text == "" {
			text = o.Raw("parsed")
		}
		if text == "" {
			return nil
		}
		return &lake.Message{Role: "assistant", Content: text}
	}
	if rawjson.List(raw) == nil {
		return nil
	}
	blocks, _ := content(raw)
	message, _ := genai.Reply(rawjson.Marshal(map[string]any{"role": "assistant", "content": blocks}))
	return message
}

// readTools finds the tools that were on offer.
func readTools(c *llm.Call, o rawjson.Object) {
	params := o.Object("tool_params")
	for _, raw := range []json.RawMessage{params["tools_available"], o["dynamic_tools"], params["additional_tools"]} {
		if len(c.Tools) > 0 {
			break
		}
		list := rawjson.List(raw)
		for i, item := range list { // each may be JSON as text
			if tool := rawjson.Parse(item); tool != nil {
				list[i] = rawjson.Marshal(tool)
			}
		}
		c.Tools = genai.Tools(rawjson.Marshal(list))
	}
	c.ToolChoice = cmp.Or(unquote(params["tool_choice"]), unquote(o["tool_choice"]))
	c.ParallelToolCalls = cmp.Or(params.Bool("parallel_tool_calls"), o.Bool("parallel_tool_calls"))
}

// unquote gives JSON text, also of JSON that was written as a text.
func unquote(raw json.RawMessage) string {
	if text, ok := rawjson.Text(raw); ok {
		if inner := rawjson.Compact([]byte(text)); inner != "" {
			return inner
		}
	}
	return rawjson.Compact(raw)
}

// readTags finds task, experiment and people in the tags that a client set. The
// task of an inference is the inference: feedback names it by that.
func readTags(c *llm.Call, tags rawjson.Object) {
	c.Annotate(tags)
	for key := range tags {
		if key == "tensorzero::evaluation_name" || key == "tensorzero::dataset_name" {
			c.Purpose = "eval"
		}
	}
}

// keep puts columns that have none of ours under _gateway.
func keep(c *llm.Call, o rawjson.Object, columns ...string) {
	left := rawjson.Object{}
	for _, name := range columns {
		if text := rawjson.Shrink(o[name]); text != "" && text != `""` && text != "[]" && text != "{}" {
			left[name] = json.RawMessage(text)
		}
	}
	if len(left) > 0 {
		c.Keep("_gateway", string(rawjson.Marshal(left)))
	}
}

// stream is a streamed reply, chunk by chunk.
type stream struct {
	id, episode string
	chunks      []json.RawMessage
	bytes       int
}

func (s *stream) empty() bool        { return len(s.chunks) == 0 }
func (s *stream) full(more int) bool { return s.bytes+more > source.MaxRecordBytes }

func (s *stream) add(o rawjson.Object, raw []byte) {
	s.id, s.episode = o.ID("id"), o.ID("episode_id")
	s.chunks = append(s.chunks, append(json.RawMessage(nil), raw...))
	s.bytes += len(raw)
}

// end makes a call of the chunks; what was asked is not in them.
func (s *stream) end(out source.Out) error {
	if s.empty() {
		return nil
	}
	reply := rawjson.Marshal(s.chunks)
	calls, err := llm.Parse(llm.Exchange{URL: "/v1/chat/completions", Reply: reply})
	episode := s.episode
	*s = stream{}
	if err != nil {
		return out.Reject(source.Reject{Reason: "unknown_shape", Detail: err.Error(), Record: -1, Body: reply, Length: int64(len(reply))})
	}
	for i := range calls {
		calls[i].ConversationID = episode
		if err := out.Emit(calls[i].Event("tensorzero://gateway/stream")); err != nil {
			return err
		}
	}
	return nil
}
