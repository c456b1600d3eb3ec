// Package weirevents reads weir's own events: JSON Lines, or JSON in any other
// layout, of CloudEvents as lake.Event.Encode writes them. Start at Format.
package weirevents

import (
	"bytes"
	"context"
	"errors"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/lake"
)

// Format is the format of weir's own events. Events keep their parser version.
func Format() source.Format {
	return source.Format{
		Name:    "weir",
		Doc:     "weir's own events (CloudEvents as JSON Lines)",
		Version: 1,
		Detect:  detect,
		Read:    read,
	}
}

func detect(p source.Probe) int {
	head := bytes.TrimLeft(p.Head, "\ufeff \t\r\n[")
	if bytes.HasPrefix(head, []byte("{")) && bytes.Contains(head, []byte(`"specversion"`)) && bytes.Contains(head, []byte(`"weir.`)) {
		return 95
	}
	return 0
}

// reasons are those of lake.DecodeEvent's errors.
var reasons = []struct {
	err    error
	reason string
}{
	{lake.ErrNotJSON, source.ReasonNotJSON},
	{lake.ErrInvalidUTF8, source.ReasonInvalidUTF8},
	{lake.ErrUnknownType, source.ReasonUnknownType},
	{lake.ErrWrongType, source.ReasonWrongType},
	{lake.ErrIncomplete, source.ReasonIncomplete},
}

func read(ctx context.Context, in *source.Input, out source.Out) error {
	for record, err := range source.Records(ctx, in, out, source.RecordOptions{}) {
		if err != nil {
			return err
		}
		event, err := lake.DecodeEvent(record.Raw)
		if err == nil {
			err = out.Emit(event)
		} else {
			reason := source.ReasonWrongType
			for _, r := range reasons {
				if errors.Is(err, r.err) {
					reason = r.reason
				}
			}
			err = out.Reject(record.Reject(reason, err.Error()))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
