package lake

import (
	"slices"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"
	"github.com/parquet-go/parquet-go/encoding"
)

// leaf is a column of a Parquet file, below all structs and lists.
type leaf struct {
	path []string // as Parquet counts: messages, list, element, content
	typ  Type
}

func leaves(columns []Column) []leaf {
	var all []leaf
	for _, column := range columns {
		path := []string{column.Name}
		if column.List {
			path = append(path, "list", "element")
		}
		if column.Type != Struct {
			all = append(all, leaf{path, column.Type})
			continue
		}
		for _, inner := range leaves(column.Fields) {
			all = append(all, leaf{slices.Concat(path, inner.path), inner.typ})
		}
	}
	return all
}

// schemaBuilder makes a Parquet schema. It counts leaves in the order of the
// columns, so that each text column gets the encoding that suits its values.
type schemaBuilder struct {
	dictionary []bool // by leaf; nil: none
	next       int
}

func (b *schemaBuilder) schema(columns []Column) *parquet.Schema {
	return parquet.NewSchema("schema", b.group(columns))
}

func (b *schemaBuilder) group(columns []Column) parquet.Node {
	node := orderedGroup{Group: parquet.Group{}}
	for _, column := range columns {
		child := b.column(column)
		node.Group[column.Name] = child
		node.fields = append(node.fields, parquet.Group{column.Name: child}.Fields()...)
	}
	return node
}

func (b *schemaBuilder) column(column Column) parquet.Node {
	var node parquet.Node
	if column.Type == Struct {
		node = b.group(column.Fields)
	} else {
		node = b.leaf(column.Type)
	}
	node = parquet.Optional(node)
	if column.List {
		if column.FieldID != 0 {
			node = parquet.FieldID(node, int(column.ElementID()))
		}
		node = parquet.Optional(parquet.List(node))
	}
	if column.FieldID != 0 {
		node = parquet.FieldID(node, int(column.FieldID))
	}
	return node
}

func (b *schemaBuilder) leaf(t Type) parquet.Node {
	var node parquet.Node
	var enc encoding.Encoding
	switch t {
	case BigInt:
		node, enc = parquet.Leaf(parquet.Int64Type), &parquet.DeltaBinaryPacked
	case Double:
		node = parquet.Leaf(parquet.DoubleType)
	case Boolean:
		node = parquet.Leaf(parquet.BooleanType)
	case TimestampTZ:
		node, enc = parquet.Timestamp(parquet.Microsecond), &parquet.DeltaBinaryPacked
	default:
		node, enc = parquet.String(), &parquet.DeltaLengthByteArray
		if b.dictionary != nil && b.dictionary[b.next] {
			enc = &parquet.RLEDictionary
		}
	}
	b.next++
	if enc != nil {
		node = parquet.Encoded(node, enc)
	}
	return parquet.Compressed(node, compression)
}

// compression is zstd at its fastest: a third faster to write than the default
// level for a few per cent of size.
var compression = &zstd.Codec{Level: zstd.SpeedFastest}

// orderedGroup is a group whose fields keep their order; parquet.Group sorts
// them by name.
type orderedGroup struct {
	parquet.Group
	fields []parquet.Field
}

func (g orderedGroup) Fields() []parquet.Field { return g.fields }
