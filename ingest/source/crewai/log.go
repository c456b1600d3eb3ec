package crewai

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
	"github.com/weir-lake/weir/lake"
)

// pause is longer than CrewAI takes from one task's end to the next one's
// start, between which nothing is waited for.
const pause = time.Minute

// statuses are what CrewAI writes of a task.
var statuses = map[string]bool{"started": true, "completed": true}

// log reads the entries of a file in order. A file goes on from one run of the
// crew to the next, and nothing in it says where a run begins.
type log struct {
	out    source.Out
	run    string             // conversation
	tasks  map[string]bool    // what was given in the run: names, of tasks without one their texts
	open   map[string][]*task // given and not yet completed, in order
	before time.Time          // time of the entry before
	last   time.Time          // running maximum of the times
	seen   map[string]int     // equal entries of a run, to tell them apart
}

// task is a task that an agent was given.
type task struct {
	run, message, agent string
}

func newLog(out source.Out) *log {
	return &log{out: out, open: map[string][]*task{}, seen: map[string]int{}, last: time.Unix(0, 0).UTC()}
}

func (l *log) entry(record source.Record) error {
	o := rawjson.Parse(record.Raw)
	at := o.Time("timestamp")
	switch {
	case !o.Has("timestamp") || !o.Has("task") || !o.Has("agent") || !o.Has("status"):
		return l.out.Reject(record.Reject(source.ReasonIncomplete, "no timestamp, task, agent or status"))
	case !statuses[o.String("status")]:
		return l.out.Reject(record.Reject(source.ReasonUnknownType, "status "+o.Raw("status")))
	case at.IsZero():
		return l.out.Reject(record.Reject(source.ReasonWrongType, "timestamp is no time"))
	}
	if at.After(l.last) {
		l.last = at
	}
	var err error
	if position := record.Ordinal * 1000; o.String("status") == "started" {
		err = l.started(o, at, position)
	} else {
		err = l.completed(o, at, position)
	}
	l.before = at
	return err
}

func (l *log) started(o rawjson.Object, at time.Time, position int64) error {
	given, err := l.give(o, at, position, native(o, ""))
	l.open[keyOf(o)] = append(l.open[keyOf(o)], given)
	return err
}

func (l *log) completed(o rawjson.Object, at time.Time, position int64) error {
	var done *task
	if waiting := l.open[keyOf(o)]; len(waiting) > 0 {
		last := len(waiting) - 1 // an earlier one is of a run that broke off
		done, l.open[keyOf(o)] = waiting[last], waiting[:last]
	} else { // as of a crew that went on from a checkpoint
		var err error
		if done, err = l.give(o, at, position, ""); err != nil {
			return err
		}
	}
	// Who was given the task did it: with a manager that may be another than the
	// task's own agent.
	agent, other := done.agent, agentOf(o)
	if agent == "" || agent == other {
		agent, other = other, ""
	}
	return l.send(o, at, &lake.ChatMessage{
		ConversationID: done.run, ParentID: done.message, Kind: lake.KindOutput, Role: "assistant", Agent: agent,
		Channel: o.String("task_name"), Content: textOf(o["output"]), Position: position + 1,
	}, native(o, other))
}

// keyOf tells the tasks of a crew apart.
func keyOf(o rawjson.Object) string { return o.String("task_name") + "\x1f" + textOf(o["task"]) }

// give sends a task as the agent is given it. A new run begins where it cannot
// be of the run before: a crew does each of its tasks once, and one after the
// other without a pause.
func (l *log) give(o rawjson.Object, at time.Time, position int64, extra string) (*task, error) {
	name := o.String("task_name")
	key := cmp.Or(name, keyOf(o))
	if l.run == "" || l.tasks[key] || at.Sub(l.before).Abs() > pause {
		l.run = "crewai/" + lake.StableID("crewai", string(rawjson.Canonical(rawjson.Marshal(o))))
		l.tasks = map[string]bool{}
	}
	l.tasks[key] = true
	m := &lake.ChatMessage{
		ConversationID: l.run, Kind: lake.KindContext, Role: "user", Recipient: agentOf(o), Channel: name, Content: textOf(o["task"]), Position: position,
	}
	err := l.send(o, at, m, extra)
	return &task{run: l.run, message: m.MessageID, agent: m.Recipient}, err
}

// send gives a message an id by its entry, which has none, and by how often that
// came in its run.
func (l *log) send(o rawjson.Object, at time.Time, m *lake.ChatMessage, extra string) error {
	text := lake.StableID("crewai", m.ConversationID, m.Kind, string(rawjson.Canonical(rawjson.Marshal(o))))
	l.seen[text]++
	m.MessageID = lake.StableID(text, fmt.Sprint(l.seen[text]))
	m.OrderedAt = l.last
	return l.out.Emit(lake.Event{
		ID: m.MessageID, Source: "crewai://log/" + url.PathEscape(m.ConversationID), Type: "weir.chat.message.v1",
		Subject: m.ConversationID, Time: at, Data: m, Extra: extra,
	})
}

// agentOf is an agent's role, which often ends in the line break of a YAML
// file. A task that is the manager's to give away has the word None.
func agentOf(o rawjson.Object) string {
	if agent := strings.TrimSpace(textOf(o["agent"])); agent != "None" {
		return agent
	}
	return ""
}

// textOf is a text, or the JSON of what is none.
func textOf(raw json.RawMessage) string {
	if text, ok := rawjson.Text(raw); ok {
		return text
	}
	return rawjson.Shrink(raw)
}

// columns are the fields that have a column.
var columns = []string{"timestamp", "task_name", "task", "agent", "status", "output"}

// native keeps the other fields, and the agent that a task is said to be of
// where another was given it.
func native(o rawjson.Object, other string) string {
	left := rawjson.Object{}
	for _, key := range slices.Sorted(maps.Keys(o)) {
		if text := rawjson.Shrink(o[key]); !slices.Contains(columns, key) && text != "" {
			left[key] = json.RawMessage(text)
		}
	}
	if other != "" {
		left["agent"] = rawjson.Marshal(other)
	}
	if len(left) == 0 {
		return ""
	}
	return string(rawjson.Marshal(map[string]any{"native": left}))
}
