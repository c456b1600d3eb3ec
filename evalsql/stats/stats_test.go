package stats

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"testing"
)

// reference is what scripts/stats_reference.py wrote.
type reference struct {
	Cases []struct {
		Function  string
		Args      []json.RawMessage
		Want      []*float64
		Tolerance float64
		Source    string
	}
}

// TestReference compares every function with libraries that others wrote.
func TestReference(t *testing.T) {
	text, err := os.ReadFile("testdata/reference.json")
	if err != nil {
		t.Fatal(err)
	}
	var ref reference
	if err := json.Unmarshal(text, &ref); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, c := range ref.Cases {
		seen[c.Function] = true
		got := call(t, c.Function, c.Args)
		if len(got) != len(c.Want) {
			t.Fatalf("%s: %d numbers, want %d", c.Function, len(got), len(c.Want))
		}
		for i, want := range c.Want {
			if want == nil {
				if !math.IsNaN(got[i]) {
					t.Errorf("%s %.80s [%d]: %g, want none by %s", c.Function, c.Args, i, got[i], c.Source)
				}
			} else if !(math.Abs(got[i]-*want) <= c.Tolerance*math.Max(1, math.Abs(*want))) {
				t.Errorf("%s %.80s [%d]: %g, want %g by %s", c.Function, c.Args, i, got[i], *want, c.Source)
			}
		}
	}
	if len(seen) < 12 {
		t.Errorf("reference.json has cases of %d functions only", len(seen))
	}
}

func call(t *testing.T, function string, args []json.RawMessage) []float64 {
	t.Helper()
	ints := func() (ns []int64) {
		for i := range args {
			ns = append(ns, decode[int64](t, args[i]))
		}
		return ns
	}
	list := func(i int) []float64 { return decode[[]float64](t, args[i]) }
	triple := func(v Interval) []float64 { return []float64{v.Estimate, v.Low, v.High} }
	switch function {
	case "wilson":
		n := ints()
		return triple(Wilson(n[0], n[1], 0.95))
	case "rate_difference":
		n := ints()
		return triple(RateDifference(n[0], n[1], n[2], n[3], 0.95))
	case "mcnemar":
		n := ints()
		return []float64{McNemar(Pairs{First: n[0], Second: n[1]})}
	case "mean":
		return triple(MeanInterval(list(0), 0.95))
	case "welch":
		difference, p := Welch(list(0), list(1), 0.95)
		return append(triple(difference), p)
	case "wilcoxon":
		return []float64{Wilcoxon(list(0))}
	case "cluster_mean":
		var clusters []Cluster
		for _, pair := range decode[[][2]float64](t, args[0]) {
			clusters = append(clusters, Cluster{N: pair[0], Sum: pair[1]})
		}
		return triple(ClusterMean(clusters, 0.95))
	case "holm":
		return Holm(list(0))
	case "rate_power":
		return []float64{RatePower(decode[float64](t, args[0]), decode[float64](t, args[1]), decode[int64](t, args[2]), decode[int64](t, args[3]), 0.95)}
	case "mean_power":
		return []float64{MeanPower(decode[float64](t, args[0]), decode[float64](t, args[1]), decode[int64](t, args[2]), decode[int64](t, args[3]), 0.95)}
	case "allocation":
		return []float64{allocation(decode[[]int64](t, args[0]), list(1))}
	case "bets":
		b := newBets(0.95)
		for _, x := range list(0) {
			b.add(x)
		}
		low, high := b.bounds()
		return []float64{low, high}
	}
	t.Fatalf("reference.json has %q, which the test does not know", function)
	return nil
}

func decode[T any](t *testing.T, text json.RawMessage) (v T) {
	t.Helper()
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestTooLittleIsNoInterval(t *testing.T) {
	one := []float64{3}
	same := []float64{2, 2, 2}
	_, p := Welch(same, same, 0.95)
	difference, _ := Welch(same, same, 0.95)
	for name, v := range map[string]float64{
		"rate of none": Wilson(0, 0, 0.95).Low, "mean of one": MeanInterval(one, 0.95).High,
		"test without spread": p, "difference without spread": difference.Low,
		"one cluster":      ClusterMean([]Cluster{{N: 3, Sum: 2}}, 0.95).Low,
		"before burn-in":   ClusterSequence(make([]Cluster, BurnIn), make([]Cluster, BurnIn-1), 0.95, 1000).Low,
		"bootstrap of one": Bootstrap(1, 100, 1, 0.95, func([]int) float64 { return 1 }).Low,
	} {
		if !math.IsNaN(v) {
			t.Errorf("%s: %g", name, v)
		}
	}
	if p := McNemar(Pairs{}); p != 1 {
		t.Errorf("McNemar of no pair: %g", p)
	}
}

func TestUnitsNeeded(t *testing.T) {
	// +5 points on 80 % with half of the units in each arm.
	n := UnitsNeeded(0.5, 0.8, func(a, b int64) float64 { return RatePower(0.8, 0.05, a, b, 0.95) })
	if power := RatePower(0.8, 0.05, n/2, n/2, 0.95); power < 0.799 || power > 0.802 {
		t.Errorf("%d units: power %g", n, power)
	}
	if power := RatePower(0.8, 0.05, 2000, 2000, 0.95); power < 0.8 {
		t.Errorf("2,000 an arm: power %g", power)
	}
	if n := UnitsNeeded(0.5, 0.8, func(a, b int64) float64 { return 0.5 }); n != 0 {
		t.Errorf("a power that is never reached needs %d", n)
	}
}

func TestSeededResamplingIsTheSame(t *testing.T) {
	values := []float64{1, 4, 2, 8, 5, 7, 1, 2}
	mean := func(clusters []int) float64 {
		var sum float64
		for _, i := range clusters {
			sum += values[i]
		}
		return sum / float64(len(clusters))
	}
	a, b := Bootstrap(len(values), 2000, 7, 0.95, mean), Bootstrap(len(values), 2000, 7, 0.95, mean)
	if a != b || a.Estimate != 3.75 {
		t.Errorf("%v, then %v", a, b)
	}
	// Student's interval of the same is [1.5, 6.0]; the bootstrap's is narrower by
	// about the factor of n and of t.
	if a.Low < 1.7 || a.Low > 2.4 || a.High < 5.1 || a.High > 5.9 {
		t.Errorf("interval %v", a)
	}
	if p := SignFlip([]float64{1, 2, 3, 4, 5, 6, 7, 8}, 4999, 1); math.Abs(p-2.0/256) > 0.004 {
		t.Errorf("eight of one sign: p %g, want about 2/256", p)
	}
	draw := func(r *rand.Rand) float64 { return r.Float64() }
	if got := Permute(0.9, 9999, 3, draw); math.Abs(got.P-0.1) > 0.01 || math.Abs(got.Mean-0.5) > 0.01 {
		t.Errorf("uniform null: %+v", got)
	}
}
