// Package duck opens DuckDB sessions on a lake: one in-process instance with
// bounded memory, UTC, nothing downloaded, and the lake's tables as views over
// explicit file lists. It knows how to read tables; it does not decide what
// they hold (lake/derive does) and does not write the catalog (lake/catalog
// does). Start at Open.
package duck

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"strconv"
	"strings"

	duckdb "github.com/duckdb/duckdb-go/v2"

	"github.com/weir-lake/weir/lake"
)

// Options of a session. The zero value is usable.
type Options struct {
	MemoryLimit string // DuckDB's memory_limit, such as "4GB"; empty: DefaultMemoryLimit
	Threads     int    // 0: one a CPU
	TempDir     string // where DuckDB spills; empty: it cannot, and fails at the limit
	TimeZone    string // of the session; empty: UTC. Other zones are for tests
	KeepOrder   bool   // rows that no ORDER BY sorts come as they stand; costs memory
}

// DefaultMemoryLimit holds where Options names none. DuckDB's own default of
// 80 % of the machine ignores cgroups and the rest of the process.
const DefaultMemoryLimit = "2GB"

// schemas stand in every session: the layers of a lake.
var schemas = lake.Namespaces()

// Session is one DuckDB instance. Tables that are made in it live in memory,
// spill to Options.TempDir, and vanish with it. It is safe for concurrent use.
type Session struct {
	db *sql.DB
}

// Open starts an instance with empty schemas events, curated, analysis and
// datasets. It is to be closed.
func Open(ctx context.Context, opts Options) (*Session, error) {
	if opts.MemoryLimit == "" {
		opts.MemoryLimit = DefaultMemoryLimit
	}
	if opts.Threads == 0 {
		opts.Threads = runtime.NumCPU()
	}
	if opts.TimeZone == "" {
		opts.TimeZone = "UTC"
	}
	// TimeZone belongs to a connection, not to the instance.
	connector, err := duckdb.NewConnector("", func(conn driver.ExecerContext) error {
		_, err := conn.ExecContext(ctx, "set TimeZone = "+Literal(opts.TimeZone), nil)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("duckdb: open: %w", err)
	}
	session := &Session{db: sql.OpenDB(connector)}
	statements := []string{
		// A query must mean the same on every machine: nothing is fetched.
		"set global autoinstall_known_extensions = false",
		"set global autoload_known_extensions = false",
		"set global memory_limit = " + Literal(opts.MemoryLimit),
		"set global threads = " + strconv.Itoa(opts.Threads),
		"set global temp_directory = " + Literal(opts.TempDir),
		// Order is asked for where it matters; keeping it elsewhere costs memory.
		"set global preserve_insertion_order = " + strconv.FormatBool(opts.KeepOrder),
	}
	for _, schema := range schemas {
		statements = append(statements, "create schema "+schema)
	}
	for _, statement := range statements {
		if err := session.Exec(ctx, statement); err != nil {
			return nil, errors.Join(err, session.Close())
		}
	}
	return session, nil
}

// Close ends the instance and drops all that was made in it.
func (s *Session) Close() error { return s.db.Close() }

// DB gives the instance to database/sql. Its connections share all tables and
// views but temporary ones.
func (s *Session) DB() *sql.DB { return s.db }

// Exec runs a statement that gives no rows. The error is an *Error.
func (s *Session) Exec(ctx context.Context, statement string, args ...any) error {
	_, err := s.db.ExecContext(ctx, statement, args...)
	return wrap(err)
}

// ExecCount runs a statement and gives the number of rows that it changed or
// wrote. The error is an *Error.
func (s *Session) ExecCount(ctx context.Context, statement string, args ...any) (int64, error) {
	result, err := s.db.ExecContext(ctx, statement, args...)
	if err != nil {
		return 0, wrap(err)
	}
	return result.RowsAffected()
}

// Get reads the single row of a query into dest, as sql.Row.Scan does.
func (s *Session) Get(ctx context.Context, query string, dest ...any) error {
	return wrap(s.db.QueryRowContext(ctx, query).Scan(dest...))
}

// Strings reads the single text column of a query; NULL is an error.
func (s *Session) Strings(ctx context.Context, query string, args ...any) ([]string, error) {
	rows, err := s.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, wrap(err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, wrap(err)
		}
		out = append(out, text)
	}
	return out, wrap(rows.Err())
}

// Error is what DuckDB says of a statement.
type Error struct {
	Message string // without the excerpt of the statement that DuckDB appends
	Line    int    // line of the statement, 1-based; 0 where DuckDB names none
	Err     error
}

func (e *Error) Error() string { return "duckdb: " + e.Message }

func (e *Error) Unwrap() error { return e.Err }

var lineExcerpt = regexp.MustCompile(`(?s)\s*\n+LINE (\d+):.*$`)

// wrap turns the driver's error into an *Error; a cancelled context and an
// empty result stay what they are.
func wrap(err error) error {
	var duckErr *duckdb.Error
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, sql.ErrNoRows) || !errors.As(err, &duckErr) {
		return err
	}
	wrapped := &Error{Message: duckErr.Msg, Err: err}
	if at := lineExcerpt.FindStringSubmatch(duckErr.Msg); at != nil {
		wrapped.Line, _ = strconv.Atoi(at[1])
		wrapped.Message = strings.TrimSuffix(duckErr.Msg, at[0])
	}
	return wrapped
}

// Literal quotes text as a SQL string.
func Literal(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// Ident quotes a name.
func Ident(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// TableIdent quotes a table's name: events.swarm becomes "events"."swarm".
func TableIdent(table string) string {
	parts := strings.Split(table, ".")
	for i, part := range parts {
		parts[i] = Ident(part)
	}
	return strings.Join(parts, ".")
}
