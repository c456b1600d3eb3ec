package slack

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
	"github.com/weir-lake/weir/lake"
)

// Emit implements source.Out.
func (r *reader) Emit(e lake.Event) error { return r.out.Emit(e) }

// said are the subtypes of messages that somebody wrote. All others tell what
// happened: who joined, what was pinned.
var said = map[string]bool{
	"": true, "bot_message": true, "me_message": true, "thread_broadcast": true, "reply_broadcast": true,
	"file_share": true, "file_comment": true, "file_mention": true, "slackbot_response": true, "assistant_app_thread": true,
}

// slackbot is a user of every workspace and no person.
const slackbot = "USLACKBOT"

func (r *reader) message(o rawjson.Object, record source.Record) error {
	ts, at := o.String("ts"), o.Time("ts")
	if !stamp.MatchString(ts) || at.IsZero() {
		return r.Reject(record.Reject(source.ReasonWrongType, "ts is no time"))
	}
	if at.After(r.last) {
		r.last = at
	}
	subtype := o.String("subtype")
	inner := o
	if nested := o.Object("message"); nested != nil && !said[subtype] { // message_changed holds the message as it is now
		inner = nested
	}
	m := &lake.ChatMessage{
		ConversationID: r.conversation(), Channel: r.channel.name, MessageID: ts,
		Position: record.Ordinal * 1000, OrderedAt: r.last,
	}
	if thread := cmp.Or(o.String("thread_ts"), inner.String("thread_ts")); thread != "" {
		m.ConversationID, m.ParentConversationID = r.conversation()+"/"+thread, r.conversation()
		if thread != ts {
			m.ParentID = thread
		}
	}
	if changed := cmp.Or(o.String("deleted_ts"), inner.String("ts")); changed != "" && changed != ts {
		m.ParentID = changed
	}
	isBot := r.speaker(o, m)
	if who := inner.ID("user"); who != "" { // an app may post in a person's name
		m.PersonIDs = append(m.PersonIDs, who)
	}
	text := newText(r.workspace, inner)
	m.Content = text.content
	m.Parts = partsOf(inner)
	if !said[subtype] {
		m.Kind, m.Agent, m.Role, m.Name = lake.KindNotice, "", "", subtype
	}
	m.PersonIDs = append(m.PersonIDs, text.people...)
	extra := native(o, text.fromBlocks)
	m.PersonIDs = r.persons(slices.Concat(m.PersonIDs, peopleIn(m.Parts), peopleIn(extra)))
	id := lake.StableID("slack", r.channel.id, ts)
	if err := r.Emit(r.event(id, "weir.chat.message.v1", at, m, extra)); err != nil {
		return err
	}
	if isBot && said[subtype] {
		return r.thumbs(o, id, ts, at)
	}
	return nil
}

func (r *reader) conversation() string { return "slack/" + r.channel.id }

func (r *reader) event(id, kind string, at time.Time, data any, extra string) lake.Event {
	return lake.Event{
		ID: id, Source: "slack://export/" + url.PathEscape(r.channel.id), Type: kind,
		Subject: r.conversation(), Time: at, Data: data, Extra: extra,
	}
}

// speaker fills in who wrote. A bot may be a program or a model: nothing in an
// export tells, so its words are no model's output.
func (r *reader) speaker(o rawjson.Object, m *lake.ChatMessage) (isBot bool) {
	who, bot := o.ID("user"), o.ID("bot_id")
	isBot = bot != "" || o.String("subtype") == "bot_message" || r.workspace.bots[who] || who == slackbot
	if !isBot {
		m.Kind, m.Role = lake.KindPrompt, "user"
		m.Name = cmp.Or(r.workspace.names[who], displayName(o.Object("user_profile")), o.String("username"), who)
	} else {
		m.Kind, m.Role = lake.KindEnvironment, "bot"
		m.Name = cmp.Or(o.String("username"), o.Object("bot_profile").String("name"), r.workspace.names[who], r.workspace.names[bot], bot, who)
		m.Agent = m.Name
	}
	return isBot
}

// persons are the ids of people, once each and in order.
func (r *reader) persons(ids []string) []string {
	ids = slices.DeleteFunc(ids, func(id string) bool { return id == slackbot || r.workspace.bots[id] })
	slices.Sort(ids)
	return slices.Compact(ids)
}

