// Package toolbench reads the answers of ToolBench: one search of a model for
// calls that answer a query, of which the path that it ended on becomes a
// conversation. Start at Format.
package toolbench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strconv"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/llm"
	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
	"github.com/weir-lake/weir/ingest/source/messages"
	"github.com/weir-lake/weir/lake"
)

// Format is the format of ToolBench's answers.
func Format() source.Format {
	return source.Format{
		Name:    "toolbench",
		Doc:     "ToolBench answers: a search for tool calls, and the path that it ended on (JSON)",
		Version: 1,
		Detect:  detect,
		Read:    read,
	}
}

// opening is how an answer begins that is longer than the head.
var opening = regexp.MustCompile(`^\[?\s*\{\s*"win"\s*:\s*(true|false)\s*,\s*"(tree|try_count|trys|forward_args|answer_generation)"\s*:`)

func detect(p source.Probe) int {
	o := rawjson.First(p.Head)
	answer := o.Object("answer_generation")
	switch {
	case o == nil && opening.Match(bytes.TrimLeft(p.Head, "\ufeff \t\r\n")):
		return 80
	case answer.Has("train_messages") || answer.Has("query") && o.Has("win"):
		return 85
	}
	return 0
}

func read(ctx context.Context, in *source.Input, out source.Out) error {
	return source.Whole(ctx, in, out, answer)
}

// answer reads an answer. Each list of messages is one request and its reply;
// a list that the next begins with is told by the next.
func answer(record source.Record) (events []lake.Event, reason, detail string) {
	o := rawjson.Parse(record.Raw)
	generation := o.Object("answer_generation")
	lists := generation.List("train_messages")
	if len(lists) == 0 {
		return nil, source.ReasonIncomplete, "no answer_generation.train_messages"
	}
	mark := lake.StableID("toolbench", string(rawjson.Canonical(record.Raw)))[:16]
	task := "toolbench:" + lake.StableID(generation.String("query"))[:16]
	tools := messages.Tools(generation.List("function", "functions"))
	for i, path := range lists {
		if i+1 < len(lists) && continues(path, lists[i+1]) {
			continue
		}
		c := messages.Conversation{Scheme: "toolbench", ID: mark, TaskID: task, Tools: tools, Rest: rest(o)}
		if i+1 < len(lists) { // a path that the search left
			c.ID, c.Rest = mark+"/"+strconv.Itoa(i), nil
		}
		c.Origin = url.PathEscape(c.ID)
		if c.Messages, reason, detail = list(rawjson.List(path)); reason != "" {
			return nil, reason, fmt.Sprintf("train_messages[%d]%s", i, detail)
		}
		told := c.Events(record.Ordinal*1000 + int64(len(events)))
		kinds(told)
		for k := range told {
			told[k].Subject = mark
		}
		events = append(events, told...)
	}
	// A search that won found an answer, not the right one: only giving up is
	// evidence.
	win := o.Bool("win")
	if generation.String("finish_type") == "give_up" && (win == nil || !*win) {
		events = append(events, lake.Event{
			ID: lake.StableID("toolbench", mark, "outcome"), Source: "toolbench://" + mark, Type: "weir.outcome.recorded.v1",
			Subject: mark, Time: events[0].Time, Data: &lake.Outcome{
				TargetKind: "conversation", TargetID: mark, Level: "task", Value: "failure", Origin: "label", Evidence: "finish_type give_up: the model gave up",
			},
		})
	}
	return events, "", ""
}

// continues says whether the next list begins with all of a path.
func continues(path, next json.RawMessage) bool {
	a, b := rawjson.List(path), rawjson.List(next)
	if len(a) > len(b) {
		return false
	}
	for i := range a {
		if !bytes.Equal(rawjson.Canonical(a[i]), rawjson.Canonical(b[i])) {
			return false
		}
	}
	return true
}

var roles = map[string]bool{"system": true, "user": true, "assistant": true, "tool": true}

func list(raws []json.RawMessage) (said []lake.Message, reason, detail string) {
	for i, raw := range raws {
		o := rawjson.Parse(raw)
		if o == nil {
			return nil, source.ReasonWrongType, fmt.Sprintf("[%d]: no object", i)
		}
		m := llm.ReadMessage(o)
		if !roles[m.Role] {
			return nil, source.ReasonUnknownType, fmt.Sprintf("[%d]: role %q", i, o.String("role"))
		}
		if m.Role == "tool" {
			// The harness wraps what a tool gives: {"error": …, "response": …}.
			if wrapped := rawjson.Parse([]byte(m.Content)); wrapped.Has("error") && wrapped.Has("response") {
				failed := wrapped.String("error") != ""
				m.IsError = &failed
			}
		}
		said = append(said, m)
	}
	if len(said) == 0 {
		return nil, source.ReasonIncomplete, ": no messages"
	}
	return said, "", ""
}

// kinds corrects what a list of messages does not say: after the query, the
// user is the harness, which asks for something else than last time.
func kinds(events []lake.Event) {
	asked := false
	for _, e := range events {
		m, ok := e.Data.(*lake.ChatMessage)
		if !ok || m.Kind != lake.KindPrompt {
			continue
		}
		if asked {
			m.Kind = lake.KindContext
		}
		asked = true
	}
}

// rest is what an answer says beside its messages: the whole tree of the
// search, pruned branches too. Pairs of nodes that were compared repeat it.
func rest(o rawjson.Object) rawjson.Object {
	left := rawjson.Object{}
	for key, raw := range o {
		switch key {
		case "compare_candidates":
		case "answer_generation":
			generation := o.Object(key)
			for _, told := range []string{"train_messages", "function", "functions"} {
				delete(generation, told)
			}
			left[key] = rawjson.Marshal(generation)
		default:
			if o.Has(key) {
				left[key] = raw
			}
		}
	}
	return left
}
