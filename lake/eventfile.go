package lake

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"reflect"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"
)

// Bounds of a writer's memory, whatever the file's size: some 45 MB for small
// rows, a few times the largest record where that is more. A row group ends at
// whichever comes first.
const (
	rowGroupRows  = 128 << 10
	rowGroupBytes = 64 << 20 // of values, before compression
	batchRows     = 256
	batchBytes    = 1 << 20
	dictionaryMax = 1 << 20
)

// RecordPosition is where the record of an event lies, and when it got there.
type RecordPosition struct {
	Cluster    string
	Topic      string
	Partition  int
	Offset     int64
	AppendedAt time.Time
}

func (p RecordPosition) compare(q RecordPosition) int {
	return cmp.Or(strings.Compare(p.Cluster, q.Cluster), strings.Compare(p.Topic, q.Topic),
		cmp.Compare(p.Partition, q.Partition), cmp.Compare(p.Offset, q.Offset))
}

// EventWriter writes one Parquet file of an events table. It is for one
// goroutine. Either Close or Abort ends it.
type EventWriter struct {
	payload  *Payload
	lake     *Lake
	shredder *shredder
	batch    *batch
	out      FileWriter
	parquet  *parquet.GenericWriter[any] // from the first full batch on
	sums     []columnSum
	first    RecordPosition
	last     RecordPosition
	rows     int64
	group    struct{ rows, bytes int } // the open row group
	written  int64                     // bytes of values in closed row groups and the open one
	err      error                     // the first one stays
}

// NewEventWriter starts a file of the payload's table. Nothing is visible
// before Close.
func (l *Lake) NewEventWriter(ctx context.Context, p *Payload) (*EventWriter, error) {
	out, err := l.storage.Create(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s: new file: %w", p.Table, err)
	}
	leaves := p.shredder.leaves
	return &EventWriter{
		payload: p, lake: l, out: out, shredder: p.shredder,
		batch: newBatch(leaves), sums: make([]columnSum, leaves),
	}, nil
}

// Rows is the number of rows so far.
func (w *EventWriter) Rows() int64 { return w.rows }

// Bytes is the size of the values so far, before encoding and compression.
func (w *EventWriter) Bytes() int64 { return w.written + int64(w.batch.bytes) }

// Write adds a row. Rows come in the order of cluster, topic, partition and
// offset. The event's data must not change before Close. After an error the
// writer is of no more use.
func (w *EventWriter) Write(event Event, at RecordPosition) error {
	if w.err == nil {
		w.err = w.write(event, at)
	}
	if w.err != nil {
		return fmt.Errorf("%s: %s/%d@%d: %w", w.payload.Table, at.Topic, at.Partition, at.Offset, w.err)
	}
	return nil
}

func (w *EventWriter) write(event Event, at RecordPosition) error {
	data := reflect.ValueOf(event.Data)
	if data.Kind() != reflect.Pointer || data.IsNil() || data.Type().Elem() != w.payload.goType {
		return fmt.Errorf("data is a %T, not a %s", event.Data, w.payload.goType)
	}
	if w.rows > 0 && w.last.compare(at) >= 0 {
		return fmt.Errorf("comes after %s/%d@%d", w.last.Topic, w.last.Partition, w.last.Offset)
	}
	head := envelope{
		Cluster: at.Cluster, Topic: at.Topic, Partition: int64(at.Partition), Offset: at.Offset, IngestedAt: at.AppendedAt,
		ID: event.ID, Type: event.Type, Source: event.Source, Subject: event.Subject, Time: event.Time,
		SchemaVersion: cmp.Or(event.SchemaVersion, SchemaVersion), ParserVersion: event.ParserVersion, Extra: event.Extra,
	}
	if err := w.shredder.shred(w.batch, reflect.ValueOf(&head).Elem(), data.Elem()); err != nil {
		return err
	}
	if w.rows == 0 {
		w.first = at
	}
	w.last = at
	w.rows++
	if w.batch.rows >= batchRows || w.batch.bytes >= batchBytes {
		return w.flushBatch()
	}
	return nil
}

