package transforms

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/weir-lake/weir/lake/duck"
)

// TestCuration measures curated.duplicate_pairs on planted families, for
// docs/curation.md: scripts/curation.sh runs it. WEIR_CURATION is the number of
// examples; without it a thousand are held to the same bounds.
func TestCuration(t *testing.T) {
	n := 1000
	if text := os.Getenv("WEIR_CURATION"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	texts := plantTexts(rand.New(rand.NewPCG(11, 4)), n)
	session, err := duck.Open(t.Context(), duck.Options{Threads: 2, MemoryLimit: "8GB", TempDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { session.Close() })
	loadTexts(t, session, texts)

	start := time.Now()
	makePairs(t, session)
	exactTime := time.Since(start)
	found := pairSet(t, session, "select left_id, right_id from found where jaccard >= 0.8")

	start = time.Now()
	if err := session.Exec(t.Context(), "create table sketched as "+minHashPairs); err != nil {
		t.Fatal(err)
	}
	sketchTime := time.Since(start)
	sketched := pairSet(t, session, "select left_id, right_id from sketched where jaccard >= 0.8")

	truth, asked := truePairs(texts, 2000)
	t.Logf("| examples | method | seconds | pairs | precision | recall |")
	for _, m := range []struct {
		name  string
		pairs map[[2]int]bool
		took  time.Duration
	}{{"prefix filter", found, exactTime}, {"MinHash 25 × 5", sketched, sketchTime}} {
		precision, recall := compare(m.pairs, truth, asked)
		t.Logf("| %d | %s | %.1f | %d | %.4f | %.4f |", n, m.name, m.took.Seconds(), len(m.pairs), precision, recall)
		if m.name == "prefix filter" && (precision < 0.99 || recall < 0.99) {
			t.Errorf("precision %.4f, recall %.4f: below 0.99", precision, recall)
		}
	}
	t.Logf("| words replaced | planted | found | of them 0.8 alike | found of those |")
	for _, rate := range editRates {
		var planted, hit, alike, alikeHit int
		for i, text := range texts {
			if text.source < 0 || text.rate != rate {
				continue
			}
			planted++
			ok := found[[2]int{text.source, i}]
			like := jaccard(texts[text.source].said, text.said) >= 0.8
			if ok {
				hit++
			}
			if like {
				alike++
				if ok {
					alikeHit++
				}
			}
		}
		t.Logf("| %.0f %% | %d | %d | %d | %d |", 100*rate, planted, hit, alike, alikeHit)
		if alikeHit != alike {
			t.Errorf("at %.2f %d of %d pairs that are alike were found", rate, alikeHit, alike)
		}
	}
}

var editRates = []float64{0.01, 0.03, 0.06, 0.15}

// plantedText is an example's shingles, and what it was copied from.
type plantedText struct {
	said   []int64
	words  []int
	source int // -1: none
	rate   float64
}

// plantTexts makes texts of 60 to 260 words, few of them frequent; three of ten are copies with at least a word replaced, never copies of copies.
func plantTexts(r *rand.Rand, n int) []plantedText {
	frequent := rand.NewZipf(r, 1.2, 4, 20_000)
	texts := make([]plantedText, 0, n)
	for len(texts) < n {
		text := plantedText{source: -1}
		if len(texts) > 10 && r.IntN(10) < 3 {
			text.source = r.IntN(len(texts))
			if source := texts[text.source].source; source >= 0 {
				text.source = source
			}
			text.rate = editRates[r.IntN(len(editRates))]
			text.words = slices.Clone(texts[text.source].words)
			for i := range text.words {
				if r.Float64() < text.rate {
					text.words[i] = int(frequent.Uint64())
				}
			}
			// No two are equal: equal sketches are paired with their first alone.
			text.words[r.IntN(len(text.words))] = 30_000 + len(texts)
		} else {
			for range 60 + r.IntN(200) {
				text.words = append(text.words, int(frequent.Uint64()))
			}
		}
		for i := 2; i < len(text.words); i++ {
			text.said = append(text.said, int64(text.words[i-2])<<40|int64(text.words[i-1])<<20|int64(text.words[i]))
		}
		text.said = sorted(text.said)
		texts = append(texts, text)
	}
	return texts
}

func loadTexts(t *testing.T, session *duck.Session, texts []plantedText) {
	t.Helper()
	type row struct {
		ID   int     `json:"id"`
		Said []int64 `json:"said"`
	}
	exec := func(stmt string) {
		t.Helper()
		if err := session.Exec(t.Context(), stmt); err != nil {
			t.Fatal(err)
		}
	}
	exec("create schema if not exists curated")
	exec("create table raw (id bigint, said bigint[])")
	id := 0
	for batch := range slices.Chunk(texts, 5000) {
		rows := make([]row, len(batch))
		for i := range batch {
			rows[i] = row{id, batch[i].said}
			id++
		}
		text, err := json.Marshal(rows)
		if err != nil {
			t.Fatal(err)
		}
		insert := `insert into raw select unnest(from_json(?, '[{"id":"BIGINT","said":"BIGINT[]"}]'), recursive := true)`
		if err := session.Exec(t.Context(), insert, string(text)); err != nil {
			t.Fatal(err)
		}
	}
	exec(`create table curated.example_sketches as select printf('%09d', id) as example_id, said, []::bigint[] as seen, said as target,
		md5(said::varchar) as sketch_hash, '' as context_hash, '' as frame_hash, 'none' as boilerplate_version,
		printf('%09d', id) as subject_id, null::timestamptz as started_at from raw`)
	exec("create table curated.example_keys as select example_id, example_id as content_hash from curated.example_sketches")
	exec("create table curated.quality as select example_id, 'keep' as verdict, 0.5 as success_score from curated.example_sketches")
	exec("create table curated.lineage (child_id varchar, root_id varchar, method varchar)")
	exec("create table curated.configs (kind varchar, content varchar, hash varchar, occurred_at timestamptz, event_id varchar)")
}

// minHashPairs is the other way to propose pairs: three rounds of buckets, then
// what is left empty takes the least hash of all, 25 bands of 5 of 125 slots.
// Only for comparison: hash() is not stable between versions of DuckDB.
const minHashPairs = `
with items as (select example_id, unnest(said) as item from curated.example_sketches),
rounds as (
	select example_id, round_no, hash(item, round_no) % 125 as slot, min(hash(item, round_no, 1)) as least
	from items, (select unnest([1, 2, 3]) as round_no) group by all
),
filled as (select example_id, slot, arg_min(least, round_no) as least from rounds group by all),
slots as (select example_id, slot, least from filled union all
	select example_id, slot, min(hash(item, slot, 2)) from (
		select example_id, slot from (select distinct example_id from items), (select unnest(range(125))::ubigint as slot)
		except select example_id, slot from filled
	) join items using (example_id) group by all
),
bands as (select example_id, slot // 5 as band, list(least order by slot)::varchar as value from slots group by all),
pairs as (
	select distinct a.example_id as left_id, b.example_id as right_id
	from bands as a join bands as b on a.band = b.band and a.value = b.value and a.example_id < b.example_id
)
select left_id, right_id, len(list_intersect(a.said, b.said)) as both_in,
	both_in / (len(a.said) + len(b.said) - both_in) as jaccard
from pairs join curated.example_sketches as a on a.example_id = left_id join curated.example_sketches as b on b.example_id = right_id`

func readSQL(t *testing.T, name string) string {
	t.Helper()
	text, err := files.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func pairSet(t *testing.T, session *duck.Session, query string) map[[2]int]bool {
	t.Helper()
	rows, err := session.DB().QueryContext(t.Context(), "select left_id::int, right_id::int from ("+query+")")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	pairs := map[[2]int]bool{}
	for rows.Next() {
		var a, b int
		if err := rows.Scan(&a, &b); err != nil {
			t.Fatal(err)
		}
		pairs[[2]int{min(a, b), max(a, b)}] = true
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return pairs
}

// truePairs compares some of the texts, spread evenly, with all the others by
// counting what they share, and gives the pairs and who was asked.
func truePairs(texts []plantedText, ask int) (pairs map[[2]int]bool, asked map[int]bool) {
	step := max(1, len(texts)/ask)
	postings := map[int64][]int32{} // of what is asked for alone: all of a million texts is no map's size
	for i := 0; i < len(texts); i += step {
		for _, x := range texts[i].said {
			postings[x] = nil
		}
	}
	for i, text := range texts {
		for _, x := range text.said {
			if list, ok := postings[x]; ok {
				postings[x] = append(list, int32(i))
			}
		}
	}
	pairs, asked = map[[2]int]bool{}, map[int]bool{}
	for i := 0; i < len(texts); i += step {
		asked[i] = true
		shared := map[int32]int{}
		for _, x := range texts[i].said {
			for _, j := range postings[x] {
				shared[j]++
			}
		}
		for j, both := range shared {
			if int(j) != i && float64(both) >= 0.8*float64(len(texts[i].said)+len(texts[j].said)-both) {
				pairs[[2]int{min(i, int(j)), max(i, int(j))}] = true
			}
		}
	}
	return pairs, asked
}

// compare gives precision and recall among the pairs of those that were asked.
func compare(found, truth map[[2]int]bool, asked map[int]bool) (precision, recall float64) {
	var said, right int
	for pair := range found {
		if asked[pair[0]] || asked[pair[1]] {
			said++
			if truth[pair] {
				right++
			}
		}
	}
	return float64(right) / float64(max(1, said)), float64(right) / float64(max(1, len(truth)))
}

// jaccard is the Jaccard index of two sorted sets.
func jaccard(a, b []int64) float64 {
	both := 0
	for _, x := range a {
		if _, ok := slices.BinarySearch(b, x); ok {
			both++
		}
	}
	return float64(both) / float64(max(1, len(a)+len(b)-both))
}
