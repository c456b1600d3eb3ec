package llm

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
)

// ReadRecord reads one record of a request/response log: a request and its
// response under any of the names that people give them, with the fields beside
// them that docs/formats/openai.md lists. A record without a response is
// refused unless it says what went wrong: it is somebody's training file.
func ReadRecord(raw json.RawMessage) ([]Call, error) {
	o := rawjson.Parse(raw)
	if o == nil {
		return nil, ErrUnknownShape
	}
	x, flat, batch := exchangeOf(o)
	failure := errorText(o)
	if len(x.Reply) == 0 && (flat || failure == "" && !isFailure(o.String("status"))) {
		return nil, fmt.Errorf("no response: %w", ErrUnknownShape)
	}
	calls, err := Parse(x)
	if err != nil {
		return nil, err
	}
	metadata := o.Object("metadata")
	at := o.Time("timestamp", "time", "ts", "start_time", "started_at", "request_time", "created_at", "created")
	for i := range calls {
		c := &calls[i]
		c.At = at
		if c.Identify(raw); c.Pending { // held beyond the life of raw
			c.Identify(bytes.Clone(raw))
		}
		if id := o.ID("request_id", "id", "call_id", "custom_id"); id != c.ResponseID {
			c.RequestID = id
		}
		c.Annotate(o)
		c.Annotate(metadata)
		if name := o.String("provider"); name != "" {
			c.Provider = name
		}
		if batch {
			c.IsBatch = &batch
		}
		c.readOutcome(o, failure)
		c.readTiming(o)
		if c.IsStream == nil {
			c.IsStream = o.Bool("stream")
		}
		if cost := o.Float("cost_usd", "cost", "response_cost"); cost != nil && i == 0 {
			c.CostUSD = cost
		}
	}
	return calls, nil
}

// exchangeOf finds the two halves of a record; flat: the request's fields, if
// any, stand beside the response; batch: a line of a batch's output.
func exchangeOf(o rawjson.Object) (x Exchange, flat, batch bool) {
	x.URL = o.String("url", "endpoint", "path", "request_url")
	x.Method = strings.ToUpper(o.String("method"))
	if status := o.Int("status_code", "http_status", "response_status", "status"); status != nil {
		x.Status = *status
	}
	request := firstRaw(o, "request", "request_body", "body", "input_body")
	response := firstRaw(o, "response", "response_body", "output_body", "completion")
	if inner := rawjson.Parse(request); inner != nil && inner.Has("body") { // a request with its address
		x.URL = cmp.Or(x.URL, inner.String("url", "uri"))
		x.Method = cmp.Or(x.Method, strings.ToUpper(inner.String("method")))
		request = inner["body"]
	}
	if inner := rawjson.Parse(response); inner != nil && inner.Has("body") { // … and a line of a batch's output
		if status := inner.Int("status_code", "status"); status != nil {
			x.Status = *status
		}
		response, batch = inner["body"], o.Has("custom_id")
	}
	flat = request == nil
	switch {
	case request == nil && response == nil:
		if apiOfReply(o) != "" { // the reply alone, as the API lists stored ones
			response = rawjson.Marshal(o)
		} else {
			request = rawjson.Marshal(o)
		}
	case request == nil && apiOfRequest(o) != "": // the request's fields beside its response
		request = requestFields(o)
	}
	if rawjson.Parse(request) != nil {
		x.Request = request
	}
	x.Reply = wholeReply(response, x.Status)
	if u, err := url.Parse(x.URL); err == nil && !strings.HasPrefix(u.Path, "/") && u.Host == "" && x.URL != "" {
		x.URL = "/" + x.URL // "chat/completions"
	}
	return x, flat, batch
}

// wholeReply makes a reply of what some logs keep of it: the message, or its
// text.
func wholeReply(response json.RawMessage, status int64) []byte {
	text, isText := rawjson.Text(response)
	if isText {
		response = []byte(strings.TrimSpace(text))
	}
	message := rawjson.Parse(response)
	switch {
	case message.String("role") != "" && message.String("type") == "":
	case isText && text != "" && status < 400 && message == nil && !isStream(response):
		message = rawjson.Object{"content": rawjson.Marshal(text)}
	default:
		return response
	}
	return rawjson.Marshal(map[string]any{"choices": []any{map[string]any{"message": message}}})
}

// isStream says that a text is no message: a stream, a list of its events, or
// an error page.
func isStream(text []byte) bool {
	for _, prefix := range []string{"data:", "event:", "id:", ":", "[", "<"} {
		if strings.HasPrefix(string(text), prefix) {
			return true
		}
	}
	return false
}

