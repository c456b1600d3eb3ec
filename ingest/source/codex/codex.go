// Package codex reads the rollouts of Codex CLI: JSON Lines in which every text
// stands twice, as an item of the model's history and as an event for the
// client, a fork repeats its parent's history, and turns are taken back.
// docs/formats/codex.md has the mapping. Start at Format.
package codex

import (
	"bytes"
	"cmp"
	"context"
	"net/url"
	"strings"
	"time"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
	"github.com/weir-lake/weir/lake"
)

// Format is the rollout format.
func Format() source.Format {
	return source.Format{
		Name:    "codex",
		Doc:     "Codex CLI rollouts (JSON Lines, ~/.codex/sessions)",
		Version: 1,
		Detect:  detect,
		Read:    read,
	}
}

func detect(p source.Probe) int {
	head := bytes.TrimLeft(p.Head, "\ufeff \t\r\n")
	o := rawjson.First(p.Head)
	switch {
	case !bytes.HasPrefix(head, []byte("{")):
		return 0
	case o == nil:
		// The header holds the instructions, which may fill the head.
		if bytes.Contains(head, []byte(`"session_meta"`)) && bytes.Contains(head, []byte(`"payload"`)) {
			return 80
		}
	case lineTypes[o.String("type")] && o.Object("payload") != nil:
		return 95
	case isOldHeader(o) && !o.Has("role") && bytes.Contains(head, []byte(`"instructions"`)) && bytes.Contains(head, []byte(`"role"`)):
		return 60
	}
	return 0
}

// lineTypes are the types of lines that have a payload.
var lineTypes = map[string]bool{
	"session_meta": true, "response_item": true, "turn_context": true, "event_msg": true, "compacted": true,
	"inter_agent_communication": true, "inter_agent_communication_metadata": true, "world_state": true,
}

// isOldHeader: the first line of a file before lines had a payload.
func isOldHeader(o rawjson.Object) bool {
	return o.String("id") != "" && o.Has("timestamp") && !o.Has("type") && !o.Has("payload")
}

// copySpan is how long after its first line a fork may go on to write down its
// parent's history. It is written in one go, before the model can have answered.
const copySpan = 2 * time.Second

// reader holds what later lines need of earlier ones.
type reader struct {
	out    source.Out
	record source.Record
	stamp  string    // timestamp of the line as sent
	at     time.Time // of the line
	last   time.Time // running maximum
	place  int64     // of the next event of the line
	mark   string    // names the line; empty: not yet asked for

	session, subject string
	parentSession    string // that started this one
	agent, source    string
	begun            time.Time // first line of the session
	born             time.Time // of the session, by its own account
	isCopy           bool      // the lines so far repeat another session's history
	model            string    // of the turn
	turnContext      string    // latest one kept

	conversation string   // where messages go: the session, or what followed a rollback
	parent       string   // latest message
	prompts      []string // for each of the person's messages: the message before
	rollbacks    int
	inTurn       bool // the client says that a turn goes on
	isWorking    bool // … and the model has answered in it

	group *output // model output whose usage has not come yet
	total string  // cumulative usage that was last seen
	twins twins
	calls map[string]string // tool by call id, until the result comes
	seen  map[string]int    // lines without a time, by content: how often they came
}

func read(ctx context.Context, in *source.Input, out source.Out) error {
	r := &reader{out: out}
	for record, err := range source.Records(ctx, in, out, source.RecordOptions{}) {
		if err != nil {
			return err
		}
		r.record, r.place, r.mark = record, 0, ""
		if err := r.line(rawjson.Parse(record.Raw)); err != nil {
			return err
		}
	}
	if err := r.untold(); err != nil {
		return err
	}
	return r.flush()
}

func (r *reader) reject(reason, detail string) error {
	return r.out.Reject(r.record.Reject(reason, detail))
}

func (r *reader) line(o rawjson.Object) error {
	payload, kind := o.Object("payload"), o.String("type")
	if r.stamp = o.String("timestamp"); r.stamp != "" {
		if r.at = rawjson.ParseTime(r.stamp); r.at.IsZero() {
			return r.reject(source.ReasonWrongType, "timestamp "+r.stamp+": not RFC 3339")
		}
	} else {
		r.at = cmp.Or(r.last, time.Unix(0, 0).UTC())
	}
	switch {
	case kind == "session_meta" && payload != nil:
		return r.meta(payload)
	case isOldHeader(o):
		return r.meta(o)
	case o.String("record_type") != "" && !o.Has("payload"):
		return nil // the client's state, in files of the first versions
	case r.session == "":
		return r.reject(source.ReasonIncomplete, "no session_meta, here or above")
	}
	if r.at.After(r.last) {
		r.last = r.at
	}
	r.isCopy = r.isCopy && r.at.Before(r.begun.Add(copySpan))
	switch {
	case payload == nil && !o.Has("payload") && (kind != "" || o.Has("role")):
		return r.item(o, r.record.Raw) // files of the first versions
	case payload == nil:
		return r.reject(source.ReasonWrongType, "payload: no object")
	}
	switch kind {
	case "response_item":
		return r.item(payload, o["payload"])
	case "event_msg":
		return r.event(payload)
	case "turn_context":
		return r.turn(payload)
	case "compacted":
		return r.compacted(payload)
	case "inter_agent_communication", "inter_agent_communication_metadata", "world_state":
		return r.notice(kind, lake.ChatMessage{Parts: parts(payload)})
	}
	return r.reject(source.ReasonUnknownType, "a line of type "+cmp.Or(kind, "none"))
}

