package codex

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
	"github.com/weir-lake/weir/lake"
)

// output is one reply of the model, item by item, and what came after it. It is
// held until its usage comes, which is logged after it, or the next reply
// begins.
type output struct {
	id         string // of its first item: names the reply
	events     []lake.Event
	isAnswered bool // a result or a message came: the next item belongs to another reply
}

// maxHeld bounds what waits for a usage that never comes.
const maxHeld = 1000

// answer emits an item of a reply; texts are its texts that an event may tell
// again.
func (r *reader) answer(m lake.ChatMessage, id string, texts ...text) error {
	m.Role = "assistant"
	for _, item := range texts {
		r.twins.tell(item)
	}
	if r.isCopy {
		m.Kind = lake.KindContext // the other session's word, and a target there
		return r.say(m, id, "")
	}
	if r.group != nil && r.group.isAnswered {
		if err := r.flush(); err != nil {
			return err
		}
	}
	if r.group == nil {
		r.group = &output{id: cmp.Or(id, r.id(""))}
	}
	r.isWorking = true
	m.Kind, m.Agent, m.Model, m.ResponseID = lake.KindOutput, r.agent, r.model, r.group.id
	return r.say(m, id, "")
}

// say emits a message of the conversation. id is its native one, if any; key
// tells several events of a line apart.
func (r *reader) say(m lake.ChatMessage, id, key string) error {
	m.MessageID, m.ParentID = cmp.Or(id, r.id(key)), r.parent
	if m.Kind == lake.KindPrompt || m.Kind == lake.KindSummary {
		if err := r.flush(); err != nil {
			return err
		}
	}
	if r.isCopy && m.Kind == lake.KindPrompt {
		m.Kind = lake.KindContext
	}
	if r.group != nil && m.Kind != lake.KindOutput {
		r.group.isAnswered = true
	}
	r.parent = m.MessageID
	return r.emit(key, m)
}

// notice emits what the model did not see.
func (r *reader) notice(name string, m lake.ChatMessage) error {
	if r.isCopy {
		return nil // of the other session
	}
	m.Kind, m.Name = cmp.Or(m.Kind, lake.KindNotice), name
	return r.emit("", m)
}

// id names the line by its session, time and payload, and, where it has no
// time, by how often it came. key tells several events of a line apart.
func (r *reader) id(key string) string {
	if r.mark == "" {
		payload := rawjson.Parse(r.record.Raw)["payload"]
		if payload == nil {
			payload = r.record.Raw
		}
		r.mark = lake.StableID("codex", r.session, r.stamp, string(rawjson.Canonical(payload)))
		if r.stamp == "" {
			r.seen[r.mark]++
			r.mark = lake.StableID(r.mark, strconv.Itoa(r.seen[r.mark]))
		}
	}
	if key != "" {
		return lake.StableID(r.mark, key)
	}
	return r.mark
}

// emit makes an event of the line.
func (r *reader) emit(key string, m lake.ChatMessage) error {
	m.ConversationID, m.ParentConversationID = r.conversation, r.parentSession
	m.Position = r.record.Ordinal*1000 + min(r.place, 999)
	m.OrderedAt = r.last
	r.place++
	event := lake.Event{ID: r.id(key), Source: r.source, Type: "weir.chat.message.v1", Subject: r.subject, Time: r.at, Data: &m}
	return r.put(event)
}

func (r *reader) put(event lake.Event) error {
	if r.group == nil {
		return r.out.Emit(event)
	}
	r.group.events = append(r.group.events, event)
	if len(r.group.events) >= maxHeld {
		return r.flush()
	}
	return nil
}

// flush lets go of the reply that was held.
func (r *reader) flush() error {
	group := r.group
	r.group = nil
	if group == nil {
		return nil
	}
	for _, event := range group.events {
		if err := r.out.Emit(event); err != nil {
			return err
		}
	}
	return nil
}

// twins are texts that stand in a file twice: as an item of the history and as
// an event. The item counts; an event whose item never comes counts as one.
type twins struct {
	told    []text // latest texts of items
	waiting []twin // events without an item so far
}

// text is something that was said: by the user, by the assistant, or in
// thought.
type text struct{ by, words string }

type twin struct {
	text  text
	event lake.Event
}

// tells says whether an item's text tells an event's. The client puts words of
// its own around what a person typed.
func (t text) tells(event text) bool {
	item, words := strings.TrimSpace(t.words), strings.TrimSpace(event.words)
	return t.by == event.by && (item == words || t.by == "user" && strings.Contains(item, words))
}

// maxTold is how far back an event may stand from its item.
const maxTold = 64

func (t *twins) tell(item text) {
	if strings.TrimSpace(item.words) == "" {
		return
	}
	t.waiting = slices.DeleteFunc(t.waiting, func(w twin) bool { return item.tells(w.text) })
	if len(t.told) == maxTold {
		t.told = t.told[1:]
	}
	t.told = append(t.told, item)
}

// untold emits the events whose item did not come: a turn has ended.
func (r *reader) untold() error {
	waiting := r.twins.waiting
	r.twins.waiting = nil
	for _, w := range waiting {
		if err := r.put(w.event); err != nil {
			return err
		}
	}
	return nil
}

// rollback takes back the latest turns of the person: what follows is another
// branch, whose first message has the one before them as its parent.
func (r *reader) rollback(turns int64) error {
	if turns <= 0 {
		return nil
	}
	if err := r.untold(); err != nil {
		return err
	}
	if err := r.flush(); err != nil {
		return err
	}
	r.rollbacks++
	if keep := int64(len(r.prompts)) - turns; keep >= 0 {
		r.parent, r.prompts = r.prompts[keep], r.prompts[:keep]
	} else {
		r.parent, r.prompts = fmt.Sprintf("%s/before-rollback-%d", r.session, r.rollbacks), nil // not in this file
	}
	r.conversation = fmt.Sprintf("%s/rollback-%d", r.session, r.rollbacks)
	r.inTurn, r.isWorking = false, false
	return nil
}
