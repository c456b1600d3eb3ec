// Package sqlite opens the SQLite databases that some tools log to, so that
// reading one changes nothing about it. It knows no tool's tables. Start at
// Open.
package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"net/url"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // in Go: needs no compiler where weir is built

	"github.com/weir-lake/weir/ingest/source"
)

// Is says whether a file's head is that of a database.
func Is(head []byte) bool { return bytes.HasPrefix(head, []byte("SQLite format 3\x00")) }

// Open opens a database so that nothing about it changes. Immutable also spares
// locks and works on read-only disks, but is blind to a write-ahead log that
// was not yet folded in; with one beside the file, reading has to take part.
func Open(path string) (*sql.DB, error) {
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

// Reject is a database as a reject. Its body is the name alone: nobody could
// take secrets out of the pages of a database.
func Reject(in *source.Input, reason, detail string) source.Reject {
	return source.Reject{Reason: reason, Detail: detail, Record: -1, Body: []byte(in.Name), Length: int64(len(in.Name))}
}

// Reasons of Reject.
const (
	ReasonNotAFile  = "not_a_file" // a stream or a compressed file
	ReasonNotSQLite = "not_sqlite"
)
