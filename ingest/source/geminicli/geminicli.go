// Package geminicli reads the chat recordings of Gemini CLI: a JSON document a
// session, or the lines that newer versions append. A message of the model
// holds its calls and their results; both become events of their own, so that a
// later snapshot of the session only adds to an earlier one.
// docs/formats/gemini-cli.md has the mapping. Start at Format.
package geminicli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
	"github.com/weir-lake/weir/lake"
)

// Format is the recording format.
func Format() source.Format {
	return source.Format{
		Name:    "gemini-cli",
		Doc:     "Gemini CLI chat recordings (JSON, ~/.gemini/tmp/<project>/chats)",
		Version: 1,
		Detect:  detect,
		Read:    read,
	}
}

func detect(p source.Probe) int {
	head := bytes.TrimLeft(p.Head, "\ufeff \t\r\n")
	if !bytes.HasPrefix(head, []byte("{")) {
		return 0
	}
	if o := rawjson.First(p.Head); o != nil {
		if o.Has("sessionId") && o.Has("projectHash") && (o.Has("messages") || o.Has("startTime")) {
			return 95
		}
		return 0
	}
	if bytes.Contains(head, []byte(`"sessionId"`)) && bytes.Contains(head, []byte(`"projectHash"`)) && bytes.Contains(head, []byte(`"messages"`)) {
		return 90 // a session longer than the head
	}
	return 0
}

// reader holds what later messages need of earlier ones.
type reader struct {
	out    source.Out
	record source.Record

	session rawjson.Object // of the document, or of the latest header line
	id      string         // of the session
	last    time.Time      // running maximum of the timestamps
	place   int64          // of the next event in the record

	conversation string            // where messages go: the session, or what followed a rewind
	parent       string            // latest message
	parents      map[string]string // message before, by message: what a rewind goes back to
	rewinds      int

	held *line // a message that the next line may write again
}

// line is a message of the lines layout.
type line struct {
	message rawjson.Object
	raw     []byte
	record  source.Record
}

func read(ctx context.Context, in *source.Input, out source.Out) error {
	r := &reader{out: out, parents: map[string]string{}}
	for record, err := range source.Records(ctx, in, out, source.RecordOptions{}) {
		if err != nil {
			return err
		}
		if err := r.read(record); err != nil {
			return err
		}
	}
	return r.release()
}

// read takes a record: a whole session, or a line of one.
func (r *reader) read(record source.Record) error {
	o := rawjson.Parse(record.Raw)
	switch {
	case o.Has("sessionId"):
		if err := r.release(); err != nil {
			return err
		}
		r.at(record)
		return r.begin(o)
	case r.session == nil:
		return r.out.Reject(record.Reject(source.ReasonIncomplete, "no sessionId, here or above"))
	case o.Has("$set"):
		return nil // metadata of the session that changed: when it was last written, its summary
	case o.Has("$rewindTo"):
		if err := r.release(); err != nil {
			return err
		}
		r.rewind(o.String("$rewindTo"))
		return nil
	}
	if r.held != nil && r.held.message.ID("id") != o.ID("id") {
		if err := r.release(); err != nil {
			return err
		}
	}
	raw := bytes.Clone(record.Raw)
	record.Raw = raw
	r.held = &line{o, raw, record}
	return nil
}

func (r *reader) at(record source.Record) { r.record, r.place = record, 0 }

// release reads the message that was held.
func (r *reader) release() error {
	held := r.held
	r.held = nil
	if held == nil {
		return nil
	}
	r.at(held.record)
	return r.message(held.message, held.raw, func(reason, detail string) source.Reject {
		return held.record.Reject(reason, detail)
	})
}

// begin reads a session, or the header of one.
func (r *reader) begin(o rawjson.Object) error {
	id := o.ID("sessionId")
	if id == "" {
		return r.out.Reject(r.record.Reject(source.ReasonIncomplete, "no sessionId"))
	}
	if id != r.id {
		r.conversation, r.parent, r.rewinds, r.last = id, "", 0, time.Time{}
		clear(r.parents)
	}
	r.id, r.session = id, o
	if at := o.Time("startTime"); at.After(r.last) {
		r.last = at
	}
	rest := rawjson.Object{}
	for key, raw := range o {
		switch key {
		case "sessionId", "projectHash", "startTime", "lastUpdated", "messages":
		default:
			if o.Has(key) {
				rest[key] = json.RawMessage(rawjson.Shrink(raw))
			}
		}
	}
	if len(rest) > 0 {
		parts := "[" + string(rawjson.Marshal(rest)) + "]"
		err := r.emit(lake.StableID("gemini-cli", id, "session", parts), r.last, "", &lake.ChatMessage{Kind: lake.KindNotice, Name: "session", Parts: parts})
		if err != nil {
			return err
		}
	}
	if !o.Has("messages") {
		return nil
	}
	messages := rawjson.List(o["messages"])
	if messages == nil {
		return r.out.Reject(r.record.Reject(source.ReasonWrongType, "messages: no array"))
	}
	for i, raw := range messages {
		err := r.message(rawjson.Parse(raw), raw, func(reason, detail string) source.Reject {
			return source.Reject{
				Reason: reason, Detail: fmt.Sprintf("messages[%d]: %s", i, detail), Line: r.record.Line, Record: r.record.Ordinal,
				Body: raw, Length: int64(len(raw)),
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// rewind goes back to before a message: what follows is another branch, whose
// first message has the one before as its parent.
func (r *reader) rewind(id string) {
	r.rewinds++
	r.parent = r.parents[id]
	r.conversation = fmt.Sprintf("%s/rewind-%d", r.id, r.rewinds)
}

// emit makes the next event of the record. A notice may have no time: then it
// has the latest, else 1970.
func (r *reader) emit(id string, at time.Time, native string, m *lake.ChatMessage) error {
	if at.IsZero() {
		at = time.Unix(0, 0).UTC()
	}
	m.ConversationID = r.conversation
	m.Position = r.record.Ordinal*1000 + r.place
	m.OrderedAt = cmp.Or(r.last, at)
	r.place++
	project := r.session.String("projectHash")
	return r.out.Emit(lake.Event{
		ID: id, Source: "gemini-cli://" + url.PathEscape(cmp.Or(project[:min(len(project), 12)], "unknown")) + "/" + url.PathEscape(r.id),
		Type: "weir.chat.message.v1", Subject: r.id, Time: at, Data: m, Extra: native,
	})
}
