package autogen

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/llm"
	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
	"github.com/weir-lake/weir/lake"
)

// isMessage knows a message of AutoGen 0.4: who sent it, and its class as type.
func isMessage(o rawjson.Object) bool {
	kind := o.String("type")
	return o.Has("source") && (strings.HasSuffix(kind, "Message") || strings.HasSuffix(kind, "Event") || strings.HasPrefix(kind, "StructuredMessage[")) &&
		(o.Has("content") || o.Has("result")) && !o.Has("specversion")
}

// isResult knows what a team's run returns: all its messages.
func isResult(o rawjson.Object) bool {
	list := o.List("messages")
	return len(list) > 0 && isMessage(rawjson.Parse(list[0]))
}

// team reads the messages of one run after the other.
type team struct {
	out  source.Out
	run  run
	last time.Time // running maximum of the times
	next int64     // least position of the next message, for results are several
}

// run is a conversation: the messages of a file up to a result.
type run struct {
	id      string
	held    []heldMessage // messages before the run has an id
	seen    map[string]bool
	count   map[string]int // equal messages without an id, to tell them apart
	humans  map[string]bool
	before  string // message id of the message before
	thought *thought
}

// thought is a message that a model thought before it spoke or called a tool:
// both are one output.
type thought struct{ source, id string }

type heldMessage struct {
	o        rawjson.Object
	position int64
}

func newTeam(out source.Out) *team {
	return &team{out: out, run: newRun(), last: time.Unix(0, 0).UTC()}
}

func newRun() run {
	return run{seen: map[string]bool{}, count: map[string]int{}, humans: map[string]bool{}}
}

// message reads a message of a stream. A run is named by its first message's
// id; older versions have none, and the first alone, a task, is often given
// again: then the first two name it.
func (t *team) message(o rawjson.Object, record source.Record) error {
	if reason, detail := fault(o); reason != "" {
		return t.out.Reject(record.Reject(reason, detail))
	}
	return t.take(o, record.Ordinal*1000)
}

func (t *team) take(o rawjson.Object, position int64) error {
	if t.run.id != "" {
		return t.emit(o, position)
	}
	t.run.held = append(t.run.held, heldMessage{o, position})
	if o.String("id") == "" && len(t.run.held) < 2 {
		return nil
	}
	return t.flush()
}

// flush names the run by what is held and sends that.
func (t *team) flush() error {
	if len(t.run.held) == 0 {
		return nil
	}
	key := t.run.held[0].o.String("id")
	if key == "" {
		parts := []string{"autogen"}
		for _, held := range t.run.held {
			parts = append(parts, hash(held.o))
		}
		key = lake.StableID(parts...)
	}
	t.run.id = "autogen/" + key
	for _, held := range t.run.held {
		if err := t.emit(held.o, held.position); err != nil {
			return err
		}
	}
	t.run.held = nil
	return nil
}

func (t *team) end() error {
	err := t.flush()
	t.run = newRun()
	return err
}

// result reads what a run returned. Where the file has the run's messages, too,
// they are not taken twice.
func (t *team) result(o rawjson.Object, record source.Record) error {
	if err := t.flush(); err != nil {
		return err
	}
	list := o.List("messages")
	if !t.run.has(rawjson.Parse(list[0])) {
		t.run = newRun()
	}
	t.run.count = map[string]int{} // from the first message on again
	for i, raw := range list {
		message := rawjson.Parse(raw)
		if reason, detail := fault(message); reason != "" {
			reject := source.Reject{Reason: reason, Detail: fmt.Sprintf("messages[%d]: %s", i, detail), Line: record.Line, Record: record.Ordinal, Body: raw, Length: int64(len(raw))}
			if err := t.out.Reject(reject); err != nil {
				return err
			}
			continue
		}
		if err := t.take(message, record.Ordinal*1000+int64(i)); err != nil {
			return err
		}
	}
	if err := t.flush(); err != nil {
		return err
	}
	rest := rawjson.Object{}
	for key, raw := range o {
		if key != "messages" && key != "stop_reason" {
			rest[key] = raw
		}
	}
	if t.run.id != "" { // a run of nothing but chunks has said nothing
		m := &lake.ChatMessage{Kind: lake.KindEnvironment, Name: "result", FinishReason: o.String("stop_reason"), IsFinal: new(bool)}
		*m.IsFinal = true
		if err := t.send(t.run.id+"\x1fresult", t.last, m, record.Ordinal*1000+int64(len(list)), native(rest)); err != nil {
			return err
		}
	}
	t.run = newRun()
	return nil
}

