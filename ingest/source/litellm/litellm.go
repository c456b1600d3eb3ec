// Package litellm reads what a LiteLLM proxy logs of its calls: standard
// logging payloads (files of its S3 and GCS loggers, or JSONL), rows of its
// spend log, and the batches that its Langfuse callback sends. Start at Format.
package litellm

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/llm"
	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
	"github.com/weir-lake/weir/lake"
)

// redacted stands in place of every text when message logging is off.
const redacted = "redacted-by-litellm"

var errUnknown = errors.New("neither a logging payload, nor a spend-log row, nor a Langfuse batch")

// Format is what LiteLLM logs, a JSON document or JSONL.
func Format() source.Format {
	return source.Format{
		Name:    "litellm",
		Doc:     "LiteLLM logging payloads, spend-log rows and Langfuse batches (JSON or JSONL)",
		Version: 1,
		Detect:  detect,
		Read:    read,
	}
}

// detect looks at the first record, and where that is longer than the head, for
// the names of fields that no other log has.
func detect(p source.Probe) int {
	if first := rawjson.First(p.Head); first != nil {
		switch kindOf(first) {
		case "payload", "spend":
			return 90
		case "langfuse":
			if first.Object("metadata").Has("sdk_integration") || len(generations(first)) > 0 {
				return 85
			}
		}
		return 0
	}
	head := bytes.TrimLeft(p.Head, "\ufeff \t\r\n[")
	for _, words := range [][]string{{`"call_type"`, `"startTime"`}, {`"response_cost"`, `"model_parameters"`}, {`"batch"`, `"trace-create"`}} {
		if bytes.HasPrefix(head, []byte("{")) && bytes.Contains(head, []byte(words[0])) && bytes.Contains(head, []byte(words[1])) {
			return 85
		}
	}
	return 0
}

func read(ctx context.Context, in *source.Input, out source.Out) error {
	return source.Whole(ctx, in, out, func(record source.Record) (events []lake.Event, reason, detail string) {
		events, err := readRecord(record.Raw, record.Ordinal)
		if err != nil {
			return nil, "unknown_shape", err.Error()
		}
		return events, "", ""
	})
}

// readRecord reads one record of any of the three kinds.
func readRecord(raw json.RawMessage, position int64) ([]lake.Event, error) {
	o := rawjson.Parse(raw)
	switch kindOf(o) {
	case "payload", "spend":
		return readPayload(o, raw, position)
	case "langfuse":
		return readBatch(o, position)
	}
	return nil, errUnknown
}

// kindOf tells the kinds apart by the fields that only they have.
func kindOf(o rawjson.Object) string {
	switch {
	case o.List("batch") != nil:
		return "langfuse"
	case o.Has("spend") && (o.Has("request_id") || o.Has("startTime")):
		return "spend"
	case o.Has("startTime") && o.Has("call_type") || o.Has("response_cost") && o.Has("model_parameters"):
		return "payload"
	}
	return ""
}

// readPayload reads a logging payload or a spend-log row, whose fields have
// other names for the same things; what is an object in one is its JSON as text
// in the other.
func readPayload(o rawjson.Object, raw []byte, position int64) ([]lake.Event, error) {
	kind := o.String("call_type")
	exchange := llm.Exchange{URL: endpoint(o.String("api_base"), kind)}
	request := rawjson.Object{}
	for key, value := range o.Object("model_parameters") {
		request[key] = value
	}
	if body := o.Object("proxy_server_request"); body != nil {
		for key, value := range body {
			request[key] = value
		}
	}
	request["model"] = o["model"]
	switch messages := unwrap(o["messages"]); {
	case len(messages) == 0 || hidden(messages):
	case strings.HasSuffix(kind, "responses"):
		request["input"] = messages
	case messages[0] == '[':
		request["messages"] = messages
	case messages[0] == '"':
		text, _ := rawjson.Text(messages)
		request["messages"] = rawjson.Marshal([]map[string]string{{"role": "user", "content": text}})
	case rawjson.Parse(messages).List("messages") != nil:
		request["messages"] = rawjson.Parse(messages)["messages"]
	}
	exchange.Request = rawjson.Marshal(request)
	answer := unwrap(o["response"])
	hide := hidden(answer)
	if text, ok := rawjson.Text(answer); ok && text != "" {
		answer = rawjson.Marshal(map[string]any{"choices": []any{map[string]any{"message": map[string]string{"content": text}}}})
	}
	if body := rawjson.Parse(answer); len(body) > 0 {
		exchange.Reply = answer
	}

	calls, err := llm.Parse(exchange)
	if err != nil { // an embedding, an image: a call that costs, and says nothing
		calls = []llm.Call{{GatewayCall: lake.GatewayCall{API: kind, Model: o.String("model")}}}
	}
	for i := range calls {
		c := &calls[i]
		c.Position = position
		c.Identify(raw)
		c.RequestID = cmp.Or(o.String("litellm_call_id"), o.ID("id", "request_id"))
		if o.String("status") != "failure" { // a failed call has an id of the proxy's own
			c.ResponseID = cmp.Or(c.ResponseID, o.ID("id", "request_id"))
		}
		for k := range c.Output {
			c.Output[k].EventID = c.ResponseID
		}
		if hit := o.Bool("cache_hit"); hit != nil {
			c.Cached = *hit
		}
		c.Provider = cmp.Or(o.String("custom_llm_provider"), c.Provider)
		if hide {
			c.Output = nil
		}
		fillOutcome(c, o)
		if i == 0 {
			fillUsage(c, o)
		}
		fillContext(c, o)
	}
	started := o.Time("startTime")
	var events []lake.Event
	for i := range calls {
		calls[i].At = started
		events = append(events, calls[i].Event("litellm://"+cmp.Or(calls[i].Host, "proxy")+"/"+cmp.Or(kind, "call")))
	}
	return events, nil
}

