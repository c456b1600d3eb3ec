// Package chatgpt reads the conversations of a ChatGPT data export: an array,
// often hundreds of megabytes on one line, of trees of messages. It also reads
// the export's message_feedback.json. docs/formats/chatgpt.md has the mapping.
// Start at Format.
package chatgpt

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
	"github.com/weir-lake/weir/lake"
)

// Format is the export's format.
func Format() source.Format {
	return source.Format{
		Name:    "chatgpt",
		Doc:     "ChatGPT data export (conversations.json, conversations-NNN.json, message_feedback.json)",
		Version: 1,
		Detect:  detect,
		Read:    read,
	}
}

// node is how the tree begins in a conversation that is longer than the head.
var node = regexp.MustCompile(`"mapping"\s*:\s*\{\s*"[^"]*"\s*:\s*\{\s*"(id|message|parent|children)"\s*:`)

func detect(p source.Probe) int {
	head := bytes.TrimLeft(p.Head, "\ufeff \t\r\n")
	o := rawjson.First(p.Head)
	switch {
	case o == nil:
		if (bytes.HasPrefix(head, []byte("[")) || bytes.HasPrefix(head, []byte("{"))) && node.Match(head) {
			return 90
		}
	case o.Object("mapping") != nil && (o.Has("current_node") || o.Has("conversation_id") || o.Has("create_time")):
		return 95
	case isFeedback(o):
		return 70
	}
	return 0
}

func isFeedback(o rawjson.Object) bool {
	return o.Has("conversation_id") && ratings[o.String("rating")] != 0 && !o.Has("mapping")
}

func read(ctx context.Context, in *source.Input, out source.Out) error {
	for record, err := range source.Records(ctx, in, out, source.RecordOptions{}) {
		if err != nil {
			return err
		}
		o := rawjson.Parse(record.Raw)
		if isFeedback(o) {
			err = feedback(o, record, out)
		} else {
			err = conversation(o, record, out)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// conversation reads one tree.
func conversation(o rawjson.Object, record source.Record, out source.Out) error {
	id := o.ID("conversation_id", "id")
	var mapping map[string]*branching
	switch {
	case id == "":
		return out.Reject(record.Reject(source.ReasonIncomplete, "no conversation_id"))
	case !o.Has("mapping"):
		return out.Reject(record.Reject(source.ReasonUnknownType, "no mapping: not a conversation"))
	}
	if err := json.Unmarshal(o["mapping"], &mapping); err != nil {
		return out.Reject(record.Reject(source.ReasonWrongType, "mapping: "+err.Error()))
	}
	w := &walk{out: out, record: record, id: id, start: o.Time("create_time"), tree: plant(mapping)}
	if w.start.IsZero() {
		w.start = time.Unix(0, 0).UTC()
	}
	if err := w.about(o); err != nil {
		return err
	}
	return w.all()
}

// about keeps what the export says of a conversation: its title and the message
// that the person saw last. A later export may say something else: that is
// another notice.
func (w *walk) about(o rawjson.Object) error {
	left := rawjson.Object{}
	for key, raw := range o {
		switch key {
		case "id", "conversation_id", "mapping", "create_time", "update_time", "safe_urls", "blocked_urls":
		default:
			if text := rawjson.Shrink(raw); text != "" && text != "[]" && text != "{}" {
				left[key] = json.RawMessage(text)
			}
		}
	}
	if len(left) == 0 {
		return nil
	}
	parts := "[" + string(rawjson.Marshal(left)) + "]"
	return w.emit(lake.StableID("chatgpt", w.id, "about", parts), w.start, "", &lake.ChatMessage{
		ConversationID: w.id, Kind: lake.KindNotice, Name: "conversation", Content: o.String("title"), Parts: parts, OrderedAt: w.start,
	})
}

func (w *walk) emit(id string, at time.Time, native string, m *lake.ChatMessage) error {
	return w.out.Emit(lake.Event{
		ID: id, Source: "chatgpt://export/" + url.PathEscape(w.id), Type: "weir.chat.message.v1",
		Subject: w.id, Time: at, Data: m, Extra: native,
	})
}

// ratings are the words for thumbs.
var ratings = map[string]float64{
	"thumbsUp": 1, "thumbs_up": 1, "up": 1,
	"thumbsDown": -1, "thumbs_down": -1, "down": -1,
}

// feedback reads a reaction of message_feedback.json. The person's id there is
// that of the account, which is not kept.
func feedback(o rawjson.Object, record source.Record, out source.Out) error {
	conversation, message := o.ID("conversation_id"), o.ID("message_id")
	if conversation == "" {
		return out.Reject(record.Reject(source.ReasonIncomplete, "no conversation_id"))
	}
	value := ratings[o.String("rating")]
	f := &lake.Feedback{UnitKind: "conversation", UnitID: conversation, Kind: "thumb", Value: &value, Comment: comment(o)}
	if message != "" {
		f.UnitKind, f.UnitID = "message", eventID(conversation, message)
	}
	at := o.Time("create_time", "created_at", "update_time")
	if at.IsZero() {
		at = time.Unix(0, 0).UTC()
	}
	return out.Emit(lake.Event{
		ID:     lake.StableID("chatgpt", conversation, cmp.Or(message, string(rawjson.Canonical(record.Raw))), "feedback", o.String("rating")),
		Source: "chatgpt://export/" + url.PathEscape(conversation), Type: "weir.feedback.given.v1", Subject: conversation, Time: at, Data: f,
	})
}

// comment is what the person wrote and ticked beside the thumb.
func comment(o rawjson.Object) string {
	content := o.Object("content")
	words := content.Strings("tags")
	if text := cmp.Or(content.String("text", "comment"), o.String("comment", "text")); text != "" {
		words = append(words, text)
	}
	return strings.Join(words, "; ")
}

// eventID is the id of a message's event.
func eventID(conversation, message string) string {
	return lake.StableID("chatgpt", conversation, message)
}
