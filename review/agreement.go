package review

import (
	"maps"
	"math"
	"slices"
)

// Kappa is a chance-corrected agreement with its 95 % interval. Items is the
// number of items that at least two reviewers decided on.
type Kappa struct {
	Items     int     `json:"items"`
	Agreement float64 `json:"agreement"` // observed share of agreeing pairs
	Kappa     float64 `json:"kappa"`     // NaN never: see OK
	SE        float64 `json:"se"`
	Low       float64 `json:"low"`
	High      float64 `json:"high"`
	OK        bool    `json:"ok"` // false: too few items, or everyone always said the same
}

const z95 = 1.959963984540054

// Cohen is Cohen's kappa of two reviewers from the table of their verdicts on
// the items that both decided: table[i][j] items got i from the one and j from
// the other. The standard error is that of Fleiss, Cohen and Everitt,
// Psychological Bulletin 72 (1969), 323-327, not assuming that kappa is 0.
func Cohen(table [][]int) Kappa {
	size := len(table)
	rows, columns := make([]float64, size), make([]float64, size)
	var n, agree float64
	for i := range table {
		for j, count := range table[i] {
			c := float64(count)
			n += c
			rows[i] += c
			columns[j] += c
			if i == j {
				agree += c
			}
		}
	}
	k := Kappa{Items: int(n)}
	if n == 0 {
		return k
	}
	var expected float64
	for i := range rows {
		rows[i] /= n
		columns[i] /= n
		expected += rows[i] * columns[i]
	}
	k.Agreement = agree / n
	if n < 2 || expected >= 1 {
		return k
	}
	k.Kappa = (k.Agreement - expected) / (1 - expected)
	rest := 1 - k.Kappa
	var a, b float64
	for i := range table {
		for j, count := range table[i] {
			p := float64(count) / n
			if i == j {
				a += p * math.Pow(1-(rows[i]+columns[i])*rest, 2)
			} else {
				b += p * math.Pow(columns[i]+rows[j], 2)
			}
		}
	}
	b *= rest * rest
	c := math.Pow(k.Kappa-expected*rest, 2)
	k.SE = math.Sqrt(max(0, a+b-c)/n) / (1 - expected)
	return k.interval(z95)
}

// Fleiss is Fleiss' kappa of any number of reviewers, who need not all decide
// on every item: counts[i][k] reviewers gave item i verdict k. The standard
// error is that of Gwet, Educational and Psychological Measurement 81 (2021),
// 781-790, over items; items with one reviewer count for the verdicts' shares
// only. The interval takes t with one less than the items as its degrees.
func Fleiss(counts [][]int) Kappa {
	var shares []float64
	var n, paired, agree float64
	for _, item := range counts {
		if total := sum(item); total > 0 {
			if shares == nil {
				shares = make([]float64, len(item))
			}
			n++
			for k, c := range item {
				shares[k] += float64(c) / total
			}
			if total >= 2 {
				paired++
				agree += agreeing(item, total)
			}
		}
	}
	k := Kappa{Items: int(paired)}
	if paired == 0 {
		return k
	}
	k.Agreement = agree / paired
	var expected float64
	for i := range shares {
		shares[i] /= n
		expected += shares[i] * shares[i]
	}
	if n < 2 || expected >= 1 {
		return k
	}
	k.Kappa = (k.Agreement - expected) / (1 - expected)
	var squares float64
	for _, item := range counts {
		total := sum(item)
		if total == 0 {
			continue
		}
		var own, chance float64
		if total >= 2 {
			own = n / paired * (agreeing(item, total) - expected) / (1 - expected)
		}
		for i, c := range item {
			chance += shares[i] * float64(c) / total
		}
		own -= 2 * (1 - k.Kappa) * (chance - expected) / (1 - expected)
		squares += (own - k.Kappa) * (own - k.Kappa)
	}
	k.SE = math.Sqrt(squares / (n * (n - 1)))
	return k.interval(tQuantile975(n - 1))
}

func sum(item []int) float64 {
	total := 0
	for _, c := range item {
		total += c
	}
	return float64(total)
}

// agreeing is the share of pairs of an item's reviewers who agree.
func agreeing(item []int, total float64) float64 {
	var pairs float64
	for _, c := range item {
		pairs += float64(c) * float64(c-1)
	}
	return pairs / (total * (total - 1))
}

func (k Kappa) interval(quantile float64) Kappa {
	k.OK = true
	k.Low, k.High = max(-1, k.Kappa-quantile*k.SE), min(1, k.Kappa+quantile*k.SE)
	return k
}

// tQuantile975 is the 97.5 % quantile of Student's t, by bisection on its
// distribution function, which is integrated by Simpson's rule.
func tQuantile975(degrees float64) float64 {
	high, _ := math.Lgamma((degrees + 1) / 2)
	low, _ := math.Lgamma(degrees / 2)
	scale := math.Exp(high-low) / math.Sqrt(degrees*math.Pi)
	// With x = sqrt(degrees) tan(a) the integrand is bounded, and so is its range.
	mass := func(t float64) float64 {
		const steps = 2000
		end := math.Atan(t / math.Sqrt(degrees))
		step := end / steps
		var area float64
		for i := 0; i <= steps; i++ {
			weight := 2.0
			if i == 0 || i == steps {
				weight = 1
			} else if i%2 == 1 {
				weight = 4
			}
			area += weight * math.Pow(math.Cos(step*float64(i)), degrees-1)
		}
		return area * step / 3 * scale * math.Sqrt(degrees)
	}
	from, to := 0.0, 100.0
	for range 60 {
		middle := (from + to) / 2
		if mass(middle) < 0.475 {
			from = middle
		} else {
			to = middle
		}
	}
	return (from + to) / 2
}

// PairKappa is Cohen's kappa of two reviewers.
type PairKappa struct {
	Reviewers [2]string `json:"reviewers"`
	Kappa
}

// Agreement of the standing decisions that are not stale. Edit and reject
// count as one: both say that the example is not right as it is.
func Agreement(decisions []Standing) (all Kappa, pairs []PairKappa) {
	byExample := map[string]map[string]int{}
	var reviewers []string
	for _, d := range decisions {
		verdict := 0
		switch d.Verdict {
		case Accept:
		case Reject, Edit:
			verdict = 1
		default:
			continue
		}
		if d.IsStale {
			continue
		}
		if byExample[d.ExampleID] == nil {
			byExample[d.ExampleID] = map[string]int{}
		}
		byExample[d.ExampleID][d.Reviewer] = verdict
		reviewers = append(reviewers, d.Reviewer)
	}
	slices.Sort(reviewers)
	reviewers = slices.Compact(reviewers)
	var counts [][]int
	for _, id := range slices.Sorted(maps.Keys(byExample)) {
		item := make([]int, 2)
		for _, verdict := range byExample[id] {
			item[verdict]++
		}
		counts = append(counts, item)
	}
	for i, first := range reviewers {
		for _, second := range reviewers[i+1:] {
			table := [][]int{{0, 0}, {0, 0}}
			both := false
			for _, verdicts := range byExample {
				a, okA := verdicts[first]
				b, okB := verdicts[second]
				if okA && okB {
					table[a][b]++
					both = true
				}
			}
			if both {
				pairs = append(pairs, PairKappa{Reviewers: [2]string{first, second}, Kappa: Cohen(table)})
			}
		}
	}
	return Fleiss(counts), pairs
}
