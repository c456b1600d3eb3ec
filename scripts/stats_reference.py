"""What SciPy, statsmodels and confseq say of the numbers that evalsql/stats is
tested on. Usage: stats_reference.py > evalsql/stats/testdata/reference.json

pip install scipy==1.16.3 statsmodels==0.14.5 pandas==2.3.3; confseq 0.0.10 is read as
Python alone (its wheels are for older interpreters): unpack it and name its
folder in CONFSEQ.
"""
import json
import math
import os
import sys
import types

import numpy as np
import scipy
import statsmodels
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats import contingency_tables, multitest, power, proportion


def plain(value):
    """JSON has no NaN."""
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(v) for v in value]
    value = float(value)
    return None if math.isnan(value) else value


cases = []


def case(function, args, want, tolerance=1e-6, source="scipy"):
    cases.append({"function": function, "args": args, "want": plain(want), "tolerance": tolerance, "source": source})


random = np.random.default_rng(7)

for successes, n in [(0, 10), (1, 10), (10, 10), (45, 50), (812, 1000), (1999, 2000), (1, 3)]:
    low, high = proportion.proportion_confint(successes, n, 0.05, method="wilson")
    case("wilson", [successes, n], [successes / n, low, high], source="statsmodels.proportion_confint(wilson)")

for a, n, b, m in [(56, 70, 48, 80), (9, 10, 3, 10), (10, 10, 0, 20), (1640, 2000, 1540, 2000), (5, 7, 5, 7)]:
    low, high = proportion.confint_proportions_2indep(a, n, b, m, method="newcomb", compare="diff")
    case("rate_difference", [a, n, b, m], [a / n - b / m, low, high], source="statsmodels.confint_proportions_2indep(newcomb)")

for first, second in [(0, 0), (3, 3), (1, 9), (21, 9), (0, 5), (150, 120)]:
    table = [[10, first], [second, 7]]
    case("mcnemar", [first, second], [contingency_tables.mcnemar(table, exact=True).pvalue], source="statsmodels.mcnemar(exact)")

for n in (2, 5, 30, 400):
    values = np.round(random.lognormal(0, 1.5, n), 6).tolist()
    interval = stats.t.interval(0.95, n - 1, np.mean(values), stats.sem(values))
    case("mean", [values], [np.mean(values), *interval], source="scipy.stats.t.interval")
    other = np.round(random.lognormal(0.2, 1, n + 3), 6).tolist()
    test = stats.ttest_ind(values, other, equal_var=False)
    interval = test.confidence_interval(0.95)
    case("welch", [values, other], [np.mean(values) - np.mean(other), interval.low, interval.high, test.pvalue], source="scipy.stats.ttest_ind")

for n, digits, shift in [(8, 6, 0.5), (25, 6, 0.1), (50, 6, 0.3), (12, 1, 0.3), (60, 1, 0.1), (200, 6, 0.05)]:
    differences = np.round(random.normal(shift, 1, n), digits)
    nonzero = np.abs(differences[differences != 0])
    exact = len(nonzero) <= 50 and len(set(nonzero)) == len(nonzero)
    test = stats.wilcoxon(differences, zero_method="wilcox", correction=False, method="exact" if exact else "asymptotic")
    case("wilcoxon", [differences.tolist()], [test.pvalue], source="scipy.stats.wilcoxon")

for k in (5, 40):
    # A mean over clusters is a regression on a constant with errors by cluster;
    # statsmodels' small-sample factor is k/(k-1) * (n-1)/(n-1).
    sizes = random.integers(1, 6, k)
    values, groups = [], []
    for g, size in enumerate(sizes):
        centre = random.normal(0, 1)
        values += np.round(centre + random.normal(0, 0.5, size), 6).tolist()
        groups += [g] * int(size)
    fit = sm.OLS(values, np.ones(len(values))).fit(cov_type="cluster", cov_kwds={"groups": np.array(groups)}, use_t=True)
    low, high = fit.conf_int(0.05)[0]
    clusters = [[int(size), float(sum(v for v, g in zip(values, groups) if g == i))] for i, size in enumerate(sizes)]
    case("cluster_mean", [clusters], [fit.params[0], low, high], source="statsmodels.OLS(cov_type=cluster)")

for ps in ([0.01, 0.04, 0.03, 0.005], [0.5], [0.2, 0.2, 0.9, 0.001, 0.05]):
    case("holm", [ps], multitest.multipletests(ps, method="holm")[1], source="statsmodels.multipletests(holm)")

for rate, effect, first, second in [(0.8, 0.05, 2000, 2000), (0.5, 0.02, 400, 1600), (0.9, -0.05, 300, 300)]:
    p = proportion.power_proportions_2indep(effect, rate, first, second / first, alpha=0.05).power
    case("rate_power", [rate, effect, first, second], [p], 1e-3, "statsmodels.power_proportions_2indep")
for effect, deviation, first, second in [(0.5, 2, 200, 200), (0.1, 1, 400, 1600)]:
    p = power.NormalIndPower().power(effect / deviation, first, 0.05, second / first)
    case("mean_power", [effect, deviation, first, second], [p], source="statsmodels.NormalIndPower")

for n, p in [(1000, [0.5, 0.5]), (5000, [0.2, 0.8]), (300, [1 / 3, 1 / 3, 1 / 3])]:
    for drift in (0, 0.08):
        drawn = np.array(p) * np.where(np.arange(len(p)) == 0, 1 - drift, 1)
        counts = random.multinomial(n, drawn / drawn.sum())
        # The Dirichlet-multinomial's probability against the multinomial's.
        log = stats.multinomial(n, p).logpmf(counts) - stats.dirichlet_multinomial(np.ones(len(p)), n).logpmf(counts)
        case("allocation", [counts.tolist(), p], [min(1, math.exp(log))], 1e-6, "scipy: multinomial over dirichlet_multinomial")

if folder := os.environ.get("CONFSEQ"):
    sys.path.insert(0, folder)
    for absent in ("matplotlib", "matplotlib.pyplot", "multiprocess"):
        sys.modules[absent] = types.ModuleType(absent)
    np.float_ = np.float64  # its name before NumPy 2
    from confseq import betting

    for n, rate in [(50, 0.5), (400, 0.9), (1000, 0.3)]:
        x = (random.random(n) < rate).astype(float)
        low, high = betting.betting_cs(x, alpha=0.05, breaks=1000)
        case("bets", [x.tolist()], [low[-1], high[-1]], 2.5e-3, "confseq.betting.betting_cs")

json.dump({"scipy": scipy.__version__, "statsmodels": statsmodels.__version__, "cases": cases}, sys.stdout, indent=None, separators=(",", ":"))
print()
