package derivetest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/derive"
	"github.com/weir-lake/weir/lake/duck"
)

// load puts the inputs of a table into the session: rows in a table of schema
// fixture, and over it a view with the input's own name.
func load(ctx context.Context, session *duck.Session, table *derive.Table, tables []*derive.Table, rows map[string][]byte) error {
	inputs := table.Inputs
	if table.Before {
		inputs = append(slices.Clone(inputs), derive.Input{Table: table.Name})
	}
	for _, input := range inputs {
		columns, ok := derive.InputColumns(input.Table, tables)
		if !ok {
			return fmt.Errorf("%s: input %s: no such table", table.Name, input.Table)
		}
		if err := session.Exec(ctx, "create or replace table "+stored(input.Table)+" as "+duck.EmptySelect(columns)); err != nil {
			return err
		}
		if err := insert(ctx, session, input.Table, columns, rows[input.Table]); err != nil {
			return fmt.Errorf("%s.jsonl: %w", input.Table, err)
		}
		if err := session.RegisterQuery(ctx, input.Table, "select * from "+stored(input.Table)); err != nil {
			return err
		}
	}
	return nil
}

func stored(table string) string { return "fixture." + duck.Ident(table) }

func insert(ctx context.Context, session *duck.Session, table string, columns []lake.Column, lines []byte) error {
	rows, err := decodeLines(lines)
	if err != nil || len(rows) == 0 {
		return err
	}
	// Read with given columns, JSON text is not type-guessed, but a misspelt
	// key would vanish without a word.
	if err := checkKeys(rows, columns, "line"); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "derivetest")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "rows.jsonl")
	var file bytes.Buffer
	for _, row := range rows {
		file.WriteString(text(row) + "\n")
	}
	if err := os.WriteFile(path, file.Bytes(), 0o600); err != nil {
		return err
	}
	types := make([]string, len(columns))
	for i, column := range columns {
		types[i] = duck.Ident(column.Name) + ": " + duck.Literal(column.SQL())
	}
	return session.Exec(ctx, "insert into "+stored(table)+" select * from read_json("+duck.Literal(path)+
		", format = 'newline_delimited', maximum_object_size = 67108864, columns = {"+strings.Join(types, ", ")+"})")
}

// filterInputs narrows the inputs of a table as an incremental build does.
func filterInputs(ctx context.Context, session *duck.Session, table *derive.Table, subject string) error {
	for _, input := range table.Inputs {
		if input.Whole {
			continue
		}
		where := subjectColumn(input.Table) + " = " + duck.Literal(subject)
		if table.Scope == derive.ScopeRow && strings.HasPrefix(input.Table, "events.") {
			where = "id in (select id from " + stored(input.Table) + " where " + where + ")"
		}
		if err := session.RegisterQuery(ctx, input.Table, "select * from "+stored(input.Table)+" where "+where); err != nil {
			return err
		}
	}
	return nil
}

func inputSubjects(ctx context.Context, session *duck.Session, table *derive.Table) ([]string, error) {
	var selects []string
	for _, input := range table.Inputs {
		if !input.Whole {
			column := subjectColumn(input.Table)
			selects = append(selects, "select "+column+" from "+stored(input.Table)+" where "+column+" is not null")
		}
	}
	if len(selects) == 0 {
		return nil, nil
	}
	return session.Strings(ctx, strings.Join(selects, " union ")+" order by all")
}

func subjectColumn(table string) string {
	if strings.HasPrefix(table, "events.") {
		return "subject"
	}
	return derive.SubjectColumn
}

func decodeLines(lines []byte) ([]map[string]any, error) {
	dec := json.NewDecoder(bytes.NewReader(lines))
	dec.UseNumber()
	var rows []map[string]any
	for {
		var row map[string]any
		err := dec.Decode(&row)
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return nil, fmt.Errorf("row %d: %w", len(rows)+1, err)
		}
		rows = append(rows, row)
	}
}

// checkKeys reports the first name that no column or field has.
func checkKeys(rows []map[string]any, columns []lake.Column, where string) error {
	for i, row := range rows {
		if err := checkObject(row, columns); err != nil {
			return fmt.Errorf("%s %d: %w", where, i+1, err)
		}
	}
	return nil
}

func checkObject(object map[string]any, columns []lake.Column) error {
	for key, value := range object {
		at := slices.IndexFunc(columns, func(c lake.Column) bool { return c.Name == key })
		if at < 0 {
			return fmt.Errorf("no column %q", key)
		}
		items, isList := value.([]any)
		if value != nil && isList != columns[at].List {
			return fmt.Errorf("%s: is %s, got %s", key, columns[at].SQL(), text(value))
		}
		if !isList {
			items = []any{value}
		}
		for _, item := range items {
			if nested, ok := item.(map[string]any); ok && columns[at].Type == lake.Struct {
				if err := checkObject(nested, columns[at].Fields); err != nil {
					return fmt.Errorf("%s: %w", key, err)
				}
			}
		}
	}
	return nil
}
