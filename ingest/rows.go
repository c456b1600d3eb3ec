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
	// ownFiles is how many such files are open at once: each holds a row group
	// in memory, some 40 MB.
	ownFiles = 4
)

// row is one row of an events table.
type row struct {
	event    lake.Event
	position lake.RecordPosition
}

// buffer holds the rows of one partition for one table, in offset order: the
// latest in memory, the others in a data file that is not committed.
type buffer struct {
	sink    *sink
	payload *lake.Payload
	rows    []row
	bytes   int   // of the records of rows
	count   int64 // rows ever added
	file    *lake.EventWriter
	own     bool            // file is one of the ownFiles
	files   []lake.DataFile // finished
}

// add appends a row that came from a record of some size. It tells whether
// the buffer is full: then there is no file to be had, and the topic has to be
// committed before much more is added.
func (b *buffer) add(ctx context.Context, r row, bytes int) (full bool, err error) {
	b.rows = append(b.rows, r)
	b.bytes += bytes
	b.count++
	if len(b.rows) < ownFileRows && b.bytes < ownFileBytes {
		return false, nil
	}
	if b.file == nil {
		select {
		case b.sink.ownFiles <- struct{}{}:
			b.own = true
		default:
			return true, nil
		}
	}
	return false, b.spill(ctx)
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
		file, err := b.sink.lk.NewEventWriter(ctx, b.payload)
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
	b.files = append(b.files, file)
	b.forgetFile()
	return nil
}

// drop forgets everything that is not in a finished file.
func (b *buffer) drop() {
	if b.file != nil {
		b.file.Abort()
	}
	b.rows = nil
	b.forgetFile()
}

func (b *buffer) forgetFile() {
	b.file = nil
	if b.own {
		b.own = false
		<-b.sink.ownFiles
	}
}
