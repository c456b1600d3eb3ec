package litellm

import (
	"cmp"
	"encoding/json"
	"strings"

	"github.com/weir-lake/weir/ingest/source/llm"
	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
	"github.com/weir-lake/weir/lake"
)

// readBatch reads a body that LiteLLM's Langfuse callback sends: each
// generation is a call, its trace says whose.
func readBatch(o rawjson.Object, position int64) ([]lake.Event, error) {
	traces := map[string]rawjson.Object{}
	var only rawjson.Object
	for _, item := range o.Objects("batch") {
		if item.String("type") == "trace-create" {
			only = item.Object("body")
			traces[only.String("id")] = only
		}
	}
	var events []lake.Event
	for i, item := range generations(o) {
		body := item.Object("body")
		trace := traces[body.String("traceId")]
		if trace == nil && len(traces) == 1 {
			trace = only
		}
		call, err := generation(body, trace)
		if err != nil {
			return nil, err
		}
		call.Position = position*1000 + int64(i)
		if call.At = body.Time("startTime"); call.At.IsZero() {
			call.At = item.Time("timestamp")
		}
		events = append(events, call.Event("litellm://langfuse/"+cmp.Or(body.String("name"), "generation")))
	}
	return events, nil
}

// generations are the items of a batch that are calls.
func generations(o rawjson.Object) []rawjson.Object {
	var found []rawjson.Object
	for _, item := range o.Objects("batch") {
		if strings.HasPrefix(item.String("type"), "generation-") {
			found = append(found, item)
		}
	}
	return found
}

func generation(body, trace rawjson.Object) (*llm.Call, error) {
	request := rawjson.Object{}
	for key, value := range body.Object("modelParameters") {
		request[key] = value
	}
	if input := body.Object("input"); input != nil {
		for key, value := range input {
			request[key] = value
		}
	} else if list := unwrap(body["input"]); len(list) > 0 && list[0] == '[' {
		request["messages"] = list
	} else if text, ok := rawjson.Text(body["input"]); ok {
		request["messages"] = rawjson.Marshal([]map[string]string{{"role": "user", "content": text}})
	}
	request["model"] = body["model"]
	exchange := llm.Exchange{URL: endpoint(body.Object("metadata").Object("hidden_params").String("api_base"), "")}
	exchange.Request = rawjson.Marshal(request)
	failed := body.String("level") == "ERROR"
	if output := unwrap(body["output"]); len(output) > 0 && !failed && !hidden(output) {
		message := json.RawMessage(output)
		if text, ok := rawjson.Text(output); ok {
			message = rawjson.Marshal(map[string]string{"content": text})
		}
		exchange.Reply = rawjson.Marshal(map[string]any{"choices": []any{map[string]any{"message": message}}})
	}
	calls, err := llm.Parse(exchange)
	if err != nil {
		return nil, err
	}
	c := &calls[0]
	c.Identify(rawjson.Marshal(body))
	if hidden(body["input"]) {
		c.Messages = nil
	}
	c.RequestID = body.String("id")
	// The observation's id is the call's time, an underscore, the reply's id.
	if stamp, id, ok := strings.Cut(c.RequestID, "_"); ok && strings.HasPrefix(stamp, "time-") {
		c.ResponseID = id
	}
	for i := range c.Output {
		c.Output[i].EventID = c.ResponseID
	}
	c.Status, c.Error = "success", ""
	if failed {
		c.Status, c.Error = "failure", cmp.Or(body.String("statusMessage"), "error")
	}
	start, end, first := body.Time("startTime"), body.Time("endTime"), body.Time("completionStartTime")
	c.LatencyMS = milliseconds(start, end)
	if first.Before(end) {
		c.TimeToFirstTokenMS = milliseconds(start, first)
	}
	usage := body.Object("usage")
	details := body.Object("usageDetails", "usage_details")
	c.Usage = lake.Usage{
		InputTokens:  cmp.Or(usage.Int("input", "promptTokens"), details.Int("input")),
		OutputTokens: cmp.Or(usage.Int("output", "completionTokens"), details.Int("output")),
		TotalTokens:  cmp.Or(usage.Int("total", "totalTokens"), details.Int("total")),
		CachedTokens: details.Int("cache_read_input_tokens", "input_cached_tokens"),
		CostUSD:      usage.Float("totalCost"),
		Raw:          cmp.Or(usage.Raw("usage"), rawjson.Compact(body["usage"]), rawjson.Compact(body["usageDetails"])),
	}
	metadata := body.Object("metadata")
	if c.CostUSD == nil {
		c.CostUSD = metadata.Float("llm_response_cost", "litellm_response_cost")
	}
	c.Annotate(rawjson.Object{"session_id": trace["sessionId"], "user_id": trace["userId"]})
	c.Annotate(metadata.Object("requester_metadata"))
	c.Annotate(metadata)
	c.Annotate(trace.Object("metadata"))
	c.Tag(trace.Strings("tags")...)
	c.Annotate(rawjson.Object{"trace_id": firstRaw(body["traceId"], trace["id"])})
	gateway := map[string]any{"name": body.String("name")}
	if metadata != nil {
		gateway["metadata"] = metadata
		delete(metadata, "hidden_params") // read above; the rest of it are headers
	}
	c.Keep("_gateway", rawjson.Shrink(rawjson.Marshal(gateway)))
	return c, nil
}

func firstRaw(raws ...json.RawMessage) json.RawMessage {
	for _, raw := range raws {
		if rawjson.Compact(raw) != "" {
			return raw
		}
	}
	return nil
}
