package gates_test

import (
	"strings"
	"testing"

	"github.com/weir-lake/weir/evalsql/gates"
	"github.com/weir-lake/weir/lake/duck"
	"github.com/weir-lake/weir/lake/laketest"
)

const text = `
gates:
  - {name: kept, question: q, at_least: 0.9, sql: "select 0.95 as estimate, 0.91 as low, 0.97 as high, 500 as n, 'enough' as evidence;"}
  - {name: broken, question: q, at_most: 0.1, sql: "select 500 as n, 0.3 as high, 0.2 as low, 0.25 as estimate, 'too much' as evidence"}
  - {name: both_sides, question: q, at_most: 0.1, sql: "select 0.05 as estimate, 0.01 as low, 0.2 as high, 9 as n, '' as evidence"}
  - {name: no_interval, question: q, at_most: 0.1, sql: "select 0.05 as estimate, null as low, null as high, 1 as n, '' as evidence"}
  - {name: no_row, question: q, at_most: 0.1, sql: "select 1 as estimate, 1 as low, 1 as high, 1 as n, '' as evidence where false"}
  - {name: no_table, question: q, at_most: 0.1, sql: "select estimate, low, high, n, evidence from analysis.not_built"}
`

func TestEvaluate(t *testing.T) {
	list, err := gates.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	results, err := gates.Evaluate(t.Context(), laketest.New(t), list, duck.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{gates.Met, gates.NotMet, gates.Unsure, gates.Unsure, gates.Unsure, gates.Unsure}
	for i, r := range results {
		if r.Verdict != want[i] {
			t.Errorf("%s: %s (%s)", r.Name, r.Verdict, r.Evidence)
		}
	}
	if !strings.Contains(results[5].Evidence, "not_built") {
		t.Errorf("evidence of a table that lacks: %q", results[5].Evidence)
	}
	if gates.AllMet(results) || !gates.AllMet(results[:1]) {
		t.Error("a go in spite of a gate that is not met, or no go")
	}
	for name, sql := range map[string]string{"a misspelt column": "select 1 as estimat", "two rows": "select 1 as estimate, 1 as low, 1 as high, 1 as n, '' as evidence from range(2)"} {
		one := list[0]
		one.SQL = sql
		if _, err := gates.Evaluate(t.Context(), laketest.New(t), []gates.Gate{one}, duck.Options{Threads: 1}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for name, bad := range map[string]string{
		"no gates":     "gates: []",
		"two bounds":   "gates: [{name: a, sql: select 1, at_least: 1, at_most: 2}]",
		"no bound":     "gates: [{name: a, sql: select 1}]",
		"a name twice": `gates: [{name: a, sql: select 1, at_most: 2}, {name: a, sql: select 1, at_most: 2}]`,
		"misspelt":     "gates: [{name: a, sqll: select 1, at_most: 2}]",
	} {
		if _, err := gates.Parse([]byte(bad)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := gates.Parse(gates.Defaults()); err != nil {
		t.Error(err)
	}
}
