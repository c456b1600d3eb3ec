package transforms

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/weir-lake/weir/lake/derive"
	"github.com/weir-lake/weir/lake/duck"
)

// TestContaminationOfPlanted plants the prompts of a suite in other words, with
// more and more of their own words replaced, and makes the table of
// docs/curation.md. Copies are found all, and of prompts that have one sentence
// in common with an example none.
func TestContaminationOfPlanted(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 9))
	word := func() string { return fmt.Sprint("w", r.IntN(3000)) }
	words := func(n int) []string {
		out := make([]string, n)
		for i := range out {
			out[i] = word()
		}
		return out
	}
	lengths := []int{9, 20, 40, 80}
	edits := []int{0, 1, 2, 4}
	const each = 40
	var scenarios, examples []map[string]any
	kind := map[string]string{} // example → what was planted
	plant := func(name string, text []string) {
		id := fmt.Sprintf("x%05d", len(examples))
		kind[id] = name
		examples = append(examples, map[string]any{"id": id, "user": strings.Join(text, " "), "assistant": strings.Join(words(40), " ")})
	}
	for _, length := range lengths {
		for range each {
			prompt := words(length)
			scenarios = append(scenarios, map[string]any{"id": fmt.Sprint("q", len(scenarios)), "prompt": strings.Join(prompt, " ")})
			for _, n := range edits {
				edited := slices.Clone(prompt)
				for _, place := range r.Perm(length)[:n] {
					edited[place] = "other"
				}
				plant(fmt.Sprintf("%d words, %d replaced", length, n), slices.Concat(words(10), edited, words(10)))
			}
			plant(fmt.Sprintf("%d words, as they are", length), prompt)
			plant(fmt.Sprintf("%d words, a third of them", length), slices.Concat(words(20), prompt[:length/3], words(20)))
		}
	}
	for range 2000 {
		plant("unrelated", words(60))
	}

	session := openSession(t, 2)
	loadSuite(t, session, scenarios, examples)
	lines, err := session.Strings(t.Context(), "select distinct example_id from made.contamination where verdict = 'contaminated'")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	for _, id := range lines {
		found[kind[id]]++
	}
	t.Log("| words of the prompt | as they are | within others | 1 replaced | 2 replaced | 4 replaced | a third of it |")
	for _, length := range lengths {
		row := fmt.Sprintf("| %d |", length)
		for _, name := range []string{"as they are", "0 replaced", "1 replaced", "2 replaced", "4 replaced", "a third of them"} {
			row += fmt.Sprintf(" %d of %d |", found[fmt.Sprintf("%d words, %s", length, name)], each)
		}
		t.Log(row)
		for name, want := range map[string]int{"as they are": each, "0 replaced": each, "a third of them": 0} {
			if length < 13 && name == "0 replaced" {
				want = 0 // a short prompt has to be a whole message
			}
			if got := found[fmt.Sprintf("%d words, %s", length, name)]; got != want {
				t.Errorf("%d words, %s: %d found, want %d", length, name, got, want)
			}
		}
	}
	if found["unrelated"] > 0 {
		t.Errorf("%d unrelated examples are said to be contaminated", found["unrelated"])
	}
}

// loadSuite makes curated.contamination, and what it reads, in the schema made.
func loadSuite(t *testing.T, session *duck.Session, scenarios, examples []map[string]any) {
	t.Helper()
	all := tables(t)
	mustExec(t, session, "create schema made")
	rows := func(name, shape string, values []map[string]any) {
		t.Helper()
		text, err := json.Marshal(values)
		if err != nil {
			t.Fatal(err)
		}
		mustExec(t, session, "create table made."+name+" as select unnest(from_json("+duck.Literal(string(text))+", '["+shape+"]'), recursive := true)")
	}
	rows("scenarios", `{"id":"VARCHAR","prompt":"VARCHAR"}`, scenarios)
	rows("examples", `{"id":"VARCHAR","user":"VARCHAR","assistant":"VARCHAR"}`, examples)
	given := map[string]struct {
		from    string
		columns map[string]string
	}{
		"curated.scenarios": {"made.scenarios", map[string]string{
			"event_id": "id", "suite": "'planted'", "scenario_id": "id", "prompt": "prompt", "occurred_at": "timestamptz '2026-03-02'",
		}},
		"curated.examples": {"made.examples", map[string]string{
			"example_id": "id", "subject_id": "id", "notes": "[]::varchar[]", "is_context_missing": "false",
			"messages": `from_json(json_array(
				json_object('role', 'user', 'content', "user", 'weight', 0), json_object('role', 'assistant', 'content', assistant, 'weight', 1)
			), '[{"role":"VARCHAR","name":"VARCHAR","content":"VARCHAR","tool_calls":[{"id":"VARCHAR","name":"VARCHAR","arguments":"VARCHAR"}],"weight":"DOUBLE","model":"VARCHAR"}]')`,
		}},
	}
	for _, table := range all {
		query := duck.EmptySelect(table.Columns)
		if g, ok := given[table.Name]; ok {
			var columns []string
			for _, column := range table.Columns {
				value, ok := g.columns[column.Name]
				if !ok {
					value = "null::" + column.SQL()
				}
				columns = append(columns, value+" as "+duck.Ident(column.Name))
			}
			query = "select " + strings.Join(columns, ", ") + " from " + g.from
		}
		if err := session.RegisterQuery(t.Context(), table.Name, query); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"curated.scenario_texts", "curated.example_keys", "curated.example_sketches", "curated.contamination"} {
		i := slices.IndexFunc(all, func(table *derive.Table) bool { return table.Name == name })
		into := "made." + strings.TrimPrefix(name, Layer+".")
		if err := all[i].Make(t.Context(), session, into); err != nil {
			t.Fatal(err)
		}
		if err := session.RegisterQuery(t.Context(), name, "select * from "+into); err != nil {
			t.Fatal(err)
		}
	}
}
