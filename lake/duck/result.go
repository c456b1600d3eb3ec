package duck

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/weir-lake/weir/lake"
)

// Result is a small result as text, the way DuckDB prints values.
type Result struct {
	Columns []lake.Column
	Rows    [][]sql.NullString
	More    bool // the query has more rows than were asked for
}

// Text runs one query and gives at most limit of its rows as text (0: all).
// The whole result is held in memory; what is large leaves by COPY instead.
func (s *Session) Text(ctx context.Context, query string, limit int) (Result, error) {
	columns, err := s.Describe(ctx, query)
	if err != nil {
		return Result{}, err
	}
	wrapped := "select columns(*)::varchar from (\n" + query + "\n)"
	if limit > 0 {
		wrapped += fmt.Sprintf(" limit %d", limit+1)
	}
	rows, err := s.db.QueryContext(ctx, wrapped)
	if err != nil {
		return Result{}, wrap(err)
	}
	defer rows.Close()
	result := Result{Columns: columns}
	for rows.Next() {
		cells := make([]sql.NullString, len(columns))
		dest := make([]any, len(columns))
		for i := range cells {
			dest[i] = &cells[i]
		}
		if err := rows.Scan(dest...); err != nil {
			return Result{}, wrap(err)
		}
		result.Rows = append(result.Rows, cells)
	}
	if err := rows.Err(); err != nil {
		return Result{}, wrap(err)
	}
	if limit > 0 && len(result.Rows) > limit {
		result.Rows, result.More = result.Rows[:limit], true
	}
	return result, nil
}
