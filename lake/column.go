package lake

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Type is a column type. There are no others, so that nothing has to be
// widened later and every reader of Delta and Parquet knows them.
type Type string

// The column types, by their DuckDB names.
const (
	BigInt      Type = "BIGINT"
	Double      Type = "DOUBLE"
	Varchar     Type = "VARCHAR"
	Boolean     Type = "BOOLEAN"
	TimestampTZ Type = "TIMESTAMPTZ" // UTC, microseconds
	Struct      Type = "STRUCT"
)

// Column is a column of a table, or a field of a struct. FieldID never changes
// once a release has it.
type Column struct {
	Name    string
	Type    Type
	List    bool     // a list of Type
	Fields  []Column // of a struct
	FieldID int32    // 0: the table is derived and has none
	Doc     string
}

// ElementID is the field id of a list's elements.
func (c Column) ElementID() int32 { return c.FieldID*fieldIDSpan + fieldIDSpan - 1 }

// SQL is the column's type in DuckDB.
func (c Column) SQL() string {
	text := string(c.Type)
	if c.Type == Struct {
		fields := make([]string, len(c.Fields))
		for i, field := range c.Fields {
			fields[i] = strconv.Quote(field.Name) + " " + field.SQL()
		}
		text = "STRUCT(" + strings.Join(fields, ", ") + ")"
	}
	if c.List {
		text += "[]"
	}
	return text
}

// Field ids are unique in a file: a field of a struct has its parent's id times
// fieldIDSpan plus its own, a list's element the last id of the span.
const fieldIDSpan = 1000

var envelopeColumns = []Column{
	{Name: "kafka_cluster", Type: Varchar, FieldID: 1, Doc: "cluster that the record came from; offsets of another cluster are other offsets"},
	{Name: "kafka_topic", Type: Varchar, FieldID: 2, Doc: "topic"},
	{Name: "kafka_partition", Type: BigInt, FieldID: 3, Doc: "partition of the topic"},
	{Name: "kafka_offset", Type: BigInt, FieldID: 4, Doc: "offset in the partition"},
	{Name: "ingested_at", Type: TimestampTZ, FieldID: 5, Doc: "when the record was appended to the topic"},
	{Name: "id", Type: Varchar, FieldID: 6, Doc: "event id, stable across re-ingestion"},
	{Name: "type", Type: Varchar, FieldID: 7, Doc: "event type"},
	{Name: "source", Type: Varchar, FieldID: 8, Doc: "URI of the origin"},
	{Name: "subject", Type: Varchar, FieldID: 9, Doc: "conversation, task or request: the unit that a split never cuts through"},
	{Name: "time", Type: TimestampTZ, FieldID: 10, Doc: "when it happened"},
	{Name: "schema_version", Type: BigInt, FieldID: 11, Doc: "version of the payload schema that the producer wrote"},
	{Name: "parser_version", Type: BigInt, FieldID: 12, Doc: "version of the source's parser; a higher one wins"},
	{Name: "extra", Type: Varchar, FieldID: 13, Doc: "JSON object: fields that this binary did not know"},
}

// structColumns reads the columns of a payload struct from its tags. A tag
// that is missing or out of place is a bug of the struct, so it panics at init.
func structColumns(t reflect.Type, parent int32) []Column {
	var columns []Column
	for i := range t.NumField() {
		field := t.Field(i)
		if field.Anonymous {
			columns = append(columns, structColumns(field.Type, parent)...)
			continue
		}
		columns = append(columns, fieldColumn(t, field, parent))
	}
	return columns
}

func fieldColumn(owner reflect.Type, field reflect.StructField, parent int32) Column {
	name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
	id, err := strconv.Atoi(field.Tag.Get("fid"))
	if err != nil || id < 1 || id >= fieldIDSpan-1 || name == "" {
		panic(fmt.Sprintf("lake: %s.%s: needs a json name and a fid from 1 to %d", owner, field.Name, fieldIDSpan-2))
	}
	column := Column{Name: name, FieldID: parent*fieldIDSpan + int32(id), Doc: field.Tag.Get("doc")}
	t := field.Type
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() == reflect.Slice {
		column.List, t = true, t.Elem()
	}
	switch {
	case t == reflect.TypeFor[time.Time]():
		column.Type = TimestampTZ
	case t.Kind() == reflect.String:
		column.Type = Varchar
	case t.Kind() == reflect.Int64:
		column.Type = BigInt
	case t.Kind() == reflect.Float64:
		column.Type = Double
	case t.Kind() == reflect.Bool:
		column.Type = Boolean
	case t.Kind() == reflect.Struct:
		column.Type, column.Fields = Struct, structColumns(t, column.FieldID)
	default:
		panic(fmt.Sprintf("lake: %s.%s: no column type for %s", owner, field.Name, field.Type))
	}
	return column
}
