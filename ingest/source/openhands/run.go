package openhands

import (
	"cmp"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
	"github.com/weir-lake/weir/ingest/source/messages"
	"github.com/weir-lake/weir/lake"
)

// run turns the history of a run into events, in file order.
type run struct {
	out      source.Out
	task     string // native task id
	id       string // conversation; found with the first event where it is empty
	agent    string
	model    string
	position int64
	place    int64
	isLast   bool // of the events of a record: nothing follows
	last     time.Time
	line     line            // conversation that the next event belongs to
	outer    []line          // conversations that wait for a delegate
	called   map[string]call // by id of the action
	told     map[string]bool // model outputs whose text was told
	latency  map[string]float64
	usage    map[string]rawjson.Object
}

// line is a conversation: the run's own, or a delegate's.
type line struct {
	id, parentID, parentCall string
	agent                    string
	last                     string // message id
	count                    int    // of events without an id
}

// call is what an observation answers.
type call struct{ id, name string }

func newRun(out source.Out, task, mark string, record source.Record) *run {
	r := &run{
		out: out, task: task, agent: "agent", position: record.Ordinal * 1000,
		called: map[string]call{}, told: map[string]bool{}, latency: map[string]float64{}, usage: map[string]rawjson.Object{},
	}
	r.id = mark
	if task != "" {
		r.id = task + "/" + mark
	}
	return r
}

// calls remembers what the record says of each model call.
func (r *run) calls(metrics rawjson.Object) {
	for _, o := range metrics.Objects("response_latencies") {
		if seconds := o.Float("latency"); seconds != nil {
			r.latency[o.String("response_id")] = *seconds * 1000
		}
	}
	for _, o := range metrics.Objects("token_usages") {
		r.usage[o.String("response_id")] = o
	}
}

// begin tells what the record says beside the history. The instruction is the
// history's first message, and metrics of single calls go to the calls.
func (r *run) begin(o rawjson.Object) error {
	rest := rawjson.Object{}
	for key, raw := range o {
		switch key {
		case "history", "instruction":
		case "metrics":
			metrics := o.Object(key)
			for _, each := range []string{"response_latencies", "token_usages", "costs"} {
				delete(metrics, each)
			}
			rest[key] = rawjson.Marshal(metrics)
		default:
			rest[key] = raw
		}
	}
	r.line = line{id: r.id, agent: r.agent}
	parts := messages.Rest(rest)
	if parts == "" {
		return nil
	}
	return r.emit("record", r.start(o), &lake.ChatMessage{Kind: lake.KindNotice, Name: "record", Parts: parts}, "")
}

// start is when the first event of the record happened.
func (r *run) start(o rawjson.Object) time.Time {
	first := o.List("history")[0]
	if pair := rawjson.List(first); len(pair) > 0 {
		first = pair[0]
	}
	return rawjson.Parse(first).Time("timestamp")
}

// end tells the outcome, where somebody looked for it: whether the tests pass,
// or what a judge of the resolver says.
func (r *run) end(o rawjson.Object) error {
	for _, report := range []rawjson.Object{o.Object("report"), o.Object("test_result").Object("report")} {
		resolved := report.Bool("resolved")
		if resolved == nil {
			continue
		}
		outcome := &lake.Outcome{
			TargetKind: "conversation", TargetID: r.id, Level: "task", Value: "failure", Origin: "tests", Evidence: "report: resolved " + strconv.FormatBool(*resolved),
		}
		if *resolved {
			outcome.Value = "success"
		}
		if err := r.out.Emit(r.lakeEvent("outcome", "weir.outcome.recorded.v1", r.last, outcome, "")); err != nil {
			return err
		}
		break
	}
	judged := o.Bool("success")
	if judged == nil || !o.Has("issue") {
		return nil
	}
	isBetter := true
	return r.out.Emit(r.lakeEvent("judgement", "weir.judgement.scored.v1", r.last, &lake.Judgement{
		TargetKind: "conversation", TargetID: r.id, Rubric: "openhands-resolver", HigherIsBetter: &isBetter, Passed: judged,
		JudgeModel: r.model, Reasons: cmp.Or(o.String("success_explanation", "result_explanation"), o.Raw("success_explanation", "result_explanation")),
	}, ""))
}

