package stats

import (
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
)

// simulations is how often a calibration is drawn: WEIR_CALIBRATION times, else
// few enough for every run of the tests.
func simulations(t *testing.T, few int) int {
	t.Helper()
	text := os.Getenv("WEIR_CALIBRATION")
	if text == "" {
		return few
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// atRate holds a share of rejections to a nominal one, within three times its
// Monte-Carlo error; conservative says that it may lie below.
func atRate(t *testing.T, what string, rejected, n int, nominal float64, conservative bool) {
	t.Helper()
	got := float64(rejected) / float64(n)
	slack := 3 * math.Sqrt(nominal*(1-nominal)/float64(n))
	t.Logf("%-58s %5.2f %% of %d at %.1f %% (± %.2f)", what, 100*got, n, 100*nominal, 100*slack)
	if got > nominal+slack || !conservative && got < nominal-slack {
		t.Errorf("%s rejects %.2f %%, nominal %.1f %%", what, 100*got, 100*nominal)
	}
}

// cost draws a heavy-tailed cost: log-normal with sigma 1.5, its dearest percent about a
// fifth of all.
func cost(r *rand.Rand) float64 { return math.Exp(1.5*r.NormFloat64() - 4) }

// moments are kept from value to value (Welford, Technometrics 4, 1962).
type moments struct {
	n        int64
	mean, m2 float64
}

func (m *moments) add(value float64) {
	m.n++
	distance := value - m.mean
	m.mean += distance / float64(m.n)
	m.m2 += distance * (value - m.mean)
}

func (m *moments) errorSquared() float64 { return m.m2 / float64(m.n-1) / float64(m.n) }

// TestCalibrationFixed draws A/A tests that are looked at once.
func TestCalibrationFixed(t *testing.T) {
	n := simulations(t, 400)
	r := rand.New(rand.NewPCG(1, 1))
	var welch, clustered, ratio, rate, mcnemar, wilcoxon, flips, wilson int
	for range n {
		a, b := make([]float64, 200), make([]float64, 200)
		for i := range a {
			a[i], b[i] = r.NormFloat64(), 3*r.NormFloat64()
		}
		if _, p := Welch(a, b[:60], 0.95); p < 0.05 {
			welch++
		}
		// Users with one to eight calls, each user with a level of their own.
		users := func(k int) []Cluster {
			clusters := make([]Cluster, k)
			for i := range clusters {
				level := r.NormFloat64()
				calls := 1 + r.IntN(8)
				clusters[i].N = float64(calls)
				for range calls {
					clusters[i].Sum += level + 0.5*r.NormFloat64()
				}
			}
			return clusters
		}
		if _, p := ClusterWelch(users(80), users(80), 0.95); p < 0.05 {
			clustered++
		}
		// Tasks with a heavy-tailed cost, of which three of four succeed.
		tasks := func(k int) []Cluster {
			clusters := make([]Cluster, k)
			for i := range clusters {
				clusters[i].Sum = cost(r)
				if r.IntN(4) > 0 {
					clusters[i].N = 1
				}
			}
			return clusters
		}
		if q := ClusterRatio(tasks(2000), tasks(2000), 0.95); q.Low > 1 || q.High < 1 {
			ratio++
		}
		successes := func(of int, p float64) (k int64) {
			for range of {
				if r.Float64() < p {
					k++
				}
			}
			return k
		}
		if d := RateDifference(successes(400, 0.8), 400, successes(100, 0.8), 100, 0.95); d.Low > 0 || d.High < 0 {
			rate++
		}
		if w := Wilson(successes(60, 0.9), 60, 0.95); w.Low > 0.9 || w.High < 0.9 {
			wilson++
		}
		if McNemar(Pairs{First: successes(50, 0.3), Second: successes(50, 0.3)}) < 0.05 {
			mcnemar++
		}
		d := make([]float64, 60)
		for i := range d {
			d[i] = cost(r) - cost(r)
		}
		if Wilcoxon(d) < 0.05 {
			wilcoxon++
		}
		if SignFlip(d, 199, r.Uint64()) < 0.05 {
			flips++
		}
	}
	atRate(t, "Welch, unequal variances, 200 and 60 values", welch, n, 0.05, false)
	atRate(t, "Welch by cluster, 80 users an arm with 1 to 8 calls", clustered, n, 0.05, false)
	atRate(t, "ratio of costs per success, 2,000 tasks an arm", ratio, n, 0.05, true)
	atRate(t, "Newcombe's difference of rates, 400 and 100 at 80 %", rate, n, 0.05, true)
	atRate(t, "Wilson's interval, 60 at 90 %", wilson, n, 0.05, true)
	atRate(t, "McNemar, exact", mcnemar, n, 0.05, true)
	atRate(t, "Wilcoxon, paired heavy-tailed cost", wilcoxon, n, 0.05, false)
	atRate(t, "sign flips, paired heavy-tailed cost", flips, n, 0.05, true)
}

// TestCalibrationPeeking looks at A/A tests after every 50 units and stops at the
// first rejection.
func TestCalibrationPeeking(t *testing.T) {
	n := simulations(t, 4)
	const units, share = 6000, 0.2
	r := rand.New(rand.NewPCG(2, 2))
	var naive, mean, rate, dealt int
	for range n {
		var arms [2]moments
		var peeked, ever, outside, uneven bool
		rates := NewRateSequence(share, 0.95)
		for i := range units {
			isFirst := r.Float64() < share
			arm := 1
			if isFirst {
				arm = 0
			}
			arms[arm].add(cost(r))
			passed := 0.0
			if r.Float64() < 0.9 {
				passed = 1
			}
			rates.Add(isFirst, passed)
			if (i+1)%50 != 0 {
				continue
			}
			d := arms[0].mean - arms[1].mean
			peeked = peeked || i > 200 && math.Abs(d) > 1.96*math.Sqrt(arms[0].errorSquared()+arms[1].errorSquared())
			s := sequence(d, arms[0].errorSquared()+arms[1].errorSquared(), int(arms[0].n), int(arms[1].n), 0.95, 2000)
			ever = ever || s.Low > 0 || s.High < 0
			s = rates.Interval()
			outside = outside || s.Low > 0 || s.High < 0
			uneven = uneven || allocation([]int64{arms[0].n, arms[1].n}, []float64{share, 1 - share}) < 0.001
		}
		for i, is := range []bool{peeked, ever, outside, uneven} {
			if is {
				*[]*int{&naive, &mean, &rate, &dealt}[i]++
			}
		}
	}
	t.Logf("%-58s %5.2f %% of %d: why sequences are needed", "Welch looked at 120 times", 100*float64(naive)/float64(n), n)
	atRate(t, "mean sequence, heavy-tailed cost, 120 looks, 20/80", mean, n, 0.05, true)
	atRate(t, "rate sequence, 90 %, 120 looks, 20/80", rate, n, 0.05, true)
	atRate(t, "allocation at 0.001, 120 looks", dealt, n, 0.001, true)
}

// TestPowerToSeeFivePoints plants a difference of five points.
func TestPowerToSeeFivePoints(t *testing.T) {
	n := simulations(t, 100)
	r := rand.New(rand.NewPCG(3, 3))
	var fixed, sequential int
	for range n {
		var arms [2]moments
		var successes [2]int64
		for i := range 4000 {
			arm, p := 1, 0.80
			if i%2 == 0 {
				arm, p = 0, 0.85
			}
			passed := 0.0
			if r.Float64() < p {
				passed = 1
				successes[arm]++
			}
			arms[arm].add(passed)
		}
		if RateDifference(successes[0], arms[0].n, successes[1], arms[1].n, 0.95).Low > 0 {
			fixed++
		}
		if sequence(arms[0].mean-arms[1].mean, arms[0].errorSquared()+arms[1].errorSquared(), 2000, 2000, 0.95, 4000).Low > 0 {
			sequential++
		}
	}
	power := float64(fixed) / float64(n)
	t.Logf("+5 points on 80 %%, 2,000 an arm: found %.1f %% of %d at the end, %.1f %% by the sequence", 100*power, n, 100*float64(sequential)/float64(n))
	if power < 0.8 {
		t.Errorf("power %.2f, at least 0.8 was to be", power)
	}
}

// allocation is the p-value of analysis.experiment_allocation, which has the
// formula in SQL (TestAllocation there): uniform Dirichlet mixture, Lindon and
// Malek, Advances in Neural Information Processing Systems 35, 2022.
func allocation(counts []int64, shares []float64) float64 {
	var n, log float64
	for i, count := range counts {
		n += float64(count)
		log += lgamma(1+float64(count)) - float64(count)*math.Log(shares[i])
	}
	k := float64(len(counts))
	log += lgamma(k) - lgamma(k+n)
	return math.Min(1, math.Exp(-log))
}

func lgamma(x float64) float64 {
	v, _ := math.Lgamma(x)
	return v
}
