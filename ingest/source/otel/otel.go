// Package otel reads OpenTelemetry's traces and logs in OTLP/JSON, as a
// collector's file exporter writes them and as OTLP over HTTP sends them, into
// the calls of language models that they tell of. Start at Format.
//
// Each span is read by itself. Who exports spans sends a child before its
// parent, and a batch may end anywhere, so that what is read of a span must not
// depend on what came with it: the same span is the same event from a file and
// live. See docs/formats/otel.md for what is read of a span and what is
// dropped.
package otel

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/genai"
	"github.com/weir-lake/weir/ingest/source/llm"
	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
	"github.com/weir-lake/weir/lake"
)

// The two versions of the parser. A call may be told of twice, by a span and by
// an event with what was said: the copy that has the words outranks the one
// that has only the numbers, whichever comes first. Raise both by 2.
const (
	versionOfNumbers = 1
	version          = 2
)

// Format is OTLP/JSON: one document, or one a line.
func Format() source.Format {
	return source.Format{
		Name:    "otel",
		Doc:     "OpenTelemetry traces and logs of GenAI calls in OTLP/JSON (JSON or JSONL)",
		Version: version,
		Detect:  detect,
		Read:    read,
	}
}

// detect looks for the outermost field, which no other format has.
func detect(p source.Probe) int {
	if first := rawjson.First(p.Head); first != nil {
		for _, key := range []string{"resourceSpans", "resourceLogs", "resourceMetrics"} {
			if first.List(key) != nil {
				return 90
			}
		}
		return 0
	}
	head := strings.TrimLeft(string(p.Head), "\ufeff \t\r\n[")
	head, ok := strings.CutPrefix(head, "{")
	head = strings.TrimLeft(head, " \t\r\n")
	if ok && (strings.HasPrefix(head, `"resourceSpans"`) || strings.HasPrefix(head, `"resourceLogs"`)) {
		return 90
	}
	return 0
}

func read(ctx context.Context, in *source.Input, out source.Out) error {
	for record, err := range source.Records(ctx, in, out, source.RecordOptions{}) {
		if err != nil {
			return err
		}
		r := reader{out: out, record: record}
		if err := r.document(rawjson.Parse(record.Raw)); err != nil {
			return err
		}
	}
	return nil
}

// reader reads one document.
type reader struct {
	out    source.Out
	record source.Record
}

func (r *reader) reject(reason, detail string, body []byte) error {
	reject := r.record.Reject(reason, detail)
	reject.Body, reject.Length = body, int64(len(body))
	return r.out.Reject(reject)
}

func (r *reader) document(o rawjson.Object) error {
	known := false
	for _, level := range []struct{ top, scope, items string }{
		{"resourceSpans", "scopeSpans", "spans"}, {"resourceLogs", "scopeLogs", "logRecords"},
	} {
		if !o.Has(level.top) {
			continue
		}
		known = true
		take := r.span
		if level.items == "logRecords" {
			take = r.logRecord
		}
		err := r.each(o, level.top, func(resource rawjson.Object) error {
			service := attributes(resource.Object("resource"))["service.name"]
			if !resource.Has(level.scope) && resource.Has("instrumentationLibrarySpans") { // before OTLP 0.19
				return r.each(resource, "instrumentationLibrarySpans", func(scope rawjson.Object) error {
					return r.each(scope, level.items, func(item rawjson.Object) error { return take(item, service, scope.Object("instrumentationLibrary")) })
				})
			}
			return r.each(resource, level.scope, func(scope rawjson.Object) error {
				return r.each(scope, level.items, func(item rawjson.Object) error { return take(item, service, scope.Object("scope")) })
			})
		})
		if err != nil {
			return err
		}
	}
	if !known && !o.Has("resourceMetrics") {
		return r.out.Reject(r.record.Reject(source.ReasonUnknownType, "neither resourceSpans nor resourceLogs"))
	}
	return nil
}

