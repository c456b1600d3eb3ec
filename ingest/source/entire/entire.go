// Package entire reads the checkpoints that Entire keeps of coding sessions, a
// commit each: the checkpoint's own file and the metadata of its sessions. The
// sessions' words are in transcripts beside them, in the format of the agent.
// Start at Format.
package entire

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"net/url"
	"regexp"
	"time"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
	"github.com/weir-lake/weir/lake"
)

// Format is the format of Entire's checkpoints.
func Format() source.Format {
	return source.Format{
		Name:    "entire",
		Doc:     "Entire checkpoints of coding sessions: metadata.json, also of whole checkpoints",
		Version: 1,
		Detect:  detect,
		Read:    read,
	}
}

// opening is how a file begins that is longer than the head.
var opening = regexp.MustCompile(`^\{\s*("cli_version"\s*:\s*"[^"]*"\s*,\s*)?"checkpoint_id"\s*:\s*"[0-9a-f]+"\s*,\s*"(session_id|strategy)"\s*:`)

func detect(p source.Probe) int {
	o := rawjson.First(p.Head)
	switch {
	case o == nil && opening.Match(bytes.TrimLeft(p.Head, "\ufeff \t\r\n")):
		return 80
	case !o.Has("checkpoint_id") || !o.Has("strategy"):
		return 0
	case o.Has("session_id") || isWhole(o):
		return 90
	}
	return 0
}

// isWhole says whether the file is of a checkpoint, not of one of its sessions.
func isWhole(o rawjson.Object) bool {
	_, found := o["sessions"]
	return found && !o.Has("session_id")
}

func read(ctx context.Context, in *source.Input, out source.Out) error {
	for record, err := range source.Records(ctx, in, out, source.RecordOptions{}) {
		if err != nil {
			return err
		}
		o := rawjson.Parse(record.Raw)
		event, fault := lake.Event{}, ""
		switch {
		case o.ID("checkpoint_id") == "":
			fault = "no checkpoint_id"
		case o.ID("session_id") != "":
			event, fault = session(o)
		case isWhole(o):
			event = whole(o)
		default:
			fault = "neither session_id nor sessions"
		}
		if fault != "" {
			err = out.Reject(record.Reject(source.ReasonIncomplete, fault))
		} else {
			err = out.Emit(event)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// dated is what some versions put before the id of a session.
var dated = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}-(.+)$`)

// session reads the part that a session has in a checkpoint. Its subject is
// the session as the transcript names it. Usage repeats what the transcript
// counts call by call.
func session(o rawjson.Object) (lake.Event, string) {
	at := o.Time("created_at")
	if at.IsZero() {
		return lake.Event{}, "no time (created_at)"
	}
	id := o.ID("session_id")
	if bare := dated.FindStringSubmatch(id); bare != nil {
		id = bare[1]
	}
	c := checkpoint(o, "checkpoint_id", "files_touched", "token_usage", "created_at", "agent")
	c.TaskID, c.Agent = id, o.String("agent")
	if agents := o.Strings("agents"); c.Agent == "" && len(agents) > 0 {
		c.Agent = agents[0]
	}
	c.Usage = usage(o.Object("token_usage"))
	return event(c, id, at), ""
}

// whole reads a checkpoint: which files it touched, in which sessions. Its
// usage is the sum of the sessions', which count their own; it has no time.
func whole(o rawjson.Object) lake.Event {
	c := checkpoint(o, "checkpoint_id", "files_touched", "created_at")
	c.TaskID = c.CheckpointID
	at := o.Time("created_at")
	if at.IsZero() {
		at = time.Unix(0, 0).UTC()
	}
	return event(c, c.CheckpointID, at)
}

// checkpoint fills in what both files have; state is all but the known keys.
func checkpoint(o rawjson.Object, known ...string) *lake.Checkpoint {
	c := &lake.Checkpoint{CheckpointID: o.ID("checkpoint_id"), Files: o.Strings("files_touched")}
	state := rawjson.Object{}
	for key, raw := range o {
		if text := rawjson.Shrink(raw); text != "" && text != `""` {
			state[key] = json.RawMessage(text)
		}
	}
	for _, key := range known {
		delete(state, key)
	}
	if len(state) > 0 {
		c.State = string(rawjson.Marshal(state))
	}
	return c
}

func event(c *lake.Checkpoint, subject string, at time.Time) lake.Event {
	return lake.Event{
		ID: lake.StableID("entire", subject, c.CheckpointID), Source: "entire://" + url.PathEscape(c.CheckpointID) + "/" + url.PathEscape(subject),
		Type: "weir.checkpoint.saved.v1", Subject: subject, Time: at, Data: c,
	}
}

// usage counts what was sent whether cached or not: the file's input leaves
// both kinds of cached tokens out.
func usage(o rawjson.Object) lake.Usage {
	if len(o) == 0 {
		return lake.Usage{}
	}
	u := lake.Usage{
		CachedTokens: o.Int("cache_read_tokens"), CacheWriteTokens: o.Int("cache_creation_tokens"), OutputTokens: o.Int("output_tokens"),
		Raw: rawjson.Compact(rawjson.Marshal(o)),
	}
	if input := o.Int("input_tokens"); input != nil {
		var none int64
		total := *input + *cmp.Or(u.CachedTokens, &none) + *cmp.Or(u.CacheWriteTokens, &none)
		u.InputTokens = &total
	}
	return u
}
