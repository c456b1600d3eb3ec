package gatewaylog

import (
	"cmp"
	"maps"
	"slices"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/llm"
	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
	"github.com/weir-lake/weir/lake"
)

// Kong is the log entries of Kong's AI plugins, as its log plugins write them.
func Kong() source.Format {
	return source.Format{
		Name: "kong", Doc: "log entries of Kong's AI gateway (JSON or JSONL)", Version: 1,
		Detect: detect(func(o rawjson.Object) bool { return isKong(o) && o.Object("ai") != nil }, "latencies", "started_at", "ai"),
		Read:   reader("kong://gateway/log", readKong),
	}
}

// isKong says that a record is a log entry of Kong's.
func isKong(o rawjson.Object) bool {
	return o.Has("started_at") && o.Object("latencies") != nil && o.Object("request") != nil
}

// readKong reads an entry: a call for each plugin that used a model. An entry
// without one is other traffic of the gateway's, and gives none.
func readKong(o rawjson.Object, raw []byte) ([]llm.Call, bool) {
	if !isKong(o) {
		return nil, false
	}
	ai := o.Object("ai")
	request, response := o.Object("request"), o.Object("response")
	var all []llm.Call
	for _, name := range slices.Sorted(maps.Keys(ai)) {
		plugin := ai.Object(name)
		usage, meta, payload := plugin.Object("usage"), plugin.Object("meta"), plugin.Object("payload")
		if usage == nil && meta == nil { // ai.payload, which all plugins share
			continue
		}
		x := exchange{
			provider: meta.String("provider_name"), model: meta.String("request_model"), status: response.Int("status"),
			request: payload["request"], reply: payload["response"],
		}
		if x.request == nil {
			x.request = ai.Object("payload")["request"]
		}
		calls := x.calls()
		for i := range calls {
			c := &calls[i]
			c.At = o.Time("started_at")
			c.RequestID = cmp.Or(request.ID("id"), o.ID("request_id"))
			if c.RequestID != "" {
				c.Identify(rawjson.Marshal(map[string]string{"kong": c.RequestID, "plugin": name}))
			} else {
				c.Identify(raw, []byte(rawjson.Marshal(name)))
			}
			c.ResponseModel = cmp.Or(c.ResponseModel, meta.String("response_model"))
			c.LatencyMS = cmp.Or(meta.Float("llm_latency"), o.Object("latencies").Float("proxy"))
			if i == 0 && c.Usage.Raw == "" && len(usage) > 0 {
				c.Usage = lake.Usage{
					InputTokens:  usage.Int("prompt_tokens", "prompt_token"),
					OutputTokens: usage.Int("completion_tokens", "completion_token"),
					TotalTokens:  usage.Int("total_tokens", "total_token"), Raw: rawjson.Compact(rawjson.Marshal(usage)),
				}
			}
			if cost := usage.Float("cost"); i == 0 && cost != nil {
				c.CostUSD = cost
			}
			if plugin.Object("cache").String("cache_status") == "Hit" {
				c.Cached = true
			}
			if status := c.HTTPStatus; status != nil && *status >= 400 {
				fail(c, "HTTP status "+response.ID("status"))
			}
			consumer := o.Object("consumer", "authenticated_entity")
			c.Annotate(rawjson.Object{"user": rawjson.Marshal(consumer.ID("username", "custom_id", "id"))})
			left := rawjson.Object{"plugin": rawjson.Marshal(name), "cache": plugin["cache"], "plugin_id": meta["plugin_id"]}
			for _, part := range []string{"service", "route"} {
				left[part] = rawjson.Marshal(o.Object(part).ID("name", "id"))
			}
			keep(c, left, "plugin", "plugin_id", "cache", "service", "route")
		}
		all = append(all, calls...)
	}
	return all, true
}
