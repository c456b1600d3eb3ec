// Package sqlite reads the SQLite databases that some tools log to, so that
// reading one changes nothing about it. It knows no tool's tables. Start at
// Read.
package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // in Go: needs no compiler where weir is built

	"github.com/weir-lake/weir/ingest/source"
)

// Is says whether a file's head is that of a database.
func Is(head []byte) bool { return bytes.HasPrefix(head, []byte("SQLite format 3\x00")) }

// NoTable is the error of a database that is another tool's: it says what is
// missing.
type NoTable string

func (e NoTable) Error() string { return string(e) }

// scanError is a row that is not what the query asked for.
type scanError struct{ error }

// Read gives the rows of a query to row, with their number from 0, and counts
// them in in.Records. What query finds no table for (NoTable), and what is no
// database or a damaged one, is a reject of the whole file.
func Read(ctx context.Context, in *source.Input, out source.Out, query func(context.Context, *sql.DB) (string, error), row func(n int64, scan func(...any) error) error) error {
	refuse := func(reason, detail string) error {
		// The body is the name alone: nobody could take secrets out of the pages of a database.
		return out.Reject(source.Reject{Reason: reason, Detail: detail, Record: -1, Body: []byte(in.Name), Length: int64(len(in.Name))})
	}
	if in.Path == "" {
		return refuse(reasonNotAFile, "a database cannot be read from a stream or a compressed file: give the plain file")
	}
	db, err := open(in.Path)
	if err != nil {
		return fmt.Errorf("%s: %w", in.Name, err)
	}
	defer db.Close()
	statement, err := query(ctx, db)
	if _, ok := errors.AsType[NoTable](err); ok {
		return refuse(source.ReasonWrongType, err.Error())
	} else if err != nil {
		return refuse(reasonNotSQLite, err.Error())
	}
	rows, err := db.QueryContext(ctx, statement)
	if err != nil {
		return refuse(reasonNotSQLite, err.Error())
	}
	defer rows.Close()
	scan := func(into ...any) error {
		if err := rows.Scan(into...); err != nil {
			return scanError{err}
		}
		return nil
	}
	for n := int64(0); rows.Next(); n++ {
		in.Records++
		err := row(n, scan)
		if _, ok := errors.AsType[scanError](err); ok {
			return refuse(reasonNotSQLite, err.Error())
		} else if err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return refuse(source.ReasonTruncated, err.Error())
	}
	return nil
}

// open opens a database so that nothing about it changes. Immutable also spares
// locks and works on read-only disks, but is blind to a write-ahead log that
// was not yet folded in; with one beside the file, reading has to take part.
func open(path string) (*sql.DB, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	query := "mode=ro&immutable=1"
	if info, err := os.Stat(path + "-wal"); err == nil && info.Size() > 0 {
		query = "mode=ro"
	}
	uri := url.URL{Scheme: "file", Path: absolute, RawQuery: query}
	db, err := sql.Open("sqlite", uri.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// Columns are the columns of a table; none: there is no such table. The error
// tells a file that is no database.
func Columns(ctx context.Context, db *sql.DB, table string) (map[string]bool, error) {
	rows, err := db.QueryContext(ctx, "select name from pragma_table_info(?)", table)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := map[string]bool{}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		found[name] = true
	}
	return found, rows.Err()
}

// Reasons of rejects.
const (
	reasonNotAFile  = "not_a_file" // a stream or a compressed file
	reasonNotSQLite = "not_sqlite"
)
