package lake

import (
	"fmt"
	"strings"
)

// Docs is the Markdown of the events tables: what a row is, then every column
// with type and meaning. docs/tables.md holds it.
func Docs() string {
	var b strings.Builder
	b.WriteString("### Columns of every events table\n\nThey come first.\n\n" + DocsOf(envelopeColumns) + "\n")
	for _, p := range Payloads() {
		fmt.Fprintf(&b, "### %s\n\nOne row is %s. Event type `%s`, topic `%s`.\n\n", p.Table, p.Doc, p.Type, p.Topic())
		b.WriteString(DocsOf(p.columns) + "\n")
	}
	return b.String()
}

// DocsOf is a Markdown table of columns. Fields of structs follow their
// column, indented.
func DocsOf(columns []Column) string {
	var b strings.Builder
	b.WriteString("| column | type | meaning |\n|---|---|---|\n")
	docRows(&b, columns, "")
	return b.String()
}

func docRows(b *strings.Builder, columns []Column, indent string) {
	for _, column := range columns {
		typ := column.SQL()
		if column.Type == Struct {
			typ = "STRUCT"
			if column.List {
				typ = "STRUCT[]"
			}
		}
		fmt.Fprintf(b, "| %s`%s` | %s | %s |\n", indent, column.Name, typ, strings.ReplaceAll(column.Doc, "|", `\|`))
		docRows(b, column.Fields, indent+"&nbsp;&nbsp;&nbsp;&nbsp;")
	}
}
