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
	"strings"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/sqlite"
)

// Format is LangGraph's SQLite checkpointer database.
func Format() source.Format {
	return source.Format{
		Name:    "langgraph",
		Doc:     "LangGraph checkpointer database (SQLite)",
		Version: 1,
		Detect: func(p source.Probe) int {
			if !sqlite.Is(p.Head) {
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
	refuse := func(reason, detail string) error { return out.Reject(sqlite.Reject(in, reason, detail)) }
	if in.Path == "" {
		return refuse(sqlite.ReasonNotAFile, "a database cannot be read from a stream or a compressed file: give the plain file")
	}
	db, err := sqlite.Open(in.Path)
	if err != nil {
		return fmt.Errorf("%s: %w", in.Name, err)
	}
	defer db.Close()
	query, err := checkpointQuery(ctx, db)
	if errors.Is(err, errNoTable) {
		return refuse("wrong_type", err.Error())
	} else if err != nil {
		return refuse(sqlite.ReasonNotSQLite, err.Error())
	}
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return refuse(sqlite.ReasonNotSQLite, err.Error())
	}
	defer rows.Close()
	for n := int64(0); rows.Next(); n++ {
		in.Records++
		var r row
		var parent, kind, writes sql.NullString
		if err := rows.Scan(&r.thread, &r.namespace, &r.id, &parent, &kind, &r.checkpoint, &r.metadata, &writes); err != nil {
			return refuse(sqlite.ReasonNotSQLite, err.Error())
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

var errNoTable = errors.New("a SQLite database without LangGraph's table of checkpoints")

// checkpointQuery is the query for the checkpoints by the columns that are
// there: the first releases had no namespaces, named the checkpoint's id
// thread_ts, and had no type (everything was JSON).
func checkpointQuery(ctx context.Context, db *sql.DB) (string, error) {
	checkpoints, err := sqlite.Columns(ctx, db, "checkpoints")
	if err != nil {
		return "", err
	}
	writes, err := sqlite.Columns(ctx, db, "writes")
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
