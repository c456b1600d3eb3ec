package evalsql_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/weir-lake/weir/evalsql"
	"github.com/weir-lake/weir/lake/duck"
)

// TestAllocation holds the SQL of analysis.experiment_allocation to SciPy, by the
// cases that evalsql/stats has.
func TestAllocation(t *testing.T) {
	text, err := os.ReadFile("stats/testdata/reference.json")
	if err != nil {
		t.Fatal(err)
	}
	var reference struct {
		Cases []struct {
			Function string
			Args     json.RawMessage
			Want     []float64
		}
	}
	if err := json.Unmarshal(text, &reference); err != nil {
		t.Fatal(err)
	}
	tables, err := evalsql.Tables()
	if err != nil {
		t.Fatal(err)
	}
	var query string
	for _, table := range tables {
		if table.Name == "analysis.experiment_allocation" {
			query = table.SQL()
		}
	}
	session, err := duck.Open(t.Context(), duck.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	if err := session.Exec(t.Context(), "create schema if not exists analysis"); err != nil {
		t.Fatal(err)
	}
	cases := 0
	for _, c := range reference.Cases {
		if c.Function != "allocation" {
			continue
		}
		cases++
		var args [2][]float64
		if err := json.Unmarshal(c.Args, &args); err != nil {
			t.Fatal(err)
		}
		var arms, units []string
		for i, share := range args[1] {
			arms = append(arms, fmt.Sprintf("('e', 'arm%d', %v::double)", i, share))
			units = append(units, fmt.Sprintf("select 'e' as experiment, 'arm%d' as arm, 'arm%d' as hashed_arm, false as is_reassigned, i::varchar as unit_id from range(%v) as r(i)", i, i, args[0][i]))
		}
		for _, statement := range []string{
			"create or replace table analysis.experiments as from (values " + strings.Join(arms, ", ") + ") as t(experiment, arm, share)",
			"create or replace table analysis.experiment_units as " + strings.Join(units, " union all "),
		} {
			if err := session.Exec(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
		var p float64
		if err := session.Get(t.Context(), "select any_value(p_value) from (\n"+query+"\n)", &p); err != nil {
			t.Fatal(err)
		}
		if math.Abs(p-c.Want[0]) > 1e-6 {
			t.Errorf("%s: p %g, want %g", c.Args, p, c.Want[0])
		}
	}
	if cases < 6 {
		t.Errorf("%d cases of allocation in the reference", cases)
	}
}
