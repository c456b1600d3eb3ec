package transforms

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/derive"
	"github.com/weir-lake/weir/lake/duck"
)

// TestPairsAreAllPairs holds the prefix filter against the comparison of all
// with all, whatever the order of the rows and the number of threads.
func TestPairsAreAllPairs(t *testing.T) {
	for seed := range uint64(4) {
		r := rand.New(rand.NewPCG(seed, 4))
		sets := randomSets(r, 150)
		want := allPairs(sets, 0.8)
		if len(want) < 20 {
			t.Fatalf("seed %d: only %d pairs to find", seed, len(want))
		}
		var first []string
		for _, threads := range []int{1, 2} {
			session := openSession(t, threads)
			loadSketches(t, session, sets, r.Perm(len(sets)))
			rows := pairRows(t, session)
			if first == nil {
				first = rows
			} else if !slices.Equal(first, rows) {
				t.Errorf("seed %d: other pairs with %d threads and shuffled rows", seed, threads)
			}
			found, err := session.Strings(t.Context(),
				"select least(left_id, right_id) || ' ' || greatest(left_id, right_id) from found where jaccard >= 0.8 order by 1")
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(found, want) {
				t.Errorf("seed %d, %d threads: %d pairs found, %d of all pairs are alike", seed, threads, len(found), len(want))
			}
		}
	}
}

// randomSets makes families of sets that differ a little, over shingles of
// which some are common to many.
func randomSets(r *rand.Rand, n int) [][]int64 {
	var sets [][]int64
	for len(sets) < n {
		if len(sets) > 0 && r.IntN(2) == 0 {
			set := slices.Clone(sets[r.IntN(len(sets))])
			for range 1 + r.IntN(1+len(set)/6) {
				set[r.IntN(len(set))] = r.Int64N(1 << 40)
			}
			sets = append(sets, sorted(set))
			continue
		}
		var set []int64
		for range 1 + r.IntN(80) {
			if r.IntN(4) == 0 {
				set = append(set, r.Int64N(40))
			} else {
				set = append(set, r.Int64N(1<<40))
			}
		}
		sets = append(sets, sorted(set))
	}
	return sets
}

func sorted(set []int64) []int64 {
	slices.Sort(set)
	return slices.Compact(set)
}

func allPairs(sets [][]int64, least float64) []string {
	var pairs []string
	for i, a := range sets {
		for j := range i {
			common := 0
			for _, x := range sets[j] {
				if _, ok := slices.BinarySearch(a, x); ok {
					common++
				}
			}
			if float64(common) >= least*float64(len(a)+len(sets[j])-common) {
				pairs = append(pairs, fmt.Sprintf("e%03d e%03d", j, i))
			}
		}
	}
	slices.Sort(pairs)
	return pairs
}

func loadSketches(t *testing.T, session *duck.Session, sets [][]int64, order []int) {
	t.Helper()
	var rows []map[string]any
	for _, i := range order {
		rows = append(rows, map[string]any{"id": fmt.Sprintf("e%03d", i), "said": sets[i], "content": fmt.Sprint(i)})
	}
	text, err := json.Marshal(rows)
	if err != nil {
		t.Fatal(err)
	}
	for _, stmt := range []string{
		"create schema if not exists curated",
		`create table raw as select unnest(from_json(` + duck.Literal(string(text)) + `, '[{"id":"VARCHAR","said":"BIGINT[]","content":"VARCHAR"}]'), recursive := true)`,
		`create table curated.example_sketches as select id as example_id, said, []::bigint[] as seen, said as target,
			md5(said::varchar) as sketch_hash, '' as context_hash, '' as frame_hash, 'none' as boilerplate_version,
			id as subject_id, null::timestamptz as started_at from raw`,
		"create table curated.example_keys as select id as example_id, content as content_hash from raw",
		"create table curated.quality as select id as example_id, 'keep' as verdict, 0.5 as success_score from raw",
		"create table curated.lineage (child_id varchar, root_id varchar, method varchar)",
		"create table curated.configs (kind varchar, content varchar, hash varchar, occurred_at timestamptz, event_id varchar)",
	} {
		if err := session.Exec(t.Context(), stmt); err != nil {
			t.Fatal(err)
		}
	}
}

