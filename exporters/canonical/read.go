package canonical

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/weir-lake/weir/lake"
)

// batchRows is how many examples are in memory as Go values at a time.
const batchRows = 256

// Reader reads examples from Parquet files in the files' order, a batch at a
// time. Its memory is that of a row group, whatever their number and length.
type Reader struct {
	ctx     context.Context
	paths   []string // that are not open yet
	rows    int64
	file    *file.Reader // nil: none is open
	records pqarrow.RecordReader
}

// Open opens Parquet files that have the columns of Columns. It is to be closed.
func Open(ctx context.Context, paths ...string) (*Reader, error) {
	r := &Reader{ctx: ctx, paths: paths}
	for _, path := range paths {
		one, err := file.OpenParquetFile(path, false)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		r.rows += one.NumRows()
		if err := one.Close(); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return r, nil
}

// Rows is the number of examples in the files.
func (r *Reader) Rows() int64 { return r.rows }

// Next gives the next examples, io.EOF after the last.
func (r *Reader) Next() ([]Example, error) {
	for {
		if r.file == nil {
			if len(r.paths) == 0 {
				return nil, io.EOF
			}
			if err := r.open(r.paths[0]); err != nil {
				return nil, fmt.Errorf("%s: %w", r.paths[0], err)
			}
			r.paths = r.paths[1:]
		}
		record, err := r.records.Read()
		switch {
		case err == nil && record != nil:
			return decode(record)
		case err != nil && !errors.Is(err, io.EOF):
			return nil, fmt.Errorf("read examples: %w", err)
		}
		if err := r.Close(); err != nil {
			return nil, fmt.Errorf("read examples: %w", err)
		}
	}
}

func (r *Reader) open(path string) error {
	// Arrow reads whole column chunks unless it is told to stream them.
	props := parquet.NewReaderProperties(memory.NewGoAllocator())
	props.BufferedStreamEnabled = true
	parquetFile, err := file.OpenParquetFile(path, false, file.WithReadProps(props))
	if err != nil {
		return err
	}
	arrowFile, err := pqarrow.NewFileReader(parquetFile, pqarrow.ArrowReadProperties{BatchSize: batchRows}, memory.NewGoAllocator())
	if err != nil {
		return errors.Join(err, parquetFile.Close())
	}
	records, err := arrowFile.GetRecordReader(r.ctx, nil, nil)
	if err != nil {
		return errors.Join(err, parquetFile.Close())
	}
	r.file, r.records = parquetFile, records
	return nil
}

// Close closes the file that is open.
func (r *Reader) Close() error {
	if r.file == nil {
		return nil
	}
	r.records.Release()
	err := r.file.Close()
	r.file, r.records = nil, nil
	return err
}

// Columns are the columns of the file in the order of the fields of Example.
// They are those of curated.examples but split (the example's fate) and
// success_score (of curated.quality).
var Columns = []string{
	"example_id", "subject_id", "content_hash", "source", "task_type", "split", "tools_origin", "response_format",
	"tool_choice", "messages", "tools", "origin_event_ids", "parallel_tool_calls", "success_score",
}

// PairColumns follow in a file of preference pairs, in the order of the fields of
// Against.
var PairColumns = []string{
	"pair_id", "basis", "context_count", "rejected_messages", "rejected_example_id", "rejected_subject_id",
	"rejected_content_hash", "rejected_origin_event_ids",
}

// decode turns a record into examples. The strings share the record's memory,
// which the garbage collector keeps as long as one of them lives.
func decode(record arrow.RecordBatch) ([]Example, error) {
	columns := map[string]arrow.Array{}
	for i, field := range record.Schema().Fields() {
		columns[field.Name] = record.Column(i)
	}
	d := decoder{columns: columns}
	texts := make([]func(int) string, len(textFields))
	for i := range textFields {
		texts[i] = d.text(Columns[i])
	}
	messages, tools, origins := d.messages("messages"), d.tools("tools"), d.texts("origin_event_ids")
	parallel, score := d.boolean("parallel_tool_calls"), d.number("success_score")
	against := func(int) *Against { return nil }
	if _, isPairs := columns[PairColumns[0]]; isPairs {
		against = d.against()
	}
	if d.err != nil {
		return nil, fmt.Errorf("read examples: %w", d.err)
	}
	examples := make([]Example, record.NumRows())
	for row := range examples {
		e := &examples[row]
		for i, field := range textFields {
			*field(e) = texts[i](row)
		}
		e.Messages, e.Tools, e.OriginEventIDs = messages(row), tools(row), origins(row)
		e.ParallelToolCalls, e.SuccessScore, e.Against = parallel(row), score(row), against(row)
	}
	return examples, nil
}

func (d *decoder) against() func(int) *Against {
	id, basis, context := d.text("pair_id"), d.text("basis"), d.integer("context_count")
	messages, example, subject := d.messages("rejected_messages"), d.text("rejected_example_id"), d.text("rejected_subject_id")
	hash, origins := d.text("rejected_content_hash"), d.texts("rejected_origin_event_ids")
	return func(i int) *Against {
		return &Against{
			PairID: id(i), Basis: basis(i), Context: int(context(i)), Messages: messages(i), ExampleID: example(i),
			SubjectID: subject(i), ContentHash: hash(i), OriginEventIDs: origins(i),
		}
	}
}

// textFields are the fields of the first of Columns.
var textFields = []func(*Example) *string{
	func(e *Example) *string { return &e.ID },
	func(e *Example) *string { return &e.SubjectID },
	func(e *Example) *string { return &e.ContentHash },
	func(e *Example) *string { return &e.Source },
	func(e *Example) *string { return &e.TaskType },
	func(e *Example) *string { return &e.Split },
	func(e *Example) *string { return &e.ToolsOrigin },
	func(e *Example) *string { return &e.ResponseFormat },
	func(e *Example) *string { return &e.ToolChoice },
}

// decoder makes accessors of columns; the first column that is missing or of
// another type is its error.
type decoder struct {
	columns map[string]arrow.Array
	err     error
}

func column[T arrow.Array](d *decoder, name string) (T, bool) {
	typed, ok := d.columns[name].(T)
	if !ok && d.err == nil {
		if found := d.columns[name]; found != nil {
			d.err = fmt.Errorf("column %s is %s", name, found.DataType())
		} else {
			d.err = fmt.Errorf("no column %s", name)
		}
	}
	return typed, ok
}

func (d *decoder) text(name string) func(int) string {
	values, ok := column[*array.String](d, name)
	if !ok {
		return nil
	}
	return func(i int) string {
		if values.IsNull(i) {
			return ""
		}
		return values.Value(i)
	}
}

func (d *decoder) boolean(name string) func(int) *bool {
	values, ok := column[*array.Boolean](d, name)
	if !ok {
		return nil
	}
	return func(i int) *bool {
		if values.IsNull(i) {
			return nil
		}
		value := values.Value(i)
		return &value
	}
}

func (d *decoder) integer(name string) func(int) int64 {
	values, ok := column[*array.Int64](d, name)
	if !ok {
		return nil
	}
	return values.Value
}

func (d *decoder) number(name string) func(int) *float64 {
	values, ok := column[*array.Float64](d, name)
	if !ok {
		return nil
	}
	return func(i int) *float64 {
		if values.IsNull(i) {
			return nil
		}
		value := values.Value(i)
		return &value
	}
}

// list makes an accessor of a list column from one of its elements.
func list[T any](d *decoder, name string, element func(*decoder) func(int) T) func(int) []T {
	values, ok := column[*array.List](d, name)
	if !ok {
		return nil
	}
	inner := decoder{columns: map[string]arrow.Array{"element": values.ListValues()}}
	if structs, ok := values.ListValues().(*array.Struct); ok {
		for i, field := range structs.DataType().(*arrow.StructType).Fields() {
			inner.columns[field.Name] = structs.Field(i)
		}
	}
	at := element(&inner)
	if inner.err != nil {
		if d.err == nil {
			d.err = fmt.Errorf("%s: %w", name, inner.err)
		}
		return nil
	}
	return func(i int) []T {
		if values.IsNull(i) {
			return nil
		}
		start, end := values.ValueOffsets(i)
		if start == end {
			return nil
		}
		out := make([]T, 0, end-start)
		for j := start; j < end; j++ {
			out = append(out, at(int(j)))
		}
		return out
	}
}

func (d *decoder) texts(name string) func(int) []string {
	return list(d, name, func(d *decoder) func(int) string { return d.text("element") })
}

func (d *decoder) tools(name string) func(int) []lake.Tool {
	return list(d, name, func(d *decoder) func(int) lake.Tool {
		name, description, parameters := d.text("name"), d.text("description"), d.text("parameters")
		return func(i int) lake.Tool {
			return lake.Tool{Name: name(i), Description: description(i), Parameters: parameters(i)}
		}
	})
}

func (d *decoder) calls(name string) func(int) []lake.ToolCall {
	return list(d, name, func(d *decoder) func(int) lake.ToolCall {
		id, name, arguments := d.text("id"), d.text("name"), d.text("arguments")
		return func(i int) lake.ToolCall {
			return lake.ToolCall{ID: id(i), Name: name(i), Arguments: arguments(i)}
		}
	})
}

func (d *decoder) messages(name string) func(int) []lake.Message {
	return list(d, name, func(d *decoder) func(int) lake.Message {
		role, name, content, reasoning := d.text("role"), d.text("name"), d.text("content"), d.text("reasoning")
		calls, callID, isError, weight := d.calls("tool_calls"), d.text("tool_call_id"), d.boolean("is_error"), d.number("weight")
		model, eventID, parts := d.text("model"), d.text("event_id"), d.text("parts")
		return func(i int) lake.Message {
			return lake.Message{
				Role: role(i), Name: name(i), Content: content(i), Reasoning: reasoning(i), ToolCalls: calls(i),
				ToolCallID: callID(i), IsError: isError(i), Weight: weight(i), Model: model(i), EventID: eventID(i), Parts: parts(i),
			}
		}
	})
}
