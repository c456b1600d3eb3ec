package stats

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// MeanInterval is Student's interval of a mean.
func MeanInterval(values []float64, level float64) Interval {
	mean, variance := Mean(values)
	n := float64(len(values))
	if n < 2 {
		return unknown(mean)
	}
	half := studentT(level, n-1) * math.Sqrt(variance/n)
	return Interval{Estimate: mean, Low: mean - half, High: mean + half}
}

// Welch compares the means of two arms without a common variance: the
// difference, the first less the second, and the p-value that there is none
// (Welch, Biometrika 34, 1947).
func Welch(first, second []float64, level float64) (Interval, float64) {
	m1, v1 := Mean(first)
	m2, v2 := Mean(second)
	n1, n2 := float64(len(first)), float64(len(second))
	if n1 < 2 || n2 < 2 {
		return unknown(m1 - m2), math.NaN()
	}
	e1, e2 := v1/n1, v2/n2
	return student(m1-m2, math.Sqrt(e1+e2), (e1+e2)*(e1+e2)/(e1*e1/(n1-1)+e2*e2/(n2-1)), level)
}

// student is the interval and the test of an estimate with its error. Without
// error there is no interval: values that are all the same tell little about
// others.
func student(estimate, err, degrees, level float64) (Interval, float64) {
	if !(err > 0) {
		return unknown(estimate), math.NaN()
	}
	half := studentT(level, degrees) * err
	return Interval{Estimate: estimate, Low: estimate - half, High: estimate + half}, tTail(estimate/err, degrees)
}

// Cluster is what was seen of one unit of assignment: a user, a task, a
// scenario with its trials.
type Cluster struct {
	N   float64 // values, or what a sum is to be counted per
	Sum float64
}

// ClusterMean is the mean over all values of clusters, or the ratio of two
// totals, with Student's interval on the number of clusters: values of one
// cluster are not independent (linearised ratio; Cochran, Sampling Techniques,
// 1977, §6.3 and §9.8). Every cluster given counts, also one with N = 0.
func ClusterMean(clusters []Cluster, level float64) Interval {
	mean, variance, k := clusterMean(clusters)
	if k < 2 {
		return unknown(mean)
	}
	half := studentT(level, float64(k-1)) * math.Sqrt(variance)
	return Interval{Estimate: mean, Low: mean - half, High: mean + half}
}

// ClusterWelch compares two arms of independent clusters, as Welch compares
// arms of values.
func ClusterWelch(first, second []Cluster, level float64) (Interval, float64) {
	m1, v1, k1 := clusterMean(first)
	m2, v2, k2 := clusterMean(second)
	if k1 < 2 || k2 < 2 {
		return unknown(m1 - m2), math.NaN()
	}
	degrees := (v1 + v2) * (v1 + v2) / (v1*v1/float64(k1-1) + v2*v2/float64(k2-1))
	return student(m1-m2, math.Sqrt(v1+v2), degrees, level)
}

// ClusterRatio is the mean over clusters of the first arm over that of the
// second, both above 0: Student's interval of the logarithm (delta method;
// degrees of freedom as in Welch's test). Of log-normal costs with sigma 1.5 it
// misses the truth in 7 % of tests with 400 clusters an arm, not 5 %: long tails
// need more.
func ClusterRatio(first, second []Cluster, level float64) Interval {
	m1, v1, k1 := clusterMean(first)
	m2, v2, k2 := clusterMean(second)
	ratio := m1 / m2
	if k1 < 2 || k2 < 2 || !(m1 > 0) || !(m2 > 0) || v1+v2 == 0 {
		return unknown(ratio)
	}
	e1, e2 := v1/(m1*m1), v2/(m2*m2)
	degrees := (e1 + e2) * (e1 + e2) / (e1*e1/float64(k1-1) + e2*e2/float64(k2-1))
	factor := math.Exp(studentT(level, degrees) * math.Sqrt(e1+e2))
	return Interval{Estimate: ratio, Low: ratio / factor, High: ratio * factor}
}

func clusterMean(clusters []Cluster) (mean, variance float64, k int) {
	k = len(clusters)
	var n, sum float64
	for _, c := range clusters {
		n, sum = n+c.N, sum+c.Sum
	}
	mean = sum / n
	for _, c := range clusters {
		residual := c.Sum - mean*c.N
		variance += residual * residual
	}
	return mean, variance * float64(k) / float64(k-1) / (n * n), k
}

// ClusterDeviation is the spread that one cluster brings: the error of the mean
// of k clusters is this over the root of k.
func ClusterDeviation(clusters []Cluster) float64 {
	_, variance, k := clusterMean(clusters)
	return math.Sqrt(variance * float64(k))
}

