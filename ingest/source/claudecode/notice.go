package claudecode

import (
	"bytes"
	"cmp"
	"encoding/json"
	"time"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
	"github.com/weir-lake/weir/lake"
)

// notice emits what the model did not see. Records that only keep the chain of
// parents known have no content.
func (r *reader) notice(l line, at time.Time, m lake.ChatMessage) error {
	c, err := r.conversation(l, at)
	if err != nil {
		return err
	}
	m.Kind, m.Role = lake.KindNotice, l.Type
	m.MessageID, m.ParentID = l.UUID, cmp.Or(l.ParentUUID, l.LogicalParent)
	id := lake.StableID("claude-code", l.UUID)
	if l.UUID == "" {
		id = lake.StableID("claude-code", c.subject, l.Type, l.Timestamp, string(r.record.Raw))
	}
	return r.emit(c, id, m)
}

func (r *reader) system(l line, at time.Time) error {
	m := lake.ChatMessage{Name: l.Subtype, LatencyMS: l.DurationMS}
	if text, ok := textOf(l.Content); ok {
		m.Content = text
	}
	m.Parts = r.details()
	return r.notice(l, at, m)
}

// other keeps titles, and records of a type that this version does not know.
func (r *reader) other(l line, at time.Time) error {
	if at.IsZero() || r.session == "" && l.SessionID == "" {
		if len(r.early) == maxEarly {
			return badRecord{source.ReasonIncomplete, "neither a time nor a session, here or above"}
		}
		kept := early{l, r.record}
		kept.record.Raw = bytes.Clone(r.record.Raw)
		r.early = append(r.early, kept)
		return nil
	}
	m := lake.ChatMessage{Content: l.Summary}
	if l.Type != "summary" {
		m.Parts = r.details()
	}
	return r.notice(l, at, m)
}

// early is a record that waits for the first record with a time and a session.
// A resumed session begins with the titles of earlier ones.
type early struct {
	line   line
	record source.Record
}

const maxEarly = 1000

func (r *reader) readEarly(at time.Time) error {
	waiting, current := r.early, r.record
	r.early = nil
	for _, e := range waiting {
		r.record, r.units = e.record, 0
		if err := r.other(e.line, at); err != nil {
			return err
		}
	}
	r.record, r.units = current, 0
	return nil
}

// end is called after the last record.
func (r *reader) end() error {
	if len(r.early) > 0 {
		// A file of titles only. They name a message of the session, which is
		// more than nothing.
		r.session = cmp.Or(r.session, r.early[0].line.LeafUUID, "unknown")
		if err := r.readEarly(cmp.Or(r.last, time.Unix(0, 0).UTC())); err != nil {
			return err
		}
	}
	return r.undelivered()
}

// commonKeys are those of a record's envelope.
var commonKeys = []string{
	"type", "subtype", "uuid", "parentUuid", "logicalParentUuid", "sessionId", "timestamp", "cwd", "gitBranch", "version",
	"userType", "entrypoint", "slug", "isSidechain", "isMeta", "content",
}

// maxDetails bounds what is kept of a record that is no message.
const maxDetails = 16 << 10

// details is what a record has beside the common keys, as the only element of
// a JSON array, or nothing.
func (r *reader) details() string {
	var fields map[string]json.RawMessage
	if json.Unmarshal(r.record.Raw, &fields) != nil {
		return ""
	}
	for _, key := range commonKeys {
		delete(fields, key)
	}
	text := rawjson.Marshal(fields)
	if len(fields) == 0 || len(text) > maxDetails {
		return ""
	}
	return "[" + string(text) + "]"
}
