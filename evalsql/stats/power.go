package stats

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// RatePower is the power to find that a rate is rate + effect in an arm of n1
// units while it is rate in one of n2, at a two-sided level (Fleiss, Levin and
// Paik, Statistical Methods for Rates and Proportions, 2003, §4.3: the variance
// under the null is that of the pooled rate).
func RatePower(rate, effect float64, n1, n2 int64, level float64) float64 {
	a, b := float64(n1), float64(n2)
	other := rate + effect
	pooled := (other*a + rate*b) / (a + b)
	null := math.Sqrt(pooled * (1 - pooled) * (1/a + 1/b))
	alternative := math.Sqrt(other*(1-other)/a + rate*(1-rate)/b)
	return power(effect, z(level)*null, alternative)
}

// MeanPower is the same of means with a common standard deviation, by the
// normal distribution.
func MeanPower(effect, deviation float64, n1, n2 int64, level float64) float64 {
	err := deviation * math.Sqrt(1/float64(n1)+1/float64(n2))
	return power(effect, z(level)*err, err)
}

// power is the chance that an estimate around effect, with an error, lies beyond
// ±bound.
func power(effect, bound, err float64) float64 {
	normal := distuv.Normal{Mu: effect, Sigma: err}
	return normal.CDF(-bound) + 1 - normal.CDF(bound)
}

// UnitsNeeded is the least number of units in all, of which share goes to the
// first arm, by which a power is reached. The effect is the least of interest,
// stated before: the observed one would always suffice or never. 0: not within
// a thousand million.
func UnitsNeeded(share, wanted float64, power func(n1, n2 int64) float64) int64 {
	reaches := func(n int64) bool {
		first := int64(math.Round(share * float64(n)))
		return first > 0 && first < n && power(first, n-first) >= wanted
	}
	low, high := int64(1), int64(1_000_000_000)
	if !reaches(high) {
		return 0
	}
	for low < high {
		if middle := (low + high) / 2; reaches(middle) {
			high = middle
		} else {
			low = middle + 1
		}
	}
	return low
}
