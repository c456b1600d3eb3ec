// Package langfuse reads traces as Langfuse exports them: one trace with its
// observations a record. The observations of type GENERATION become gateway
// calls, each with the whole request, and scores become judgements and
// feedback. Start at Format.
//
// Frameworks differ in what they tell Langfuse of a call. Some log it twice,
// by a wrapper and within it; some log only what is new in a request, or
// nothing of it. The trace as a whole has the rest: see trace.calls.
package langfuse

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
	"github.com/weir-lake/weir/lake"
)

// Format is Langfuse's trace export.
func Format() source.Format {
	return source.Format{
		Name:    "langfuse",
		Doc:     "Langfuse traces with their observations and scores (JSON or JSONL)",
		Version: 1,
		Detect:  detect,
		Read:    read,
	}
}

// detect looks for a trace, which only Langfuse's has observations.
func detect(p source.Probe) int {
	if first := rawjson.First(p.Head); first != nil {
		switch {
		case first.Object("trace") != nil && first.List("observations") != nil:
			return 90
		case isTrace(first):
			return 85
		}
		return 0
	}
	head := string(p.Head)
	if !strings.HasPrefix(strings.TrimLeft(head, "\ufeff \t\r\n["), "{") {
		return 0
	}
	for _, words := range [][]string{{`"observations"`, `"parentObservationId"`}, {`"trace"`, `"observations"`, `"sessionId"`}, {`"projectId"`, `"sessionId"`, `"bookmarked"`}} {
		found := true
		for _, word := range words {
			found = found && strings.Contains(head, word)
		}
		if found {
			return 80
		}
	}
	return 0
}

// isTrace says that a record is a trace that holds its observations, as the
// API gives it.
func isTrace(o rawjson.Object) bool {
	if o.String("id") == "" || o.List("observations") == nil || !o.Has("timestamp") {
		return false
	}
	for _, observation := range o.Objects("observations") {
		return observation.Has("traceId") && observation.Has("type")
	}
	return o.Has("sessionId") || o.Has("scores")
}

func read(ctx context.Context, in *source.Input, out source.Out) error {
	for record, err := range source.Records(ctx, in, out, source.RecordOptions{}) {
		if err != nil {
			return err
		}
		if err := readRecord(record, out); err != nil {
			return err
		}
	}
	return nil
}

func readRecord(record source.Record, out source.Out) error {
	o := rawjson.Parse(record.Raw)
	t := trace{Object: o.Object("trace")}
	list := o.List("observations")
	if t.Object == nil && isTrace(o) {
		t.Object = o
	}
	switch {
	case t.Object == nil && o.Has("traceId"):
		return out.Reject(record.Reject(source.ReasonUnknownType, "an observation or score without its trace: export whole traces"))
	case t.Object == nil:
		return out.Reject(record.Reject(source.ReasonUnknownType, "no trace with observations"))
	}
	if t.id = t.ID("id"); t.id == "" {
		return out.Reject(record.Reject(source.ReasonIncomplete, "a trace without id"))
	}
	if list == nil {
		list = t.List("observations")
	}
	seen := map[string]bool{}
	for _, raw := range list {
		item := observation{Object: rawjson.Parse(raw)}
		if item.id = item.ID("id"); item.id == "" {
			reject := record.Reject(source.ReasonIncomplete, "an observation without id")
			reject.Body, reject.Length = raw, int64(len(raw))
			if err := out.Reject(reject); err != nil {
				return err
			}
			continue
		}
		if !seen[item.id] {
			seen[item.id] = true
			t.observations = append(t.observations, &item)
		}
	}
	t.arrange()
	targets := map[string]lake.Event{} // calls by the observations that tell of them
	for _, c := range t.calls() {
		e := c.Event("langfuse://" + cmp.Or(t.ID("projectId"), "project") + "/" + cmp.Or(pathPart(t.String("name")), "trace"))
		for o := c.of; o != nil && o.typeName() == generation; o = o.parent {
			if _, taken := targets[o.id]; !taken {
				targets[o.id] = e
			}
		}
		if err := out.Emit(e); err != nil {
			return err
		}
	}
	scores := t.Objects("scores")
	if o.Object("trace") != nil {
		scores = append(scores, o.Objects("scores")...)
	}
	told := map[string]bool{}
	for _, score := range append(scores, t.Objects("corrections")...) {
		e, ok := t.score(score, targets)
		if !ok {
			reject := record.Reject(source.ReasonIncomplete, "a score without id")
			reject.Body = rawjson.Marshal(score)
			reject.Length = int64(len(reject.Body))
			if err := out.Reject(reject); err != nil {
				return err
			}
			continue
		}
		if told[e.ID] {
			continue
		}
		told[e.ID] = true
		if err := out.Emit(e); err != nil {
			return err
		}
	}
	return nil
}

// pathPart makes a name fit into a URI.
func pathPart(name string) string {
	return strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("._-", r):
			return r
		}
		return '-'
	}, name), "-")
}

func orEpoch(t time.Time) time.Time {
	if t.IsZero() {
		return time.Unix(0, 0).UTC() // the clock would give the same file another event each time
	}
	return t
}
