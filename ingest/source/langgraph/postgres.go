package langgraph

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/lake"
)

const (
	// pageRows is how many checkpoints one query reads. Each page is a
	// transaction of its own, so that reading a large database does not keep
	// the server from cleaning up.
	pageRows = 200
	// attempts is how often a page is asked for while nothing comes.
	attempts = 5
)

// IsPostgres says whether a name is meant as the URL of a Postgres database. A
// URL that is wrong counts too: taken for a file's name it would be printed,
// password and all.
func IsPostgres(name string) bool {
	return strings.HasPrefix(name, "postgres://") || strings.HasPrefix(name, "postgresql://")
}

// Postgres is the tables of LangGraph's Postgres checkpointer, in the database
// that the URL names. It does not read its input; the name is for messages and
// dead letters: the URL without password, user and options. Nothing in the
// database is changed.
func Postgres(databaseURL string) (format source.Format, name string, err error) {
	config, err := pgx.ParseConfig(databaseURL)
	if err != nil { // its text may quote the URL
		return source.Format{}, "", lake.WithHint(errors.New("postgres: not the URL of a database"), "postgres://USER@HOST:PORT/DATABASE, the password in PGPASSWORD or ~/.pgpass")
	}
	// Works through connection poolers too, which do not keep prepared
	// statements.
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = 30 * time.Second
	}
	name = fmt.Sprintf("postgres://%s:%d/%s", config.Host, config.Port, config.Database)
	r := postgresReader{name: name, wait: time.Second, dial: func(ctx context.Context) (session, error) {
		conn, err := pgx.ConnectConfig(ctx, config)
		if err != nil {
			return nil, err
		}
		return connection{conn}, nil
	}}
	return source.Format{
		Name:    "langgraph-postgres",
		Doc:     "LangGraph checkpointer database (Postgres), by its URL",
		Version: 1,
		Detect:  func(source.Probe) int { return 0 }, // found by the URL
		Read: func(ctx context.Context, in *source.Input, out source.Out) error {
			return r.read(ctx, in, out)
		},
	}, name, nil
}

// session is a connection: what reading needs of one.
type session interface {
	// query begins a query that changes nothing.
	query(ctx context.Context, sql string, args ...any) (rows, error)
	close()
}

// rows come one by one, as pgx.Rows does: none is held after the next.
type rows interface {
	Next() bool
	Scan(dest ...any) error
	Err() error
	Close()
}

// connection is a session with a server.
type connection struct{ conn *pgx.Conn }

func (c connection) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	c.conn.Close(ctx)
}

func (c connection) query(ctx context.Context, sql string, args ...any) (rows, error) {
	tx, err := c.conn.BeginTx(ctx, pgx.TxOptions{AccessMode: pgx.ReadOnly})
	if err != nil {
		return nil, err
	}
	r, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return nil, errors.Join(err, tx.Rollback(ctx))
	}
	return &pageOf{Rows: r, end: func() { tx.Rollback(ctx) }}, nil
}

// pageOf ends its transaction when it is closed.
type pageOf struct {
	pgx.Rows
	end func()
}

func (p *pageOf) Close() {
	p.Rows.Close()
	if p.end != nil {
		p.end()
		p.end = nil
	}
}

// position is the place of a checkpoint in the order of reading.
type position struct{ thread, namespace, id string }

// postgresReader reads a database page by page, thread by thread. A connection
// that breaks is made again, and reading goes on behind the last checkpoint.
type postgresReader struct {
	name string
	dial func(context.Context) (session, error)
	wait time.Duration // before the second attempt; doubled for each one after
}

func (r *postgresReader) read(ctx context.Context, in *source.Input, out source.Out) error {
	var open session
	defer func() {
		if open != nil {
			open.close()
		}
	}()
	query, place, failed := "", position{}, 0
	for {
		n, err := 0, error(nil)
		if open == nil {
			open, err = r.dial(ctx)
		}
		if err == nil && query == "" {
			query, err = postgresQuery(ctx, open)
		}
		if err == nil {
			n, err = page(ctx, open, query, &place, in, out)
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil && n < pageRows:
			return nil
		case err == nil:
			failed = 0
			continue
		case !isTransient(err):
			return fmt.Errorf("%s: %w", r.name, unwrapOut(err))
		}
		if n > 0 {
			failed = 0
		}
		if failed++; failed == attempts {
			return fmt.Errorf("%s: %d attempts: %w", r.name, attempts, err)
		}
		if open != nil {
			open.close()
			open = nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(r.wait << (failed - 1)):
		}
	}
}

// outError is an error of the receiver: asking the server again would not help.
type outError struct{ error }

func unwrapOut(err error) error {
	if out, ok := errors.AsType[outError](err); ok {
		return out.error
	}
	return err
}