// flushBatch moves the batch into the file's pages, column by column: parquet-go
// would sort rows into columns anyway, at a higher price.
func (w *EventWriter) flushBatch() error {
	if w.batch.rows == 0 {
		return nil
	}
	if w.parquet == nil {
		w.parquet = w.newParquet()
	}
	for i, column := range w.parquet.ColumnWriters() {
		values := w.batch.columns[i]
		w.sums[i].add(values)
		if _, err := column.WriteRowValues(values); err != nil {
			return err
		}
	}
	w.group.rows += w.batch.rows
	w.group.bytes += w.batch.bytes
	w.written += int64(w.batch.bytes)
	w.batch.reset()
	if w.group.rows < rowGroupRows && w.group.bytes < rowGroupBytes {
		return nil
	}
	w.group.rows, w.group.bytes = 0, 0
	return w.parquet.Flush()
}

// newParquet chooses the encodings by the first batch: a text column whose
// values are short and repeat gets a dictionary. Text keeps no minimum and
// maximum: parquet-go would copy them whole into page headers and footer, which
// made a record of 16 MiB five times as large.
func (w *EventWriter) newParquet() *parquet.GenericWriter[any] {
	columns := w.payload.Columns()
	builder := schemaBuilder{dictionary: make([]bool, len(w.batch.columns))}
	options := []parquet.WriterOption{parquet.DictionaryMaxBytes(dictionaryMax), parquet.DataPageStatistics(false)}
	for i, leaf := range leaves(columns) {
		if leaf.typ == Varchar {
			builder.dictionary[i] = repeats(w.batch.columns[i])
			options = append(options, parquet.SkipPageBounds(leaf.path...))
		}
	}
	options = append(options, builder.schema(columns))
	return parquet.NewGenericWriter[any](w.out, options...)
}

// repeats tells whether text is worth a dictionary.
func repeats(values []parquet.Value) bool {
	const longest = 128
	distinct := map[string]struct{}{}
	count := 0
	for _, value := range values {
		if value.IsNull() {
			continue
		}
		text := value.ByteArray()
		if len(text) > longest {
			return false
		}
		distinct[string(text)] = struct{}{}
		count++
	}
	return len(distinct) <= count/2
}

// Close ends the file, makes it durable under its table's folder, reads it
// back and compares. The file belongs to the table once it is committed.
func (w *EventWriter) Close(ctx context.Context) (DataFile, error) {
	defer w.Abort()
	file, err := w.close(ctx)
	if err != nil {
		return DataFile{}, fmt.Errorf("%s: write file: %w", w.payload.Table, err)
	}
	return file, nil
}

func (w *EventWriter) close(ctx context.Context) (DataFile, error) {
	if w.err != nil {
		return DataFile{}, w.err
	}
	if w.rows == 0 {
		return DataFile{}, errors.New("no rows")
	}
	if err := w.flushBatch(); err != nil {
		return DataFile{}, err
	}
	if err := w.parquet.Close(); err != nil {
		return DataFile{}, err
	}
	table, err := w.lake.Table(w.payload.Table)
	if err != nil {
		return DataFile{}, err
	}
	file := DataFile{Rows: w.rows}
	if file.Path, err = w.fileName(); err != nil {
		return DataFile{}, err
	}
	name := path.Join(table.folder, file.Path)
	if err := w.out.Commit(name); err != nil {
		return DataFile{}, err
	}
	if err := verifyFile(ctx, w.lake.storage, name, w.rows, w.sums); err != nil {
		return DataFile{}, errors.Join(err, w.lake.storage.Remove(ctx, name))
	}
	info, err := w.lake.storage.Stat(ctx, name)
	if err != nil {
		return DataFile{}, err
	}
	file.Bytes, file.ModifiedAt = info.Bytes, info.ModifiedAt
	return file, nil
}

// fileName says where the rows come from, for people; readers go by the log.
func (w *EventWriter) fileName() (string, error) {
	id, err := w.lake.newUUID()
	if err != nil {
		return "", err
	}
	if w.first.Topic == w.last.Topic && w.first.Partition == w.last.Partition {
		return fmt.Sprintf("p%d-%d-%d-%s.parquet", w.first.Partition, w.first.Offset, w.last.Offset, id), nil
	}
	return fmt.Sprintf("p%d-p%d-%s.parquet", w.first.Partition, w.last.Partition, id), nil
}

// Abort drops the file; after Close it does nothing.
func (w *EventWriter) Abort() {
	w.out.Abort()
	w.err = cmp.Or(w.err, error(errClosed))
}

var errClosed = errors.New("the writer is closed")
