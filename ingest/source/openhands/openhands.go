// Package openhands reads what OpenHands keeps of its agents' runs: the records
// of its benchmarks and of its issue resolver, with the whole history of a run
// each, and trajectories, which are the history alone. Both become chat
// messages; a record also has outcomes where somebody ran the tests. Start at
// Format.
package openhands

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"regexp"
	"strconv"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
	"github.com/weir-lake/weir/lake"
)

// Format is the format of OpenHands' records and trajectories.
func Format() source.Format {
	return source.Format{
		Name:    "openhands",
		Doc:     "OpenHands: records of benchmarks and of the resolver (output.jsonl), trajectories (JSON)",
		Version: 1,
		Detect:  detect,
		Read:    read,
	}
}

var (
	// A record is mostly longer than the head: told by how it begins and by a
	// field that nobody else has.
	recordOpening = regexp.MustCompile(`^\[?\s*\{\s*"(instance_id|issue|instance|task_id)"\s*:`)
	recordFields  = regexp.MustCompile(`"(git_patch|agent_class|openhands_version|llm_completions)"\s*:`)
	eventOpening  = regexp.MustCompile(`^\[?\s*\{\s*"id"\s*:\s*\d+\s*,\s*"timestamp"\s*:\s*"[^"]*"\s*,\s*"source"\s*:\s*"(user|agent|environment)"`)
)

func detect(p source.Probe) int {
	head := bytes.TrimLeft(p.Head, "\ufeff \t\r\n")
	o := rawjson.First(p.Head)
	switch {
	case o == nil && recordOpening.Match(head) && recordFields.Match(head):
		return 80
	case o == nil && eventOpening.Match(head):
		return 75
	case isEvent(o):
		return 80
	case isRecord(o):
		return 85
	}
	return 0
}

func isRecord(o rawjson.Object) bool {
	history := o.List("history")
	if len(history) == 0 || !o.Has("instance_id") && !o.Has("instruction") && !o.Has("issue") && !o.Has("metadata") {
		return false
	}
	first := rawjson.Parse(history[0])
	if pair := rawjson.List(history[0]); len(pair) > 0 {
		first = rawjson.Parse(pair[0])
	}
	return isEvent(first)
}

// isEvent tells an event of a history from all else that has an action.
func isEvent(o rawjson.Object) bool {
	switch o.String("source") {
	case "user", "agent", "environment":
	default:
		return false
	}
	return o.String("action") != "" && o.Object("args") != nil || o.String("observation") != "" && o.Object("extras") != nil
}

// read takes a record as a run, and events that stand by themselves as one run
// together.
func read(ctx context.Context, in *source.Input, out source.Out) error {
	var loose *run
	for record, err := range source.Records(ctx, in, out, source.RecordOptions{}) {
		if err != nil {
			return err
		}
		o := rawjson.Parse(record.Raw)
		if o.Has("history") || o.Has("instance_id") {
			loose = nil
			err = readRecord(record, o, out)
		} else {
			if loose == nil {
				loose = newRun(out, "", "", record)
			}
			loose.position = record.Ordinal * 1000
			err = loose.event(o, record.Raw, record.Reject)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// readRecord reads the record of a run.
func readRecord(record source.Record, o rawjson.Object, out source.Out) error {
	history := rawjson.List(o["history"])
	if history == nil {
		return out.Reject(record.Reject(source.ReasonIncomplete, "no history"))
	}
	var events []json.RawMessage
	for _, item := range history {
		if pair := rawjson.List(item); pair != nil { // the first releases: an action and its observation
			events = append(events, pair...)
			continue
		}
		events = append(events, item)
	}
	if len(events) == 0 {
		return out.Reject(record.Reject(source.ReasonIncomplete, "no history"))
	}
	r := newRun(out, cmp.Or(o.ID("instance_id"), o.Object("instance").ID("instance_id")), fingerprint(events[0], record.Raw), record)
	metadata := o.Object("metadata")
	r.model, r.agent = metadata.Object("llm_config").String("model"), cmp.Or(metadata.String("agent_class"), r.agent)
	r.calls(o.Object("metrics"))
	if err := r.begin(o); err != nil {
		return err
	}
	for i, raw := range events {
		r.isLast = i == len(events)-1
		if err := r.event(rawjson.Parse(raw), raw, nested(record, i, raw)); err != nil {
			return err
		}
	}
	return r.end(o)
}

// nested makes rejects of an event within a record.
func nested(record source.Record, i int, raw []byte) func(reason, detail string) source.Reject {
	return func(reason, detail string) source.Reject {
		return source.Reject{
			Reason: reason, Detail: "history[" + strconv.Itoa(i) + "]: " + detail, Line: record.Line, Record: record.Ordinal, Body: raw, Length: int64(len(raw)),
		}
	}
}

// fingerprint tells runs of one task apart: by their first event, which has a
// time to the microsecond and stands also in a shorter or a bare history of
// the run; by the whole record where it has none.
func fingerprint(first, record []byte) string {
	if o := rawjson.Parse(first); o.Has("timestamp") {
		return lake.StableID("openhands", o.String("timestamp"), o.String("source"), said(o))[:16]
	}
	return lake.StableID("openhands", string(rawjson.Canonical(record)))[:16]
}
