package derive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
)

// Make computes the table from the inputs that stand in the session under
// their own names, into a new table of the session, and checks its columns.
func (t *Table) Make(ctx context.Context, session *duck.Session, into string) error {
	if t.step != nil {
		if err := t.step.Run(ctx, session, into); err != nil {
			return fmt.Errorf("%s: %w", t.Name, err)
		}
	} else if err := session.Exec(ctx, "create table "+duck.TableIdent(into)+" as "+t.query); err != nil {
		// The prefix shares the file's first line, so a line in the error is the file's.
		return t.queryError(err)
	}
	columns, err := session.Describe(ctx, "select * from "+duck.TableIdent(into))
	if err != nil {
		return fmt.Errorf("%s: %w", t.Name, err)
	}
	return t.compareColumns(columns)
}

// CheckRows checks that the key of rows in a table of the session is unique
// and that neither it nor the subject is null.
func (t *Table) CheckRows(ctx context.Context, session *duck.Session, rows string) error {
	notNull := slices.Clone(t.Key)
	if t.hasSubject() && !slices.Contains(notNull, SubjectColumn) {
		notNull = append(notNull, SubjectColumn)
	}
	var nulls int64
	conditions := make([]string, len(notNull))
	for i, column := range notNull {
		conditions[i] = duck.Ident(column) + " is null"
	}
	err := session.Get(ctx, "select count(*) from "+rows+" where "+strings.Join(conditions, " or "), &nulls)
	if err != nil {
		return fmt.Errorf("%s: %w", t.Name, err)
	}
	if nulls > 0 {
		return fmt.Errorf("%s: %s null on %d rows", t.Name, strings.Join(notNull, " or "), nulls)
	}
	key := idents(t.Key)
	doubled, err := session.Strings(ctx, "select concat_ws('|', "+key+", count(*)) from "+rows+" group by "+key+" having count(*) > 1 order by all limit 1")
	if err != nil {
		return fmt.Errorf("%s: %w", t.Name, err)
	}
	if len(doubled) > 0 {
		cut := strings.LastIndexByte(doubled[0], '|')
		return fmt.Errorf("%s: key %s=%s on %s rows, header says %s", t.Name, strings.Join(t.Key, ","), doubled[0][:cut], doubled[0][cut+1:], t.Grain)
	}
	return nil
}

// Check compares the header of a table made by SQL with its query: the inputs
// with the tables that the query names, the columns and their types with what
// it returns. The inputs must stand in the session; they may be empty.
func (t *Table) Check(ctx context.Context, session *duck.Session) error {
	if t.step != nil {
		return nil
	}
	reads, err := t.reads(ctx, session)
	if err != nil {
		return err
	}
	if t.Before && !slices.Contains(reads, t.Name) {
		return fmt.Errorf("%s: the header has %s (before) among its inputs, but the query does not read it", t.File, t.Name)
	}
	for _, table := range reads {
		if _, ok := t.input(table); !ok && !(t.Before && table == t.Name) {
			return fmt.Errorf("%s: the query reads %s, which is not among the header's inputs", t.File, table)
		}
	}
	for _, input := range t.Inputs {
		if !slices.Contains(reads, input.Table) {
			return fmt.Errorf("%s: %s stands among the header's inputs, but the query does not read it", t.File, input.Table)
		}
	}
	columns, err := session.Describe(ctx, t.query)
	if err != nil {
		return t.queryError(err)
	}
	return t.compareColumns(columns)
}

func (t *Table) compareColumns(found []lake.Column) error {
	for i, want := range t.Columns {
		switch {
		case i >= len(found):
			return fmt.Errorf("%s: column %s stands in the header, but is not returned", t.where(0), want.Name)
		case found[i].Name != want.Name:
			return fmt.Errorf("%s: column %d is %s, header says %s", t.where(0), i+1, found[i].Name, want.Name)
		case found[i].Type == "":
			return fmt.Errorf("%s: column %s is %s, header says %s", t.where(0), want.Name, found[i].Doc, want.SQL())
		case !duck.SameType(found[i], want):
			return fmt.Errorf("%s: column %s is %s, header says %s", t.where(0), want.Name, found[i].SQL(), want.SQL())
		}
	}
	if len(found) > len(t.Columns) {
		return fmt.Errorf("%s: column %s is returned, but does not stand in the header", t.where(0), found[len(t.Columns)].Name)
	}
	return nil
}

// queryError puts file and line before DuckDB's message. What DuckDB adds on
// further lines (candidates, suggestions) becomes the hint.
func (t *Table) queryError(err error) error {
	var duckErr *duck.Error
	if !errors.As(err, &duckErr) {
		return fmt.Errorf("%s: %w", t.where(0), err)
	}
	message, more, _ := strings.Cut(duckErr.Message, "\n")
	wrapped := fmt.Errorf("%s: %w", t.where(duckErr.Line), &duck.Error{Message: message, Line: duckErr.Line, Err: duckErr.Err})
	if more = strings.Join(strings.Fields(more), " "); more != "" {
		return lake.WithHint(wrapped, more)
	}
	return wrapped
}

