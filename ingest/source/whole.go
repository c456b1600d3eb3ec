package source

import (
	"context"

	"github.com/weir-lake/weir/lake"
)

// Whole reads a file whose records are taken whole or not at all: each becomes
// the events that read gives, or, where reason is not empty, a reject.
func Whole(ctx context.Context, in *Input, out Out, read func(Record) (events []lake.Event, reason, detail string)) error {
	for record, err := range Records(ctx, in, out, RecordOptions{}) {
		if err != nil {
			return err
		}
		events, reason, detail := read(record)
		if err := record.HandOut(out, events, reason, detail); err != nil {
			return err
		}
	}
	return nil
}

// HandOut gives out what came of a record: its events, or, where reason is not
// empty, the record as a reject.
func (r Record) HandOut(out Out, events []lake.Event, reason, detail string) error {
	if reason != "" {
		return out.Reject(r.Reject(reason, detail))
	}
	for _, event := range events {
		if err := out.Emit(event); err != nil {
			return err
		}
	}
	return nil
}
