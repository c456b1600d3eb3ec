package stats

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Bootstrap is the percentile interval of a statistic of n clusters, which are
// drawn with replacement: all that belongs to a cluster goes along (Efron and
// Tibshirani, An Introduction to the Bootstrap, 1993, §13.3; Field and Welsh,
// Journal of the Royal Statistical Society B 69, 2007). The statistic gets the
// indices of the clusters that were drawn, all of them once for the estimate.
// Draws whose statistic is NaN count for neither bound.
func Bootstrap(n, draws int, seed uint64, level float64, statistic func(clusters []int) float64) Interval {
	indices := make([]int, n)
	for i := range indices {
		indices[i] = i
	}
	estimate := statistic(indices)
	if n < 2 {
		return unknown(estimate)
	}
	random := rand.New(rand.NewPCG(seed, uint64(n)))
	var values []float64
	for range draws {
		for i := range indices {
			indices[i] = random.IntN(n)
		}
		if v := statistic(indices); !math.IsNaN(v) {
			values = append(values, v)
		}
	}
	if len(values) == 0 {
		return unknown(estimate)
	}
	slices.Sort(values)
	return Interval{Estimate: estimate, Low: quantile(values, (1-level)/2), High: quantile(values, (1+level)/2)}
}

// quantile of sorted values, between neighbours by their distance (type 7 of
// Hyndman and Fan, The American Statistician 50, 1996).
func quantile(sorted []float64, p float64) float64 {
	at := p * float64(len(sorted)-1)
	below := int(at)
	if below+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[below] + (at-float64(below))*(sorted[below+1]-sorted[below])
}

// Permutation is a test by drawing from a null: the share of draws whose
// statistic is at least the observed one, which counts as a draw itself (Phipson
// and Smyth, Statistical Applications in Genetics and Molecular Biology 9,
// 2010). Draw makes one world of the null and gives its statistic.
type Permutation struct {
	Observed float64
	P        float64 // one-sided: large statistics speak against the null
	Mean     float64 // of the null
	Low      float64 // of the middle 95 % of the null
	High     float64
}

// Permute runs a permutation test.
func Permute(observed float64, draws int, seed uint64, draw func(*rand.Rand) float64) Permutation {
	random := rand.New(rand.NewPCG(seed, uint64(draws)))
	values := make([]float64, draws)
	atLeast := 1
	for i := range values {
		values[i] = draw(random)
		// The same statistic in another order of sums is as large.
		if values[i] >= observed-1e-12*math.Abs(observed) {
			atLeast++
		}
	}
	slices.Sort(values)
	mean, _ := Mean(values)
	return Permutation{
		Observed: observed, P: float64(atLeast) / float64(draws+1),
		Mean: mean, Low: quantile(values, 0.025), High: quantile(values, 0.975),
	}
}

// SignFlip tests that paired differences, one a cluster, have a mean of 0: under
// the null each might as well have the other sign (Fisher, The Design of
// Experiments, 1935, §21). Two-sided.
func SignFlip(differences []float64, draws int, seed uint64) float64 {
	if len(differences) == 0 {
		return math.NaN()
	}
	mean, _ := Mean(differences)
	return Permute(math.Abs(mean), draws, seed, func(random *rand.Rand) float64 {
		var sum float64
		for _, d := range differences {
			if random.Uint64()&1 == 0 {
				d = -d
			}
			sum += d
		}
		return math.Abs(sum / float64(len(differences)))
	}).P
}
