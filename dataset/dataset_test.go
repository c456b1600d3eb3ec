package dataset

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
)

func counts(m Mix) []int64 {
	var list []int64
	for _, t := range m.Targets {
		list = append(list, t.Count)
	}
	return list
}

func TestSized(t *testing.T) {
	mix, err := DefaultMix()
	if err != nil {
		t.Fatal(err)
	}
	for size, want := range map[int64][]int64{
		9000:  {500, 500, 2000, 1000, 5000},
		100:   {6, 6, 22, 11, 55}, // 5.56, 5.56, 22.22, 11.11, 55.56: the first two
		1:     {0, 0, 0, 0, 1},
		50000: {2778, 2778, 11111, 5555, 27778},
	} {
		var total int64
		got := counts(mix.Sized(size))
		for _, n := range got {
			total += n
		}
		if total != size {
			t.Errorf("%d: targets add up to %d", size, total)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%d: got %v, want %v", size, got, want)
		}
	}
	if !reflect.DeepEqual(counts(mix), []int64{500, 500, 2000, 1000, 5000}) {
		t.Error("Sized changed the mixture itself")
	}
}

func TestParseMix(t *testing.T) {
	for text, want := range map[string]string{
		"targets: []":                     "a name and targets",
		"{name: m, targets: [{name: a}]}": "count of at least 1",
		"{name: m, targets: [{name: a, count: 1, souces: [chat]}]}":                                  "souces",
		"{name: m, targets: [{name: a, count: 1}, {name: a, count: 1}]}":                             "name of its own",
		"{name: m, targets: [{name: a, count: 1}], phases: [{name: p, size: 0}]}":                    "size of at least 1",
		"{name: m, targets: [{name: a, count: 1}], phases: [{name: p, size: 1, knowledge: [file]}]}": `no knowledge "file"`,
	} {
		if _, err := ParseMix([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %s", text, err, want)
		}
	}
}

// session has the tables that a plan reads: group g has three fine examples, h
// one fine and one middling, i one of another source.
func session(t *testing.T, order string) *duck.Session {
	t.Helper()
	s, err := duck.Open(t.Context(), duck.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	for _, statement := range []string{
		"create schema if not exists curated",
		`create table rows as select * from (values
			('g1', 'g', 'chat', 'other', 'train', 0.97), ('g2', 'g', 'chat', 'other', 'train', 0.96), ('g3', 'g', 'chat', 'other', 'train', 0.95),
			('h1', 'h', 'chat', 'other', 'validation', 0.92), ('h2', 'h', 'chat', 'constitutional', 'validation', 0.55),
			('m1', 'm', 'generated', 'constitutional', 'train', 0.5), ('m2', 'm', 'generated', 'other', 'train', 0.6), ('m3', 'n', 'generated', 'synthesis', 'train', 0.5),
			('i1', 'i', 'gateway', 'other', 'train', 0.9), ('x1', 'x', 'chat', 'other', 'excluded', 0.99)
			) as rows(example_id, group_id, source, task_type, fate, score) order by ` + order,
		"create table curated.funnel as select example_id, group_id as subject_id, source, task_type, fate from rows",
		"create table curated.example_keys as select example_id, 'h-' || example_id as content_hash from rows",
		"create table curated.splits as select example_id, group_id from rows",
		`create table curated.generated as select * from (values ('m1', 'k1'), ('m2', 'k2'), ('m3', 'k3')) as t(event_id, knowledge_id)`,
		`create table curated.knowledge as select * from (values ('k1', 'rules'), ('k2', 'methodology'), ('k3', 'other')) as t(knowledge_id, kind)`,
		`create table curated.review_decisions as select * from (values ('g1', 'accept', false), ('g2', 'reject', false), ('g3', 'accept', true), ('h1', 'edit', false), ('h1', 'accept', false)
			) as t(example_id, verdict, is_stale)`,
		"create table curated.quality as select example_id, score::DOUBLE as success_score from rows",
	} {
		if err := s.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func plan(t *testing.T, s *duck.Session, mix Mix) Plan {
	t.Helper()
	var p Plan
	if err := p.selectRows(t.Context(), s, selection{mix: mix, sides: sides, knowledge: p.Knowledge}); err != nil {
		t.Fatal(err)
	}
	p.finish()
	return p
}

func ids(p Plan) string {
	var list []string
	for _, r := range p.Rows {
		list = append(list, r.Target+":"+r.ExampleID)
	}
	return strings.Join(list, " ")
}

func TestQualityThenDiversity(t *testing.T) {
	s := session(t, "example_id")
	mix := Mix{Name: "m", Targets: []Target{
		{Name: "law", Count: 2, TaskTypes: []string{"constitutional"}, Sources: []string{"chat"}},
		{Name: "chat", Count: 3, Sources: []string{"chat"}},
	}}
	p := plan(t, s, mix)
	// h1 comes before g2, which is better but not of another group; h2 is the law's.
	if got, want := ids(p), "law:h2 chat:g1 chat:h1 chat:g2"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	law, chat := p.Targets[0], p.Targets[1]
	if law.Selected != 1 || law.Shortfall != 1 || chat.Available != 4 || chat.Groups != 2 || chat.Validation != 1 || chat.LeastScore != 0.92 {
		t.Errorf("targets %+v", p.Targets)
	}
	if p.Selected+p.Shortfall != p.Wanted || p.Shortfall != 1 {
		t.Errorf("%d selected, %d short of %d", p.Selected, p.Shortfall, p.Wanted)
	}

	again := plan(t, session(t, "score"), mix)
	if again.ContentHash != p.ContentHash || ids(again) != ids(p) {
		t.Error("the order of the rows decides")
	}
	mix.Targets[1].Count = 2
	if smaller := plan(t, s, mix); !strings.HasPrefix(ids(p), ids(smaller)) || smaller.ContentHash == p.ContentHash {
		t.Errorf("a smaller plan took %s", ids(smaller))
	}
	mix.Targets[1].Count = 0 // as a small phase may have it
	if none := plan(t, s, mix); none.Targets[1].Available != 4 || none.Targets[1].Selected != 0 {
		t.Errorf("targets %+v", none.Targets)
	}
}

// The mixture that weir brings is the plan's: its sizes, and each phase with
// all that the one before is about and one thing more.
func TestDefaultMix(t *testing.T) {
	mix, err := DefaultMix()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int64{"constitutional": 500, "philosophy": 500, "chat": 2000, "checkpoint": 1000, "synthetic": 5000}
	for _, target := range mix.Targets {
		if target.Count != want[target.Name] {
			t.Errorf("%s: %d, want %d", target.Name, target.Count, want[target.Name])
		}
		delete(want, target.Name)
	}
	if len(want) > 0 {
		t.Errorf("no target for %v", want)
	}
	about := 0
	for i, size := range []int64{100, 500, 2000, 10000, 50000} {
		phase := mix.Phases[i]
		last := slices.Contains(phase.Knowledge, AllKnowledge)
		if phase.Size != size || last != (i == 4) || !last && len(phase.Knowledge) <= about {
			t.Errorf("phase %+v, want one of %d about more than the one before", phase, size)
		}
		about = len(phase.Knowledge)
	}
	again, err := ParseMix(DefaultText())
	if err != nil || !reflect.DeepEqual(again, mix) {
		t.Errorf("the text is another mixture: %v", err)
	}
}

// A phase leaves out what was made from sections that come later, and counts
// what is made from documents for the target that asks for it.
func TestPhases(t *testing.T) {
	s := session(t, "example_id")
	mix := Mix{Name: "m", Targets: []Target{
		{Name: "constitutional", Count: 4, TaskTypes: []string{"constitutional"}}, {Name: "philosophy", Count: 4, TaskTypes: []string{"synthesis"}},
		{Name: "synthetic", Count: 4, Sources: []string{"generated"}},
	}}
	for _, c := range []struct {
		knowledge []string
		want      string
	}{
		{[]string{"rules"}, "constitutional:h2 constitutional:m1 philosophy:m3"},
		{[]string{"rules", "methodology"}, "constitutional:h2 constitutional:m1 philosophy:m3 synthetic:m2"},
		{[]string{AllKnowledge}, "constitutional:h2 constitutional:m1 philosophy:m3 synthetic:m2"},
		{nil, "constitutional:h2 constitutional:m1 philosophy:m3 synthetic:m2"},
		{[]string{"tools"}, "constitutional:h2 philosophy:m3"},
	} {
		p := Plan{Knowledge: c.knowledge}
		if err := p.selectRows(t.Context(), s, selection{mix: mix, sides: sides, knowledge: p.Knowledge}); err != nil {
			t.Fatal(err)
		}
		p.finish()
		if got := ids(p); got != c.want || p.Selected+p.Shortfall != 12 {
			t.Errorf("%v: got %s, %d short; want %s", c.knowledge, got, p.Shortfall, c.want)
		}
	}
}

// What compare says of members that were drawn at random: counts add up to both
// sides, nothing differs from itself, and the way back is the inverse.
func TestCompareAddsUp(t *testing.T) {
	random := rand.New(rand.NewPCG(4, 2))
	draw := func() []lake.DatasetMember {
		var members []lake.DatasetMember
		for i := range 60 {
			if random.IntN(4) > 0 {
				members = append(members, lake.DatasetMember{
					ExampleID: fmt.Sprintf("e%02d", i), ContentHash: fmt.Sprint("h", random.IntN(2)), Side: sides[random.IntN(2)],
				})
			}
		}
		return members
	}
	for range 200 {
		a, b := draw(), draw()
		there, back, self := compare(a, b), compare(b, a), compare(a, a)
		there.count()
		back.count()
		kept := there.Counts[Changed] + there.Counts[Moved] + there.Same
		if kept+there.Counts[Removed] != int64(len(a)) || kept+there.Counts[Added] != int64(len(b)) {
			t.Fatalf("%d and %d members: %+v, %d the same", len(a), len(b), there.Counts, there.Same)
		}
		if len(self.Rows) > 0 || self.Same != int64(len(a)) {
			t.Fatalf("differs from itself: %+v", self.Rows)
		}
		inverse := map[ChangeKind]ChangeKind{Added: Removed, Removed: Added, Changed: Changed, Moved: Moved}
		turned := map[string]Change{}
		for _, row := range back.Rows {
			turned[row.ExampleID] = row
		}
		if len(turned) != len(there.Rows) {
			t.Fatalf("%d rows, %d back", len(there.Rows), len(turned))
		}
		for _, row := range there.Rows {
			if other := turned[row.ExampleID]; other.Kind != inverse[row.Kind] || other.From != row.To || other.To != row.From {
				t.Fatalf("%+v, and back %+v", row, other)
			}
		}
	}
}

// A filter holds for every target, and is applied before places are given.
func TestFilter(t *testing.T) {
	s := session(t, "example_id")
	for _, c := range []struct {
		filter Filter
		sides  []string
		want   string
	}{
		{Filter{}, sides, "all:g1 all:h1 all:i1 all:g2 all:g3 all:m2 all:h2 all:m1 all:m3"},
		{Filter{MinSuccessScore: 0.9}, sides, "all:g1 all:h1 all:i1 all:g2 all:g3"},
		{Filter{Sources: []string{"gateway"}}, sides, "all:i1"},
		{Filter{TaskTypes: []string{"synthesis"}}, sides, "all:m3"},
		{Filter{Reviewed: "reviewed"}, sides, "all:g1 all:h1 all:g2"}, // g3's review is of another content
		{Filter{Reviewed: "accepted"}, sides, "all:g1"},               // as many against h1 as for it
		{Filter{}, []string{"validation"}, "all:h1 all:h2"},
	} {
		p, err := makePlan(t.Context(), s, selection{mix: Mix{Name: "m", Targets: []Target{{Name: "all", Count: everything}}}, filter: c.filter, sides: c.sides, all: true}, "")
		if err != nil {
			t.Fatal(err)
		}
		if got := ids(p); sorted(got) != sorted(c.want) || p.Shortfall != 0 || p.Wanted != int64(len(p.Rows)) {
			t.Errorf("%+v: got %s, %d short; want %s", c.filter, got, p.Shortfall, c.want)
		}
	}
}

func sorted(text string) string {
	words := strings.Fields(text)
	slices.Sort(words)
	return strings.Join(words, " ")
}
