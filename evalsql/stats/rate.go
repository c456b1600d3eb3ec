package stats

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// Wilson is the interval of a rate of successes among n (Wilson, Journal of the
// American Statistical Association 22, 1927).
func Wilson(successes, n int64, level float64) Interval {
	if n == 0 {
		return unknown(math.NaN())
	}
	return wilson(float64(successes)/float64(n), float64(n), z(level))
}

func wilson(p, n, q float64) Interval {
	centre := (p + q*q/(2*n)) / (1 + q*q/n)
	half := q / (1 + q*q/n) * math.Sqrt(p*(1-p)/n+q*q/(4*n*n))
	return Interval{Estimate: p, Low: math.Max(0, centre-half), High: math.Min(1, centre+half)}
}

// RateDifference is the difference of two independent rates, the first less the
// second (Newcombe, Statistics in Medicine 17, 1998, p. 873: method 10).
func RateDifference(successes1, n1, successes2, n2 int64, level float64) Interval {
	if n1 == 0 || n2 == 0 {
		return unknown(math.NaN())
	}
	a, b := Wilson(successes1, n1, level), Wilson(successes2, n2, level)
	return Mover(a, b)
}

// Pairs counts the units that tell two arms apart: each arm had one trial of
// them. Several trials of a scenario are no pairs: with four of each, McNemar's
// test rejects 8.6 % at 5 %.
type Pairs struct {
	First  int64 // in which the first arm alone succeeded
	Second int64 // in which the second alone did
}

// McNemar is the exact test that both arms succeed equally often (McNemar, Psychometrika 12, 1947).
func McNemar(p Pairs) float64 {
	n := p.First + p.Second
	if n == 0 {
		return 1
	}
	tail := distuv.Binomial{N: float64(n), P: 0.5}.CDF(float64(min(p.First, p.Second)))
	return math.Min(1, 2*tail)
}

// Holm adjusts p-values for their number: those at or below alpha may be called
// findings, with at most alpha for one false among all (Holm, Scandinavian
// Journal of Statistics 6, 1979). The order stays.
func Holm(ps []float64) []float64 {
	adjusted := make([]float64, len(ps))
	var most float64
	for rank, i := range order(ps) {
		most = math.Max(most, math.Min(1, float64(len(ps)-rank)*ps[i]))
		adjusted[i] = most
	}
	return adjusted
}
