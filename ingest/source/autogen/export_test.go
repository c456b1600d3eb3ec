package autogen

import (
	"database/sql"

	"github.com/weir-lake/weir/ingest/source"
)

// ReadRow reads a row of a runtime log without the database around it, which
// would make fuzzing slow.
func ReadRow(out source.Out, invocation, session, agent, request, response, cached, cost, start, end string) error {
	text := func(s string) sql.NullString { return sql.NullString{String: s, Valid: true} }
	row := completion{
		invocation: text(invocation), session: text(session), request: text(request), response: text(response), agent: text(agent),
		cached: text(cached), cost: text(cost), start: text(start), end: text(end),
	}
	return row.emit(0, out)
}
