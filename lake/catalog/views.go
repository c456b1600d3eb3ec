package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/google/uuid"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
)

// storageVersion keeps the catalog readable by every DuckDB from 1.2 on.
const storageVersion = "v1.0.0"

// writeCatalog writes a new catalog and moves it into place.
func writeCatalog(ctx context.Context, session *duck.Session, lk *lake.Lake, tables []table) error {
	next := filepath.Join(lk.TempDir(), "catalog-"+uuid.NewString()+".duckdb")
	defer os.Remove(next)
	if err := fillCatalog(ctx, session, lk, tables, next); err != nil {
		return err
	}
	target := filepath.Join(lk.Dir(), fileName)
	// A reader that opened the old catalog for writing leaves a log behind when
	// it is killed. DuckDB would replay it into the new file.
	if err := removeIfThere(target + ".wal"); err != nil {
		return err
	}
	return replaceFile(next, target)
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

func fillCatalog(ctx context.Context, session *duck.Session, lk *lake.Lake, tables []table, path string) (err error) {
	conn, err := session.DB().Conn(ctx) // USE belongs to a connection
	if err != nil {
		return err
	}
	defer conn.Close()
	statements := []string{
		"attach " + duck.Literal(path) + " as catalog (storage_version '" + storageVersion + "')",
		"use catalog",
		rootMacro(lk.Dir()),
		"create schema events", "create schema curated", "create schema analysis", "create schema datasets",
		filesTable,
		"comment on table main.weir_files is 'The data files of every table, with the versions and times at which they came and went; removed ones are there until they are vacuumed'",
	}
	for _, t := range tables {
		before, err := readPast(ctx, lk, t)
		if err != nil {
			return err
		}
		statements = append(statements, t.statements()...)
		statements = append(statements, t.pastStatements(before)...)
	}
	// Detaching writes everything into the file and removes its log.
	statements = append(statements, "use memory", "detach catalog")
	return execAll(ctx, conn, statements)
}

func execAll(ctx context.Context, conn *sql.Conn, statements []string) error {
	for _, statement := range statements {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			what, _, _ := strings.Cut(statement, " as ")
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	return nil
}

// rootMacro makes main.weir_root(), the folder that the views' paths start at:
// the variable weir_root where the reader set it, else the folder that the
// catalog was opened from, else the lake's folder when the catalog was built.
// DuckDB tells a view nothing of where its database lies, but opening a file
// sets temp_directory to <path>.tmp.
func rootMacro(built string) string {
	opened := fileName + ".tmp"
	return fmt.Sprintf(`create macro main.weir_root() as case
    when getvariable('weir_root') is not null then getvariable('weir_root')::varchar
    when current_setting('temp_directory') = %[1]s then '.'
    when ends_with(current_setting('temp_directory'), %[2]s) then left(current_setting('temp_directory'), -%[3]d)
    else %[4]s
end`, duck.Literal(opened), duck.Literal("/"+opened), len(opened)+1, duck.Literal(built))
}

// statements make a table's view and the comments on it.
func (t table) statements() []string {
	name := duck.TableIdent(t.Table)
	statements := []string{"create view " + name + " as " + t.query()}
	if t.doc != "" {
		statements = append(statements, "comment on view "+name+" is "+duck.Literal(t.doc))
	}
	for _, column := range t.Columns {
		if column.Doc != "" {
			statements = append(statements, "comment on column "+name+"."+duck.Ident(column.Name)+" is "+duck.Literal(column.Doc))
		}
	}
	return statements
}

// query lists the table's files as one text, with @ for the root before each:
// a list of expressions would be evaluated file by file, and DuckDB takes no
// subquery in a table function.
func (t table) query() string {
	if len(t.Files) == 0 {
		return duck.EmptySelect(t.Columns)
	}
	folder := strings.ReplaceAll(t.Table, ".", "/")
	paths := make([]string, len(t.Files))
	for i, file := range t.Files {
		paths[i] = "@/" + path.Join(folder, file.Path)
	}
	schema := duck.SchemaMap(t.Columns)
	if schema != "" {
		schema = ", schema = " + schema
	}
	return "select * from read_parquet(string_split(replace(" + duck.Literal(strings.Join(paths, "\n")) +
		", '@', main.weir_root()), chr(10))" + schema + ")"
}
