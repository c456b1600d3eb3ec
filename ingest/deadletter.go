package ingest

import (
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/weir-lake/weir/lake"
)

// deadLetterType is the type of the events that this package makes.
const deadLetterType = "weir.deadletter.record.v1"

// Reasons of the dead letters that this package makes beside those of
// lake.DecodeEvent's errors.
const (
	reasonTooLarge   = "too_large"
	reasonWrongTopic = "wrong_topic"
	reasonGap        = "gap"
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

// tooLarge is the dead letter of an event that no topic takes.
func tooLarge(e lake.Event, encoded []byte) lake.Event {
	d := &lake.DeadLetter{
		Stage: "ingest", Reason: reasonTooLarge,
		Detail: fmt.Sprintf("%s %s: %d bytes, the limit is %d", e.Type, e.ID, len(encoded), lake.MaxEventBytes),
	}
	d.Keep(encoded, nil)
	return lake.Event{
		ID: lake.StableID("deadletter", e.ID), Source: e.Source, Type: deadLetterType, Subject: e.Subject,
		Time: e.Time, ParserVersion: e.ParserVersion, Data: d,
	}
}

// lost is the dead letter that stands for all records of an accepted gap. Its
// position is the first one's.
func lost(cluster string, gap Gap, now time.Time) lake.Event {
	partition, offset := int64(gap.Partition), gap.From
	id := lake.StableID("deadletter", cluster, gap.String())
	return lake.Event{
		ID: id, Source: fmt.Sprintf("kafka://%s/%s/%d/%d", cluster, gap.Topic, partition, offset), Type: deadLetterType,
		Subject: id, Time: now, SchemaVersion: lake.SchemaVersion,
		Data: &lake.DeadLetter{
			Stage: "sink", Reason: reasonGap, Topic: gap.Topic, TopicPartition: &partition, TopicOffset: &offset,
			Detail: fmt.Sprintf("records %d to %d were gone from the topic before they were read; the loss was accepted", gap.From, gap.To),
		},
	}
}

// unreadable is the dead letter of a record of a topic. redact may be nil.
func unreadable(cluster string, r record, cause error, redact func(*lake.Event)) lake.Event {
	partition, offset := int64(r.partition), r.offset
	d := &lake.DeadLetter{
		Stage: "sink", Reason: reasonOf(cause), Detail: cause.Error(),
		Topic: r.topic, TopicPartition: &partition, TopicOffset: &offset,
	}
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
		d.Keep(r.value, nil)
		return e
	}
	d.Keep(r.value, func(text string) string {
		letter := lake.DeadLetter{Body: text}
		redact(&lake.Event{Subject: e.Subject, Data: &letter})
		return letter.Body
	})
	redact(&e)
	return e
}
