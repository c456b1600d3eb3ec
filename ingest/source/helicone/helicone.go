// Package helicone reads the requests that Helicone exports, as JSON, JSON
// Lines or CSV: each a gateway call, with what a person or a program said of it
// as feedback and judgements. Start at Format.
package helicone

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/genai"
	"github.com/weir-lake/weir/ingest/source/llm"
	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
	"github.com/weir-lake/weir/lake"
)

// Format is Helicone's export of requests.
func Format() source.Format {
	return source.Format{
		Name:    "helicone",
		Doc:     "requests exported from Helicone (JSON, JSONL or CSV)",
		Version: 1,
		Detect:  detect,
		Read:    read,
	}
}

// detect looks for a request's id and time beside what Helicone measures.
func detect(p source.Probe) int {
	if isCSV(p.Head) {
		return 90
	}
	if first := rawjson.First(p.Head); first != nil {
		if isRow(first) {
			return 90
		}
		return 0
	}
	head := bytes.TrimLeft(p.Head, "\ufeff \t\r\n[")
	if bytes.HasPrefix(head, []byte("{")) && bytes.Contains(head, []byte(`"request_id"`)) && bytes.Contains(head, []byte(`"request_created_at"`)) {
		return 80
	}
	return 0
}

func isRow(o rawjson.Object) bool {
	return o.ID("request_id") != "" && o.Has("request_created_at")
}

// signed are addresses that open a body to whoever has them, for a while.
var signed = regexp.MustCompile(`https?:(?:/|\\/){2}[^\s",]*(?:X-Amz-|Signature=|signature=|sig=)[^\s",]*`)

// unsigned keeps signed addresses out of dead letters: a row that cannot be
// read may hold one anywhere.
type unsigned struct{ source.Out }

func (u unsigned) Reject(reject source.Reject) error {
	reject.Body = signed.ReplaceAll(reject.Body, []byte("[signed address]"))
	return u.Out.Reject(reject)
}

func read(ctx context.Context, in *source.Input, out source.Out) error {
	out = unsigned{out}
	records := source.Records(ctx, in, out, source.RecordOptions{})
	head, rest, err := peek(in.R)
	if err != nil {
		return err
	}
	in.R = rest
	if isCSV(head) {
		records = rows(ctx, in, out)
	}
	for record, err := range records {
		if err != nil {
			return err
		}
		if err := readRow(record, out); err != nil {
			return err
		}
	}
	return nil
}

func readRow(record source.Record, out source.Out) error {
	o := rawjson.Parse(record.Raw)
	if !isRow(o) {
		return out.Reject(record.Reject(source.ReasonIncomplete, "a row without request_id and request_created_at"))
	}
	calls := readCalls(o)
	first := calls[0].Event(sourceURI(o))
	for i := range calls {
		if err := out.Emit(calls[i].Event(sourceURI(o))); err != nil {
			return err
		}
	}
	for _, e := range said(o, first) {
		if err := out.Emit(e); err != nil {
			return err
		}
	}
	return nil
}

func sourceURI(o rawjson.Object) string {
	return "helicone://" + cmp.Or(provider(o), "gateway") + "/requests"
}

// readCalls reads a row: a call for each choice of its reply, or one without a
// conversation where the bodies are kept elsewhere.
func readCalls(o rawjson.Object) []llm.Call {
	exchange := llm.Exchange{URL: endpoint(o)}
	if status := o.Int("response_status"); status != nil && *status > 0 {
		exchange.Status = *status
	}
	if body := o.Object("request_body"); len(body) > 0 {
		exchange.Request = rawjson.Marshal(body)
	}
	switch body := o.Object("response_body"); {
	case len(body) > 0:
		exchange.Reply = rawjson.Marshal(body)
	default: // a stream as it came
		if text := o.String("response_body"); text != "" && text != "{}" && text != "null" {
			exchange.Reply = []byte(text)
		}
	}
	calls, err := llm.Parse(exchange)
	if err != nil { // an embedding, an image, or no bodies: a call that costs, and says nothing
		calls = []llm.Call{{}}
		calls[0].Model = rawjson.Parse(exchange.Request).String("model")
		if strings.Contains(exchange.URL, "/embeddings") {
			calls[0].API = "embeddings"
		}
	}
	status := o.Int("response_status")
	for i := range calls {
		c := &calls[i]
		c.At = o.Time("request_created_at")
		c.RequestID = o.ID("request_id")
		c.Provider = cmp.Or(provider(o), c.Provider)
		c.API = cmp.Or(c.API, genai.API(c.Provider, c.ResponseID))
		c.Model = cmp.Or(o.String("model_override"), c.Model, o.String("request_model"))
		c.ResponseModel = cmp.Or(c.ResponseModel, o.String("response_model"))
		c.Identify(rawjson.Marshal(map[string]string{"helicone": c.RequestID}))
		if c.HTTPStatus == nil && exchange.Status > 0 {
			c.HTTPStatus = &exchange.Status
		}
		if c.Status == "" || len(exchange.Reply) == 0 {
			c.Status, c.Error = "success", ""
			if status != nil && (*status >= 400 || *status < 0) { // below 0: Helicone gave up
				c.Status, c.Error = "failure", "HTTP status "+o.ID("response_status")
			}
		}
		c.LatencyMS, c.TimeToFirstTokenMS = o.Float("delay_ms"), o.Float("time_to_first_token")
		if i == 0 {
			fillUsage(c, o)
		}
		fillContext(c, o)
	}
	return calls
}

