package review

import (
	"math"
	"testing"
)

func near(t *testing.T, what string, got, want, by float64) {
	t.Helper()
	if math.Abs(got-want) > by {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// The wanted values are those of statsmodels 0.15, cohens_kappa.
func TestCohen(t *testing.T) {
	for _, test := range []struct {
		table                [][]int
		kappa, se, low, high float64
	}{
		{[][]int{{0, 4, 1}, {0, 8, 0}, {0, 1, 5}}, 0.48416289592760187, 0.1380135783058146, 0.21366125307070666, 0.754664538784497},
		{[][]int{{12, 3, 1}, {2, 9, 4}, {1, 2, 16}}, 0.6062992125984252, 0.09296501537433975, 0.42409113064250686, 0.7885072945543437},
	} {
		k := Cohen(test.table)
		near(t, "kappa", k.Kappa, test.kappa, 1e-12)
		near(t, "se", k.SE, test.se, 1e-12)
		near(t, "low", k.Low, test.low, 1e-9)
		near(t, "high", k.High, test.high, 1e-9)
	}
	if k := Cohen([][]int{{9, 0}, {0, 0}}); k.OK || k.Agreement != 1 {
		t.Errorf("everyone always said the same: %+v", k)
	}
}

// The first table is the worked example of Fleiss' kappa that statsmodels has
// 0.20993070442195522 for; its standard error and the second set, with
// reviewers missing, are irrCAC 0.4's.
func TestFleiss(t *testing.T) {
	k := Fleiss([][]int{{0, 0, 0, 0, 14}, {0, 2, 6, 4, 2}, {0, 0, 3, 5, 6}, {0, 3, 9, 2, 0}, {2, 2, 8, 1, 1},
		{7, 7, 0, 0, 0}, {3, 2, 6, 3, 0}, {2, 5, 3, 2, 2}, {6, 5, 2, 1, 0}, {0, 2, 2, 3, 7}})
	near(t, "kappa", k.Kappa, 0.20993070442195522, 1e-12)
	near(t, "se", k.SE, 0.09237, 1e-5)
	near(t, "low", k.Low, 0.00097, 1e-5)
	near(t, "high", k.High, 0.41889, 1e-5)

	k = Fleiss([][]int{{2, 1}, {2, 0}, {0, 3}, {1, 1}, {3, 0}, {0, 1}, {3, 0}, {0, 2}})
	near(t, "kappa", k.Kappa, 0.52298, 1e-5)
	near(t, "agreement", k.Agreement, 0.7619, 1e-5)
	near(t, "se", k.SE, 0.32037, 1e-5)
	near(t, "low", k.Low, -0.23457, 1e-4)
	near(t, "high", k.High, 1, 0)
}

// Student's t, as printed in every table of it.
func TestQuantile(t *testing.T) {
	for degrees, want := range map[float64]float64{1: 12.7062, 2: 4.3027, 9: 2.2622, 30: 2.0423, 1000: 1.9623} {
		near(t, "quantile", tQuantile975(degrees), want, 1e-4)
	}
}
