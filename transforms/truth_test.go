package transforms_test

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/weir-lake/weir/ingest/synth"
	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/derive"
	"github.com/weir-lake/weir/lake/duck"
	"github.com/weir-lake/weir/lake/laketest"
	"github.com/weir-lake/weir/transforms"
)

// TestPlantedTruth holds all transforms to what a corpus has planted.
// scripts/truth.sh runs it with WEIR_TRUTH examples for docs/curation.md;
// without it a few hundred are held to the same bounds.
func TestPlantedTruth(t *testing.T) {
	n := int64(800)
	if text := os.Getenv("WEIR_TRUTH"); text != "" {
		var err error
		if n, err = strconv.ParseInt(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	dir := filepath.Join(t.TempDir(), "corpus")
	if _, err := synth.WriteCorpus(t.Context(), dir, synth.CorpusOptions{Seed: 1, Examples: n}); err != nil {
		t.Fatal(err)
	}
	lk := laketest.New(t)
	appendLines(t, lk, dir)
	session, err := duck.Open(t.Context(), duck.Options{Threads: 2, MemoryLimit: "8GB", TempDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	tables, err := transforms.Tables(lk.ErasureKey())
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if _, err := derive.Build(t.Context(), lk, tables, derive.Options{Session: session, Only: []string{"curated.example_sketches"}}); err != nil {
		t.Fatal(err)
	}
	event, shingles, err := transforms.Boilerplate(t.Context(), session, laketest.Start)
	if err != nil || event == nil {
		t.Fatalf("boilerplate: %v, %v", event, err)
	}
	laketest.Append(t, lk, *event)
	report, err := derive.Build(t.Context(), lk, tables, derive.Options{Session: session})
	if err != nil {
		t.Fatal(err)
	}
	took := time.Since(start)
	t.Logf("%d examples, %d shingles of boilerplate frozen, all transforms, the sketches twice, in %.0f s with two threads.", n, shingles, took.Seconds())
	if os.Getenv("WEIR_TRUTH") != "" {
		logSteps(t, report)
	}
	t.Logf("")
	planted := readPlanted(t, dir)
	checkPairs(t, session, planted)
	checkPlanted(t, session, planted)
}

// logSteps says where the time went, and how much memory the process had at its
// peak, events in memory included; Linux alone tells that.
func logSteps(t *testing.T, report derive.Report) {
	t.Helper()
	slices.SortStableFunc(report, func(a, b derive.TableReport) int { return cmp.Compare(b.Seconds, a.Seconds) })
	var steps []string
	for _, r := range report[:12] {
		steps = append(steps, fmt.Sprintf("%s %.1f s", strings.TrimPrefix(r.Table, "curated."), r.Seconds))
	}
	t.Logf("Slowest steps once the list was frozen: %s.", strings.Join(steps, ", "))
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return
	}
	for line := range strings.Lines(string(status)) {
		if kilobytes, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			t.Logf("Peak memory of the process: %s.", strings.TrimSpace(kilobytes))
		}
	}
}

func appendLines(t *testing.T, lk *lake.Lake, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "logs", "*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var events []lake.Event
	for _, name := range files {
		eachLine(t, name, func(line []byte) error {
			event, err := lake.DecodeEvent(line)
			events = append(events, event)
			if len(events) == 20_000 {
				laketest.Append(t, lk, events...)
				events = events[:0]
			}
			return err
		})
	}
	laketest.Append(t, lk, events...)
}

func readPlanted(t *testing.T, dir string) []synth.Planted {
	t.Helper()
	var all []synth.Planted
	eachLine(t, filepath.Join(dir, "truth.jsonl"), func(line []byte) error {
		var p synth.Planted
		err := json.Unmarshal(line, &p)
		all = append(all, p)
		return err
	})
	return all
}

func eachLine(t *testing.T, name string, do func([]byte) error) {
	t.Helper()
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	scanner := bufio.NewScanner(file)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		if err := do(slices.Clone(scanner.Bytes())); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	if err := scanner.Err(); err != nil {
		t.Fatal(err)
	}
}

// sketch is an example as it is compared.
type sketch struct {
	id, hash, frame string
	said, target    []int64
}

func readSketches(t *testing.T, session *duck.Session) []sketch {
	t.Helper()
	rows, err := session.DB().QueryContext(t.Context(), `select example_id, sketch_hash, frame_hash, said, target from curated.example_sketches order by example_id`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all []sketch
	for rows.Next() {
		var s sketch
		var said, target any
		if err := rows.Scan(&s.id, &s.hash, &s.frame, &said, &target); err != nil {
			t.Fatal(err)
		}
		s.said, s.target = numbers(said), numbers(target)
		all = append(all, s)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func numbers(list any) []int64 {
	values, _ := list.([]any)
	out := make([]int64, len(values))
	for i, v := range values {
		out[i], _ = v.(int64)
	}
	return out
}

// alike gives all pairs of examples, by their places, whose words and targets
// are at least 0.8 alike under one frame: counted by an inverted index over
// every shingle, without any filter.
func alike(all []sketch) map[[2]int32]bool {
	type posting struct {
		item int64
		doc  int32
	}
	var postings []posting
	for i, s := range all {
		for _, x := range s.said {
			postings = append(postings, posting{x, int32(i)})
		}
	}
	slices.SortFunc(postings, func(a, b posting) int {
		if a.item != b.item {
			if a.item < b.item {
				return -1
			}
			return 1
		}
		return int(a.doc) - int(b.doc)
	})
	// Where each example's shingles go on to examples after it.
	next := make([][][2]int32, len(all))
	for from := 0; from < len(postings); {
		to := from + 1
		for to < len(postings) && postings[to].item == postings[from].item {
			to++
		}
		for i := from; i < to-1; i++ {
			doc := postings[i].doc
			next[doc] = append(next[doc], [2]int32{int32(i + 1), int32(to)})
		}
		from = to
	}
	pairs := map[[2]int32]bool{}
	shared := make([]int32, len(all))
	for i, a := range all {
		var met []int32
		for _, run := range next[i] {
			for _, p := range postings[run[0]:run[1]] {
				if shared[p.doc]++; shared[p.doc] == 1 {
					met = append(met, p.doc)
				}
			}
		}
		for _, j := range met {
			b := all[j]
			both := int(shared[j])
			shared[j] = 0
			if a.frame == b.frame && float64(both) >= 0.8*float64(len(a.said)+len(b.said)-both) && transforms.Jaccard(a.target, b.target) >= 0.8 {
				pairs[[2]int32{int32(i), j}] = true
			}
		}
	}
	return pairs
}

// checkPairs compares the accepted pairs with all that are alike. What comes
// from one root is compared by other rules, and stands beside.
func checkPairs(t *testing.T, session *duck.Session, planted []synth.Planted) {
	t.Helper()
	all := readSketches(t, session)
	place := map[string]int32{}
	class := map[string]int32{} // sketch → its first example
	classes := make([]int32, len(all))
	for i, s := range all {
		place[s.id] = int32(i)
		if _, ok := class[s.hash]; !ok {
			class[s.hash] = int32(i)
		}
		classes[i] = class[s.hash]
	}
	isChild := map[int32]bool{}
	for _, p := range planted {
		if i, ok := place[p.Example]; ok && p.Kind == "child" {
			isChild[i] = true
		}
	}
	truth := alike(all)
	written, byClass := map[[2]int32]bool{}, map[[2]int32]bool{}
	eachPair(t, session, "select left_id, right_id from curated.duplicate_pairs where accepted", func(left, right string) {
		i, j := place[left], place[right]
		if isChild[i] || isChild[j] {
			return
		}
		written[[2]int32{min(i, j), max(i, j)}] = true
		a, b := classes[i], classes[j]
		byClass[[2]int32{min(a, b), max(a, b)}] = true
	})
	side := map[string]string{}
	eachPair(t, session, "select example_id, fate from curated.funnel where fate in ('train', 'validation', 'test')", func(id, fate string) { side[id] = fate })
	crossing := 0
	right, rows, implied, total := 0, 0, 0, 0
	for pair := range written {
		if truth[pair] {
			right++
		}
	}
	for pair := range truth {
		if a, b := side[all[pair[0]].id], side[all[pair[1]].id]; a != "" && b != "" && a != b {
			crossing++
		}
		if isChild[pair[0]] || isChild[pair[1]] {
			continue
		}
		total++
		a, b := classes[pair[0]], classes[pair[1]]
		switch {
		case written[pair]:
			rows++
			implied++
		case a == b || byClass[[2]int32{min(a, b), max(a, b)}]:
			implied++
		}
	}
	precision, recall, plain := share(right, len(written)), share(implied, total), share(rows, total)
	t.Logf("| pairs of examples that are alike | accepted pairs | precision | recall | of them with a row of their own |")
	t.Logf("|---:|---:|---:|---:|---:|")
	t.Logf("| %d | %d | %.4f | %.4f | %.4f |", total, len(written), precision, recall, plain)
	t.Logf("")
	if crossing > 0 {
		t.Errorf("%d pairs that are alike stand on two sides of the split", crossing)
	}
	if precision < 0.99 || recall < 0.99 || total < 20 {
		t.Errorf("%d pairs, precision %.4f, recall %.4f: below 0.99", total, precision, recall)
	}
}

func eachPair(t *testing.T, session *duck.Session, query string, do func(left, right string)) {
	t.Helper()
	rows, err := session.DB().QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var left, right string
		if err := rows.Scan(&left, &right); err != nil {
			t.Fatal(err)
		}
		do(left, right)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}

func share(part, whole int) float64 { return float64(part) / float64(max(1, whole)) }

// checkPlanted counts what became of the planted examples.
func checkPlanted(t *testing.T, session *duck.Session, planted []synth.Planted) {
	t.Helper()
	reasons, kept, groups := map[string]string{}, map[string]string{}, map[string]string{}
	eachPair(t, session, "select example_id, array_to_string(reasons, ' ') from curated.quality", func(id, list string) { reasons[id] = list })
	eachPair(t, session, "select example_id, representative_id from curated.duplicate_clusters", func(id, by string) { kept[id] = by })
	eachPair(t, session, "select example_id, group_id from curated.split_groups", func(id, group string) { groups[id] = group })
	gone := func(id string) bool { return kept[id] != "" && kept[id] != id }

	root := map[string]string{}
	for _, p := range planted {
		if root[p.Example] = p.Example; p.Of != "" {
			root[p.Example] = p.Of
		}
	}
	type row struct{ planted, found, grouped int }
	families, faults := map[string]row{}, map[string]row{}
	transcripts := map[string]int{} // by group
	var sound, wrong, transcript, merged int
	for _, p := range planted {
		if _, ok := reasons[p.Example]; !ok {
			t.Fatalf("%s of kind %s is no example", p.Example, p.Kind)
		}
		switch p.Kind {
		case "fault":
			r := faults[p.Reason]
			r.planted++
			if slices.Contains(strings.Fields(reasons[p.Example]), p.Reason) {
				r.found++
			}
			faults[p.Reason] = r
		case "sound":
			sound++
			if reasons[p.Example] != "" || gone(p.Example) && root[kept[p.Example]] != p.Example {
				wrong++
			}
		case "transcript":
			transcript++
			transcripts[groups[p.Example]]++
			if kept[p.Example] != "" || transcripts[groups[p.Example]] > 1 {
				merged++
			}
			sound++
			if reasons[p.Example] != "" || kept[p.Example] != "" {
				wrong++
			}
		default:
			name := p.Kind
			if p.Kind == "near" {
				name = fmt.Sprintf("near, %2.0f %% of the words", 100*p.EditRate)
			}
			r := families[name]
			r.planted++
			if kept[p.Example] != "" {
				r.found++
			}
			if groups[p.Example] == groups[p.Of] {
				r.grouped++
			}
			families[name] = r
		}
	}
	t.Logf("| planted | examples | in a cluster of duplicates | in the original's split group |")
	t.Logf("|---|---:|---:|---:|")
	for _, name := range slices.Sorted(maps.Keys(families)) {
		r := families[name]
		t.Logf("| %s | %d | %d | %d |", name, r.planted, r.found, r.grouped)
	}
	if r := families["duplicate"]; share(r.found, r.planted) < 0.99 {
		t.Errorf("%d of %d exact copies are in a cluster", r.found, r.planted)
	}
	if r := families["child"]; r.grouped < r.planted {
		t.Errorf("%d of %d children are in their root's group", r.grouped, r.planted)
	}
	t.Logf("")
	t.Logf("| fault | planted | found |")
	t.Logf("|---|---:|---:|")
	for _, reason := range slices.Sorted(maps.Keys(faults)) {
		r := faults[reason]
		t.Logf("| %s | %d | %d |", reason, r.planted, r.found)
		if share(r.found, r.planted) < 0.95 {
			t.Errorf("%s: %d of %d found", reason, r.found, r.planted)
		}
	}
	var leaks int
	if err := session.Get(t.Context(), "select coalesce(sum(link_count), 0)::int from curated.leaks", &leaks); err != nil {
		t.Fatal(err)
	}
	t.Logf("")
	t.Logf("Of %d sound examples %d are excluded wrongly (%.2f %%). Of %d unrelated tool transcripts %d are merged. Leaks: %d.",
		sound, wrong, 100*share(wrong, sound), transcript, merged, leaks)
	if share(wrong, sound) > 0.02 || merged > 0 || leaks > 0 {
		t.Errorf("%d of %d sound ones excluded, %d transcripts merged, %d leaks", wrong, sound, merged, leaks)
	}
}
