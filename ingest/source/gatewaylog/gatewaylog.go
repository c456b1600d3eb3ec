// Package gatewaylog reads the logs of three AI gateways that each write a call
// a record and differ in the names of its fields: Kong, Portkey and Cloudflare's
// AI Gateway. Each is a format of its own: see Kong, Portkey and Cloudflare.
package gatewaylog

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/genai"
	"github.com/weir-lake/weir/ingest/source/llm"
	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
)

// reader reads the records of a log with f, which says whether a record is one
// of the log's at all.
func reader(sourceURI string, f func(o rawjson.Object, raw []byte) (calls []llm.Call, known bool)) func(context.Context, *source.Input, source.Out) error {
	return func(ctx context.Context, in *source.Input, out source.Out) error {
		for record, err := range source.Records(ctx, in, out, source.RecordOptions{}) {
			if err != nil {
				return err
			}
			o := rawjson.Parse(record.Raw)
			calls, known := f(o, record.Raw)
			if !known {
				for _, key := range secrets {
					delete(o, key)
				}
				reject := record.Reject(source.ReasonUnknownType, "not a record of this log")
				reject.Body = rawjson.Marshal(o)
				if err := out.Reject(reject); err != nil {
					return err
				}
			}
			for i := range calls {
				calls[i].Position = record.Ordinal
				if err := out.Emit(calls[i].Event(sourceURI)); err != nil {
					return err
				}
			}
		}
		return nil
	}
}

// detect looks at the first record with is; where that is longer than the head,
// for the names of fields that no other log has.
func detect(is func(rawjson.Object) bool, words ...string) func(source.Probe) int {
	return func(p source.Probe) int {
		if first := rawjson.First(p.Head); first != nil {
			if is(first) {
				return 85
			}
			return 0
		}
		if !bytes.HasPrefix(bytes.TrimLeft(p.Head, "\ufeff \t\r\n["), []byte("{")) {
			return 0
		}
		for _, word := range words {
			if !bytes.Contains(p.Head, []byte(`"`+word+`"`)) {
				return 0
			}
		}
		return 80
	}
}

// secrets are fields that open the gateway or the provider behind it.
var secrets = []string{"virtual_key", "api_key"}

// exchange is what a log holds of a call's two bodies.
type exchange struct {
	url, provider, model string
	status               *int64
	request, reply       json.RawMessage // JSON, or JSON as text; a stream as it came
}

// calls reads the bodies: a call for each choice, or one without a conversation
// where there are none, or none of a chat's.
func (x exchange) calls() []llm.Call {
	parsed := llm.Exchange{URL: x.url}
	if o := rawjson.Parse(x.request); len(o) > 0 {
		parsed.Request = rawjson.Marshal(o)
	}
	if o := rawjson.Parse(x.reply); len(o) > 0 {
		parsed.Reply = rawjson.Marshal(o)
	} else if text, ok := rawjson.Text(x.reply); ok {
		parsed.Reply = []byte(text)
	}
	if x.status != nil && *x.status > 0 {
		parsed.Status = *x.status
	}
	calls, err := llm.Parse(parsed)
	if err != nil {
		calls = []llm.Call{{}}
	}
	for i := range calls {
		c := &calls[i]
		c.Provider = cmp.Or(genai.Provider(x.provider), c.Provider)
		c.API = cmp.Or(c.API, genai.API(c.Provider, c.ResponseID))
		c.Model = cmp.Or(c.Model, x.model, rawjson.Parse(parsed.Request).String("model"))
		c.HTTPStatus = x.status
		if c.Status == "" {
			c.Status = "success"
		}
	}
	return calls
}

// fail makes a call a failed one.
func fail(c *llm.Call, why string) {
	c.Status, c.Error, c.Output = "failure", cmp.Or(c.Error, why), nil
}

// keep puts fields without a column under _gateway.
func keep(c *llm.Call, o rawjson.Object, keys ...string) {
	left := rawjson.Object{}
	for _, key := range keys {
		if text := rawjson.Shrink(o[key]); text != "" && text != `""` && text != "{}" && text != "[]" {
			left[key] = json.RawMessage(text)
		}
	}
	if len(left) > 0 {
		c.Keep("_gateway", string(rawjson.Marshal(left)))
	}
}

// nested gives the object that fields with dots in their names spell out, as
// the log wrote it: request.body, or body within request.
func nested(o rawjson.Object, outer, inner string) json.RawMessage {
	if raw, ok := o[outer+"."+inner]; ok {
		return raw
	}
	return o.Object(outer)[inner]
}
