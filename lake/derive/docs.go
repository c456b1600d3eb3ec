package derive

import (
	"fmt"
	"slices"
	"strings"

	"github.com/weir-lake/weir/lake"
)

// docTypes are the nested types that columns of tables have by name.
var docTypes = []string{"MESSAGE", "EVENT_MESSAGE", "TOOL", "TOOL_CALL", "MEMBER"}

// Docs is the Markdown of tables, sorted by name: what they are, what a row is,
// what they are made from, then every column with type and meaning; before
// them the nested types. It goes into docs/tables.md, below the events tables.
func Docs(tables []*Table) string {
	sorted := slices.SortedFunc(slices.Values(tables), func(a, b *Table) int { return strings.Compare(a.Name, b.Name) })
	var b strings.Builder
	named := NamedTypes()
	for _, name := range docTypes {
		fmt.Fprintf(&b, "### Type %s\n\n%s\n", name, lake.DocsOf(named[name].Fields))
	}
	for _, t := range sorted {
		inputs := make([]string, len(t.Inputs))
		for i, input := range t.Inputs {
			inputs[i] = "`" + input.Table + "`"
		}
		from := "nothing"
		if len(inputs) > 0 {
			from = strings.Join(inputs, ", ")
		}
		made := "a step in Go"
		if t.File != "" {
			made = "[" + t.File + "](../" + t.File + ")"
		}
		fmt.Fprintf(&b, "### %s\n\n%s. Grain: %s. Key: `%s`. Made by %s from %s.\n\n%s\n",
			t.Name, t.Doc, t.Grain, strings.Join(t.Key, "`, `"), made, from, lake.DocsOf(t.docColumns()))
	}
	return b.String()
}

// docColumns are the columns with the nested types left folded where the header
// names them: they would fill pages.
func (t *Table) docColumns() []lake.Column {
	columns := slices.Clone(t.Columns)
	named := NamedTypes()
	for i, column := range columns {
		for _, name := range docTypes {
			if sameColumns(column.Fields, named[name].Fields) && len(column.Fields) > 0 {
				columns[i].Type, columns[i].Fields = lake.Type(name), nil
			}
		}
	}
	return columns
}