// reads lists the tables that the query reads, sorted, by DuckDB's own parser.
// The driver's GetTableNames misses the tables of many kinds of join.
func (t *Table) reads(ctx context.Context, session *duck.Session) ([]string, error) {
	var text string
	if err := session.Get(ctx, "select json_serialize_sql("+duck.Literal(t.query)+")::varchar", &text); err != nil {
		return nil, fmt.Errorf("%s: %w", t.File, err)
	}
	var tree struct {
		Error      bool   `json:"error"`
		Message    string `json:"error_message"`
		Position   string `json:"position"`
		Statements []any  `json:"statements"`
	}
	if err := json.Unmarshal([]byte(text), &tree); err != nil {
		return nil, fmt.Errorf("%s: syntax tree: %w", t.File, err)
	}
	if tree.Error {
		return nil, fmt.Errorf("%s: %s", t.where(lineAt(t.query, tree.Position)), tree.Message)
	}
	if len(tree.Statements) != 1 {
		return nil, fmt.Errorf("%s: %d statements, one SELECT belongs here", t.File, len(tree.Statements))
	}
	found := queryNames{tables: map[string]bool{}, ctes: map[string]bool{}, unqualified: map[string]bool{}}
	found.walk(tree.Statements[0])
	for name := range found.unqualified {
		if !found.ctes[name] {
			return nil, fmt.Errorf("%s: table %s has no schema: write events., curated. or analysis. before it", t.File, name)
		}
	}
	var reads []string
	for name := range found.tables {
		reads = append(reads, name)
	}
	slices.Sort(reads)
	return reads, nil
}

func lineAt(text, position string) int {
	at, err := strconv.Atoi(position)
	if err != nil || at < 0 || at > len(text) {
		return 0
	}
	return 1 + strings.Count(text[:at], "\n")
}

// queryNames collects the names that a syntax tree reads and defines.
type queryNames struct {
	tables, ctes, unqualified map[string]bool
}

func (q queryNames) walk(node any) {
	switch node := node.(type) {
	case []any:
		for _, item := range node {
			q.walk(item)
		}
	case map[string]any:
		if node["type"] == "BASE_TABLE" {
			schema, _ := node["schema_name"].(string)
			table, _ := node["table_name"].(string)
			if schema == "" {
				q.unqualified[strings.ToLower(table)] = true
			} else {
				q.tables[strings.ToLower(schema+"."+table)] = true
			}
		}
		if ctes, ok := node["cte_map"].(map[string]any); ok {
			if entries, ok := ctes["map"].([]any); ok {
				for _, entry := range entries {
					if entry, ok := entry.(map[string]any); ok {
						name, _ := entry["key"].(string)
						q.ctes[strings.ToLower(name)] = true
					}
				}
			}
		}
		for _, value := range node {
			q.walk(value)
		}
	}
}

// Sorted gives the tables in the order of their inputs, ties by name. An input
// that is not among the tables must come from elsewhere; it orders nothing.
func Sorted(tables []*Table) ([]*Table, error) {
	waiting := slices.Clone(tables)
	slices.SortFunc(waiting, func(a, b *Table) int { return strings.Compare(a.Name, b.Name) })
	for i := 1; i < len(waiting); i++ {
		if waiting[i].Name == waiting[i-1].Name {
			return nil, fmt.Errorf("%s: made by both %s and %s", waiting[i].Name, waiting[i-1].where(0), waiting[i].where(0))
		}
	}
	var sorted []*Table
	for len(waiting) > 0 {
		ready := slices.IndexFunc(waiting, func(t *Table) bool {
			return !slices.ContainsFunc(t.Inputs, func(input Input) bool {
				return slices.ContainsFunc(waiting, func(other *Table) bool { return other.Name == input.Table })
			})
		})
		if ready < 0 {
			names := make([]string, len(waiting))
			for i, t := range waiting {
				names[i] = t.Name
			}
			return nil, fmt.Errorf("tables need each other: %s", strings.Join(names, ", "))
		}
		sorted = append(sorted, waiting[ready])
		waiting = slices.Delete(waiting, ready, ready+1)
	}
	return sorted, nil
}

func idents(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = duck.Ident(name)
	}
	return strings.Join(quoted, ", ")
}

// InputColumns gives the columns of a table by its name: of an events table by
// its payload, of another by the table that makes it.
func InputColumns(name string, tables []*Table) ([]lake.Column, bool) {
	for _, payload := range lake.Payloads() {
		if payload.Table == name {
			return payload.Columns(), true
		}
	}
	for _, t := range tables {
		if t.Name == name {
			return t.Columns, true
		}
	}
	return nil, false
}
