package langgraph

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
	"github.com/weir-lake/weir/lake"
)

// JSONL is the neutral form of checkpoints: a JSON object each, in any layout
// that source.Records reads.
func JSONL() source.Format {
	return source.Format{
		Name:    "checkpoint",
		Doc:     "saved states of tasks, one JSON object each (JSONL)",
		Version: 1,
		Detect:  detectJSONL,
		Read:    readJSONL,
	}
}

func detectJSONL(p source.Probe) int {
	if first := rawjson.First(p.Head); first != nil {
		config := first.Object("config").Object("configurable")
		if (first.Has("checkpoint_id") || config.Has("checkpoint_id")) && (first.Has("thread_id") || first.Has("task_id") || config.Has("thread_id")) {
			return 85
		}
		return 0
	}
	head := bytes.TrimLeft(p.Head, "\ufeff \t\r\n[")
	if bytes.HasPrefix(head, []byte("{")) && bytes.Contains(head, []byte(`"checkpoint_id"`)) && bytes.Contains(head, []byte(`"thread_id"`)) {
		return 70
	}
	return 0
}

func readJSONL(ctx context.Context, in *source.Input, out source.Out) error {
	for record, err := range source.Records(ctx, in, out, source.RecordOptions{}) {
		if err != nil {
			return err
		}
		event, err := checkpointOf(record.Raw)
		if err != nil {
			if err := out.Reject(record.Reject("wrong_type", err.Error())); err != nil {
				return err
			}
			continue
		}
		if err := out.Emit(event); err != nil {
			return err
		}
	}
	return nil
}

// checkpointOf reads a checkpoint in the neutral form: the fields of the
// checkpoints table and of a checkpoint, flat or nested as LangGraph nests them
// ({"checkpoint": {"channel_values": …}, "metadata": …}). The docs page of the
// format lists them.
func checkpointOf(raw json.RawMessage) (lake.Event, error) {
	o := rawjson.Parse(raw)
	if o == nil {
		return lake.Event{}, errors.New("not an object")
	}
	config := o.Object("config").Object("configurable")
	nested := o.Object("checkpoint")
	metadata := o.Object("metadata")
	task := o.ID("task_id")
	thread := cmp.Or(o.ID("thread_id"), config.ID("thread_id"), o.ID("conversation_id"), task)
	if thread == "" {
		return lake.Event{}, errors.New("neither thread_id nor task_id")
	}
	c := &lake.Checkpoint{
		TaskID:             cmp.Or(task, thread),
		CheckpointID:       cmp.Or(o.ID("checkpoint_id"), config.ID("checkpoint_id"), nested.ID("id"), o.ID("id")),
		ParentCheckpointID: cmp.Or(o.ID("parent_checkpoint_id", "parent_id"), o.Object("parent_config").Object("configurable").ID("checkpoint_id")),
		Namespace:          cmp.Or(o.ID("checkpoint_ns", "namespace"), config.ID("checkpoint_ns")),
		Status:             o.String("status"),
		Cause:              cmp.Or(o.String("cause", "source"), metadata.String("source")),
		Instruction:        o.String("instruction", "task"),
		Evidence:           cmp.Or(o.String("evidence"), o.Raw("evidence")),
		Outcome:            outcome(o.String("outcome")),
		Step:               o.Int("step"),
		IsFinal:            o.Bool("is_final", "final"),
		Files:              o.Strings("files", "files_touched"),
	}
	if c.CheckpointID == "" {
		return lake.Event{}, errors.New("no checkpoint_id")
	}
	if c.Step == nil {
		c.Step = metadata.Int("step")
	}
	if thread != c.TaskID {
		c.ConversationID = thread
	}
	c.Agent = cmp.Or(o.String("agent", "agent_name", "node"), nodeOf(c.Namespace, metadata))

	channels := rawjson.Object{}
	for _, values := range []rawjson.Object{o.Object("channel_values"), nested.Object("channel_values"), o.Object("state", "values")} {
		for name, raw := range values {
			channels[name] = raw
		}
	}
	for _, name := range []string{"messages", "summary"} {
		if o.Has(name) {
			channels[name] = o[name]
		}
	}
	for name, raw := range o { // fields that this form does not know
		if !known[name] {
			channels[name] = raw
		}
	}
	fillState(c, channels, metadata)
	person(c, o)
	person(c, metadata)
	at := o.Time("ts", "timestamp", "created_at", "time")
	if at.IsZero() {
		at = nested.Time("ts")
	}
	if at.IsZero() {
		return lake.Event{}, errors.New("no time (ts)")
	}
	return event(c, at, thread, "checkpoint"), nil
}

var known = map[string]bool{
	"thread_id": true, "task_id": true, "conversation_id": true, "checkpoint_id": true, "id": true, "parent_checkpoint_id": true, "parent_id": true,
	"checkpoint_ns": true, "namespace": true, "status": true, "cause": true, "source": true, "instruction": true, "task": true, "evidence": true,
	"outcome": true, "step": true, "is_final": true, "final": true, "files": true, "files_touched": true, "agent": true, "agent_name": true, "node": true,
	"channel_values": true, "checkpoint": true, "state": true, "values": true, "messages": true, "summary": true, "metadata": true, "config": true,
	"parent_config": true, "ts": true, "timestamp": true, "created_at": true, "time": true, "user": true, "user_id": true,
}

// outcome takes only words that say what became of the task; that it was
// completed or stopped says nothing.
func outcome(word string) string {
	switch word {
	case "success", "succeeded", "passed":
		return "success"
	case "failure", "failed":
		return "failure"
	}
	return ""
}
