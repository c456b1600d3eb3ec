package claudecode

import (
	"strings"
	"time"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/lake"
)

// queue holds what a person typed while the agent worked. The client logs only
// that a text was put in and that the next one was taken out: to become a
// prompt with a record of its own (dequeue), or to be told to the model in
// mid-turn, beside the next tool result, without any record (remove).
type queue struct {
	waiting []queued // put in
	told    []queued // taken out, waiting for the next tool result
}

type queued struct {
	text, stamp string
	c           conversation
}

func (r *reader) queueOperation(l line, at time.Time) error {
	q := &r.queue
	switch l.Operation {
	case "enqueue":
		c, err := r.conversation(l, at)
		if err != nil {
			return err
		}
		text, ok := textOf(l.Content)
		if !ok {
			return badRecord{source.ReasonWrongType, "content: no text"}
		}
		q.waiting = append(q.waiting, queued{text, l.Timestamp, c})
	case "dequeue":
		q.take(l)
	case "remove":
		if next, ok := q.take(l); ok {
			q.told = append(q.told, next)
		}
	case "popAll":
		q.waiting = nil // back into the input field, to be typed on
	}
	return nil
}

// take removes the text that the operation names, else the oldest.
func (q *queue) take(l line) (queued, bool) {
	if len(q.waiting) == 0 {
		return queued{}, false // put in before this slice of the session
	}
	n := 0
	if text, ok := textOf(l.Content); ok && text != "" {
		for i, w := range q.waiting {
			if w.text == text {
				n = i
				break
			}
		}
	}
	next := q.waiting[n]
	q.waiting = append(q.waiting[:n:n], q.waiting[n+1:]...)
	return next, true
}

// typed is told of every prompt: what was taken out to be sent as one is not
// told a second time.
func (q *queue) typed(prompt string) {
	for i, t := range q.told {
		if t.text != "" && strings.Contains(prompt, t.text) {
			q.told = append(q.told[:i:i], q.told[i+1:]...)
			return
		}
	}
}

// deliver emits what the model was told beside the tool result just read.
func (r *reader) deliver(c conversation) error {
	told := r.queue.told
	r.queue.told = nil
	for _, t := range told {
		kind := lake.KindQueued
		if opening := openingKind(t.text); opening != "" {
			kind = opening // the client queues notifications, too
		}
		t.c.branch = c.branch
		if err := r.emitQueued(t, "queued", lake.ChatMessage{Kind: kind}); err != nil {
			return err
		}
	}
	return nil
}

// undelivered keeps what was still queued when the file ended; whether the
// model ever saw it, the file does not say.
func (r *reader) undelivered() error {
	for _, t := range append(r.queue.told, r.queue.waiting...) {
		if err := r.emitQueued(t, "undelivered", lake.ChatMessage{Kind: lake.KindNotice, Name: "undelivered"}); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) emitQueued(t queued, what string, m lake.ChatMessage) error {
	m.Role, m.Content = "user", t.text
	return r.emit(t.c, lake.StableID("claude-code", t.c.id, what, t.stamp, t.text), m)
}
