// Package stats has the statistics that SQL lacks: intervals and tests for
// rates, means and ranks, resampling by cluster, sequences that may be looked at
// at any time, and sample sizes. It knows no tables and draws no conclusion:
// callers say what is a unit. Each function names its source; testdata holds
// what SciPy and statsmodels say of the same numbers.
//
// Levels are confidence levels (0.95), p-values two-sided unless a function
// says otherwise. What is random takes a seed, and one seed gives one result.
// Where too little was observed for an answer, it is NaN: no interval, which is
// not a wide one.
package stats

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// Interval is an estimate and the bounds of its interval.
type Interval struct {
	Estimate float64
	Low      float64
	High     float64
}

// unknown is an estimate of which nothing is known but itself.
func unknown(estimate float64) Interval {
	return Interval{Estimate: estimate, Low: math.NaN(), High: math.NaN()}
}

// z is the standard normal quantile that leaves (1 - level) / 2 above it.
func z(level float64) float64 { return distuv.UnitNormal.Quantile((1 + level) / 2) }

// studentT is the same of Student's t.
func studentT(level, degrees float64) float64 {
	return distuv.StudentsT{Sigma: 1, Nu: degrees}.Quantile((1 + level) / 2)
}

// tTail is the two-sided tail of Student's t beyond ±t.
func tTail(t, degrees float64) float64 {
	return 2 * distuv.StudentsT{Sigma: 1, Nu: degrees}.CDF(-math.Abs(t))
}

// Mean gives the mean of values, and the unbiased variance: NaN of fewer than
// two.
func Mean(values []float64) (mean, variance float64) {
	n := float64(len(values))
	for _, v := range values {
		mean += v / n
	}
	for _, v := range values {
		variance += (v - mean) * (v - mean)
	}
	if n < 2 {
		return mean, math.NaN()
	}
	return mean, variance / (n - 1)
}
