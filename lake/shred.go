package lake

import (
	"fmt"
	"reflect"
	"time"
	"unicode/utf8"
	"unsafe"

	"github.com/parquet-go/parquet-go"
)

// shredder takes structs apart into the values of Parquet columns. Its plan is
// made once a type, from the same tags as the type's columns.
//
// Empty text, the zero time, nil pointers and empty lists are NULL; inside a
// list, text is kept as it is. Other numbers and booleans are what they are:
// one that may be absent is a pointer.
type shredder struct {
	fields []shredField
	leaves int
}

// shredField is a struct field as a column.
type shredField struct {
	column  Column
	index   []int // for reflect.Value.FieldByIndex
	pointer bool
	leaf    int          // first leaf column
	leaves  int          // leaf columns in it
	repeat  int          // repetition level of the list's elements
	fields  []shredField // of a struct
}

func newShredder(types ...reflect.Type) *shredder {
	s := &shredder{}
	for i, t := range types {
		for _, field := range s.plan(t, 0, 0) {
			// Several structs make one row: the first index says which.
			field.index = append([]int{i}, field.index...)
			s.fields = append(s.fields, field)
		}
	}
	return s
}

func (s *shredder) plan(t reflect.Type, parent int32, depth int) []shredField {
	var fields []shredField
	for i := range t.NumField() {
		field := t.Field(i)
		if field.Anonymous {
			for _, inner := range s.plan(field.Type, parent, depth) {
				inner.index = append([]int{i}, inner.index...)
				fields = append(fields, inner)
			}
			continue
		}
		f := shredField{column: fieldColumn(t, field, parent), index: []int{i}, leaf: s.leaves, repeat: depth}
		inner := field.Type
		if f.pointer = inner.Kind() == reflect.Pointer; f.pointer {
			inner = inner.Elem()
		}
		if f.column.List {
			inner = inner.Elem()
			f.repeat++
		}
		if f.column.Type == Struct {
			f.fields = s.plan(inner, f.column.FieldID, f.repeat)
		} else {
			s.leaves++
		}
		f.leaves = s.leaves - f.leaf
		fields = append(fields, f)
	}
	return fields
}

// batch holds the values of some rows, column by column. Text is not copied:
// the structs must stay as they are until the batch is written.
type batch struct {
	columns [][]parquet.Value
	rows    int
	bytes   int // of the values, about
	err     error
}

func newBatch(leaves int) *batch { return &batch{columns: make([][]parquet.Value, leaves)} }

func (b *batch) reset() {
	for i, values := range b.columns {
		clear(values) // or they would hold on to their text
		b.columns[i] = values[:0]
	}
	b.rows, b.bytes = 0, 0
}

// shred adds one row. On error the batch is of no more use.
func (s *shredder) shred(b *batch, structs ...reflect.Value) error {
	for i := range s.fields {
		f := &s.fields[i]
		b.field(f, structs[f.index[0]].FieldByIndex(f.index[1:]), 0, 0)
	}
	b.rows++
	return b.err
}

func (b *batch) field(f *shredField, v reflect.Value, repetition, definition int) {
	if f.pointer {
		if v.IsNil() {
			b.null(f, repetition, definition)
			return
		}
		v = v.Elem()
	}
	if !f.column.List {
		b.value(f, v, repetition, definition+1)
		return
	}
	n := v.Len()
	if n == 0 {
		b.null(f, repetition, definition)
	}
	for i := range n {
		// Present are the list, its i-th entry and the entry's value.
		b.value(f, v.Index(i), repetition, definition+3)
		repetition = f.repeat
	}
}

func (b *batch) value(f *shredField, v reflect.Value, repetition, definition int) {
	var value parquet.Value
	switch f.column.Type {
	case Struct:
		for i := range f.fields {
			inner := &f.fields[i]
			b.field(inner, v.FieldByIndex(inner.index), repetition, definition)
		}
		return
	case Varchar:
		text := v.String()
		if text == "" && !f.column.List {
			b.null(f, repetition, definition-1)
			return
		}
		if !utf8.ValidString(text) {
			b.err = fmt.Errorf("column %s: %w", f.column.Name, ErrInvalidUTF8)
		}
		b.bytes += len(text)
		value = parquet.ByteArrayValue(unsafe.Slice(unsafe.StringData(text), len(text)))
	case BigInt:
		value = parquet.Int64Value(v.Int())
	case Double:
		value = parquet.DoubleValue(v.Float())
	case Boolean:
		value = parquet.BooleanValue(v.Bool())
	case TimestampTZ:
		at := v.Interface().(time.Time)
		if at.IsZero() {
			b.null(f, repetition, definition-1)
			return
		}
		value = parquet.Int64Value(at.UnixMicro())
	}
	b.bytes += 8
	b.columns[f.leaf] = append(b.columns[f.leaf], value.Level(repetition, definition, f.leaf))
}

// null writes an absent field: one NULL to each leaf column in it.
func (b *batch) null(f *shredField, repetition, definition int) {
	for leaf := f.leaf; leaf < f.leaf+f.leaves; leaf++ {
		b.columns[leaf] = append(b.columns[leaf], parquet.Value{}.Level(repetition, definition, leaf))
	}
}
