package queries_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/weir-lake/weir/evalsql"
	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/derive"
	"github.com/weir-lake/weir/lake/duck"
	"github.com/weir-lake/weir/queries"
	"github.com/weir-lake/weir/transforms"
)

// emptyLake is a session with every table that a lake can have, without rows.
func emptyLake(t *testing.T) *duck.Session {
	t.Helper()
	session, err := duck.Open(t.Context(), duck.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { session.Close() })
	for _, payload := range lake.Payloads() {
		if err := session.RegisterQuery(t.Context(), payload.Table, duck.EmptySelect(payload.Columns())); err != nil {
			t.Fatal(err)
		}
	}
	for _, load := range []func() ([]*derive.Table, error){evalsql.Tables, func() ([]*derive.Table, error) { return transforms.Tables(nil) }} {
		tables, err := load()
		if err != nil {
			t.Fatal(err)
		}
		for _, table := range tables {
			if err := session.RegisterQuery(t.Context(), table.Name, duck.EmptySelect(table.Columns)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return session
}

// Every table and column that a query names is one that a lake has.
func TestQueriesRun(t *testing.T) {
	session := emptyLake(t)
	for _, q := range queries.All() {
		t.Run(q.Name, func(t *testing.T) {
			rows, err := session.DB().QueryContext(t.Context(), q.SQL)
			if err != nil {
				t.Fatal(err)
			}
			defer rows.Close()
			if rows.Next() {
				t.Error("an empty lake gave a row")
			}
			if err := rows.Err(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestQueriesAreQuestions(t *testing.T) {
	all := queries.All()
	if len(all) < 10 {
		t.Errorf("only %d queries", len(all))
	}
	var names []string
	for _, q := range all {
		names = append(names, q.Name)
		if !strings.HasSuffix(q.Question, "?") || q.About == "" {
			t.Errorf("%s.sql: the first line is a question, the next say who asks: %q, %q", q.Name, q.Question, q.About)
		}
		if lower := strings.ToLower(q.SQL); strings.Contains(lower, "create ") || !strings.Contains(lower, "order by") {
			t.Errorf("%s.sql: one ordered SELECT", q.Name)
		}
	}
	if !slices.IsSorted(names) {
		t.Error("not in order of name")
	}
}
