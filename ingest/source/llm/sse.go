package llm

import (
	"bytes"
	"encoding/json"

	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
)

// reply is the body of a reply, joined where it was streamed.
type reply struct {
	body      rawjson.Object
	truncated bool // a stream without its last event
}

// readReply reads a reply's body; stream says that it came in events.
func readReply(raw []byte) (r reply, stream bool) {
	raw = bytes.TrimSpace(raw)
	if text, ok := rawjson.Text(raw); ok {
		raw = bytes.TrimSpace([]byte(text))
	}
	if body := rawjson.Parse(raw); body.String("object") == "chat.completion.chunk" {
		return joinChat([]rawjson.Object{body}), true
	} else if body != nil {
		return reply{body: body}, false
	}
	var events []rawjson.Object
	for _, event := range rawjson.List(raw) {
		if object := rawjson.Parse(event); object != nil {
			events = append(events, object)
		}
	}
	if events == nil {
		events = readEvents(raw)
	}
	if len(events) == 0 {
		return reply{}, false
	}
	return joinEvents(events), true
}

// readEvents reads the data of a text/event-stream as JSON objects; the rest
// (comments, pings, the closing [DONE]) says nothing. An event's data may span
// lines, and loggers lose the empty line between events: what is no JSON
// together is read line by line.
func readEvents(stream []byte) []rawjson.Object {
	var events []rawjson.Object
	var data [][]byte
	dispatch := func() {
		if object := rawjson.Parse(bytes.Join(data, []byte("\n"))); object != nil {
			events = append(events, object)
		} else {
			for _, line := range data {
				if object := rawjson.Parse(line); object != nil {
					events = append(events, object)
				}
			}
		}
		data = data[:0]
	}
	for line := range bytes.Lines(stream) {
		line = bytes.TrimRight(line, "\r\n")
		if value, ok := bytes.CutPrefix(line, []byte("data:")); ok {
			data = append(data, bytes.TrimPrefix(value, []byte(" ")))
		} else if len(line) == 0 {
			dispatch()
		}
	}
	dispatch()
	return events
}

// joinEvents makes of a stream the reply that would have come without one.
func joinEvents(events []rawjson.Object) reply {
	for _, event := range events {
		kind := event.String("type")
		switch {
		case event.List("choices") != nil, event.String("object") == "chat.completion.chunk":
			return joinChat(events)
		case len(kind) > 9 && kind[:9] == "response.":
			return joinResponses(events)
		case kind == "message_start":
			return joinMessages(events)
		case event.List("candidates") != nil:
			return joinGemini(events)
		case event.Has("error"):
			return reply{body: event}
		}
	}
	return reply{truncated: true}
}

// builder joins the deltas of a text by index, in the order of their coming.
type builder[T any] struct {
	byIndex map[int64]*T
	order   []*T
}

func (b *builder[T]) at(index *int64) *T {
	if b.byIndex == nil {
		b.byIndex = map[int64]*T{}
	}
	key := int64(0)
	if index != nil {
		key = *index
	}
	if b.byIndex[key] == nil {
		b.byIndex[key] = new(T)
		b.order = append(b.order, b.byIndex[key])
	}
	return b.byIndex[key]
}

// raws turns JSON texts into the elements of an array.
func raws(list []json.RawMessage) []any {
	values := make([]any, len(list))
	for i, raw := range list {
		values[i] = raw
	}
	return values
}
