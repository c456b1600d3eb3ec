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

// envelope is the head of every events table: the record's place, then the
// event's attributes. Its fields are columns as a payload's are.
type envelope struct {
	Cluster       string    `json:"kafka_cluster" fid:"1" doc:"cluster that the record came from; offsets of another cluster are other offsets"`
	Topic         string    `json:"kafka_topic" fid:"2" doc:"topic"`
	Partition     int64     `json:"kafka_partition" fid:"3" doc:"partition of the topic"`
	Offset        int64     `json:"kafka_offset" fid:"4" doc:"offset in the partition"`
	IngestedAt    time.Time `json:"ingested_at" fid:"5" doc:"when the record was appended to the topic"`
	ID            string    `json:"id" fid:"6" doc:"event id, stable across re-ingestion"`
	Type          string    `json:"type" fid:"7" doc:"event type"`
	Source        string    `json:"source" fid:"8" doc:"URI of the origin"`
	Subject       string    `json:"subject" fid:"9" doc:"conversation, task or request: the unit that a split never cuts through"`
	Time          time.Time `json:"time" fid:"10" doc:"when it happened"`
	SchemaVersion int64     `json:"schema_version" fid:"11" doc:"version of the payload schema that the producer wrote"`
	ParserVersion int64     `json:"parser_version" fid:"12" doc:"version of the source's parser; a higher one wins"`
	Extra         string    `json:"extra" fid:"13" doc:"JSON object: fields that this binary did not know, those inside lists by their path"`
}

var envelopeColumns = structColumns(reflect.TypeFor[envelope](), 0)

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