// meta reads a header. Only the first counts: a fork repeats those of the
// sessions before it, which are older. A younger one begins another session, in
// files that were joined.
func (r *reader) meta(o rawjson.Object) error {
	id := o.ID("id", "session_id")
	if id == "" {
		return r.reject(source.ReasonIncomplete, "a header without an id")
	}
	born := o.Time("timestamp")
	if born.IsZero() {
		born = r.at
	}
	switch {
	case r.session == "" || id != r.session && born.After(r.born):
		if err := r.untold(); err != nil {
			return err
		}
		if err := r.flush(); err != nil {
			return err
		}
		return r.begin(o, id, born)
	case id != r.session:
		r.isCopy = r.at.Before(r.begun.Add(copySpan))
	}
	return nil
}

func (r *reader) begin(o rawjson.Object, id string, born time.Time) error {
	*r = reader{
		out: r.out, record: r.record, stamp: r.stamp, at: r.at, last: r.at, seen: map[string]int{}, calls: map[string]string{},
		session: id, subject: id, conversation: id, agent: mainAgent, begun: r.at, born: born,
	}
	forked := o.ID("forked_from_id")
	spawn := o.Object("source").Object("subagent", "sub_agent").Object("thread_spawn")
	switch {
	case spawn != nil:
		r.parentSession = spawn.ID("parent_thread_id")
	case o.ID("parent_thread_id") != "":
		r.parentSession = o.ID("parent_thread_id")
	}
	r.subject = cmp.Or(r.parentSession, forked, id)
	if r.parentSession != "" {
		r.agent = cmp.Or(o.String("agent_nickname"), spawn.String("agent_nickname"), o.String("agent_role"), spawn.String("agent_role"), id)
	}
	r.isCopy = forked != ""
	cwd := o.String("cwd")
	r.source = "codex://" + url.PathEscape(cmp.Or(cwd[strings.LastIndexAny(cwd, `/\`)+1:], "unknown")) + "/" + url.PathEscape(id)

	rest := rawjson.Object{}
	for key, raw := range o {
		if key != "base_instructions" && key != "timestamp" && key != "type" {
			rest[key] = raw
		}
	}
	if err := r.emit("session", lake.ChatMessage{Kind: lake.KindNotice, Name: "session_meta", Parts: parts(rest)}); err != nil {
		return err
	}
	instructions := o.Object("base_instructions").String("text")
	if instructions = cmp.Or(instructions, o.String("base_instructions")); instructions == "" {
		return nil
	}
	return r.say(lake.ChatMessage{Kind: lake.KindSystem, Role: "system", Content: instructions}, "", "instructions")
}

// mainAgent is the agent that a person talks to.
const mainAgent = "main"

// turn reads the settings of a turn. They are kept when they change.
func (r *reader) turn(o rawjson.Object) error {
	r.model = cmp.Or(o.String("model"), r.model)
	settings := rawjson.Object{}
	for _, key := range []string{"model", "effort", "summary", "approval_policy", "sandbox_policy", "cwd", "personality", "collaboration_mode"} {
		if o.Has(key) {
			settings[key] = o[key]
		}
	}
	text := parts(settings)
	if text == r.turnContext || r.isCopy {
		return nil
	}
	r.turnContext = text
	return r.notice("turn_context", lake.ChatMessage{Parts: text})
}

// compacted opens the next context window: what stands in its place of all that
// was said. The replacement repeats old messages among the summary, so it is
// one message here.
func (r *reader) compacted(o rawjson.Object) error {
	var texts []string
	isSealed := false
	for _, item := range o.Objects("replacement_history") {
		if text := said(item).Content; text != "" {
			texts = append(texts, text)
		} else if kind := item.String("type"); strings.Contains(kind, "compaction") {
			isSealed = true
		}
	}
	if message := o.String("message"); message != "" && !strings.Contains(strings.Join(texts, "\n"), message) {
		texts = append(texts, message)
	}
	if err := r.say(lake.ChatMessage{Kind: lake.KindSummary, Role: "user", Content: strings.Join(texts, "\n\n")}, "", ""); err != nil {
		return err
	}
	if !isSealed {
		return nil
	}
	// The summary is encrypted: what the model knows from here on is not in the
	// file. A parent that nobody has says so.
	return r.emit("sealed", lake.ChatMessage{
		Kind: lake.KindNotice, Name: "encrypted_compaction", MessageID: r.parent + "/sealed", ParentID: r.parent + "/encrypted",
	})
}

// parts is an object as the only element of a JSON array, blobs by reference.
func parts(o rawjson.Object) string {
	if len(o) == 0 {
		return ""
	}
	return "[" + rawjson.Shrink(rawjson.Marshal(o)) + "]"
}