// each calls f for the objects of a list, and rejects what is none.
func (r *reader) each(o rawjson.Object, key string, f func(rawjson.Object) error) error {
	if !o.Has(key) {
		return nil
	}
	var list []json.RawMessage
	if json.Unmarshal(o[key], &list) != nil {
		return r.reject(source.ReasonWrongType, key+" is no list", o[key])
	}
	for _, raw := range list {
		var item rawjson.Object
		if json.Unmarshal(raw, &item) != nil || item == nil {
			if err := r.reject(source.ReasonWrongType, key+" holds something else than objects", raw); err != nil {
				return err
			}
			continue
		}
		if err := f(item); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) span(o rawjson.Object, service json.RawMessage, scope rawjson.Object) error {
	s := genai.Span{
		TraceID: hexID(o.String("traceId"), 16), ID: hexID(o.String("spanId"), 8), ParentID: hexID(o.String("parentSpanId"), 8),
		Name: o.String("name"), Start: nanos(o["startTimeUnixNano"]), End: nanos(o["endTimeUnixNano"]), Attributes: attributes(o),
		Scope: scope.String("name"),
	}
	s.Service, _ = rawjson.Text(service)
	if s.TraceID == "" || s.ID == "" {
		return r.reject(source.ReasonIncomplete, "a span without traceId or spanId", rawjson.Marshal(o))
	}
	status := o.Object("status")
	if code := status.ID("code"); code == "2" || code == "STATUS_CODE_ERROR" {
		s.Failed, s.Message = true, status.String("message")
	}
	for _, e := range o.Objects("events") {
		s.Events = append(s.Events, genai.Event{Name: e.String("name"), At: nanos(e["timeUnixNano"]), Attributes: attributes(e)})
	}
	target, targetID, subject := "conversation", s.TraceID, s.TraceID
	if s.IsCall() {
		calls := s.Calls()
		if err := r.emitCalls(calls, o["startTimeUnixNano"], &s); err != nil {
			return err
		}
		first := calls[0].Event("")
		target, targetID, subject = "call", first.ID, first.Subject
	}
	for i := range s.Events {
		if e := &s.Events[i]; e.Name == genai.Evaluation {
			if err := r.out.Emit(judgement(e, &s, target, targetID, subject)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *reader) emitCalls(calls []llm.Call, started json.RawMessage, s *genai.Span) error {
	for i := range calls {
		calls[i].Position = belowMicrosecond(started)
		e := calls[i].Event(sourceURI(s))
		if len(calls[i].Messages) == 0 && len(calls[i].Output) == 0 {
			e.ParserVersion = versionOfNumbers
		}
		if err := r.out.Emit(e); err != nil {
			return err
		}
	}
	return nil
}

func sourceURI(s *genai.Span) string {
	service := s.Service
	if service == "" || strings.HasPrefix(service, "unknown_service") {
		service = "service"
	}
	return "otel://" + strings.ReplaceAll(service, " ", "-") + "/" + s.Scope
}

// logRecord reads a GenAI event: the details of a call, or a judge's score.
// Other logs are none of ours.
func (r *reader) logRecord(o rawjson.Object, service json.RawMessage, scope rawjson.Object) error {
	e := genai.Event{Attributes: attributes(o), Body: anyValue(o.Object("body"), 0)}
	e.Name = o.String("eventName")
	if e.Name == "" {
		e.Name = e.Attributes.String("event.name")
	}
	if e.At = nanos(o["timeUnixNano"]); e.At.IsZero() {
		e.At = nanos(o["observedTimeUnixNano"])
	}
	s := genai.Span{
		TraceID: hexID(o.String("traceId"), 16), ID: hexID(o.String("spanId"), 8), Start: e.At, Scope: scope.String("name"),
		Attributes: e.Attributes,
	}
	s.Service, _ = rawjson.Text(service)
	switch {
	case e.Name == "gen_ai.client.inference.operation.details":
		for key, value := range rawjson.Parse(e.Body) {
			if !s.Attributes.Has(key) {
				s.Attributes[key] = value
			}
		}
		calls := s.Calls()
		if s.ID == "" { // logged outside of any span
			for i := range calls {
				calls[i].Identify(rawjson.Marshal(o))
			}
		}
		return r.emitCalls(calls, nil, &s)
	case e.Name == genai.Evaluation:
		target, targetID := "conversation", s.TraceID
		subject := s.TraceID
		if id := e.Attributes.ID("gen_ai.response.id"); id != "" {
			first := s.Calls()[0].Event("")
			target, targetID, subject = "call", first.ID, first.Subject
		}
		if targetID == "" {
			return r.reject(source.ReasonIncomplete, "a score that names neither a trace nor a response", rawjson.Marshal(o))
		}
		return r.out.Emit(judgement(&e, &s, target, targetID, subject))
	case e.Name == "gen_ai.choice", strings.HasPrefix(e.Name, "gen_ai.") && strings.HasSuffix(e.Name, ".message"):
		return r.reject(source.ReasonUnknownType, fmt.Sprintf("%s: messages one by one in the logs cannot be joined safely; let the instrumentation put them into span attributes", e.Name), rawjson.Marshal(o))
	}
	return nil
}

func judgement(e *genai.Event, s *genai.Span, target, targetID, subject string) lake.Event {
	j := e.Judgement()
	j.TargetKind, j.TargetID = target, targetID
	at := e.At
	if at.IsZero() {
		at = s.Start
	}
	return lake.Event{
		ID:     lake.StableID("otel", "evaluation", s.TraceID, s.ID, j.Rubric, string(rawjson.Canonical(rawjson.Marshal(e.Attributes)))),
		Source: sourceURI(s), Type: "weir.judgement.scored.v1", Subject: subject, Time: orEpoch(at), Data: j,
	}
}
