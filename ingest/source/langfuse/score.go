package langfuse

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/weir-lake/weir/ingest/source/genai"
	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
	"github.com/weir-lake/weir/lake"
)

// usage reads the usage of an observation. Its keys are free; those that name a
// kind of input or output are parts beside the rest where all of them add up to
// the total, else parts of it.
func usage(o *observation) lake.Usage {
	details := o.Object.Object("usageDetails", "usage")
	if len(details) == 0 {
		return lake.Usage{}
	}
	u := lake.Usage{
		InputTokens:  details.Int("input", "prompt_tokens", "promptTokens", "input_tokens"),
		OutputTokens: details.Int("output", "completion_tokens", "completionTokens", "output_tokens"),
		TotalTokens:  details.Int("total", "total_tokens", "totalTokens"),
		CachedTokens: details.Int("input_cache_read", "input_cached_tokens", "cache_read_input_tokens", "input_cached", "prompt_details.cache_read"),
		CacheWriteTokens: details.Int("input_cache_creation", "cache_creation_input_tokens", "input_cache_write",
			"prompt_details.cache_creation"),
		ReasoningTokens: details.Int("output_reasoning", "output_reasoning_tokens", "completion_details.reasoning", "reasoning_tokens"),
		Raw:             string(rawjson.Marshal(details)),
	}
	if cost := o.Object.Object("costDetails").Float("total"); cost != nil {
		u.CostUSD = cost
	}
	var inputs, outputs int64
	for _, key := range slices.Sorted(maps.Keys(details)) {
		n := details.Int(key)
		switch {
		case n == nil:
		case strings.HasPrefix(key, "input_"), strings.HasPrefix(key, "cache_"), strings.HasPrefix(key, "prompt_details."):
			inputs += *n
		case strings.HasPrefix(key, "output_"), strings.HasPrefix(key, "completion_details."):
			outputs += *n
		}
	}
	if u.InputTokens == nil || u.OutputTokens == nil {
		return u
	}
	input, output := *u.InputTokens+inputs, *u.OutputTokens+outputs
	switch {
	case u.TotalTokens != nil && input+output == *u.TotalTokens:
		u.InputTokens, u.OutputTokens = &input, &output
	case inputs > *u.InputTokens: // more was cached than sent: Anthropic's own numbers
		u.InputTokens = &input
	}
	return u
}

// score reads a score: a person's is feedback, a program's or a model's a
// judgement.
func (t *trace) score(o rawjson.Object, targets map[string]lake.Event) (lake.Event, bool) {
	id := o.ID("id")
	if id == "" {
		return lake.Event{}, false
	}
	kind, target := "conversation", t.id // calls have the trace as their task where it is not their conversation
	e := lake.Event{
		ID: lake.StableID("langfuse", "score", id), Source: "langfuse://" + cmp.Or(t.ID("projectId"), "project") + "/scores",
		Subject: cmp.Or(t.ID("sessionId"), t.id), Time: orEpoch(o.Time("timestamp", "createdAt")),
	}
	if called, ok := targets[o.ID("observationId")]; ok {
		kind, target, e.Subject = "call", called.ID, called.Subject
	}
	name, value := o.String("name"), o.Float("value")
	dataType := strings.ToUpper(o.String("dataType"))
	comment := o.String("comment")
	if o.String("source") == "ANNOTATION" {
		f := &lake.Feedback{UnitKind: kind, UnitID: target, Author: o.ID("authorUserId"), Comment: comment, Kind: "comment"}
		if f.Author != "" {
			f.PersonIDs = []string{f.Author}
		}
		better := genai.HigherIsBetter(name)
		switch {
		case dataType == "CORRECTION":
			f.Kind, f.Comment = "correction", cmp.Or(o.String("longStringValue"), comment)
		case dataType == "BOOLEAN" && value != nil && better != nil:
			thumb := -1.0
			if (*value != 0) == *better {
				thumb = 1
			}
			f.Kind, f.Value = "thumb", &thumb
		case dataType == "NUMERIC" && value != nil && *value >= 0 && *value <= 1 && better != nil:
			rating := *value
			if !*better {
				rating = 1 - rating
			}
			f.Kind, f.Value = "rating", &rating
			f.Comment = strings.TrimSpace(name + ": " + comment)
		default: // a scale that nobody told us
			f.Comment = strings.TrimSpace(name + "=" + cmp.Or(o.String("stringValue"), o.Raw("value")) + " " + comment)
		}
		e.Type, e.Data = "weir.feedback.given.v1", f
		return e, true
	}
	j := &lake.Judgement{
		TargetKind: kind, TargetID: target, Rubric: name, RubricVersion: o.ID("configId"), Score: value, Reasons: comment,
		HigherIsBetter: genai.HigherIsBetter(name),
	}
	if o.String("source") == "EVAL" {
		j.JudgeModel = "unknown" // a model; the export does not say which
	}
	switch {
	case dataType == "BOOLEAN" && value != nil && j.HigherIsBetter != nil:
		passed := (*value != 0) == *j.HigherIsBetter
		j.Passed = &passed
	case dataType == "CATEGORICAL":
		j.Score, j.Reasons = nil, strings.TrimSpace(o.String("stringValue")+"\n"+comment)
	}
	e.Type, e.Data = "weir.judgement.scored.v1", j
	return e, true
}
