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

// Ten verdicts of a judge beside those of people: eight agree, half would by
// chance, so kappa is 0.6. One that people are divided on does not count.
func TestJudgeAgreement(t *testing.T) {
	session, err := duck.Open(t.Context(), duck.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	for _, statement := range []string{
		"create schema if not exists curated",
		`create table curated.judgements as
			select 'r' as rubric, '1' as rubric_version, 'm' as judge_model, 'x' || n as target_id, 'h' as content_hash, n % 2 = 0 as passed,
				'2026-01-01'::timestamptz as occurred_at, 'j' || n as event_id
			from range(12) as numbers(n)`,
		`create table curated.review_decisions as
			select 'x' || n as example_id, 'h' as content_hash, case when (n % 2 = 0) = (n < 8) then 'accept' else 'edit' end as verdict, false as is_stale
			from range(10) as numbers(n)
			union all select 'x10', 'h', verdict, false from (values ('accept'), ('reject')) as divided(verdict)
			union all select 'x11', 'h', 'reject', true`,
	} {
		if err := session.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	i := slices.IndexFunc(queries.All(), func(q queries.Query) bool { return q.Name == "judge_agreement" })
	got, err := session.Strings(t.Context(), "select concat_ws(' ', judged, reviewed, agreement, kappa, low, high) from ("+strings.TrimSuffix(strings.TrimSpace(queries.All()[i].SQL), ";")+")")
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got[0] != "12 10 0.8 0.6 0.104 1.0" {
		t.Errorf("got %q", got)
	}
}
