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
	return sqlite.Read(ctx, in, out, checkpointQuery, func(n int64, scan func(...any) error) error {
		var r row
		var parent, kind, writes sql.NullString
		if err := scan(&r.thread, &r.namespace, &r.id, &parent, &kind, &r.checkpoint, &r.metadata, &writes); err != nil {
			return err
		}
		r.parent, r.kind, r.writes = parent.String, kind.String, writes.String
		event, err := r.event()
		if err != nil {
			return out.Reject(source.Reject{
				Reason: source.ReasonWrongType, Detail: fmt.Sprintf("checkpoint %s of thread %s: %v", r.id, r.thread, err),
				Record: n, Body: r.checkpoint, Length: int64(len(r.checkpoint)),
			})
		}
		return out.Emit(event)
	})
}

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
		return "", sqlite.NoTable("a SQLite database without LangGraph's table of checkpoints")
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