// endpoint is where the call went: request_path holds an address or its path.
func endpoint(o rawjson.Object) string {
	path := o.String("request_path", "target_url")
	if u, err := url.Parse(path); err == nil && u.Host != "" || path == "" {
		return path
	}
	hosts := map[string]string{"openai": "api.openai.com", "anthropic": "api.anthropic.com"}
	return "https://" + cmp.Or(hosts[provider(o)], provider(o), "unknown") + "/" + strings.TrimPrefix(path, "/")
}

func provider(o rawjson.Object) string {
	name := genai.Provider(o.String("provider"))
	if name == "custom" {
		return ""
	}
	return pathPart(name)
}

func pathPart(name string) string {
	return strings.Map(func(r rune) rune {
		if r > ' ' && r < 0x7f && !strings.ContainsRune("/?#%", r) {
			return r
		}
		return '-'
	}, name)
}

// fillUsage takes Helicone's numbers where the reply has none. For Anthropic
// they are Anthropic's: what was cached is not in the prompt's.
func fillUsage(c *llm.Call, o rawjson.Object) {
	if c.Usage.Raw == "" {
		c.Usage = lake.Usage{
			InputTokens: o.Int("prompt_tokens"), OutputTokens: o.Int("completion_tokens"), TotalTokens: o.Int("total_tokens"),
			CachedTokens: o.Int("prompt_cache_read_tokens"), CacheWriteTokens: o.Int("prompt_cache_write_tokens"),
		}
		native := rawjson.Object{}
		for _, key := range []string{"prompt_tokens", "completion_tokens", "total_tokens", "prompt_cache_read_tokens", "prompt_cache_write_tokens"} {
			if n := o.Int(key); n != nil {
				native[key] = rawjson.Marshal(*n)
			}
		}
		if len(native) > 0 {
			c.Usage.Raw = string(rawjson.Marshal(native))
		}
		if c.InputTokens != nil && c.Provider == "anthropic" {
			all := *c.InputTokens
			for _, cached := range []*int64{c.CachedTokens, c.CacheWriteTokens} {
				if cached != nil {
					all += *cached
				}
			}
			c.InputTokens = &all
		}
	}
	if cost := o.Float("costUSD", "cost_usd", "cost"); cost != nil {
		c.CostUSD = cost
	}
}

// keptFields are the fields that go to params; see docs/formats/helicone.md for those
// that do not.
var keptFields = []string{
	"response_id", "prompt_id", "prompt_version", "country_code", "asset_ids", "cache_reference_id", "cache_enabled", "threat", "target_url",
	"llmSchema", "request_properties",
}

func fillContext(c *llm.Call, o rawjson.Object) {
	properties := rawjson.Object{}
	for key, value := range o.Object("request_properties", "properties") {
		name := strings.ToLower(strings.ReplaceAll(key, "-", "_"))
		switch name {
		case "helicone_session_id":
			name = "session_id"
		case "helicone_session_name":
			name = "agent"
		}
		if !properties.Has(name) {
			properties[name] = value
		}
	}
	c.Annotate(properties)
	c.Annotate(rawjson.Object{"user": o["request_user_id"]})
	if id := o.ID("cache_reference_id"); strings.Trim(id, "0-") != "" && id != c.RequestID {
		c.Cached = true
	}
	gateway := map[string]any{}
	for _, key := range keptFields {
		if text := rawjson.Shrink(o[key]); text != "" && text != `""` && text != "{}" && text != "[]" {
			gateway[key] = json.RawMessage(text)
		}
	}
	if len(gateway) > 0 {
		c.Keep("_gateway", string(rawjson.Marshal(gateway)))
	}
}

// said are the reactions and scores that a row carries.
func said(o rawjson.Object, call lake.Event) []lake.Event {
	var events []lake.Event
	at := o.Time("feedback_created_at", "response_created_at", "request_created_at")
	if at.IsZero() {
		at = call.Time
	}
	if rating := o.Bool("feedback_rating"); rating != nil {
		thumb := -1.0
		if *rating {
			thumb = 1
		}
		events = append(events, lake.Event{
			ID: lake.StableID("helicone", "feedback", cmp.Or(o.ID("feedback_id"), o.ID("request_id"))), Source: call.Source,
			Type: "weir.feedback.given.v1", Subject: call.Subject, Time: at,
			Data: &lake.Feedback{UnitKind: "call", UnitID: call.ID, Kind: "thumb", Value: &thumb},
		})
	}
	scores := o.Object("scores")
	for _, name := range slices.Sorted(maps.Keys(scores)) {
		value := scores.Float(name)
		if value == nil {
			value = scores.Object(name).Float("value")
		}
		j := &lake.Judgement{TargetKind: "call", TargetID: call.ID, Rubric: name, Score: value, HigherIsBetter: genai.HigherIsBetter(name)}
		if truth := scores.Bool(name); truth != nil {
			score := 0.0
			if *truth {
				score = 1
			}
			j.Score = &score
			if j.HigherIsBetter != nil {
				passed := *truth == *j.HigherIsBetter
				j.Passed = &passed
			}
		}
		if j.Score == nil {
			continue
		}
		events = append(events, lake.Event{
			ID: lake.StableID("helicone", "score", o.ID("request_id"), name), Source: call.Source, Type: "weir.judgement.scored.v1",
			Subject: call.Subject, Time: call.Time, Data: j,
		})
	}
	return events
}
