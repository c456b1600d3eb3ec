package autogen

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
	"github.com/weir-lake/weir/ingest/source/messages"
	"github.com/weir-lake/weir/lake"
)

func readTranscript(record source.Record, out source.Out) error {
	events, reason, detail := transcript(record)
	return record.HandOut(out, events, reason, detail)
}

// transcript reads a record. It is taken whole or not at all: with a hole the
// rest would be answers without their question.
func transcript(record source.Record) (events []lake.Event, reason, detail string) {
	o := rawjson.Parse(record.Raw)
	history := o.List("history")
	if len(history) == 0 {
		return nil, source.ReasonIncomplete, "neither a message nor a transcript: no history"
	}
	// The history is hashed, too: a set holds several teams' runs of a question.
	subject := cmp.Or(o.ID("question_ID"), "task") + "/" + lake.StableID("autogen", string(rawjson.Canonical(o["history"])))[:8]
	at := time.Unix(0, 0).UTC()
	event := func(key, kind string, data any) lake.Event {
		return lake.Event{ID: lake.StableID("autogen", subject, key), Source: "groupchat://autogen/" + url.PathEscape(subject), Type: kind, Subject: subject, Time: at, Data: data}
	}
	add := func(key string, m *lake.ChatMessage) *lake.Event {
		m.ConversationID, m.TaskID = subject, o.ID("question_ID")
		m.Position, m.OrderedAt = record.Ordinal*1000+int64(len(events)), at
		events = append(events, event(key, "weir.chat.message.v1", m))
		return &events[len(events)-1]
	}
	roster := o.Object("system_prompt")
	for _, agent := range slices.Sorted(maps.Keys(roster)) {
		add("prompt/"+agent, &lake.ChatMessage{Kind: lake.KindSystem, Role: "system", Agent: agent, Content: roster.String(agent)})
	}
	for i, raw := range history {
		m, script, fault := turn(rawjson.Parse(raw), i)
		if fault != "" {
			return nil, source.ReasonUnknownType, fmt.Sprintf("in history[%d]: %s", i, fault)
		}
		m.MessageID = strconv.Itoa(i)
		if i > 0 {
			m.ParentID = strconv.Itoa(i - 1)
		}
		if i == len(history)-1 {
			m.IsFinal = new(bool)
			*m.IsFinal = true
		}
		if e := add(m.MessageID, m); script != "" {
			e.Extra = string(rawjson.Marshal(map[string]any{"native": map[string]string{"script": script}}))
		}
	}
	rest := maps.Clone(o)
	for _, key := range []string{"history", "system_prompt"} {
		delete(rest, key)
	}
	if parts := messages.Rest(rest); parts != "" {
		add("rest", &lake.ChatMessage{Kind: lake.KindNotice, Name: "record", Parts: parts})
	}
	for _, outcome := range outcomes(o, subject) {
		events = append(events, event("outcome/"+outcome.Level, "weir.outcome.recorded.v1", outcome))
	}
	return events, "", ""
}

// outcomes are the labels: what became of the task, and the step that spoiled it.
func outcomes(o rawjson.Object, subject string) []*lake.Outcome {
	var list []*lake.Outcome
	correct := o.Bool("is_correct", "is_corrected")
	if correct == nil {
		return nil
	}
	value := "failure"
	if *correct {
		value = "success"
	}
	list = append(list, &lake.Outcome{TargetKind: "conversation", TargetID: subject, Level: "task", Value: value, Origin: "label", Evidence: "is_correct"})
	step := o.Int("mistake_step")
	if step == nil || *step < 0 || *correct {
		return list
	}
	return append(list, &lake.Outcome{
		TargetKind: "message", TargetID: lake.StableID("autogen", subject, strconv.FormatInt(*step, 10)), Level: "step", Value: "failure",
		Origin: "label", Agent: o.String("mistake_agent"), Step: step, Evidence: o.String("mistake_reason"),
	})
}

var (
	said      = regexp.MustCompile(`^(.+?) \((thought|termination condition|-> .+)\)$`)
	terminals = map[string]bool{"Computer_terminal": true, "ComputerTerminal": true, "computer_terminal": true}
	// The script that drives the hand-made runs adds what it prints to the last
	// message: from the first of these lines to its closing words.
	scriptEnd   = "SCENARIO.PY COMPLETE"
	scriptBegin = regexp.MustCompile(`(?m)^(  response = await |[^\n]*\.py:\d+: UserWarning|Error processing publish message|Traceback \(most recent|FINAL ANSWER:|SCENARIO\.PY COMPLETE)`)
)

// turn reads a message of a transcript, and what the script that drove the run
// added to it.
func turn(o rawjson.Object, i int) (m *lake.ChatMessage, script, fault string) {
	role, name := o.String("role"), o.String("name")
	content, ok := rawjson.Text(o["content"])
	if !ok {
		if !o.Has("content") {
			return nil, "", "no content"
		}
		content = string(rawjson.Canonical(json.RawMessage(o["content"])))
	}
	if strings.Contains(content, scriptEnd) {
		if at := scriptBegin.FindStringIndex(content); at != nil {
			content, script = strings.TrimRight(content[:at[0]], "\n"), content[at[0]:]
		}
	}
	m = &lake.ChatMessage{Role: role, Content: content}
	switch parts := said.FindStringSubmatch(role); {
	case role == "":
		return nil, "", "no role"
	case name != "" && i == 0:
		m.Kind, m.Name = lake.KindContext, name // the task, in an expert's name
	case name != "" && terminals[name]:
		m.Kind, m.Name = lake.KindEnvironment, name
	case name != "":
		m.Kind, m.Agent, m.Name = lake.KindOutput, name, name
	case role == "human" || role == "user":
		m.Kind = lake.KindPrompt
	case role == "system":
		m.Kind = lake.KindSystem
	case parts == nil:
		m.Kind, m.Agent = lake.KindOutput, role
	case parts[2] == "termination condition":
		m.Kind, m.Name = lake.KindEnvironment, role
	case parts[2] == "thought": // the others do not see it
		m.Kind, m.Agent, m.Reasoning, m.Content = lake.KindOutput, parts[1], content, ""
	default:
		m.Kind, m.Agent, m.Recipient = lake.KindOutput, parts[1], strings.TrimPrefix(parts[2], "-> ")
	}
	return m, script, ""
}