// thumbs are people's reactions to what a bot said.
func (r *reader) thumbs(o rawjson.Object, message, ts string, at time.Time) error {
	for _, reaction := range o.Objects("reactions") {
		name, _, _ := strings.Cut(reaction.String("name"), "::") // without the skin's tone
		value := map[string]float64{"+1": 1, "thumbsup": 1, "-1": -1, "thumbsdown": -1}[name]
		if value == 0 {
			continue
		}
		for _, who := range r.persons(reaction.Strings("users")) {
			f := &lake.Feedback{UnitKind: "message", UnitID: message, Kind: "thumb", Author: who, Value: &value}
			f.PersonIDs = []string{who}
			id := lake.StableID("slack", r.channel.id, ts, "thumb", fmt.Sprint(value), who)
			if err := r.Emit(r.event(id, "weir.feedback.given.v1", at, f, "")); err != nil {
				return err
			}
		}
	}
	return nil
}

// about keeps what the export says of a channel. A later export may say
// something else: that is another notice.
func (r *reader) about(o rawjson.Object, record source.Record) error {
	r.channel = channelInfo{o.String("id"), o.String("name")}
	people := append(o.Strings("members"), o.ID("creator"))
	left := rawjson.Object{}
	for key, raw := range o {
		switch key {
		case "id", "name", "members", "creator", "created":
		default:
			left[key] = raw
		}
	}
	at := o.Time("created")
	if at.IsZero() {
		at = time.Unix(0, 0).UTC()
	}
	m := &lake.ChatMessage{
		ConversationID: r.conversation(), Channel: r.channel.name, Kind: lake.KindNotice, Name: "channel", Content: r.channel.name,
		Position: record.Ordinal * 1000, OrderedAt: at,
	}
	if text := clean(rawjson.Marshal(left)); text != "{}" {
		m.Parts = "[" + text + "]"
	}
	m.PersonIDs = r.persons(slices.DeleteFunc(append(people, peopleIn(m.Parts)...), func(id string) bool { return id == "" }))
	return r.Emit(r.event(lake.StableID("slack", r.channel.id, "channel", m.Content, m.Parts), "weir.chat.message.v1", at, m, ""))
}

// known are the fields of a message that have a column, or that repeat what
// stands elsewhere: profiles and pictures of the speaker, the counts of a
// thread, and the versions of an edited message.
var known = []string{
	"type", "ts", "text", "user", "subtype", "thread_ts", "username", "files", "file", "attachments", "x_files", "upload",
	"user_profile", "bot_profile", "icons", "reply_count", "reply_users", "reply_users_count", "replies", "latest_reply",
	"subscribed", "last_read", "is_locked", "message", "previous_message", "permalink", "root",
}

// native keeps the other fields. Blocks say what the text says; where the words
// were taken from them, both stay.
func native(o rawjson.Object, fromBlocks bool) string {
	left := rawjson.Object{}
	for key, raw := range o {
		if !slices.Contains(known, key) && key != "blocks" || fromBlocks && (key == "blocks" || key == "text" && o.String(key) != "") {
			left[key] = raw
		}
	}
	if reactions := o.Objects("reactions"); reactions != nil { // who reacted is another person's doing
		for _, reaction := range reactions {
			delete(reaction, "users")
		}
		left["reactions"] = rawjson.Marshal(reactions)
	}
	if edited := o.Object("edited"); edited != nil {
		delete(edited, "user")
		left["edited"] = rawjson.Marshal(edited)
	}
	text := clean(rawjson.Marshal(left))
	if text == "{}" || text == "" {
		return ""
	}
	return string(rawjson.Marshal(map[string]any{"native": json.RawMessage(text)}))
}

// partsOf are the files and the attachments of a message, without what opens
// them: links to files carry a token.
func partsOf(o rawjson.Object) string {
	var parts []string
	add := func(kind string, part rawjson.Object) {
		part["type"] = rawjson.Marshal(kind)
		if text := clean(rawjson.Marshal(part)); text != "" {
			parts = append(parts, text)
		}
	}
	files := o.Objects("files")
	if file := o.Object("file"); file != nil && files == nil {
		files = []rawjson.Object{file}
	}
	for _, file := range files {
		kept := rawjson.Object{}
		for _, key := range []string{"id", "name", "title", "mimetype", "filetype", "size", "mode", "user", "created", "preview", "plain_text", "transcription"} {
			if file.Has(key) {
				kept[key] = file[key]
			}
		}
		add("file", kept)
	}
	for _, attachment := range o.Objects("attachments") {
		add("attachment", attachment)
	}
	if parts == nil {
		return ""
	}
	return "[" + strings.Join(parts, ",") + "]"
}
