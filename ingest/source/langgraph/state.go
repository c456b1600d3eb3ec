package langgraph

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
	"github.com/weir-lake/weir/lake"
)

// row is a row of the checkpoints table.
type row struct {
	thread, namespace, id, parent string
	kind                          string // how checkpoint is encoded: json or msgpack
	checkpoint, metadata          []byte
	writes                        string // special channels that were written after it
	blobs                         []blob // values of channels that lie beside the checkpoint
}

// blob is the value of a channel.
type blob struct {
	channel, kind string
	value         []byte
}

func (r *row) event() (lake.Event, error) {
	state, err := decode(r.kind, r.checkpoint)
	if err != nil {
		return lake.Event{}, err
	}
	metadata, err := decodeMetadata(r.metadata)
	if err != nil {
		return lake.Event{}, fmt.Errorf("metadata: %w", err)
	}
	c := &lake.Checkpoint{
		TaskID: r.thread, CheckpointID: r.id, ParentCheckpointID: r.parent, Namespace: r.namespace,
		Cause: metadata.String("source"), Step: metadata.Int("step"),
		Agent: nodeOf(r.namespace, metadata),
	}
	switch {
	case strings.Contains(r.writes, "__error__"):
		c.Status = "error"
	case strings.Contains(r.writes, "__interrupt__"):
		c.Status = "interrupted"
	}
	channels, err := r.channels(state)
	if err != nil {
		return lake.Event{}, err
	}
	fillState(c, channels, metadata)
	person(c, metadata)
	at := state.Time("ts")
	if at.IsZero() {
		return lake.Event{}, errors.New("no time (ts)")
	}
	return event(c, at, r.thread, "langgraph"), nil
}

// channels are the values in the checkpoint and those beside it. One that
// cannot be read is named in their stead, but for the messages: a state without
// them would say that nobody spoke.
func (r *row) channels(state rawjson.Object) (rawjson.Object, error) {
	channels := state.Object("channel_values")
	if len(r.blobs) == 0 {
		return channels, nil
	}
	if channels == nil {
		channels = rawjson.Object{}
	}
	unread := map[string]string{}
	for _, b := range r.blobs {
		value, err := decodeBlob(b)
		switch {
		case err == nil && value != nil:
			channels[b.channel] = value
		case err != nil && b.channel == "messages":
			return nil, fmt.Errorf("channel messages: %w", err)
		case err != nil:
			unread[b.channel] = err.Error()
		}
	}
	if len(unread) > 0 {
		channels["_unread_channels"] = rawjson.Marshal(unread)
	}
	return channels, nil
}

// decodeBlob gives the value of a channel as JSON; nil: the channel is empty.
func decodeBlob(b blob) (json.RawMessage, error) {
	switch b.kind {
	case "empty", "null":
		return nil, nil
	case "bytes", "bytearray":
		var w bytes.Buffer
		writeBytes(&w, b.value)
		return w.Bytes(), nil
	}
	return decodeJSON(b.kind, b.value)
}

// event makes the event of a checkpoint. Its id does not depend on the form in
// which the checkpoint was kept.
func event(c *lake.Checkpoint, at time.Time, thread, form string) lake.Event {
	return lake.Event{
		ID:      lake.StableID("langgraph", thread, c.Namespace, c.CheckpointID),
		Source:  form + "://thread/" + url.PathEscape(thread),
		Type:    "weir.checkpoint.saved.v1",
		Subject: thread,
		Time:    at,
		Data:    c,
	}
}

// decode gives a stored checkpoint, which is an object.
func decode(kind string, stored []byte) (rawjson.Object, error) {
	text, err := decodeJSON(kind, stored)
	if err != nil {
		return nil, err
	}
	if state := rawjson.Parse(text); state != nil {
		return state, nil
	}
	return nil, errors.New("checkpoint is no object")
}

// decodeJSON gives a stored value as JSON.
func decodeJSON(kind string, stored []byte) ([]byte, error) {
	switch kind {
	case "", "json":
		if !json.Valid(stored) {
			return nil, errors.New("stored as JSON, but is none")
		}
		return stored, nil
	case "msgpack":
		return msgpackToJSON(stored)
	case "pickle":
		return nil, errors.New("a Python pickle, which only running it could read")
	}
	return nil, fmt.Errorf("encoded as %q, known are json and msgpack", kind)
}

func decodeMetadata(stored []byte) (rawjson.Object, error) {
	if len(bytes.TrimSpace(stored)) == 0 {
		return nil, nil
	}
	if metadata := rawjson.Parse(stored); metadata != nil {
		return metadata, nil
	}
	text, err := msgpackToJSON(stored)
	if err != nil {
		return nil, err
	}
	return rawjson.Parse(text), nil
}

// nodeOf names who saved a state: of a sub-graph the node that it belongs to
// (its namespace is outer:task|inner:task), else the only node that wrote.
func nodeOf(namespace string, metadata rawjson.Object) string {
	if namespace != "" {
		last := namespace[strings.LastIndexByte(namespace, '|')+1:]
		node, _, _ := strings.Cut(last, ":")
		return node
	}
	if writes := metadata.Object("writes"); len(writes) == 1 && metadata.String("source") == "loop" {
		for node := range writes {
			return node
		}
	}
	return ""
}

// fillState takes the messages and the summary out of a state; the other
// channels stay JSON. Channels that only steer the graph go, and so do the
// metadata's writes: they repeat the channels.
func fillState(c *lake.Checkpoint, channels, metadata rawjson.Object) {
	state := map[string]any{}
	var unread []any
	for _, message := range channels.List("messages") {
		if m, ok := readMessage(message); ok {
			c.Messages = append(c.Messages, m)
		} else {
			unread = append(unread, json.RawMessage(rawjson.Shrink(message)))
		}
	}
	if unread != nil {
		state["_unread_messages"] = unread
	}
	if summary, ok := rawjson.Text(channels["summary"]); ok {
		c.Summary = summary
	}
	for name, raw := range channels {
		steers := strings.HasPrefix(name, "branch:") || strings.HasPrefix(name, "start:") || string(raw) == `"`+name+`"`
		if text := rawjson.Shrink(raw); text != "" && !steers && name != "messages" && name != "summary" {
			state[name] = json.RawMessage(text)
		}
	}
	rest := map[string]any{}
	for name, raw := range metadata {
		switch name {
		case "source", "step", "writes", "parents", "thread_id", "checkpoint_id", "checkpoint_ns":
		default:
			if text := rawjson.Shrink(raw); text != "" {
				rest[name] = json.RawMessage(text)
			}
		}
	}
	if len(rest) > 0 {
		state["_metadata"] = rest
	}
	if len(state) > 0 {
		c.State = string(rawjson.Marshal(state))
	}
}

func person(c *lake.Checkpoint, o rawjson.Object) {
	if id := o.ID("user_id", "user"); id != "" && len(c.PersonIDs) == 0 {
		c.PersonIDs = []string{id}
	}
}