// endpoint is where the call went, so that its API is known without a body.
func endpoint(base, kind string) string {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" {
		u = &url.URL{Scheme: "https"}
	}
	switch {
	case strings.HasSuffix(kind, "responses"):
		u.Path = "/v1/responses"
	case strings.Contains(kind, "anthropic_messages"):
		u.Path = "/v1/messages"
	case strings.HasSuffix(kind, "embedding"):
		u.Path = "/v1/embeddings"
	case strings.HasSuffix(kind, "completion"), kind == "":
		u.Path = "/v1/chat/completions"
	default: // image_generation, transcription, moderation, rerank …
		u.Path = "/v1/files"
	}
	return u.String()
}

// unwrap gives a field's JSON, also when it is a text that holds it; nothing
// for the empty values that the spend log writes.
func unwrap(raw json.RawMessage) json.RawMessage {
	if text, ok := rawjson.Text(raw); ok {
		if inner := strings.TrimSpace(text); json.Valid([]byte(inner)) && inner != "" && (inner[0] == '{' || inner[0] == '[') {
			raw = json.RawMessage(inner)
		} else if inner == "" || inner == "None" {
			return nil
		}
	}
	switch text := rawjson.Compact(raw); text {
	case "", "{}", "[]":
		return nil
	default:
		return json.RawMessage(text)
	}
}

func hidden(raw json.RawMessage) bool { return strings.Contains(string(raw), redacted) }

func fillOutcome(c *llm.Call, o rawjson.Object) {
	switch status := o.String("status"); status {
	case "success", "failure":
		c.Status = status
	case "":
		c.Status = cmp.Or(c.Status, "success") // the spend log has what was spent
	}
	failure := o.Object("error_information")
	if c.Status == "failure" {
		c.Output = nil
		c.Error = cmp.Or(o.String("error_str"), failure.String("error_message"), c.Error, failure.String("error_class"))
	} else {
		c.Error = ""
	}
	if code := failure.Int("error_code"); code != nil {
		c.HTTPStatus = code
	}
	if stream := o.Bool("stream"); stream != nil {
		c.IsStream = stream
	}
	start, end, first := o.Time("startTime"), o.Time("endTime"), o.Time("completionStartTime")
	c.LatencyMS = milliseconds(start, end)
	if seconds := o.Float("response_time"); seconds != nil {
		ms := *seconds * 1000
		c.LatencyMS = &ms
	}
	if c.IsStream != nil && *c.IsStream {
		c.TimeToFirstTokenMS = milliseconds(start, first)
	}
}

func milliseconds(from, to time.Time) *float64 {
	if from.IsZero() || to.IsZero() || to.Before(from) {
		return nil
	}
	ms := float64(to.Sub(from).Microseconds()) / 1000
	return &ms
}

// fillUsage takes the numbers that LiteLLM counted; cached and reasoning tokens
// stand only in the provider's usage.
func fillUsage(c *llm.Call, o rawjson.Object) {
	metadata := o.Object("metadata")
	if c.Usage.Raw == "" {
		c.Usage = llm.ReadUsage(metadata.Object("usage_object"))
	}
	for _, field := range []struct {
		into **int64
		name string
	}{
		{&c.InputTokens, "prompt_tokens"}, {&c.OutputTokens, "completion_tokens"}, {&c.TotalTokens, "total_tokens"},
	} {
		if n := o.Int(field.name); n != nil {
			*field.into = n
		}
	}
	if cost := o.Float("response_cost", "spend"); cost != nil {
		c.CostUSD = cost
	}
}

// fillContext finds conversation, agent, experiment and people, the client's
// own words first.
func fillContext(c *llm.Call, o rawjson.Object) {
	metadata := o.Object("metadata")
	c.Tag(o.Strings("request_tags")...)
	for _, place := range []rawjson.Object{
		metadata.Object("requester_metadata"), metadata.Object("spend_logs_metadata"), metadata, o,
	} {
		c.Annotate(place)
	}
	c.Annotate(rawjson.Object{"user": metadata["user_api_key_user_id"]})
	c.Annotate(rawjson.Object{"user": metadata["user_api_key_end_user_id"]})
	gateway := map[string]any{}
	for _, key := range []string{"cache_hit", "model_group", "model_id", "cost_breakdown", "saved_cache_cost", "guardrail_information", "team_id"} {
		if text := rawjson.Shrink(o[key]); text != "" && text != `""` && text != `"None"` {
			gateway[key] = json.RawMessage(text)
		}
	}
	if len(gateway) > 0 {
		c.Keep("_gateway", string(rawjson.Marshal(gateway)))
	}
}