func pairRows(t *testing.T, session *duck.Session) []string {
	t.Helper()
	makePairs(t, session)
	rows, err := session.Strings(t.Context(), "select found::varchar from found order by 1")
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// makePairs makes the tables from sketches to pairs, and names the pairs found.
func makePairs(t *testing.T, session *duck.Session) {
	t.Helper()
	all := tables(t)
	for _, name := range []string{"curated.shingle_levels", "curated.example_prefixes", "curated.sketch_pairs", "curated.duplicate_pairs"} {
		table := all[slices.IndexFunc(all, func(table *derive.Table) bool { return table.Name == name })]
		if table.Before {
			if err := session.RegisterQuery(t.Context(), name, duck.EmptySelect(table.Columns)); err != nil {
				t.Fatal(err)
			}
		}
		into := "main.made_" + strings.TrimPrefix(name, "curated.")
		if err := table.Make(t.Context(), session, into); err != nil {
			t.Fatal(err)
		}
		if err := session.RegisterQuery(t.Context(), name, "select * from "+into); err != nil {
			t.Fatal(err)
		}
	}
	if err := session.Exec(t.Context(), "create view found as select * from curated.duplicate_pairs"); err != nil {
		t.Fatal(err)
	}
}

// TestLargeClustersWait shows that a cluster above the cap loses its exact
// copies only, until it is released by name.
func TestLargeClustersWait(t *testing.T) {
	var pairs []duplicatePair
	for i := range 5 {
		pairs = append(pairs, duplicatePair{left: "a", right: fmt.Sprintf("b%d", i)})
	}
	pairs = append(pairs, duplicatePair{left: "a", right: "copy", exact: true})
	dropped := func(released []string, alarm int) (ids []string) {
		for _, row := range clusters(pairs, released, alarm) {
			if row.ID != row.Kept {
				ids = append(ids, row.ID)
			}
		}
		return ids
	}
	all := []string{"b0", "b1", "b2", "b3", "b4", "copy"}
	if got := dropped(nil, 6); !slices.Equal(got, all) {
		t.Errorf("at the cap %q go", got)
	}
	if got := dropped(nil, 5); !slices.Equal(got, []string{"copy"}) {
		t.Errorf("above the cap %q go", got)
	}
	if got := dropped([]string{"a"}, 5); !slices.Equal(got, all) {
		t.Errorf("once released %q go", got)
	}
}

// TestBoilerplate freezes what thirty sets share, and nothing the second time.
func TestBoilerplate(t *testing.T) {
	session := openSession(t, 1)
	var sets [][]int64
	for i := range int64(30) {
		sets = append(sets, []int64{1, 2, 100 + i, 200 + i/15})
	}
	loadSketches(t, session, sets, rand.New(rand.NewPCG(1, 1)).Perm(len(sets)))
	if err := session.Exec(t.Context(), "create table curated.boilerplate (shingle bigint, version varchar)"); err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	event, n, err := Boilerplate(t.Context(), session, now)
	if err != nil {
		t.Fatal(err)
	}
	if event == nil || n != 2 || event.Data.(*lake.Config).Content != "[1,2]" {
		t.Fatalf("froze %d shingles, %+v", n, event)
	}
	if err := session.Exec(t.Context(), "insert into curated.boilerplate values (1, 'v'), (2, 'v')"); err != nil {
		t.Fatal(err)
	}
	if event, n, err = Boilerplate(t.Context(), session, now); err != nil || event != nil || n != 2 {
		t.Errorf("froze %d again: %+v, %v", n, event, err)
	}
}
