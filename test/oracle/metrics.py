#!/usr/bin/python3
"""Measures by scikit-learn and numpy on made-up scores, as a table.

test/unit/test_metric.c makes the same scores and holds the library against the
stored output of this script, test/golden/metrics.tsv.
"""
import numpy as np
from scipy.special import expit
from sklearn.metrics import log_loss, mean_squared_error, roc_auc_score

N = 20000


def draw(n, lane):
    """splitmix64 of 4 * row + lane, the upper 24 bits."""
    with np.errstate(over="ignore"):
        z = (np.arange(n, dtype=np.uint64) * np.uint64(4) + np.uint64(lane + 1)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return (z >> np.uint64(40)).astype(np.int64)


def case(name):
    """score, label, weight; every number is a small multiple of a power of two, so C makes the same."""
    a, b, c = draw(N, 0), draw(N, 1), draw(N, 2)
    if name == "ties":
        score = (a % 17 - 8) / 4.0
    elif name == "extreme":
        score = (a - 2**23) / 2.0**16  # -128 to 128
    elif name == "imbalanced":
        score = (a - 2**23) / 2.0**21 - 4.0
    else:
        score = (a - 2**23) / 2.0**21
    slope = 2.0**16 if name == "imbalanced" else 2.0**20
    label = (b < (score + 8.0) * slope).astype(np.int64)
    weight = (c % 8) / 4.0 if name == "weights" else np.ones(N)
    return score.astype(np.float32), label, weight


def row(name):
    s32, y, w = case(name)
    s = s32.astype(np.float64)
    p = expit(s)
    p32 = p.astype(np.float32).astype(np.float64)  # float32 sigmoids differ in their last bit; this is the nearest
    exact = np.average(np.logaddexp(0.0, s) - s * y, weights=w)
    base = np.average(y, weights=w)
    bins = np.minimum((p * 10).astype(int), 9)
    ece = sum(abs(np.sum((w * (p - y))[bins == k])) for k in range(10)) / w.sum()
    clipped = np.clip(p32, 2.2e-16, 1 - 2.2e-16)
    if name != "extreme":  # scikit-learn clips elsewhere, so it is a witness where nothing is clipped
        assert abs(log_loss(y, p, sample_weight=w) - exact) < 1e-12
        assert abs(log_loss(y, p32, sample_weight=w) - exact) < 1e-7
    return [
        roc_auc_score(y, s32, sample_weight=w),
        exact,
        np.average(-(y * np.log(clipped) + (1 - y) * np.log(1 - clipped)), weights=w),
        int(y.sum()),
        exact / log_loss(y, np.full(N, base), sample_weight=w),
        np.sum(w * p) / np.sum(w * y),
        ece,
        np.sqrt(mean_squared_error(y, p, sample_weight=w)),
    ]


def main():
    print("case", "auc", "logloss_exact", "logloss_clipped", "positives", "ne", "calibration", "ece", "rmse", sep="\t")
    for name in ("plain", "ties", "weights", "extreme", "imbalanced"):
        print(name, *("%d" % x if isinstance(x, int) else "%.17g" % x for x in row(name)), sep="\t")


main()
