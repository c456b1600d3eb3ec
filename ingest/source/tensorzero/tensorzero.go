// Package tensorzero reads rows of TensorZero's tables as JSON: inferences and
// the model calls behind them, feedback, datapoints of datasets, and the chunks
// that its gateway streams. Start at Format.
//
// An inference is one answer of a function; behind it stand one or more calls
// of models (model inferences). Both hold the conversation: the inference as
// the client sent it, with arguments where templates stand, the model inference
// as the model read it. Both become gateway calls under the inference's id as
// the reply's, so that the transforms count one output, and the model's copy
// before the other. Tokens and cost stand in model inferences alone.
package tensorzero

import (
	"bytes"
	"context"
	"encoding/hex"
	"strings"
	"time"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
	"github.com/weir-lake/weir/lake"
)

// Format is rows of TensorZero's tables.
func Format() source.Format {
	return source.Format{
		Name:    "tensorzero",
		Doc:     "rows of TensorZero's tables: inferences, model inferences, feedback, datapoints (JSON or JSONL)",
		Version: 1,
		Detect:  detect,
		Read:    read,
	}
}

type kind int

const (
	none kind = iota
	inference
	modelInference
	metric
	comment
	demonstration
	datapoint
	chunk
)

// kindOf tells the tables apart by the columns that only they have.
func kindOf(o rawjson.Object) kind {
	switch {
	case o.String("object") == "chat.completion.chunk" && o.Has("episode_id"):
		return chunk
	case o.ID("id") == "":
		return none
	case o.Has("inference_id") && (o.Has("model_name") || o.Has("raw_request")):
		return modelInference
	case o.Has("dataset_name") && o.Has("function_name"):
		return datapoint
	case o.Has("function_name") && o.Has("variant_name") && o.Has("episode_id"):
		return inference
	case o.Has("metric_name") && o.Has("target_id"):
		return metric
	case o.Has("target_id") && (o.Has("target_type") || o.Has("value")):
		return comment
	case o.Has("inference_id") && o.Has("value"):
		return demonstration
	}
	return none
}

// detect asks for the columns of inferences, datapoints or chunks; feedback
// rows have too little of their own to be as sure.
func detect(p source.Probe) int {
	if first := rawjson.First(p.Head); first != nil {
		switch kindOf(first) {
		case inference, modelInference, datapoint, chunk:
			return 90
		case metric, comment, demonstration:
			if at := timeOf(first.ID("id")); !at.IsZero() {
				return 70
			}
		}
		return 0
	}
	head := bytes.TrimLeft(p.Head, "\ufeff \t\r\n[")
	if bytes.HasPrefix(head, []byte("{")) && bytes.Contains(head, []byte(`"function_name"`)) && bytes.Contains(head, []byte(`"episode_id"`)) {
		return 80
	}
	return 0
}

func read(ctx context.Context, in *source.Input, out source.Out) error {
	var open stream
	for record, err := range source.Records(ctx, in, out, source.RecordOptions{}) {
		if err != nil {
			return err
		}
		o := rawjson.Parse(record.Raw)
		kind := kindOf(o)
		if !open.empty() && (kind != chunk || o.ID("id") != open.id) {
			if err := open.end(out); err != nil {
				return err
			}
		}
		var events []lake.Event
		switch kind {
		case chunk:
			if open.full(len(record.Raw)) {
				if err := out.Reject(record.Reject(source.ReasonTooLarge, "a streamed reply is too large")); err != nil {
					return err
				}
				continue
			}
			open.add(o, record.Raw)
		case inference:
			events = readInference(o)
		case modelInference:
			events = readModelInference(o)
		case metric:
			events = readMetric(o)
		case comment:
			events = readComment(o)
		case demonstration:
			events = readDemonstration(o)
		case datapoint:
			events = readDatapoint(o)
		default:
			if err := out.Reject(record.Reject(source.ReasonUnknownType, "a row of none of TensorZero's tables")); err != nil {
				return err
			}
		}
		if kind == metric && events == nil {
			if err := out.Reject(record.Reject(source.ReasonWrongType, "a metric's value is neither a boolean nor a number")); err != nil {
				return err
			}
		}
		for _, e := range events {
			if err := out.Emit(e); err != nil {
				return err
			}
		}
	}
	return open.end(out)
}

// timeOf is the time in a UUID of version 7.
func timeOf(id string) time.Time {
	raw, err := hex.DecodeString(strings.ReplaceAll(id, "-", ""))
	if err != nil || len(raw) != 16 || raw[6]>>4 != 7 {
		return time.Time{}
	}
	var ms int64
	for _, b := range raw[:6] {
		ms = ms<<8 | int64(b)
	}
	if t := time.UnixMilli(ms).UTC(); t.Year() <= 9999 { // beyond it there is no text for a time
		return t
	}
	return time.Time{}
}

// at is when a row happened: by its id, which has the milliseconds that the
// column lacks, else by its columns.
func at(o rawjson.Object, ids ...string) time.Time {
	for _, id := range append(ids, "id") {
		if t := timeOf(o.ID(id)); !t.IsZero() {
			return t
		}
	}
	if t := o.Time("timestamp", "created_at", "updated_at"); !t.IsZero() {
		return t
	}
	return time.Unix(0, 0).UTC() // the clock would give the same file another event each time
}
