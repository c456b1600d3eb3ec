// Package messages reads conversations as lists of chat messages in OpenAI's
// shape: training sets and saved histories (Format), and the runs that
// tau-bench writes (TauBench). It also turns such lists into events for formats
// that hold the same under other names; start there at Conversation.
package messages

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/llm"
	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
	"github.com/weir-lake/weir/lake"
)

const (
	wrongType   = source.ReasonWrongType
	unknownType = source.ReasonUnknownType

	headBytes = 64 << 10
)

// Format is the format of message lists: {"messages": […]} a record, an array
// of lists, or one list.
func Format() source.Format {
	return source.Format{
		Name:    "openai-messages",
		Doc:     "lists of chat messages in OpenAI's shape: training sets and saved histories (JSONL or JSON)",
		Version: 1,
		Detect:  detect,
		Read:    read,
	}
}

// opening is how a record begins that is longer than the head.
var opening = regexp.MustCompile(`^\{\s*"messages"\s*:\s*\[\s*\{\s*"(role|content|name|tool_calls|weight)"\s*:`)

// messageOpening is how a message begins that is longer than the head.
var messageOpening = regexp.MustCompile(`^\{\s*"(role"\s*:\s*"(system|developer|user|assistant)|content"\s*:\s*["[])`)

func detect(p source.Probe) int {
	head := bytes.TrimLeft(p.Head, "\ufeff \t\r\n")
	array := bytes.HasPrefix(head, []byte("["))
	inner := bytes.TrimLeft(head, "[ \t\r\n")
	switch {
	case !bytes.HasPrefix(inner, []byte("{")):
		return 0
	case array && isMessage(inner):
		return 45
	}
	o := rawjson.First(p.Head)
	if o == nil {
		if opening.Match(inner) {
			return 50
		}
		return 0
	}
	list := o.List("messages")
	if len(list) == 0 || o.Has("request") || o.Has("response") || o.Has("choices") || o.Has("conversation") {
		return 0
	}
	if first := rawjson.Parse(list[0]); !speaks(first) {
		return 0
	}
	if _, score := llm.DetectRecord(p.Head); score > 0 {
		return 0 // a call that a gateway logged
	}
	return 55
}

// isMessage says whether the object that text begins with is a chat message.
func isMessage(text []byte) bool {
	var raw json.RawMessage
	if json.NewDecoder(bytes.NewReader(text)).Decode(&raw) != nil {
		return messageOpening.Match(text)
	}
	o := rawjson.Parse(raw)
	return speaks(o) && !o.Has("messages") && !o.Has("type")
}

func speaks(o rawjson.Object) bool {
	role := o.String("role")
	known := roles[role] || role == "function"
	_, content := o["content"]
	return known && (content || o.Has("tool_calls") || o.Has("function_call"))
}

// read keeps one record back: a list that the next one repeats and continues
// is a saved state of the same conversation, and told by the next.
func read(ctx context.Context, in *source.Input, out source.Out) error {
	head := bufio.NewReaderSize(in.R, headBytes)
	peeked, _ := head.Peek(headBytes) // an error comes again when it is read
	in.R = head
	opts := source.RecordOptions{}
	switch layoutOf(peeked) {
	case oneList:
		opts.KeepArrays = true
	case manyLists:
		opts.KeepArrays = true
		in.R = &lists{r: head}
	}
	var held *heldList
	for record, err := range source.Records(ctx, in, out, opts) {
		if err != nil {
			return err
		}
		next, fault := listOf(record)
		if fault != nil {
			if err := out.Reject(*fault); err != nil {
				return err
			}
			continue
		}
		if held != nil && !next.continues(held) {
			if err := held.emit(out); err != nil {
				return err
			}
		}
		held = next
	}
	if held == nil {
		return nil
	}
	return held.emit(out)
}

// heldList is a conversation that waits for the next record.
type heldList struct {
	Conversation
	prints   []string // of the messages
	position int64
}

// continues says whether the list begins with all of the earlier one.
func (l *heldList) continues(earlier *heldList) bool {
	n := len(earlier.prints)
	return len(l.prints) > n && slices.Equal(l.prints[:n], earlier.prints)
}

func (l *heldList) emit(out source.Out) error {
	for _, e := range l.Events(l.position) {
		if err := out.Emit(e); err != nil {
			return err
		}
	}
	return nil
}

// known are the fields of a record that have a place of their own.
var known = []string{"messages", "tools", "functions", "model"}

