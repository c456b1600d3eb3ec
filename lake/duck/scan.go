package duck

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/weir-lake/weir/lake"
)

// TableDir is a table's folder: events.swarm lies in <root>/events/swarm.
func TableDir(root, table string) string {
	return filepath.Join(root, filepath.FromSlash(strings.ReplaceAll(table, ".", "/")))
}

// Register makes (or replaces) a view for each snapshot, under the table's own
// name, over the files that the snapshot lists. A table without files becomes
// an empty view with the right columns.
func (s *Session) Register(ctx context.Context, root string, snapshots ...*lake.Snapshot) error {
	for _, snapshot := range snapshots {
		if err := s.RegisterQuery(ctx, snapshot.Table, "select * from "+Scan(root, snapshot, snapshot.Files)); err != nil {
			return err
		}
	}
	return nil
}

// RegisterQuery makes (or replaces) the view of a table by a query of one's
// own, such as one over a part of its rows.
func (s *Session) RegisterQuery(ctx context.Context, table, query string) error {
	if err := s.Exec(ctx, "create or replace view "+TableIdent(table)+" as "+query); err != nil {
		return fmt.Errorf("%s: %w", table, err)
	}
	return nil
}

// Scan is a table expression over some files of a table. Options such as
// "filename = true" are DuckDB's own for read_parquet; they are ignored where
// there are no files.
func Scan(root string, snapshot *lake.Snapshot, files []lake.DataFile, options ...string) string {
	if len(files) == 0 {
		return "(" + EmptySelect(snapshot.Columns) + ")"
	}
	dir := TableDir(root, snapshot.Table)
	paths := make([]string, len(files))
	for i, file := range files {
		paths[i] = Literal(filepath.Join(dir, filepath.FromSlash(file.Path)))
	}
	args := append([]string{"[" + strings.Join(paths, ", ") + "]"}, options...)
	if schema := SchemaMap(snapshot.Columns); schema != "" {
		args = append(args, "schema = "+schema)
	}
	return "read_parquet(" + strings.Join(args, ", ") + ")"
}

// SchemaMap is read_parquet's schema argument for columns with field ids. It
// reads files of an older schema beside new ones, also inside nested lists,
// where DuckDB would otherwise take the first file's. It is empty for columns
// without ids (derived tables, whose files all have one schema).
func SchemaMap(columns []lake.Column) string {
	var entries []string
	for _, column := range columns {
		if column.FieldID == 0 {
			return ""
		}
		entries = append(entries, strconv.Itoa(int(column.FieldID))+": {name: "+Literal(column.Name)+
			", type: "+Literal(column.SQL())+", default_value: NULL}")
	}
	if len(entries) == 0 {
		return ""
	}
	return "map {" + strings.Join(entries, ", ") + "}"
}

// FieldIDs is COPY's field_ids argument, which writes the columns' ids into a
// Parquet file as EventWriter does. It is empty for columns without ids.
func FieldIDs(columns []lake.Column) string {
	var entries []string
	for _, column := range columns {
		if column.FieldID == 0 {
			return ""
		}
		entries = append(entries, Ident(column.Name)+": "+fieldID(column))
	}
	return "{" + strings.Join(entries, ", ") + "}"
}

func fieldID(column lake.Column) string {
	id := strconv.Itoa(int(column.FieldID))
	if column.List {
		element := column
		element.List, element.FieldID = false, column.ElementID()
		return "{__duckdb_field_id: " + id + ", element: " + fieldID(element) + "}"
	}
	if column.Type != lake.Struct {
		return id
	}
	entries := []string{"__duckdb_field_id: " + id}
	for _, field := range column.Fields {
		entries = append(entries, Ident(field.Name)+": "+fieldID(field))
	}
	return "{" + strings.Join(entries, ", ") + "}"
}

// EmptySelect is a query with the given columns and no row.
func EmptySelect(columns []lake.Column) string {
	parts := make([]string, len(columns))
	for i, column := range columns {
		parts[i] = "null::" + column.SQL() + " as " + Ident(column.Name)
	}
	return "select " + strings.Join(parts, ", ") + " where false"
}
