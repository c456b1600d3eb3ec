package judge

import (
	"strings"
	"testing"
)

func TestShippedRubrics(t *testing.T) {
	if len(Names()) == 0 {
		t.Fatal("none")
	}
	for _, name := range Names() {
		rubric, err := Load(name)
		if err != nil || rubric.Name != name {
			t.Errorf("%s: %q, %v", name, rubric.Name, err)
		}
		if rubric.WithDocument("be kind").FullVersion() == rubric.FullVersion() {
			t.Errorf("%s: a document makes no other version", name)
		}
	}
}

const good = `name: n
version: "1"
kind: single
scale: {least: 0, most: 10}
higher_is_better: false
pass: 3
instructions: judge
`

func TestParse(t *testing.T) {
	if _, err := Parse([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for _, change := range [][2]string{
		{"higher_is_better: false\n", ""}, {"kind: single", "kind: both"}, {"kind: single", "kind: pairwise"},
		{"least: 0", "least: 10"}, {"pass: 3", "pass: 11"}, {"pass: 3", "pas: 3"}, {"instructions: judge", ""},
	} {
		if _, err := Parse([]byte(strings.Replace(good, change[0], change[1], 1))); err == nil {
			t.Errorf("%q for %q: no error", change[1], change[0])
		}
	}
}

// A reply gives exactly the score that it states, or none.
func TestRead(t *testing.T) {
	single, err := Parse([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]float64{
		`{"score": 3, "reasons": "r"}`: 3, "```json\n{\"score\": 0}\n```": 0,
		`{"score": "3"}`: -1, `{"score": 11}`: -1, `{"reasons": "r"}`: -1, `{"score": null}`: -1, `3`: -1, `I say {"score": 3}`: -1, "": -1, `{"score": 3`: -1,
	} {
		score, _, err := single.read(text, false)
		if (err != nil) != (want < 0) || err == nil && score != want {
			t.Errorf("%q: %v, %v", text, score, err)
		}
	}
	if passed := single.passed(3); passed == nil || !*passed {
		t.Error("3 is as good as the limit where lower is better")
	}
	if passed := single.passed(4); passed == nil || *passed {
		t.Error("4 passes where lower is better")
	}
	pair, err := Load("variation")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		text    string
		swapped bool
		want    float64
	}{{`{"better":"A"}`, false, 1}, {`{"better":"A"}`, true, 0}, {`{"better":"B"}`, true, 1}, {`{"better":"even"}`, true, 0.5}} {
		if score, _, err := pair.read(c.text, c.swapped); err != nil || score != c.want {
			t.Errorf("%s swapped %v: %v, %v", c.text, c.swapped, score, err)
		}
	}
	if _, _, err := pair.read(`{"better":"C"}`, false); err == nil {
		t.Error("C is better: no error")
	}
}