// has says whether a message was read in this run.
func (r *run) has(o rawjson.Object) bool {
	return r.seen[cmp.Or(o.String("id"), r.key(hash(o), 1))]
}

// key stands for the id of the n-th message of a text.
func (r *run) key(text string, n int) string { return fmt.Sprintf("%s\x1f%s\x1f%d", r.id, text, n) }

func hash(o rawjson.Object) string {
	return lake.StableID("autogen", string(rawjson.Canonical(rawjson.Marshal(o))))
}

// fault says what is wrong with a message.
func fault(o rawjson.Object) (reason, detail string) {
	switch kind := o.String("type"); {
	case !isMessage(o):
		return source.ReasonUnknownType, "no message"
	case !known[kind] && !strings.HasPrefix(kind, "StructuredMessage"):
		return source.ReasonUnknownType, "type " + kind
	}
	return "", ""
}

var known = map[string]bool{
	"TextMessage": true, "MultiModalMessage": true, "StopMessage": true, "HandoffMessage": true, "ToolCallSummaryMessage": true,
	"ToolCallRequestEvent": true, "ToolCallExecutionEvent": true, "ThoughtEvent": true, "CodeGenerationEvent": true, "CodeExecutionEvent": true,
	"MemoryQueryEvent": true, "SelectSpeakerEvent": true, "SelectorEvent": true, "UserInputRequestedEvent": true,
	chunk: true,
}

// chunk is a piece of a reply that follows whole.
const chunk = "ModelClientStreamingChunkEvent"

func (t *team) emit(o rawjson.Object, position int64) error {
	if o.String("type") == chunk {
		return nil
	}
	at := o.Time("created_at")
	if at.IsZero() {
		at = t.last
	}
	if at.After(t.last) {
		t.last = at
	}
	key := o.String("id")
	if key == "" {
		text := hash(o)
		t.run.count[text]++
		key = t.run.key(text, t.run.count[text])
	}
	if t.run.seen[key] {
		return nil
	}
	t.run.seen[key] = true
	extra := native(o)
	for i, m := range t.run.read(o, cmp.Or(o.String("id"), lake.StableID(key))) {
		id := key
		if i > 0 {
			id, extra = fmt.Sprintf("%s\x1f%d", key, i), ""
		}
		if err := t.send(id, at, m, position, extra); err != nil {
			return err
		}
	}
	return nil
}

// send sends a message. The key is the message's own id, which no other run
// has; what has none is told apart by its run.
func (t *team) send(key string, at time.Time, m *lake.ChatMessage, position int64, extra string) error {
	position = max(position, t.next)
	t.next = position + 1
	m.ConversationID, m.Position, m.OrderedAt = t.run.id, position, t.last
	return t.out.Emit(lake.Event{
		ID: lake.StableID("autogen", key), Source: "groupchat://autogen/" + url.PathEscape(t.run.id), Type: "weir.chat.message.v1",
		Subject: t.run.id, Time: at, Data: m, Extra: extra,
	})
}

// environments are agents that run code.
var environments = regexp.MustCompile(`(?i)terminal|executor`)

// isPerson knows the names that people go by in AutoGen.
func isPerson(name string) bool {
	switch strings.ToLower(name) {
	case "user", "human", "user_proxy", "userproxy", "userproxyagent", "admin":
		return true
	}
	return false
}

