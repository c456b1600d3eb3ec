package gatewaylog

import (
	"cmp"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/llm"
	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
	"github.com/weir-lake/weir/lake"
)

// Portkey is logs exported from Portkey.
func Portkey() source.Format {
	return source.Format{
		Name: "portkey", Doc: "logs exported from Portkey (JSONL)", Version: 1,
		Detect: detect(isPortkey, "created_at", "ai_org", "ai_model"),
		Read:   reader("portkey://gateway/log", readPortkey),
	}
}

func isPortkey(o rawjson.Object) bool {
	return o.Has("ai_org") && (o.Has("ai_model") || o.Has("is_success"))
}

func readPortkey(o rawjson.Object, raw []byte) ([]llm.Call, bool) {
	if !isPortkey(o) {
		return nil, false
	}
	x := exchange{
		url: o.String("request_url"), provider: o.String("ai_org"), model: o.String("ai_model"), status: o.Int("response_status_code"),
		request: nested(o, "request", "body"), reply: nested(o, "response", "body"),
	}
	calls := x.calls()
	for i := range calls {
		c := &calls[i]
		c.At = o.Time("created_at")
		c.RequestID = o.ID("id", "request_id")
		if c.RequestID != "" {
			c.Identify(rawjson.Marshal(map[string]string{"portkey": c.RequestID}))
		} else {
			c.Identify(raw)
		}
		c.ConversationID = cmp.Or(c.ConversationID, o.ID("trace_id"))
		c.LatencyMS = o.Float("response_time")
		if i == 0 && c.Usage.Raw == "" && o.Has("total_units") {
			c.Usage = lake.Usage{InputTokens: o.Int("req_units"), OutputTokens: o.Int("res_units"), TotalTokens: o.Int("total_units")}
			c.Usage.Raw = string(rawjson.Marshal(rawjson.Object{"req_units": o["req_units"], "res_units": o["res_units"], "total_units": o["total_units"]}))
		}
		if cents := o.Float("cost"); i == 0 && cents != nil && (o.String("cost_currency") == "" || o.String("cost_currency") == "USD") {
			cost := *cents / 100
			c.CostUSD = &cost
		}
		if ok := o.ID("is_success"); ok == "0" || ok == "false" || o.Bool("is_success") != nil && !*o.Bool("is_success") {
			fail(c, "Portkey says so")
		}
		switch o.String("cache_status") {
		case "HIT", "SEMANTIC HIT":
			c.Cached = true
		}
		if stream := o.ID("stream_mode"); stream == "1" || o.Bool("stream_mode") != nil && *o.Bool("stream_mode") {
			yes := true
			c.IsStream = &yes
		}
		keys, values := rawjson.List(nested(o, "metadata", "key")), rawjson.List(nested(o, "metadata", "value"))
		about := rawjson.Object{}
		for k := range keys {
			if name, ok := rawjson.Text(keys[k]); ok && k < len(values) {
				about[name] = values[k]
			}
		}
		c.Annotate(about)
		c.Annotate(rawjson.Object{"user": about["_user"]})
		keep(c, o, "mode", "config", "prompt_slug", "prompt_version_id", "cache_status", "cache_type", "retry_success_count")
	}
	return calls, true
}