// ClusterQuantile is a quantile of all values of clusters. Its interval are the
// values at the ends of the interval of the rate that lies at or below it
// (Woodruff, Journal of the American Statistical Association 47, 1952), by
// cluster. Where an end lies beyond the values there is none.
func ClusterQuantile(clusters [][]float64, p, level float64) Interval {
	all := slices.Sorted(func(yield func(float64) bool) {
		for _, values := range clusters {
			for _, v := range values {
				if !yield(v) {
					return
				}
			}
		}
	})
	if len(all) == 0 {
		return unknown(math.NaN())
	}
	n := float64(len(all))
	at := func(rate float64) float64 {
		rank := int(math.Ceil(rate*n)) - 1
		if rank < 0 || rank >= len(all) {
			return math.NaN()
		}
		return all[rank]
	}
	estimate := all[max(0, int(math.Ceil(p*n))-1)]
	below := make([]Cluster, len(clusters))
	for i, values := range clusters {
		below[i].N = float64(len(values))
		for _, v := range values {
			if v <= estimate {
				below[i].Sum++
			}
		}
	}
	_, variance, k := clusterMean(below)
	if k < 2 {
		return unknown(estimate)
	}
	// Of few clusters, or such that are all alike, the variance may be less than
	// that of as many single values.
	half := studentT(level, float64(k-1)) * math.Sqrt(math.Max(variance, p*(1-p)/n))
	return Interval{Estimate: estimate, Low: at(p - half), High: at(p + half)}
}

// Mover is the difference of two independent estimates, the first less the
// second, from their own intervals (Zou and Donner, Statistics in Medicine 27,
// 2008).
func Mover(first, second Interval) Interval {
	d := first.Estimate - second.Estimate
	return Interval{
		Estimate: d,
		Low:      d - math.Hypot(first.Estimate-first.Low, second.High-second.Estimate),
		High:     d + math.Hypot(first.High-first.Estimate, second.Estimate-second.Low),
	}
}

// Wilcoxon tests by signed ranks that paired differences lie around 0. Pairs
// without a difference are left out. Up to 50 pairs without ties it is exact,
// else by the normal approximation with the correction for ties and none for
// continuity (Wilcoxon, Biometrics 1, 1945; Hollander and Wolfe,
// Nonparametric Statistical Methods, 1999, §3.1).
func Wilcoxon(differences []float64) float64 {
	var sizes []float64
	var positive []bool
	for _, d := range differences {
		if d != 0 {
			sizes, positive = append(sizes, math.Abs(d)), append(positive, d > 0)
		}
	}
	n := float64(len(sizes))
	if n == 0 {
		return 1
	}
	ranks, ties := midranks(sizes)
	var up float64
	for i, rank := range ranks {
		if positive[i] {
			up += rank
		}
	}
	all := n * (n + 1) / 2
	if n <= 50 && ties == 0 {
		return signedRankTail(len(sizes), int(math.Min(up, all-up)))
	}
	variance := n*(n+1)*(2*n+1)/24 - ties/48
	return math.Min(1, 2*distuv.UnitNormal.CDF(-math.Abs(up-all/2)/math.Sqrt(variance)))
}

// signedRankTail is twice the chance that the ranks of n pairs that go up add up
// to most at most.
func signedRankTail(n, most int) float64 {
	ways := make([]float64, n*(n+1)/2+1) // as a share of the 2^n
	ways[0] = 1
	for rank := 1; rank <= n; rank++ {
		for sum := len(ways) - 1; sum >= 0; sum-- {
			ways[sum] /= 2
			if sum >= rank {
				ways[sum] += ways[sum-rank] / 2
			}
		}
	}
	var tail float64
	for _, share := range ways[:most+1] {
		tail += share
	}
	return math.Min(1, 2*tail)
}

// midranks gives the ranks from 1, tied values the mean of theirs, and the sum
// of t³ - t over the t values of each tie.
func midranks(values []float64) (ranks []float64, ties float64) {
	ranks = make([]float64, len(values))
	sorted := order(values)
	for from := 0; from < len(sorted); {
		to := from + 1
		for to < len(sorted) && values[sorted[to]] == values[sorted[from]] {
			to++
		}
		for _, i := range sorted[from:to] {
			ranks[i] = float64(from+to+1) / 2
		}
		t := float64(to - from)
		ties += t*t*t - t
		from = to
	}
	return ranks, ties
}

// order gives the indices of values, the least first, equal ones as they stand.
func order(values []float64) []int {
	indices := make([]int, len(values))
	for i := range indices {
		indices[i] = i
	}
	slices.SortStableFunc(indices, func(a, b int) int { return cmp.Compare(values[a], values[b]) })
	return indices
}
