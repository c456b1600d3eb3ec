package evalsql

import (
	"fmt"
	"math"
	"slices"

	"github.com/weir-lake/weir/evalsql/stats"
)

// compared is what two arms have of a metric.
type compared struct {
	clusters [2][]stats.Cluster // first the arm's, then the control's
	order    []stats.Ordered    // units of both, as they were assigned
}

// compare gives the difference of an arm to its control; false: neither has the
// metric.
func compare(t test, tests []test, m metric, units []unit) (difference, bool) {
	row := difference{Experiment: t.experiment, Metric: m.name, Arm: t.arm, Control: t.control, Method: "none"}
	var anytime stats.Interval
	if m.isQuantile {
		arm, control := latencies(units, t.arm), latencies(units, t.control)
		row.N, row.ControlN = int64(len(arm)), int64(len(control))
		a, b := stats.ClusterQuantile(arm, 0.95, level), stats.ClusterQuantile(control, 0.95, level)
		row.ArmValue, row.Base = rounded(a.Estimate), rounded(b.Estimate)
		row.set(stats.Mover(a, b), math.NaN())
		anytime = stats.Interval{Low: math.NaN(), High: math.NaN()}
	} else {
		both := gather(t, m, units)
		row.N, row.ControlN = int64(len(both.clusters[0])), int64(len(both.clusters[1]))
		row.ArmValue, row.Base = rounded(stats.ClusterMean(both.clusters[0], level).Estimate), rounded(stats.ClusterMean(both.clusters[1], level).Estimate)
		fixed, p := stats.ClusterWelch(both.clusters[0], both.clusters[1], level)
		row.set(fixed, p)
		ratio := stats.ClusterRatio(both.clusters[0], both.clusters[1], level)
		row.Ratio, row.RatioLow, row.RatioHigh = rounded(ratio.Estimate), rounded(ratio.Low), rounded(ratio.High)
		row.Needed = needed(t, tests, m, both)
		row.Method, anytime = sequence(t, tests, m, both)
	}
	row.AnyLow, row.AnyHigh = rounded(anytime.Low), rounded(anytime.High)
	row.Verdict = verdict(m, anytime)
	row.warn(t)
	return row, row.N+row.ControlN > 0
}

func (d *difference) set(v stats.Interval, p float64) {
	d.Estimate, d.Low, d.High, d.P = rounded(v.Estimate), rounded(v.Low), rounded(v.High), rounded(p)
}

// warn says what makes the numbers weak.
func (d *difference) warn(t test) {
	var text string
	switch least := min(d.N, d.ControlN); {
	case least == 0:
		text = "one arm has no unit with this metric"
	case d.Low == nil:
		text = fmt.Sprintf("few units or no spread (%d and %d): no interval", d.N, d.ControlN)
	case least < 30:
		text = fmt.Sprintf("few units: %d and %d", d.N, d.ControlN)
	case d.AnyLow == nil && d.Method != "none":
		text = fmt.Sprintf("an interval for every look comes from %d units an arm on", stats.BurnIn)
	case d.AnyLow == nil:
		text = "no interval for every look: look once, at the planned number of units"
	case t.planned > 0 && d.N+d.ControlN < t.planned:
		text = fmt.Sprintf("%d of %d planned units", d.N+d.ControlN, t.planned)
	}
	if text != "" {
		d.Warning = &text
	}
}

func gather(t test, m metric, units []unit) compared {
	var both compared
	for _, u := range units {
		side := slices.Index([]string{t.arm, t.control}, u.arm)
		if side < 0 {
			continue
		}
		numerator, denominator := m.of(u)
		if denominator == 0 && (!m.isTotal || numerator == 0) {
			continue
		}
		both.clusters[side] = append(both.clusters[side], stats.Cluster{N: denominator, Sum: numerator})
		both.order = append(both.order, stats.Ordered{IsFirst: side == 0, Cluster: both.clusters[side][len(both.clusters[side])-1]})
	}
	return both
}

func latencies(units []unit, arm string) [][]float64 {
	var lists [][]float64
	for _, u := range units {
		if u.arm == arm && len(u.latencies) > 0 {
			lists = append(lists, u.latencies)
		}
	}
	return lists
}

// sequence is the interval for every look. Bets need the chance of an arm, and
// are laid on the rate within a unit, which is the rate over all only where
// units have about as many: the interval is left out where they have not.
func sequence(t test, tests []test, m metric, both compared) (string, stats.Interval) {
	share, known := chance(t, tests)
	if m.isRate && known && single(both) {
		bets := stats.NewRateSequence(share, level)
		for _, u := range both.order {
			bets.Add(u.IsFirst, u.Cluster.Sum/u.Cluster.N)
		}
		return "bets", bets.Interval()
	}
	at := int64(tightAt)
	if t.planned > 0 {
		at = t.planned
	}
	return "asymptotic sequence", stats.ClusterSequence(both.clusters[0], both.clusters[1], level, at)
}

// single tells whether every unit counts once.
func single(both compared) bool {
	return !slices.ContainsFunc(both.order, func(u stats.Ordered) bool { return u.Cluster.N != 1 })
}

// chance is the chance of the arm among the units of it and of its control.
func chance(t test, tests []test) (float64, bool) {
	for _, other := range tests {
		if other.experiment == t.experiment && other.arm == t.control && other.share.Valid && t.share.Valid {
			share := t.share.Float64 / (t.share.Float64 + other.share.Float64)
			return share, share > 0 && share < 1
		}
	}
	return 0, false
}

// needed is how many units in all would find the least effect of interest.
// The spread may be taken from the data, the effect must not.
func needed(t test, tests []test, m metric, both compared) *int64 {
	effect, ok := t.effects[m.name]
	share, known := chance(t, tests)
	if !ok || !known || m.isTotal || effect == 0 {
		return nil
	}
	control := stats.ClusterMean(both.clusters[1], level)
	n := int64(len(both.clusters[1]))
	if n < 2 {
		return nil
	}
	// The error of the mean tells the spread that a unit brings, its clusters included.
	deviation := stats.ClusterDeviation(both.clusters[1])
	units := stats.UnitsNeeded(share, 0.8, func(a, b int64) float64 {
		if m.isRate && single(both) {
			return stats.RatePower(control.Estimate, within(control.Estimate, effect), a, b, level)
		}
		return stats.MeanPower(effect, deviation, a, b, level)
	})
	if units == 0 {
		return nil
	}
	return &units
}

// within keeps rate + effect between 0 and 1 by its sign.
func within(rate, effect float64) float64 {
	if rate+effect > 1 || rate+effect < 0 {
		return -effect
	}
	return effect
}

// verdict reads an interval that may be looked at any time.
func verdict(m metric, v stats.Interval) string {
	low, high := v.Low, v.High
	if !m.higher {
		low, high = -v.High, -v.Low
	}
	switch {
	case low > 0:
		return "better"
	case high < 0:
		return "worse"
	case m.isRate && low > -margin:
		return "no worse"
	}
	return "cannot tell yet"
}
