package autogen

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/llm"
	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
	"github.com/weir-lake/weir/ingest/source/sqlite"
	"github.com/weir-lake/weir/lake"
)

// Runtime is the format of the log that AutoGen 0.2's runtime logging writes.
func Runtime() source.Format {
	return source.Format{
		Name:    "autogen-runtime",
		Doc:     "AutoGen 0.2 runtime log: the calls of its agents (SQLite)",
		Version: 1,
		Detect: func(p source.Probe) int {
			if sqlite.Is(p.Head) && bytes.Contains(p.Head, []byte("chat_completions")) && bytes.Contains(p.Head, []byte("invocation_id")) {
				return 95
			}
			return 0
		},
		Read: readRuntime,
	}
}

func readRuntime(ctx context.Context, in *source.Input, out source.Out) error {
	return sqlite.Read(ctx, in, out, completionQuery, func(n int64, scan func(...any) error) error {
		var r completion
		if err := scan(&r.invocation, &r.session, &r.request, &r.response, &r.agent, &r.cached, &r.cost, &r.start, &r.end); err != nil {
			return err
		}
		return r.emit(n, out)
	})
}

func completionQuery(ctx context.Context, db *sql.DB) (string, error) {
	columns, err := sqlite.Columns(ctx, db, "chat_completions")
	if err != nil {
		return "", err
	}
	for _, name := range []string{"id", "invocation_id", "session_id", "request", "response"} {
		if !columns[name] {
			return "", sqlite.NoTable("a database without the table chat_completions of AutoGen's runtime log")
		}
	}
	query := []string{"invocation_id", "session_id", "request", "response"}
	for _, name := range []string{"source_name", "is_cached", "cost", "start_time", "end_time"} {
		if !columns[name] { // source_name came later
			name = "null"
		}
		query = append(query, "cast("+name+" as text)")
	}
	return "select " + strings.Join(query, ", ") + " from chat_completions order by id", nil
}

// completion is a row: a request, and the reply or an error's text.
type completion struct {
	invocation, session, request, response, agent, cached, cost, start, end sql.NullString
}

// emit reads the row as a line of a log of requests and responses.
func (r *completion) emit(ordinal int64, out source.Out) error {
	line := rawjson.Object{}
	for key, column := range map[string]sql.NullString{
		"request_id": r.invocation, "session_id": r.session, "agent": r.agent, "cost": r.cost, "start_time": r.start, "end_time": r.end,
	} {
		if column.String != "" {
			line[key] = rawjson.Marshal(column.String)
		}
	}
	request, response := rawjson.Parse([]byte(r.request.String)), rawjson.Parse([]byte(r.response.String))
	if request != nil {
		line["request"] = rawjson.Marshal(request)
	}
	// What went wrong is logged as the response's only field, a text.
	if failure := response.String("response"); len(response) == 1 && failure != "" {
		line["error"] = rawjson.Marshal(failure)
	} else if response != nil {
		line["response"] = rawjson.Marshal(response)
	}
	record := rawjson.Marshal(line)
	calls, err := llm.ReadRecord(record)
	if err != nil {
		reason := source.ReasonUnknownType
		if !errors.Is(err, llm.ErrUnknownShape) && !errors.Is(err, llm.ErrNotACall) {
			reason = source.ReasonWrongType
		}
		return out.Reject(source.Reject{Reason: reason, Detail: fmt.Sprintf("invocation %s: %v", r.invocation.String, err), Record: ordinal, Body: record, Length: int64(len(record))})
	}
	for i := range calls {
		c := &calls[i]
		c.Position = ordinal
		if r.cached.String != "" && r.cached.String != "0" { // a stored reply, whose usage was paid before
			c.Cached = true
			c.Keep("_gateway", string(rawjson.Marshal(map[string]any{"is_cached": true, "usage": json.RawMessage(cmp.Or(c.Usage.Raw, "null"))})))
			c.Usage = lake.Usage{}
		}
		if err := out.Emit(c.Event("")); err != nil {
			return err
		}
	}
	return nil
}
