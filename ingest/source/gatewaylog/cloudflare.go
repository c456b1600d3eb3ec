package gatewaylog

import (
	"cmp"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/llm"
	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
	"github.com/weir-lake/weir/lake"
)

// Cloudflare is logs of Cloudflare's AI Gateway, as its API lists them.
func Cloudflare() source.Format {
	return source.Format{
		Name: "cloudflare", Doc: "logs of Cloudflare's AI Gateway (JSON or JSONL)", Version: 1,
		Detect: detect(func(o rawjson.Object) bool { return isCloudflare(o) || isCloudflareAnswer(o) }, "tokens_in", "tokens_out", "provider"),
		Read:   reader("cloudflare://ai-gateway/log", readCloudflareRecord),
	}
}

func isCloudflare(o rawjson.Object) bool {
	return o.ID("id") != "" && o.Has("tokens_in") && o.Has("tokens_out") && o.Has("provider")
}

// isCloudflareAnswer says that a record is the API's answer, with the logs in a
// list.
func isCloudflareAnswer(o rawjson.Object) bool {
	for _, row := range o.Objects("result") {
		return isCloudflare(row)
	}
	return false
}

// readCloudflareRecord reads a log, or the API's answer with a list of them. An
// answer that holds something else beside logs is rejected as a whole.
func readCloudflareRecord(o rawjson.Object, _ []byte) ([]llm.Call, bool) {
	if isCloudflare(o) {
		return readCloudflare(o), true
	}
	if !isCloudflareAnswer(o) {
		return nil, false
	}
	var all []llm.Call
	for _, raw := range o.List("result") {
		row := rawjson.Parse(raw)
		if !isCloudflare(row) {
			return nil, false
		}
		all = append(all, readCloudflare(row)...)
	}
	return all, true
}

func readCloudflare(o rawjson.Object) []llm.Call {
	x := exchange{
		provider: o.String("provider"), model: o.String("model"), status: o.Int("status_code"),
		request: o["request_body"], reply: o["response_body"],
	}
	if path := o.String("path"); path != "" {
		x.url = "https://" + cmp.Or(x.provider, "unknown") + "/" + path
	}
	calls := x.calls()
	for i := range calls {
		c := &calls[i]
		c.At = o.Time("created_at")
		c.RequestID = o.ID("id")
		c.Identify(rawjson.Marshal(map[string]string{"cloudflare": c.RequestID}))
		c.LatencyMS = o.Float("duration")
		if i == 0 && c.Usage.Raw == "" {
			c.Usage = lake.Usage{InputTokens: o.Int("tokens_in"), OutputTokens: o.Int("tokens_out")}
			c.Usage.Raw = string(rawjson.Marshal(rawjson.Object{"tokens_in": o["tokens_in"], "tokens_out": o["tokens_out"]}))
		}
		if cost := o.Float("cost"); i == 0 && cost != nil {
			c.CostUSD = cost
		}
		if ok := o.Bool("success"); ok != nil && !*ok {
			fail(c, "HTTP status "+o.ID("status_code"))
		}
		if cached := o.Bool("cached"); cached != nil && *cached {
			c.Cached = true
		}
		c.Annotate(o.Object("metadata"))
		keep(c, o, "model_type", "request_type", "step", "custom_cost", "cached", "metadata")
	}
	return calls
}
