package ingest

import (
	"context"

	"github.com/weir-lake/weir/lake"
)

const (
	// ownFileRows and ownFileBytes are how much of one partition waits in
	// memory before it gets a data file of its own; less shares a file with the
	// other partitions.
	ownFileRows  = 4096
	ownFileBytes = 4 << 20
)

// row is one row of an events table.
type row struct {
	event    lake.Event
	position lake.RecordPosition
}

// buffer holds the rows of one partition for one table, in offset order: the
// latest in memory, the others in a data file that is not committed.
type buffer struct {
	lk      *lake.Lake
	payload *lake.Payload
	rows    []row
	bytes   int   // of the records of rows
	count   int64 // rows ever added
	file    *lake.EventWriter
	files   []lake.DataFile // finished
}

// add appends a row that came from a record of some size.
func (b *buffer) add(ctx context.Context, r row, bytes int) error {
	b.rows = append(b.rows, r)
	b.bytes += bytes
	b.count++
	if len(b.rows) < ownFileRows && b.bytes < ownFileBytes {
		return nil
	}
	return b.spill(ctx)
}

// spill moves the rows from memory to the file.
func (b *buffer) spill(ctx context.Context) error {
	err := b.write(ctx, b.rows)
	clear(b.rows) // what they point at may go
	b.rows, b.bytes = b.rows[:0], 0
	return err
}

// write appends rows to the file, and begins one if there is none.
func (b *buffer) write(ctx context.Context, rows []row) error {
	if len(rows) == 0 {
		return nil
	}
	if b.file == nil {
		file, err := b.lk.NewEventWriter(ctx, b.payload)
		if err != nil {
			return err
		}
		b.file = file
	}
	for _, r := range rows {
		if err := b.file.Write(r.event, r.position); err != nil {
			return err
		}
	}
	return nil
}

// finish ends the file, if there is one, with the rows that wait.
func (b *buffer) finish(ctx context.Context) error {
	if b.file == nil {
		return nil
	}
	if err := b.spill(ctx); err != nil {
		return err
	}
	file, err := b.file.Close(ctx)
	if err != nil {
		return err
	}
	b.file = nil
	b.files = append(b.files, file)
	return nil
}

// drop forgets everything; a file that was begun is removed.
func (b *buffer) drop() {
	if b.file != nil {
		b.file.Abort()
	}
	b.rows, b.file, b.files = nil, nil, nil
}