// requestFields are the fields of a record that belong to a request: what
// ReadRecord reads itself is left out.
func requestFields(o rawjson.Object) json.RawMessage {
	request := rawjson.Object{}
	for key, raw := range o {
		switch key {
		case "response", "response_body", "output_body", "completion", "id", "request_id", "call_id", "timestamp", "time", "ts", "created_at", "created",
			"latency_ms", "duration_ms", "conversation_id", "session_id", "thread_id", "trace_id", "agent", "task_id", "experiment", "arm",
			"status", "status_code", "http_status", "cost", "cost_usd", "tags", "error", "url", "endpoint", "method", "provider":
		default:
			request[key] = raw
		}
	}
	return rawjson.Marshal(request)
}

func isFailure(status string) bool {
	return status == "failure" || status == "failed" || status == "error"
}

func (c *Call) readOutcome(o rawjson.Object, failure string) {
	if failure == "" && !isFailure(o.String("status")) {
		return
	}
	c.Status, c.Output, c.Pending = "failure", nil, false
	c.Error = cmp.Or(c.Error, failure, "the log says so")
	if c.Error == missing && failure != "" {
		c.Error = failure
	}
}

func (c *Call) readTiming(o rawjson.Object) {
	c.LatencyMS = o.Float("latency_ms", "duration_ms", "response_time_ms", "elapsed_ms")
	if seconds := o.Float("latency_s", "duration_s", "response_time", "elapsed_s"); seconds != nil && c.LatencyMS == nil {
		ms := *seconds * 1000
		c.LatencyMS = &ms
	}
	if start, end := o.Time("start_time", "started_at"), o.Time("end_time", "ended_at"); c.LatencyMS == nil && !start.IsZero() && end.After(start) {
		ms := float64(end.Sub(start).Microseconds()) / 1000
		c.LatencyMS = &ms
	}
	c.TimeToFirstTokenMS = o.Float("time_to_first_token_ms", "ttft_ms")
	if seconds := o.Float("time_to_first_token", "ttft", "ttft_s"); seconds != nil && c.TimeToFirstTokenMS == nil {
		ms := *seconds * 1000
		c.TimeToFirstTokenMS = &ms
	}
}

// DetectRecord tells by its head whether a file is a request/response log, and
// of which API; score is 0 when it is none.
func DetectRecord(head []byte) (api string, score int) {
	first := rawjson.First(head)
	if first == nil {
		return detectCut(string(head))
	}
	calls, err := ReadRecord(rawjson.Marshal(first))
	switch {
	case err != nil || len(calls) == 0:
		return "", 0
	case firstRaw(first, "request", "request_body", "body") == nil:
		return calls[0].API, 60 // other gateways' logs may look like it
	}
	return calls[0].API, 80
}

// detectCut guesses from a first record that is longer than the head: by its
// keys as far as they can be read, and by the words of the request.
func detectCut(head string) (api string, score int) {
	dec := json.NewDecoder(strings.NewReader(strings.TrimLeft(head, "\ufeff \t\r\n[")))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return "", 0
	}
	for {
		key, err := dec.Token()
		if err != nil {
			return "", 0
		}
		if key == "request" || key == "request_body" || key == "body" {
			break
		}
		var value json.RawMessage
		if dec.Decode(&value) != nil {
			return "", 0
		}
	}
	has := func(words ...string) bool {
		for _, word := range words {
			if strings.Contains(head, word) {
				return true
			}
		}
		return false
	}
	switch {
	case has(`"input_schema"`, `"tool_use"`, `"model":"claude`, `"model": "claude`):
		return Messages, 50
	case has(`"contents"`):
		return GenerateContent, 50
	case has(`"messages"`, `\"messages\"`):
		return ChatCompletions, 50
	case has(`"input"`):
		return Responses, 50
	}
	return "", 0
}

// ReadLog reads a request/response log record by record: the Read of the
// formats openai and anthropic, which differ only in what they are found by.
func ReadLog(ctx context.Context, in *source.Input, out source.Out) error {
	var assembler Assembler
	for record, err := range source.Records(ctx, in, out, source.RecordOptions{}) {
		if err != nil {
			return err
		}
		calls, err := ReadRecord(record.Raw)
		if errors.Is(err, ErrNotACall) {
			continue // logs of a whole API have its other endpoints too
		}
		if err != nil {
			if err := out.Reject(record.Reject("unknown_shape", err.Error())); err != nil {
				return err
			}
			continue
		}
		for i := range calls {
			calls[i].Position = record.Ordinal
		}
		if err := emit(out, assembler.Add(calls...)); err != nil {
			return err
		}
	}
	return emit(out, assembler.Flush())
}

func emit(out source.Out, calls []Call) error {
	for i := range calls {
		if err := out.Emit(calls[i].Event("")); err != nil {
			return err
		}
	}
	return nil
}
