package transforms

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/weir-lake/weir/lake/derive"
	"github.com/weir-lake/weir/lake/duck"
)

// stratum of a simulated set: so many groups of so many examples. With chance
// alike a whole group shares one fate.
type simulated struct {
	groups, size int
	rate, alike  float64
}

// The interval holds the set's true rate about as often as it says, with
// strata of different rates and with groups whose members resemble each other.
// Each set is a source, so that one run of the SQL estimates all of them.
func TestReviewIntervalCovers(t *testing.T) {
	const sets = 300
	for name, strata := range map[string][]simulated{
		"two_strata":  {{1000, 1, 0.05, 0}, {500, 1, 0.2, 0}},
		"rare":        {{1000, 1, 0.01, 0}, {300, 1, 0.02, 0}},
		"like_groups": {{200, 5, 0.1, 0.3}, {100, 5, 0.2, 0.3}},
	} {
		t.Run(name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(7, 7))
			var sample [][5]string // example, stratum, size of the stratum, group, verdict
			truth := map[string]float64{}
			for set := range sets {
				source := fmt.Sprintf("set%d", set)
				var defects, all int
				for h, s := range strata {
					var drawn [][5]string
					for g := range s.groups {
						fate := random.Float64() < s.rate
						for i := range s.size {
							isDefect := fate
							if random.Float64() >= s.alike {
								isDefect = random.Float64() < s.rate
							}
							verdict := "accept"
							if isDefect {
								verdict = "reject"
								defects++
							}
							all++
							group := fmt.Sprintf("%s-%d-%d", source, h, g)
							drawn = append(drawn, [5]string{fmt.Sprintf("%s-%d", group, i), fmt.Sprintf("%s/other/%d", source, h), fmt.Sprint(s.groups * s.size), group, verdict})
						}
					}
					random.Shuffle(len(drawn), func(i, j int) { drawn[i], drawn[j] = drawn[j], drawn[i] })
					sample = append(sample, drawn[:len(drawn)/10]...)
				}
				truth[source] = float64(defects) / float64(all)
			}
			covered := 0
			for source, interval := range estimate(t, sample) {
				if interval[0] <= truth[source] && truth[source] <= interval[1] {
					covered++
				}
			}
			t.Logf("%d of %d intervals hold the rate", covered, sets)
			// 95 % less three standard errors of 300 sets; it may well be too wide.
			if covered < sets*91/100 {
				t.Errorf("%d of %d intervals hold the rate", covered, sets)
			}
		})
	}
}

// estimate runs review_estimates.sql on a sample; source → interval.
func estimate(t *testing.T, sample [][5]string) map[string][2]float64 {
	t.Helper()
	ctx := t.Context()
	session, err := duck.Open(ctx, duck.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	statements := []string{
		"create schema if not exists curated",
		"create table sample (example_id varchar, stratum varchar, size bigint, group_id varchar, verdict varchar)",
		"create view curated.review_sample as select example_id, 'h' as content_hash, stratum, 0.1 as rate, size as stratum_size, example_id as draw from sample",
		"create view curated.review_decisions as select example_id, 'ann' as reviewer, verdict, false as is_stale from sample",
		"create view curated.splits as select example_id, group_id from sample",
	}
	for _, statement := range statements {
		if err := session.Exec(ctx, statement); err != nil {
			t.Fatal(err)
		}
	}
	text, err := json.Marshal(sample)
	if err != nil {
		t.Fatal(err)
	}
	insert := `insert into sample select row[1], row[2], row[3]::bigint, row[4], row[5] from (select unnest(from_json(?, '[["VARCHAR"]]')) as row)`
	if err := session.Exec(ctx, insert, string(text)); err != nil {
		t.Fatal(err)
	}
	all := tables(t)
	table := all[slices.IndexFunc(all, func(table *derive.Table) bool { return table.Name == "curated.review_estimates" })]
	if err := table.Make(ctx, session, "made"); err != nil {
		t.Fatal(err)
	}
	rows, err := session.DB().QueryContext(ctx, "select value, defect_rate_low, defect_rate_high from made where part = 'source'")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	intervals := map[string][2]float64{}
	for rows.Next() {
		var source string
		var interval [2]float64
		if err := rows.Scan(&source, &interval[0], &interval[1]); err != nil {
			t.Fatal(err)
		}
		intervals[source] = interval
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return intervals
}
