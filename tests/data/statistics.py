#!/usr/bin/env python3
"""Makes tests/data/statistics.json: what scipy says of cases that src/experiment/statistics.rs must agree with.

To make it again: pip install scipy==1.17.1 statsmodels==0.15.0 numpy && python3 tests/data/statistics.py > tests/data/statistics.json
The p-values are two-sided in the sense of statistics.rs: for a permutation, the share of all deals whose means differ at
least as much. Newcombe's interval and the power are written out here from Wilson's interval and from Fisher's test, which
are scipy's. Holm's correction is statsmodels'.
"""

import json
import math

import numpy as np
import scipy
import statsmodels
from scipy import stats
from statsmodels.stats.multitest import multipletests


def fisher(x, n, y, m):
    return float(stats.fisher_exact([[x, n - x], [y, m - y]]).pvalue)


def permutation(a, b):
    def apart(a, b, axis=-1):
        return np.abs(np.mean(a, axis=axis) - np.mean(b, axis=axis))

    test = stats.permutation_test((a, b), apart, alternative="greater", n_resamples=np.inf, vectorized=True)
    return float(test.pvalue)


def wilson(x, n):
    interval = stats.binomtest(x, n).proportion_ci(confidence_level=0.95, method="wilson")
    return float(interval.low), float(interval.high)


def newcombe(x, n, y, m):
    (p_low, p_high), (q_low, q_high), p, q = wilson(x, n), wilson(y, m), x / n, y / m
    low = p - q - math.hypot(p - p_low, q_high - q)
    return low, p - q + math.hypot(p_high - p, q - q_low)


def smallest(p, n, m, level):
    xs, ys = np.arange(n + 1), np.arange(m + 1)
    seen = np.array([[fisher(x, n, y, m) <= level for y in ys] for x in xs])
    for step in range(1, int(math.floor(p * 100)) + 1):
        chance = np.outer(stats.binom.pmf(xs, n, p), stats.binom.pmf(ys, m, max(p - step / 100, 0)))
        if chance[seen].sum() >= 0.8:
            return step / 100
    return None


COUNTS = [(4, 4, 0, 4), (0, 4, 4, 4), (3, 10, 7, 12), (40, 40, 0, 40), (1, 8, 5, 8), (0, 5, 0, 5), (20, 20, 19, 20)]
SAMPLES = [
    ([1.0, 1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0]),
    ([1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0]),
    ([0.5, 0.7, 0.4, 0.9], [0.2, 0.1, 0.4, 0.3]),
    ([1.0, 2.0, 3.0], [2.5, 3.5, 4.5, 5.5]),
    ([0.1, 0.2, 0.2, 0.3, 0.9, 0.4], [0.2, 0.5, 0.6, 0.9, 0.9, 1.0]),
    ([20.0, 20.0, 20.0, 20.0], [18.5, 18.4, 18.6, 18.5]),
]
UNTIED = [
    ([1.1, 2.2, 3.3, 4.4], [5.5, 6.6, 7.7, 8.8]),
    ([1.0, 6.0, 3.0], [2.0, 5.0, 4.0, 7.0]),
    ([0.9, 0.1, 0.5, 0.35], [0.2, 0.3, 0.8, 0.7, 0.6]),
    ([3.0], [1.0, 2.0]),
    ([5.0, 1.0, 9.0, 2.0, 8.0], [3.0, 4.0, 7.0, 6.0, 0.0]),
]

MANY = [
    [0.03],
    [0.002164502164502164] * 9,
    [0.01, 0.04, 0.03, 0.005],
    [1.0, 0.02, 0.6, 0.02, 0.9],
    [0.0286, 0.0286, 1.0],
    [0.0, 1.0, 0.5],
]

print(
    json.dumps(
        {
            "made_by": f"tests/data/statistics.py, scipy {scipy.__version__}, statsmodels {statsmodels.__version__}",
            "fisher": [dict(x=x, n=n, y=y, m=m, p=fisher(x, n, y, m)) for x, n, y, m in COUNTS],
            "permutation": [dict(a=a, b=b, p=permutation(a, b)) for a, b in SAMPLES],
            "mann_whitney": [dict(a=a, b=b, p=float(stats.mannwhitneyu(a, b, method="exact").pvalue)) for a, b in UNTIED]
            + [
                dict(a=a, b=b, p=permutation(*np.split(stats.rankdata(a + b), [len(a)])))
                for a, b in SAMPLES
            ],
            "wilson": [
                dict(x=x, n=n, low=wilson(x, n)[0], high=wilson(x, n)[1])
                for x, n in [(0, 4), (4, 4), (3, 10), (1, 2), (50, 100)]
            ],
            "newcombe": [
                dict(x=x, n=n, y=y, m=m, low=newcombe(x, n, y, m)[0], high=newcombe(x, n, y, m)[1])
                for x, n, y, m in COUNTS
            ],
            "power": [
                {"from": p, "n": n, "m": m, "level": level, "smallest": smallest(p, n, m, level)}
                for p, n, m in [(1.0, 4, 4), (1.0, 2, 2), (0.5, 10, 10), (1.0, 20, 20), (0.3, 40, 40), (0.1, 4, 4)]
                for level in [0.05, 0.05 / 9]
            ],
            "holm": [dict(p=p, corrected=multipletests(p, method="holm")[1].tolist()) for p in MANY],
        },
        indent=1,
    )
)
