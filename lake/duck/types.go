package duck

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/weir-lake/weir/lake"
)

// Describe gives the columns of a query without running it. A column of a type
// that tables cannot have has Type "" plus DuckDB's own words in Doc, so that
// the caller can name column and type.
func (s *Session) Describe(ctx context.Context, query string) ([]lake.Column, error) {
	// The prefix shares the query's first line, so that lines in errors are the query's.
	rows, err := s.db.QueryContext(ctx, "describe "+query)
	if err != nil {
		return nil, wrap(err)
	}
	defer rows.Close()
	var columns []lake.Column
	for rows.Next() {
		var name, typeText string
		var null, key, def, extra any
		if err := rows.Scan(&name, &typeText, &null, &key, &def, &extra); err != nil {
			return nil, wrap(err)
		}
		column, rest, err := ParseType(typeText, nil)
		if err != nil || rest != "" {
			column = lake.Column{Doc: typeText}
		}
		column.Name = name
		columns = append(columns, column)
	}
	return columns, wrap(rows.Err())
}

// MaxTypeDepth bounds nesting in ParseType: no table comes near it.
const MaxTypeDepth = 16

// ParseType reads a column type at the start of text, in DuckDB's spelling or
// by a name from named, and gives what follows it. The column has no name.
func ParseType(text string, named map[string]lake.Column) (column lake.Column, rest string, err error) {
	return parseType(text, named, MaxTypeDepth)
}

var scalarTypes = []struct {
	spelling string
	is       lake.Type
}{
	{"TIMESTAMP WITH TIME ZONE", lake.TimestampTZ}, // before its own prefixes
	{"TIMESTAMPTZ", lake.TimestampTZ},
	{"BIGINT", lake.BigInt}, {"DOUBLE", lake.Double}, {"VARCHAR", lake.Varchar}, {"BOOLEAN", lake.Boolean},
}

var wordStart = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*`)

func parseType(text string, named map[string]lake.Column, depth int) (lake.Column, string, error) {
	column, rest, err := parseBase(text, named, depth)
	if err != nil {
		return lake.Column{}, "", err
	}
	if after, ok := strings.CutPrefix(rest, "[]"); ok {
		if column.List {
			return lake.Column{}, "", fmt.Errorf("type %q: a list of lists has no place in a table", firstWord(text))
		}
		column.List, rest = true, after
	}
	if strings.HasPrefix(rest, "[") {
		return lake.Column{}, "", fmt.Errorf("type %q: arrays and lists of lists have no place in a table", firstWord(text))
	}
	return column, rest, nil
}

func parseBase(text string, named map[string]lake.Column, depth int) (lake.Column, string, error) {
	if after, ok := strings.CutPrefix(text, "STRUCT("); ok {
		return parseStruct(after, named, depth)
	}
	for _, scalar := range scalarTypes {
		after, ok := strings.CutPrefix(text, scalar.spelling)
		if ok && wordStart.FindString(after) == "" {
			return lake.Column{Type: scalar.is}, after, nil
		}
	}
	word := wordStart.FindString(text)
	if column, ok := named[word]; ok {
		return column, text[len(word):], nil
	}
	return lake.Column{}, "", fmt.Errorf("type %q: tables have BIGINT, DOUBLE, VARCHAR, BOOLEAN, TIMESTAMPTZ, STRUCT(…) and lists of them", firstWord(text))
}

// parseStruct reads the fields of a struct and its closing parenthesis.
func parseStruct(text string, named map[string]lake.Column, depth int) (lake.Column, string, error) {
	if depth == 0 {
		return lake.Column{}, "", fmt.Errorf("type nested too deep")
	}
	column := lake.Column{Type: lake.Struct}
	for {
		name, rest, ok := fieldName(strings.TrimLeft(text, " "))
		if !ok {
			return lake.Column{}, "", fmt.Errorf("type STRUCT: field name expected at %q", firstWord(text))
		}
		field, rest, err := parseType(strings.TrimLeft(rest, " "), named, depth-1)
		if err != nil {
			return lake.Column{}, "", err
		}
		field.Name = name
		column.Fields = append(column.Fields, field)
		rest = strings.TrimLeft(rest, " ")
		switch {
		case strings.HasPrefix(rest, ","):
			text = rest[1:]
		case strings.HasPrefix(rest, ")"):
			return column, rest[1:], nil
		default:
			return lake.Column{}, "", fmt.Errorf("type STRUCT: ',' or ')' expected after field %s", name)
		}
	}
}

func fieldName(text string) (name, rest string, ok bool) {
	if !strings.HasPrefix(text, `"`) {
		name = wordStart.FindString(text)
		return name, text[len(name):], name != ""
	}
	for i := 1; i < len(text); i++ {
		if text[i] != '"' {
			continue
		}
		if i+1 < len(text) && text[i+1] == '"' {
			i++
			continue
		}
		return strings.ReplaceAll(text[1:i], `""`, `"`), text[i+1:], i > 1
	}
	return "", "", false
}

func firstWord(text string) string {
	word, _, _ := strings.Cut(strings.TrimSpace(text), " ")
	return word
}

// SameType tells whether two columns have the same type, whatever their names
// and docs; fields of structs must have the same names in the same order.
func SameType(a, b lake.Column) bool {
	if a.Type != b.Type || a.List != b.List || len(a.Fields) != len(b.Fields) {
		return false
	}
	for i := range a.Fields {
		if a.Fields[i].Name != b.Fields[i].Name || !SameType(a.Fields[i], b.Fields[i]) {
			return false
		}
	}
	return true
}