// read reads a message: one, or as many as there are results. What has usage is
// a model's output; a text without may be a person's, a program's, or what an
// agent says by rote.
func (r *run) read(o rawjson.Object, id string) []*lake.ChatMessage {
	kind, who := o.String("type"), o.String("source")
	content, parts := contentOf(o["content"])
	m := &lake.ChatMessage{MessageID: id, ParentID: r.before, Name: who, Content: content, Parts: parts, Usage: llm.ReadUsage(o.Object("models_usage"))}
	r.before = id
	isModel := o.Object("models_usage") != nil
	speaks := func(is bool) {
		m.Kind, m.Agent = lake.KindContext, who
		if is {
			m.Kind = lake.KindOutput
			if r.thought != nil && r.thought.source == who {
				m.ResponseID = r.thought.id
			}
		}
	}
	thinks := false
	switch kind {
	case "ToolCallExecutionEvent":
		return r.results(m, o)
	case "ToolCallRequestEvent":
		speaks(true)
		m.Content, m.Parts = "", ""
		for _, call := range o.Objects("content") {
			m.ToolCalls = append(m.ToolCalls, lake.ToolCall{ID: call.ID("id"), Name: call.String("name"), Arguments: cmp.Or(call.String("arguments"), call.Raw("arguments"))})
		}
	case "ThoughtEvent":
		speaks(true)
		m.Reasoning, m.Content, m.ResponseID, thinks = m.Content, "", id, true
	case "CodeGenerationEvent":
		speaks(true)
	case "HandoffMessage":
		speaks(isModel)
		m.Recipient = o.String("target")
	case "ToolCallSummaryMessage": // repeats results, for the others
		speaks(false)
	case "MemoryQueryEvent":
		speaks(false)
		var texts []string
		for _, memory := range o.Objects("content") {
			texts = append(texts, memory.String("content"))
		}
		if text := strings.Trim(strings.Join(texts, "\n\n"), "\n"); text != "" {
			m.Content, m.Parts = text, ""
		}
	case "CodeExecutionEvent":
		m.Kind = lake.KindEnvironment
		m.Content = o.Object("result").String("output")
		if code := o.Object("result").Int("exit_code"); code != nil {
			failed := *code != 0
			m.IsError = &failed
		}
	case "SelectSpeakerEvent", "SelectorEvent", "UserInputRequestedEvent":
		m.Kind, m.Name = lake.KindNotice, kind
		if kind == "UserInputRequestedEvent" {
			r.humans[who] = true
		}
	default:
		switch {
		case isModel:
			speaks(true)
		case isPerson(who) || r.humans[who]:
			m.Kind, m.Role = lake.KindPrompt, "user"
			if !isPerson(who) {
				m.PersonIDs = []string{who}
			}
		case environments.MatchString(who):
			m.Kind = lake.KindEnvironment
		default:
			speaks(false)
		}
	}
	r.thought = nil
	if thinks {
		r.thought = &thought{who, id}
	}
	return []*lake.ChatMessage{m}
}

// results reads the results of calls that were made together.
func (r *run) results(first *lake.ChatMessage, o rawjson.Object) []*lake.ChatMessage {
	r.thought = nil
	var list []*lake.ChatMessage
	for i, result := range o.Objects("content") {
		m := &lake.ChatMessage{
			MessageID: first.MessageID, ParentID: first.ParentID, Kind: lake.KindToolResult, Role: "tool", Name: result.String("name"),
			ToolCallID: result.ID("call_id"), Content: cmp.Or(result.String("content"), result.Raw("content")), IsError: result.Bool("is_error"),
		}
		if m.Content == `""` {
			m.Content = ""
		}
		if i > 0 {
			m.MessageID, m.ParentID = fmt.Sprintf("%s/%d", first.MessageID, i), r.before
		}
		r.before = m.MessageID
		list = append(list, m)
	}
	if list == nil { // something else than a list of results
		first.Kind, first.Role = lake.KindToolResult, "tool"
		return []*lake.ChatMessage{first}
	}
	return list
}

// contentOf reads a content: a text, a list of texts and pictures, or an object
// as a structured message has it.
func contentOf(raw json.RawMessage) (content, parts string) {
	if text, ok := rawjson.Text(raw); ok {
		return text, ""
	}
	if len(raw) == 0 || raw[0] != '[' {
		return rawjson.Compact(raw), ""
	}
	var texts, others []string
	for _, part := range rawjson.List(raw) {
		if text, ok := rawjson.Text(part); ok {
			texts = append(texts, text)
		} else if text := rawjson.Shrink(part); text != "" {
			others = append(others, text)
		}
	}
	if others != nil {
		parts = "[" + strings.Join(others, ",") + "]"
	}
	return strings.Join(texts, "\n"), parts
}

// columns are the fields that have a column, or that repeat what came before:
// the history that goes with a handoff, the calls and results of a summary.
var columns = []string{"id", "source", "type", "content", "result", "models_usage", "created_at", "target", "context", "tool_calls", "results"}

// native keeps the other fields.
func native(o rawjson.Object) string {
	left := rawjson.Object{}
	for key, raw := range o {
		if text := rawjson.Shrink(raw); !slices.Contains(columns, key) && text != "" && text != "{}" && text != "[]" {
			left[key] = json.RawMessage(text)
		}
	}
	if len(left) == 0 {
		return ""
	}
	return string(rawjson.Marshal(map[string]any{"native": left}))
}
