package tensorzero

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/weir-lake/weir/ingest/source/genai"
	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
	"github.com/weir-lake/weir/lake"
)

// solved are words of metrics that say what became of a task, rather than what
// somebody thinks of an answer.
var solved = []string{"success", "solved", "resolved", "exact_match", "correct", "passed", "goal", "win", "completed_task"}

// readMetric reads a metric: a boolean that says whether a task succeeded is an
// outcome, any other a judgement. The target is an inference or an episode; the
// row does not say which, and its id alone finds either.
func readMetric(o rawjson.Object) []lake.Event {
	name, target := o.String("metric_name"), o.ID("target_id")
	e := feedbackEvent(o, target)
	tags := rawjson.Compact(o["tags"])
	if tags == "{}" {
		tags = ""
	}
	truth, value := boolean(o["value"]), o.Float("value")
	better := genai.HigherIsBetter(name)
	if truth != nil && better != nil && *better && slices.ContainsFunc(solved, func(word string) bool { return strings.Contains(strings.ToLower(name), word) }) {
		outcome := &lake.Outcome{TargetKind: "task", TargetID: target, Level: "task", Value: "failure", Evidence: strings.TrimSpace("metric " + name + " " + tags), Origin: "label"}
		if *truth {
			outcome.Value = "success"
		}
		e.Type, e.Data = "weir.outcome.recorded.v1", outcome
		return []lake.Event{e}
	}
	j := &lake.Judgement{TargetKind: "conversation", TargetID: target, Rubric: name, Score: value, HigherIsBetter: better, Reasons: tags}
	switch {
	case truth != nil:
		score := 0.0
		if *truth {
			score = 1
		}
		j.Score = &score
		if better != nil {
			passed := *truth == *better
			j.Passed = &passed
		}
	case value == nil:
		return nil
	}
	e.Type, e.Data = "weir.judgement.scored.v1", j
	return []lake.Event{e}
}

func boolean(raw json.RawMessage) *bool { return rawjson.Object{"": raw}.Bool("") }

func feedbackEvent(o rawjson.Object, target string) lake.Event {
	return lake.Event{ID: lake.StableID("tensorzero", "feedback", o.ID("id")), Source: "tensorzero://gateway/feedback", Subject: cmp.Or(target, o.ID("id")), Time: at(o)}
}

func readComment(o rawjson.Object) []lake.Event {
	e := feedbackEvent(o, o.ID("target_id"))
	f := &lake.Feedback{UnitKind: "task", UnitID: o.ID("target_id"), Kind: "comment", Comment: cmp.Or(o.String("value"), o.Raw("value"))}
	if o.String("target_type") == "episode" {
		f.UnitKind = "conversation"
	}
	author(f, o)
	e.Type, e.Data = "weir.feedback.given.v1", f
	return []lake.Event{e}
}

// readDemonstration reads what the answer should have been.
func readDemonstration(o rawjson.Object) []lake.Event {
	e := feedbackEvent(o, o.ID("inference_id"))
	f := &lake.Feedback{UnitKind: "task", UnitID: o.ID("inference_id"), Kind: "correction", Comment: cmp.Or(o.String("value"), o.Raw("value"))}
	if m := reply(o["value"]); m != nil && m.Content != "" && len(m.ToolCalls) == 0 {
		f.Comment = m.Content
	}
	author(f, o)
	e.Type, e.Data = "weir.feedback.given.v1", f
	return []lake.Event{e}
}

func author(f *lake.Feedback, o rawjson.Object) {
	f.Author = o.Object("tags").ID("user", "user_id", "author")
	if f.Author != "" {
		f.PersonIDs = []string{f.Author}
	}
}

// readDatapoint reads a datapoint of a dataset: a scenario, which no example is
// made from.
func readDatapoint(o rawjson.Object) []lake.Event {
	id := o.ID("id")
	s := &lake.Scenario{Suite: o.String("dataset_name"), ScenarioID: id, Category: o.String("function_name"), Origin: "imported"}
	s.Messages, _ = conversation(o.Object("input"))
	for _, m := range s.Messages {
		if m.Role == "user" {
			s.Prompt = cmp.Or(m.Content, m.Parts)
		}
	}
	if expected := reply(o["output"]); expected != nil {
		s.Expected = expected.Content
		if len(expected.ToolCalls) > 0 {
			s.Expected = string(rawjson.Marshal(expected.ToolCalls))
		}
	}
	if deleted := o.Bool("is_deleted"); deleted != nil && *deleted {
		s.ReviewStatus = "retired"
	}
	params := o.Object("tool_params")
	s.Tools = genai.Tools(rawjson.Marshal(params.List("tools_available")))
	config := rawjson.Object{}
	for _, name := range slices.Sorted(maps.Keys(o)) {
		switch name {
		case "episode_id", "output_schema", "tags", "source_inference_id", "name", "staled_at":
			if text := rawjson.Compact(o[name]); text != "" && text != "{}" && text != `""` {
				config[name] = o[name]
			}
		}
	}
	if len(config) > 0 {
		s.GraderConfig = string(rawjson.Marshal(config))
	}
	return []lake.Event{{
		ID: lake.StableID("tensorzero", "datapoint", s.Suite, id), Source: "tensorzero://gateway/datapoints", Type: "weir.eval.scenario.v1",
		Subject: id, Time: at(o), Data: s,
	}}
}
