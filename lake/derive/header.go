package derive

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
)

// HeaderError is a fault in a file's header.
type HeaderError struct {
	File   string
	Line   int // 1-based
	Reason string
}

func (e *HeaderError) Error() string {
	return fmt.Sprintf("%s:%d: header: %s", e.File, e.Line, e.Reason)
}

// proseKeys are header keys that people read and Build does not.
var proseKeys = []string{"rules", "thresholds", "sources", "notes"}

var (
	headerKey  = regexp.MustCompile(`^-- ([a-z]+):(?:\s+(.*))?$`)
	columnName = regexp.MustCompile(`^[a-z_][a-z0-9_]*$`)
	tableName  = regexp.MustCompile(`^[a-z]+\.[a-z][a-z0-9_]*$`)
)

// Parse reads a file: its header and its SELECT. The table's name is the
// layer and the file's base name. The query itself is checked by Check.
func Parse(file, layer, text string) (*Table, error) {
	name := layer + "." + strings.TrimSuffix(path.Base(file), ".sql")
	if !tableName.MatchString(name) {
		return nil, &HeaderError{File: file, Line: 1, Reason: fmt.Sprintf("%q is no table name", name)}
	}
	t := &Table{Name: name, File: file}
	p := headerParser{table: t, seen: map[string]int{}}
	lines := strings.Split(text, "\n")
	body := len(lines)
	for i, line := range lines {
		line = strings.TrimRight(line, " \t\r")
		if !strings.HasPrefix(line, "--") {
			body = i
			break
		}
		if err := p.line(i+1, line); err != nil {
			return nil, err
		}
	}
	if err := p.finish(body); err != nil {
		return nil, err
	}
	t.query = strings.TrimRight(strings.TrimRight(text, " \t\r\n"), ";")
	if strings.TrimSpace(strings.Join(lines[body:], "")) == "" {
		return nil, &HeaderError{File: file, Line: body + 1, Reason: "no query follows"}
	}
	return t, nil
}

// headerParser takes a header line by line.
type headerParser struct {
	table *Table
	seen  map[string]int // key → line
	key   string         // the key whose text goes on
	doc   []string
	texts map[string]string
}

func (p *headerParser) fail(line int, format string, args ...any) error {
	return &HeaderError{File: p.table.File, Line: line, Reason: fmt.Sprintf(format, args...)}
}

func (p *headerParser) line(number int, line string) error {
	if key := headerKey.FindStringSubmatch(line); key != nil {
		return p.startKey(number, key[1], key[2])
	}
	content := strings.TrimPrefix(line, "--")
	indent := len(content) - len(strings.TrimLeft(content, " "))
	content = strings.TrimSpace(content)
	switch {
	case content == "":
		if len(p.seen) > 0 {
			p.key = "" // a paragraph ends what came before
		} else if len(p.doc) > 0 {
			p.key = "gap"
		}
		return nil
	case len(p.seen) == 0:
		if p.key != "gap" { // only the first paragraph is the table's doc
			p.doc = append(p.doc, content)
		}
		return nil
	case p.key == "columns" && indent <= 4:
		return p.column(number, content)
	case p.key == "columns":
		if len(p.table.Columns) == 0 {
			return p.fail(number, "a column's doc goes on before any column")
		}
		last := &p.table.Columns[len(p.table.Columns)-1]
		last.Doc = strings.TrimSpace(last.Doc + " " + content)
		return nil
	case indent >= 2 && p.key != "":
		p.texts[p.key] += " " + content
		return nil
	}
	return p.fail(number, "%q belongs to no key", content)
}

func (p *headerParser) startKey(number int, key, text string) error {
	known := []string{"grain", "key", "scope", "inputs", "order", "columns"}
	if !slices.Contains(known, key) && !slices.Contains(proseKeys, key) {
		return p.fail(number, "unknown key %q; there are %s, %s", key, strings.Join(known, ", "), strings.Join(proseKeys, ", "))
	}
	if before, twice := p.seen[key]; twice {
		return p.fail(number, "%s stands on line %d already", key, before)
	}
	if p.texts == nil {
		p.texts = map[string]string{}
	}
	p.seen[key], p.key, p.texts[key] = number, key, strings.TrimSpace(text)
	if key == "columns" && text != "" {
		return p.fail(number, "columns stand on lines of their own")
	}
	return nil
}

func (p *headerParser) column(number int, content string) error {
	name, rest, _ := strings.Cut(content, " ")
	if !columnName.MatchString(name) {
		return p.fail(number, "%q is no column name", name)
	}
	if hasColumn(p.table.Columns, name) {
		return p.fail(number, "column %s stands twice", name)
	}
	column, doc, err := duck.ParseType(strings.TrimLeft(rest, " "), NamedTypes())
	if err != nil {
		return p.fail(number, "column %s: %v", name, err)
	}
	if doc != "" && doc[0] != ' ' {
		return p.fail(number, "column %s: a space belongs between type and doc", name)
	}
	column.Name, column.Doc = name, strings.TrimSpace(doc)
	p.table.Columns = append(p.table.Columns, column)
	return nil
}