func listOf(record source.Record) (*heldList, *source.Reject) {
	reject := func(reason, detail string) (*heldList, *source.Reject) {
		fault := record.Reject(reason, detail)
		return nil, &fault
	}
	o := rawjson.Parse(record.Raw)
	raws := o.List("messages")
	if o == nil {
		raws = rawjson.List(record.Raw)
	}
	if len(raws) == 0 {
		return reject(source.ReasonIncomplete, "no messages")
	}
	said, reason, detail := list(raws)
	if reason != "" {
		return reject(reason, detail)
	}
	if !says(said) {
		return reject(source.ReasonIncomplete, "messages without a word")
	}
	l := &heldList{position: record.Ordinal * 1000}
	for _, raw := range raws {
		l.prints = append(l.prints, lake.StableID(string(rawjson.Canonical(raw))))
	}
	l.Conversation = Conversation{
		Scheme: "openai-messages", ID: lake.StableID("openai-messages", string(rawjson.Canonical(record.Raw))),
		Model: o.String("model"), Messages: said, Tools: Tools(o.List("tools", "functions")), Rest: without(o, known...),
		At: o.Time("timestamp", "created_at", "created", "time"),
	}
	return l, nil
}

// without is a copy of the object that lacks the keys.
func without(o rawjson.Object, keys ...string) rawjson.Object {
	left := rawjson.Object{}
	for key, raw := range o {
		if !slices.Contains(keys, key) && o.Has(key) {
			left[key] = raw
		}
	}
	return left
}

// TauBench is the format of the runs that tau-bench writes: a trajectory and
// its reward each.
func TauBench() source.Format {
	return source.Format{
		Name:    "tau-bench",
		Doc:     "runs of tau-bench: trajectories with their rewards (JSON)",
		Version: 1,
		Detect:  detectTau,
		Read:    readTau,
	}
}

// tauOpening is how a run begins that is longer than the head.
var tauOpening = regexp.MustCompile(`^\[?\s*\{\s*"task_id"\s*:\s*\d+\s*,\s*"reward"\s*:`)

func detectTau(p source.Probe) int {
	o := rawjson.First(p.Head)
	switch {
	case o.Has("traj") && o.Has("reward") && o.Has("task_id"):
		return 85
	case o == nil && tauOpening.Match(bytes.TrimLeft(p.Head, "\ufeff \t\r\n")):
		return 80
	}
	return 0
}

func readTau(ctx context.Context, in *source.Input, out source.Out) error {
	return source.Whole(ctx, in, out, run)
}

// run reads a run: its messages, and its reward as the outcome of the task.
func run(record source.Record) (events []lake.Event, reason, detail string) {
	o := rawjson.Parse(record.Raw)
	task, trial := o.ID("task_id"), cmp.Or(o.ID("trial"), "0")
	if task == "" {
		return nil, source.ReasonIncomplete, "no task_id"
	}
	raws := o.List("traj")
	if len(raws) == 0 {
		return nil, source.ReasonIncomplete, "no trajectory"
	}
	said, reason, detail := list(raws)
	if reason != "" {
		return nil, reason, detail
	}
	info := o.Object("info")
	// A task is a number within one domain and split, which the file does not
	// name: what was asked tells the domains apart, and the whole run two
	// models' runs of a task.
	asked := string(rawjson.Canonical(info["task"]))
	if asked == "" && said[0].Role == "system" {
		asked = said[0].Content
	}
	mark := lake.StableID(string(rawjson.Canonical(record.Raw)))[:16]
	c := Conversation{
		Scheme: "tau-bench",
		ID:     task + "/" + trial + "/" + mark,
		Origin: url.PathEscape(task) + "/" + url.PathEscape(trial) + "/" + mark,
		TaskID: "tau-bench:" + task + ":" + lake.StableID(asked)[:8],
		Model:  o.String("model"), Messages: said, Tools: Tools(o.List("tools")),
		Rest: without(o, "traj", "tools", "model"),
	}
	events = c.Events(record.Ordinal * 1000)
	reward := o.Float("reward")
	if reward == nil {
		return events, "", ""
	}
	outcome := &lake.Outcome{
		TargetKind: "conversation", TargetID: c.ID, Level: "task", Value: "failure", Origin: "reward", Evidence: "tau-bench reward " + o.ID("reward"),
	}
	// The benchmark pays 1 or nothing; its own pass rate allows for rounding.
	if *reward >= 1-1e-6 {
		outcome.Value = "success"
	}
	if *reward >= 0 && *reward <= 1 {
		outcome.Score = reward
	}
	return append(events, lake.Event{
		ID: lake.StableID("tau-bench", c.ID, "reward"), Source: c.source(), Type: "weir.outcome.recorded.v1",
		Subject: c.ID, Time: c.time(), Data: outcome,
	}), "", ""
}
