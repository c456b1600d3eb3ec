package ingest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/weir-lake/weir/lake"
)

// deadLetterType is the type of the events that this package makes.
const deadLetterType = "weir.deadletter.record.v1"

// maxDeadBody is how much of a record a dead letter keeps.
const maxDeadBody = 256 << 10

// Reasons of the dead letters that this package makes beside those of
// lake.DecodeEvent's errors.
const (
	reasonTooLarge   = "too_large"
	reasonWrongTopic = "wrong_topic"
)

// errWrongTopic: a record whose type belongs to another family's topic. Its
// rows would be fenced by the offsets of a topic that they are not from.
var errWrongTopic = errors.New("the type belongs to another topic")

// reasonOf names the class of a decoding error.
func reasonOf(err error) string {
	for _, known := range []struct {
		err    error
		reason string
	}{
		{lake.ErrNotJSON, "not_json"},
		{lake.ErrInvalidUTF8, "invalid_utf8"},
		{lake.ErrUnknownType, "unknown_type"},
		{lake.ErrWrongType, "wrong_type"},
		{lake.ErrIncomplete, "incomplete"},
		{errWrongTopic, reasonWrongTopic},
	} {
		if errors.Is(err, known.err) {
			return known.reason
		}
	}
	return "unreadable"
}

// fillBody puts as much of a record into a dead letter as one keeps.
func fillBody(d *lake.DeadLetter, record []byte) {
	sum := sha256.Sum256(record)
	d.SHA256, d.LengthBytes = hex.EncodeToString(sum[:]), int64(len(record))
	d.Encoding = "utf-8"
	kept := record
	if len(kept) > maxDeadBody {
		kept = kept[:maxDeadBody]
		// The cut may have split a character.
		for back := 1; back < utf8.UTFMax && back < len(kept); back++ {
			if c := kept[len(kept)-back]; utf8.RuneStart(c) {
				if !utf8.FullRune(kept[len(kept)-back:]) {
					kept = kept[:len(kept)-back]
				}
				break
			}
		}
	}
	if utf8.Valid(kept) {
		d.Body = string(kept)
		return
	}
	d.Body, d.Encoding = base64.StdEncoding.EncodeToString(kept), "base64"
}

// tooLarge is the dead letter of an event that no topic takes.
func tooLarge(e lake.Event, encoded []byte) lake.Event {
	d := &lake.DeadLetter{
		Stage: "ingest", Reason: reasonTooLarge,
		Detail: fmt.Sprintf("%s %s: %d bytes, the limit is %d", e.Type, e.ID, len(encoded), lake.MaxEventBytes),
	}
	fillBody(d, encoded)
	return lake.Event{
		ID: lake.StableID("deadletter", e.ID), Source: e.Source, Type: deadLetterType, Subject: e.Subject,
		Time: e.Time, ParserVersion: e.ParserVersion, Data: d,
	}
}

// unreadable is the dead letter of a record of a topic. redact may be nil.
func unreadable(cluster string, r record, cause error, redact func(*lake.Event)) lake.Event {
	partition, offset := int64(r.partition), r.offset
	d := &lake.DeadLetter{
		Stage: "sink", Reason: reasonOf(cause), Detail: cause.Error(),
		Topic: r.topic, TopicPartition: &partition, TopicOffset: &offset,
	}
	fillBody(d, r.value)
	position := fmt.Sprintf("%s/%d/%d", r.topic, partition, offset)
	e := lake.Event{
		ID: lake.StableID("deadletter", cluster, position), Source: "kafka://" + cluster + "/" + position,
		Type: deadLetterType, Subject: string(r.key), Time: r.time, SchemaVersion: lake.SchemaVersion, Data: d,
	}
	if e.Subject == "" || !utf8.ValidString(e.Subject) {
		e.Subject = e.ID
	}
	if e.Time.IsZero() {
		e.Time = time.Unix(0, 0).UTC()
	}
	if redact == nil {
		return e
	}
	raw := d.Body
	if d.Encoding == "base64" {
		// A secret must not hide behind one broken byte: where there is one,
		// the text without it is kept rather than the bytes.
		bytes, _ := base64.StdEncoding.DecodeString(raw)
		d.Body, d.Encoding = strings.ToValidUTF8(string(bytes), string(utf8.RuneError)), "utf-8"
		text := d.Body
		redact(&e)
		if d.Body == text {
			d.Body, d.Encoding = raw, "base64"
		}
		return e
	}
	redact(&e)
	return e
}
