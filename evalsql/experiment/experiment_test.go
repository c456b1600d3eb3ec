package experiment_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/weir-lake/weir/evalsql/experiment"
	"github.com/weir-lake/weir/lake/duck"
)

const text = `
experiments:
  - name: short-prompt
    unit: conversation
    salt: strait
    control: long
    planned_units: 4000
    effects: {task_success_rate: 0.05}
    arms:
      - {name: long, share: 0.8}
      - {name: short, share: 0.15}
      - {name: none-at-all, share: 0.05}
`

// TestOneFormula compares Go with the SQL that analysis.experiment_units has.
func TestOneFormula(t *testing.T) {
	list, err := experiment.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	e := list[0]
	session, err := duck.Open(t.Context(), duck.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	counts := map[string]float64{}
	for i := range 2000 {
		unit := fmt.Sprintf("unit-%d/ü", i)
		counts[e.Arm(unit)]++
		var hash float64
		query := "select ('0x' || md5('strait' || '/' || 'short-prompt' || '/' || ?)[:13])::bigint / 4503599627370496"
		if err := session.DB().QueryRowContext(t.Context(), query, unit).Scan(&hash); err != nil {
			t.Fatal(err)
		}
		if hash != e.Hash(unit) || hash < 0 || hash >= 1 {
			t.Fatalf("%s: %g in SQL, %g in Go", unit, hash, e.Hash(unit))
		}
	}
	for _, arm := range e.Arms {
		if off := math.Abs(counts[arm.Name]/2000 - arm.Share); off > 4*math.Sqrt(arm.Share*(1-arm.Share)/2000) {
			t.Errorf("%s: %g of 2000 units, share %g", arm.Name, counts[arm.Name], arm.Share)
		}
	}
	// The example of docs/experiments.md.
	if got := fmt.Sprintf("%.12f %s", e.Hash("c-1042"), e.Arm("c-1042")); got != "0.440290835904 long" {
		t.Errorf("c-1042: %s", got)
	}
}

// TestGoingBackIsAnEvent: were the id of the content alone, an earlier version
// set again would be the first event once more, and the one between would count.
func TestGoingBackIsAnEvent(t *testing.T) {
	list, err := experiment.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for minute := range 2 {
		event, err := list[0].Event(time.Date(2026, 3, 1, 10, minute, 0, 0, time.UTC))
		if err != nil {
			t.Fatal(err)
		}
		ids[event.ID] = true
	}
	if len(ids) != 2 {
		t.Error("the same configuration, set at two times, is one event")
	}
}

func TestParseRefuses(t *testing.T) {
	for name, c := range map[string]struct{ old, fresh, want string }{
		"a misspelt key":         {"control:", "controll:", "controll"},
		"shares that lack":       {"share: 0.05", "share: 0.01", "shares of 0.96"},
		"an unknown unit":        {"unit: conversation", "unit: day", "one of [conversation task person]"},
		"a control that is none": {"control: long", "control: big", `control "big"`},
		"an arm twice":           {"name: short,", "name: long,", `arm "long"`},
		"no salt":                {"salt: strait", "salt: ''", "a salt"},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			_, err := experiment.Parse([]byte(strings.Replace(text, c.old, c.fresh, 1)))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %s", err, c.want)
			}
		})
	}
}
