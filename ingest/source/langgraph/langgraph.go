// Package langgraph reads saved states of tasks: the SQLite database of
// LangGraph's checkpointer, and checkpoints as JSONL, a neutral form that other
// tools can write. Each checkpoint is one event with all the messages that its
// state holds; telling which are new is left to SQL, which sees all checkpoints
// of a task. Start at Format and JSONL.
package langgraph

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	_ "modernc.org/sqlite" // the database that LangGraph writes, in Go

	"github.com/weir-lake/weir/ingest/source"
)

// Format is LangGraph's SQLite checkpointer database.
func Format() source.Format {
	return source.Format{
		Name:    "langgraph",
		Doc:     "LangGraph checkpointer database (SQLite)",
		Version: 1,
		Detect: func(p source.Probe) int {
			if !bytes.HasPrefix(p.Head, []byte("SQLite format 3\x00")) {
				return 0
			}
			if bytes.Contains(p.Head, []byte("checkpoint_id")) || bytes.Contains(p.Head, []byte("thread_ts")) {
				return 95
			}
			return 10
		},
		Read: read,
	}
}

func read(ctx context.Context, in *source.Input, out source.Out) error {
	// The body is the name alone: nobody could redact the pages of a database.
	refuse := func(reason, detail string) error {
		return out.Reject(source.Reject{Reason: reason, Detail: detail, Record: -1, Body: []byte(in.Name), Length: int64(len(in.Name))})
	}
	if in.Path == "" {
		return refuse("not_a_file", "a database cannot be read from a stream or a compressed file: give the plain file")
	}
	db, err := open(in.Path)
	if err != nil {
		return fmt.Errorf("%s: %w", in.Name, err)
	}
	defer db.Close()
	query, err := checkpointQuery(ctx, db)
	if errors.Is(err, errNoTable) {
		return refuse("wrong_type", err.Error())
	} else if err != nil {
		return refuse("not_sqlite", err.Error())
	}
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return refuse("not_sqlite", err.Error())
	}
	defer rows.Close()
	for n := int64(0); rows.Next(); n++ {
		in.Records++
		var r row
		var parent, kind, writes sql.NullString
		if err := rows.Scan(&r.thread, &r.namespace, &r.id, &parent, &kind, &r.checkpoint, &r.metadata, &writes); err != nil {
			return refuse("not_sqlite", err.Error())
		}
		r.parent, r.kind, r.writes = parent.String, kind.String, writes.String
		event, err := r.event()
		if err != nil {
			reject := source.Reject{Reason: "wrong_type", Detail: fmt.Sprintf("checkpoint %s of thread %s: %v", r.id, r.thread, err), Record: n, Body: r.checkpoint, Length: int64(len(r.checkpoint))}
			if err := out.Reject(reject); err != nil {
				return err
			}
			continue
		}
		if err := out.Emit(event); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return refuse("truncated", err.Error())
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

var errNoTable = errors.New("a SQLite database without LangGraph's table of checkpoints")

// checkpointQuery is the query for the checkpoints by the columns that are
// there: the first releases had no namespaces, named the checkpoint's id
// thread_ts, and had no type (everything was JSON).
func checkpointQuery(ctx context.Context, db *sql.DB) (string, error) {
	checkpoints, err := columns(ctx, db, "checkpoints")
	if err != nil {
		return "", err
	}
	writes, err := columns(ctx, db, "writes")
	if err != nil {
		return "", err
	}
	pick := func(fallback string, names ...string) string {
		for _, name := range names {
			if checkpoints[name] {
				return "c." + name
			}
		}
		return fallback
	}
	id := pick("", "checkpoint_id", "thread_ts")
	if id == "" || !checkpoints["thread_id"] || !checkpoints["checkpoint"] {
		return "", errNoTable
	}
	namespace := pick("''", "checkpoint_ns")
	special := "null"
	if writes["checkpoint_id"] && writes["channel"] {
		sameNamespace := ""
		if writes["checkpoint_ns"] && checkpoints["checkpoint_ns"] {
			sameNamespace = " and w.checkpoint_ns = c.checkpoint_ns"
		}
		special = "(select group_concat(distinct w.channel) from writes w where w.thread_id = c.thread_id" + sameNamespace +
			" and w.checkpoint_id = " + id + " and w.channel in ('__interrupt__', '__error__'))"
	}
	return strings.Join([]string{
		"select c.thread_id,", namespace + ",", id + ",", pick("null", "parent_checkpoint_id", "parent_ts") + ",", pick("'json'", "type") + ",",
		"c.checkpoint,", pick("null", "metadata") + ",", special,
		"from checkpoints c order by c.thread_id,", namespace + ",", id,
	}, " "), nil
}

func columns(ctx context.Context, db *sql.DB, table string) (map[string]bool, error) {
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