// event reads one event of the history.
func (r *run) event(o rawjson.Object, raw []byte, reject func(reason, detail string) source.Reject) error {
	if o == nil {
		return r.out.Reject(reject(source.ReasonWrongType, "no object"))
	}
	if r.id == "" { // a history alone: its first event names it
		r.id = fingerprint(raw, raw)
	}
	if r.line.id == "" {
		r.line = line{id: r.id, agent: r.agent}
	}
	at := o.Time("timestamp")
	if o.Has("timestamp") && at.IsZero() {
		return r.out.Reject(reject(source.ReasonWrongType, "a timestamp that is none"))
	}
	action, observation := o.String("action"), o.String("observation")
	var m *lake.ChatMessage
	switch {
	case action == "null" || observation == "null":
		return nil // nothing was done or seen
	case action != "":
		m = r.action(o, action)
	case observation != "":
		if observation == "delegate" && len(r.outer) > 0 {
			r.line, r.outer = r.outer[len(r.outer)-1], r.outer[:len(r.outer)-1]
		}
		m = r.observation(o, observation)
	default:
		return r.out.Reject(reject(source.ReasonUnknownType, "neither action nor observation"))
	}
	if m == nil {
		return r.out.Reject(reject(source.ReasonUnknownType, "source "+cmp.Or(o.String("source"), "is missing")))
	}
	m.MessageID = r.messageID(o)
	if m.Kind != lake.KindNotice {
		m.ParentID, r.line.last = r.line.last, m.MessageID
	}
	if r.isLast {
		m.IsFinal = new(bool)
		*m.IsFinal = true
	}
	if err := r.emit(m.MessageID, at, m, native(o)); err != nil {
		return err
	}
	if action == "delegate" && o.String("source") == "agent" {
		r.outer = append(r.outer, r.line)
		r.line = line{
			id: r.line.id + "/" + m.MessageID, parentID: r.line.id, parentCall: r.called[o.ID("id")].id,
			agent: cmp.Or(o.Object("args").String("agent"), r.agent),
		}
	}
	return nil
}

// messageID is the event's number, which is unique in the run; the histories
// of some writers have none, and get their places.
func (r *run) messageID(o rawjson.Object) string {
	if id := o.ID("id"); id != "" {
		return id
	}
	r.line.count++
	return "n" + strconv.Itoa(r.line.count)
}

// emit makes the event of a message. An event without a time has the one of
// the event before, else 1970.
func (r *run) emit(key string, at time.Time, m *lake.ChatMessage, native string) error {
	if at.After(r.last) {
		r.last = at
	}
	m.ConversationID, m.ParentConversationID, m.ParentCallID, m.TaskID = r.line.id, r.line.parentID, r.line.parentCall, r.task
	m.Position, m.OrderedAt = r.position+r.place, r.time(time.Time{})
	r.place++
	return r.out.Emit(r.lakeEvent(r.line.id+"\x1e"+key, "weir.chat.message.v1", r.time(at), m, native))
}

func (r *run) time(at time.Time) time.Time {
	switch {
	case !at.IsZero():
		return at
	case !r.last.IsZero():
		return r.last
	}
	return time.Unix(0, 0).UTC()
}

func (r *run) lakeEvent(key, kind string, at time.Time, data any, native string) lake.Event {
	return lake.Event{
		ID: lake.StableID("openhands", r.id, key), Source: "openhands://" + url.PathEscape(r.id), Type: kind,
		Subject: r.id, Time: r.time(at), Data: data, Extra: native,
	}
}

// native keeps the fields of an event that have no column. Metrics of an event
// are the run's so far, and the reply that made a call is told as the output.
func native(o rawjson.Object) string {
	known := []string{"id", "timestamp", "source", "message", "action", "observation", "args", "content", "cause", "tool_call_metadata", "llm_metrics", "success"}
	left := rawjson.Object{}
	for key, raw := range o {
		if text := rawjson.Shrink(raw); text != "" && text != "{}" && !slices.Contains(known, key) {
			left[key] = json.RawMessage(text)
		}
	}
	if len(left) == 0 {
		return ""
	}
	return string(rawjson.Marshal(map[string]any{"native": left}))
}
