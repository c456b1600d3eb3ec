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
	fillState(c, state.Object("channel_values"), metadata)
	person(c, metadata)
	at := state.Time("ts")
	if at.IsZero() {
		return lake.Event{}, errors.New("no time (ts)")
	}
	return event(c, at, r.thread, "langgraph"), nil
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

// decode gives a stored checkpoint as JSON.
func decode(kind string, stored []byte) (rawjson.Object, error) {
	text := stored
	switch kind {
	case "", "json":
		if !json.Valid(stored) {
			return nil, errors.New("checkpoint is no JSON")
		}
	case "msgpack":
		var err error
		if text, err = msgpackToJSON(stored); err != nil {
			return nil, err
		}
	case "pickle":
		return nil, errors.New("checkpoint is a Python pickle, which only running it could read")
	default:
		return nil, fmt.Errorf("checkpoint is encoded as %q, known are json and msgpack", kind)
	}
	if state := rawjson.Parse(text); state != nil {
		return state, nil
	}
	return nil, errors.New("checkpoint is no object")
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