// isTransient says whether an error may be gone with another connection.
// Servers that refuse to serve (class 57, 53 or 08) may do so again.
func isTransient(err error) bool {
	if _, ok := errors.AsType[outError](err); ok || errors.Is(err, errNoTables) {
		return false
	}
	if server, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch server.Code[:min(2, len(server.Code))] {
		case "08", "53", "57", "40":
			return true
		}
		return false
	}
	return true
}

// page reads the checkpoints behind place, and moves it on. n counts them.
func page(ctx context.Context, s session, query string, place *position, in *source.Input, out source.Out) (n int, err error) {
	found, err := s.query(ctx, query, place.thread, place.namespace, place.id)
	if err != nil {
		return 0, err
	}
	defer found.Close()
	for found.Next() {
		var r row
		var parent, writes *string
		var channels, kinds []string
		var values [][]byte
		if err := found.Scan(&r.thread, &r.namespace, &r.id, &parent, &r.checkpoint, &r.metadata, &channels, &kinds, &values, &writes); err != nil {
			return n, err
		}
		r.kind = "json"
		if parent != nil {
			r.parent = *parent
		}
		if writes != nil {
			r.writes = *writes
		}
		for i, channel := range channels {
			r.blobs = append(r.blobs, blob{channel: channel, kind: kinds[i], value: values[i]})
		}
		record := in.Records
		in.Records++
		event, fault := r.event()
		if fault != nil {
			err = out.Reject(source.Reject{
				Reason: source.ReasonWrongType, Detail: fmt.Sprintf("checkpoint %s of thread %s: %v", r.id, r.thread, fault),
				Record: record, Body: r.checkpoint, Length: int64(len(r.checkpoint)),
			})
		} else {
			err = out.Emit(event)
		}
		if err != nil {
			return n, outError{err}
		}
		*place = position{r.thread, r.namespace, r.id}
		n++
	}
	return n, found.Err()
}

var errNoTables = errors.New("none of LangGraph's tables is there")

// postgresQuery is the query for a page by the tables and columns that are
// there. Values of channels lie in checkpoint_blobs by their version; the
// shallow checkpointer keeps the latest only, without one.
func postgresQuery(ctx context.Context, s session) (string, error) {
	found, err := s.query(ctx, "select table_name::text, column_name::text from information_schema.columns"+
		" where table_schema = any(current_schemas(false)::text[]) and table_name in ('checkpoints', 'checkpoint_blobs', 'checkpoint_writes')")
	if err != nil {
		return "", err
	}
	defer found.Close()
	has := map[string]bool{}
	for found.Next() {
		var table, column string
		if err := found.Scan(&table, &column); err != nil {
			return "", err
		}
		has[table], has[table+"."+column] = true, true
	}
	if err := found.Err(); err != nil {
		return "", err
	}
	if !has["checkpoints.checkpoint_id"] && !has["checkpoints.checkpoint"] || !has["checkpoints.thread_id"] {
		return "", lake.WithHint(errNoTables, "the checkpointer's schema, if it is not the user's own, goes into the URL: ?search_path=SCHEMA")
	}
	id, parent := "c.checkpoint ->> 'id'", "null::text"
	if has["checkpoints.checkpoint_id"] {
		id = "c.checkpoint_id"
	}
	if has["checkpoints.parent_checkpoint_id"] {
		parent = "c.parent_checkpoint_id"
	}
	blobs, writes := "null::text[], null::text[], null::bytea[]", "null::text"
	if has["checkpoint_blobs"] {
		version := ""
		if has["checkpoint_blobs.version"] {
			version = " and b.version = v.value"
		}
		from := " from jsonb_each_text(c.checkpoint -> 'channel_versions') v join checkpoint_blobs b" +
			" on b.thread_id = c.thread_id and b.checkpoint_ns = c.checkpoint_ns and b.channel = v.key" + version + ")"
		blobs = "(select array_agg(b.channel::text order by b.channel)" + from + ", (select array_agg(b.type::text order by b.channel)" + from +
			", (select array_agg(b.blob order by b.channel)" + from
	}
	if has["checkpoint_writes"] {
		writes = "(select string_agg(distinct w.channel, ',') from checkpoint_writes w where w.thread_id = c.thread_id" +
			" and w.checkpoint_ns = c.checkpoint_ns and w.checkpoint_id = " + id + " and w.channel in ('__interrupt__', '__error__'))"
	}
	return "select c.thread_id, c.checkpoint_ns, " + id + ", " + parent + ", c.checkpoint::text, c.metadata::text, " + blobs + ", " + writes +
		" from checkpoints c where (c.thread_id, c.checkpoint_ns, " + id + ") > ($1, $2, $3)" +
		fmt.Sprintf(" order by c.thread_id, c.checkpoint_ns, %s limit %d", id, pageRows), nil
}
