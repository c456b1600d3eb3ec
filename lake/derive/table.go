package derive

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
)

// Scope says what a table's rows depend on, and so what must be computed again
// when an input changes.
type Scope string

// The scopes.
const (
	// ScopeRow: a row depends on the events that share its key, which is the
	// id of an event. Staging tables are of this scope.
	ScopeRow Scope = "row"
	// ScopeSubject: the rows of a subject depend on the input rows of that
	// subject only (and on inputs that are marked whole).
	ScopeSubject Scope = "subject"
	// ScopeAll: a row may depend on any other. Such a table is computed from
	// scratch each time, so it has to be narrow.
	ScopeAll Scope = "all"
)

// formatVersion is part of every record: raise it when Build itself would
// write other rows from the same query and inputs.
const formatVersion = "1"

// SubjectColumn is the column that ties rows to a subject: every table of
// scope row or subject has it, and their inputs too.
const SubjectColumn = "subject_id"

// Input is a table that another is made from.
type Input struct {
	Table string // curated.messages
	// Whole inputs are seen in full by every subject: configuration, price
	// tables. When one changes, the table is computed from scratch. Inputs of
	// a table of scope all are whole by nature.
	Whole bool
}

// Table is a table that Build can make: a SELECT with its header, or a step in
// Go. Parse, Load and Step.Table make them.
type Table struct {
	Name    string // curated.messages
	File    string // transforms/messages.sql; empty for a step
	Doc     string // the header's first paragraph
	Grain   string // one row per …
	Key     []string
	Inputs  []Input
	Scope   Scope
	Order   string // column that tells when a subject was first seen; may be empty
	Columns []lake.Column
	// Before says that the query reads the table's own rows, as the same query
	// made them last; there are none after another query, or in a full build.
	// They may spare it work and never change a row.
	Before bool

	query string // the file's text, without a closing semicolon
	step  *Step
}

// SQL is the text of the file that makes the table; empty for a step.
func (t *Table) SQL() string { return t.query }

// Step makes a table that SQL is poor at. It is checked, recorded and written
// like the others.
type Step struct {
	Name    string // curated.split_groups
	Doc     string
	Grain   string
	Key     []string
	Inputs  []string
	Columns []lake.Column // FieldID stays 0
	// Version is part of the record: raise it when the same inputs give other rows.
	Version string
	// Run creates the table into, with exactly the columns above, from the
	// inputs, which stand in the session under their own names.
	Run func(ctx context.Context, session *duck.Session, into string) error
}

// Table makes the step a table of scope all.
func (s Step) Table() *Table {
	t := &Table{Name: s.Name, Doc: s.Doc, Grain: s.Grain, Key: s.Key, Scope: ScopeAll, Columns: s.Columns, step: &s}
	for _, input := range s.Inputs {
		t.Inputs = append(t.Inputs, Input{Table: input, Whole: true})
	}
	return t
}

// Load parses every .sql file at the top of fsys. Folder names it in errors
// (transforms), layer is the schema of its tables (curated).
func Load(fsys fs.FS, folder, layer string) ([]*Table, error) {
	names, err := fs.Glob(fsys, "*.sql")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", folder, err)
	}
	slices.Sort(names)
	var tables []*Table
	for _, name := range names {
		text, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", folder, err)
		}
		t, err := Parse(path.Join(folder, name), layer, string(text))
		if err != nil {
			return nil, err
		}
		tables = append(tables, t)
	}
	return tables, nil
}

// hash identifies what makes the table: its text, or its version.
func (t *Table) hash() string {
	h := sha256.New()
	if t.step == nil {
		fmt.Fprintf(h, "sql\x00%s\x00%s", formatVersion, t.query)
	} else {
		fmt.Fprintf(h, "step\x00%s\x00%s\x00%s", formatVersion, t.Name, t.step.Version)
		for _, c := range t.Columns {
			fmt.Fprintf(h, "\x00%s %s", c.Name, c.SQL())
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

func (t *Table) input(name string) (Input, bool) {
	for _, input := range t.Inputs {
		if input.Table == name {
			return input, true
		}
	}
	return Input{}, false
}

func (t *Table) hasSubject() bool { return hasColumn(t.Columns, SubjectColumn) }

func hasColumn(columns []lake.Column, name string) bool {
	return slices.ContainsFunc(columns, func(c lake.Column) bool { return c.Name == name })
}

// where names the table in an error, with the line of its file where known.
func (t *Table) where(line int) string {
	switch {
	case t.File == "":
		return t.Name
	case line > 0:
		return fmt.Sprintf("%s:%d", t.File, line)
	}
	return t.File
}

// subjectOf is the column of an input that holds the subject: events name it
// subject, all else subject_id; empty where the input has none.
func subjectOf(table string, columns []lake.Column) string {
	name := SubjectColumn
	if strings.HasPrefix(table, "events.") {
		name = "subject"
	}
	if hasColumn(columns, name) {
		return name
	}
	return ""
}