// finish checks that the header is whole. End is the number of header lines.
func (p *headerParser) finish(end int) error {
	t := p.table
	for _, key := range []string{"grain", "key", "scope", "inputs", "columns"} {
		if _, ok := p.seen[key]; !ok {
			return p.fail(max(end, 1), "no %s", key)
		}
	}
	t.Doc = strings.TrimSuffix(strings.Join(p.doc, " "), ".")
	t.Grain = p.texts["grain"]
	t.Order = p.texts["order"]
	t.Scope = Scope(p.texts["scope"])
	t.Key = splitList(p.texts["key"])
	switch {
	case t.Doc == "":
		return p.fail(1, "the first line says what the table is")
	case t.Scope != ScopeRow && t.Scope != ScopeSubject && t.Scope != ScopeAll:
		return p.fail(p.seen["scope"], "scope is row, subject or all, not %q", t.Scope)
	case len(t.Columns) == 0:
		return p.fail(p.seen["columns"], "no columns")
	case len(t.Key) == 0:
		return p.fail(p.seen["key"], "no key")
	case t.Scope != ScopeAll && !t.hasSubject():
		return p.fail(p.seen["scope"], "a table of scope %s needs a column %s", t.Scope, SubjectColumn)
	case t.Order != "" && !hasColumn(t.Columns, t.Order):
		return p.fail(p.seen["order"], "%s is no column", t.Order)
	}
	for _, key := range t.Key {
		if !hasColumn(t.Columns, key) {
			return p.fail(p.seen["key"], "%s is no column", key)
		}
	}
	for _, text := range splitList(p.texts["inputs"]) {
		table, mark, marked := strings.Cut(text, " ")
		if table == t.Name {
			if t.Scope != ScopeAll || strings.TrimSpace(mark) != "(before)" {
				return p.fail(p.seen["inputs"], "a table of scope all may read itself, as %s (before)", t.Name)
			}
			t.Before = true
			continue
		}
		if !tableName.MatchString(table) || marked && strings.TrimSpace(mark) != "(whole)" {
			return p.fail(p.seen["inputs"], "%q is not layer.table or layer.table (whole)", text)
		}
		if _, twice := t.input(table); twice {
			return p.fail(p.seen["inputs"], "%s stands twice", table)
		}
		t.Inputs = append(t.Inputs, Input{Table: table, Whole: marked || t.Scope == ScopeAll})
	}
	if len(t.Inputs) == 0 && t.Scope != ScopeAll {
		return p.fail(p.seen["inputs"], "a table of scope %s has inputs", t.Scope)
	}
	if t.Scope == ScopeRow && !slices.ContainsFunc(t.Inputs, isEvents) {
		return p.fail(p.seen["scope"], "scope row is for tables that read events")
	}
	return nil
}

func isEvents(input Input) bool { return strings.HasPrefix(input.Table, "events.") }

func splitList(text string) []string {
	var out []string
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" && item != "none" {
			out = append(out, item)
		}
	}
	return out
}

// NamedTypes are the nested types that headers may name: TOOL, TOOL_CALL,
// MEMBER (of a dataset), EVENT_MESSAGE (a message as it stands in events) and
// MESSAGE (as it stands in a canonical example: the same without usage).
func NamedTypes() map[string]lake.Column {
	types := map[string]lake.Column{
		"EVENT_MESSAGE": payloadType("weir.gateway.call.v1", "messages"),
		"TOOL":          payloadType("weir.gateway.call.v1", "tools"),
		"TOOL_CALL":     payloadType("weir.chat.message.v1", "tool_calls"),
		"MEMBER":        payloadType("weir.dataset.members.v1", "members"),
	}
	message := types["EVENT_MESSAGE"]
	message.Fields = slices.DeleteFunc(slices.Clone(message.Fields), func(c lake.Column) bool { return c.Name == "usage" })
	types["MESSAGE"] = message
	return types
}

// payloadType is the element type of a list column of a payload, without field
// ids: derived tables have none.
func payloadType(eventType, column string) lake.Column {
	payload, ok := lake.PayloadOf(eventType)
	if !ok {
		return lake.Column{}
	}
	for _, c := range payload.Columns() {
		if c.Name == column {
			return lake.Column{Type: lake.Struct, Fields: withoutIDs(c.Fields)}
		}
	}
	return lake.Column{}
}

func withoutIDs(columns []lake.Column) []lake.Column {
	out := slices.Clone(columns)
	for i := range out {
		out[i].FieldID = 0
		out[i].Fields = withoutIDs(out[i].Fields)
	}
	return out
}
