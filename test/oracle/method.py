#!/usr/bin/python3
"""Does the method work? method.py OUT SEEDS ROWS

Reads what pipelines/switch.mk left in OUT/seed-K (not the table it makes of it) and holds crossadapt-sample against
scratch and scratch-online: its mean AUC on test must be higher by more than two standard errors of the difference,
its mean log loss lower, in every seed it must have trained on ROWS rows, less than half of scratch's, and no method
but the teacher and full-retrain may have seen hist. Exits 1, with the numbers, when any of this is not so.
"""
import csv
import glob
import math
import statistics
import sys

out, seeds, rows = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])


def one(path):
    with open(path) as f:
        (record,) = csv.DictReader(f, delimiter="\t")
    return record


def method(name):
    auc, loss, trained = [], [], []
    for seed in range(seeds):
        here = f"{out}/seed-{seed}/{name}"
        result = one(here + ".eval.tsv")
        auc.append(100 * float(result["auc"]))
        loss.append(float(result["logloss"]))
        trained.append(sum(int(one(t)["rows"]) for t in glob.glob(here + ".time") + glob.glob(here + ".*.time")))
    return auc, loss, trained


def error2(x):
    return statistics.variance(x) / len(x)


auc, loss, trained = method("crossadapt-sample")
failed = 0
for other in ("scratch", "scratch-online"):
    a, l, n = method(other)
    gain, error = statistics.mean(auc) - statistics.mean(a), math.sqrt(error2(auc) + error2(a))
    print(f"crossadapt-sample {statistics.mean(auc):.2f} {other} {statistics.mean(a):.2f}: {gain:+.3f}, "
          f"standard error {error:.3f}; log loss {statistics.mean(loss):.4f} {statistics.mean(l):.4f}; "
          f"rows {trained[0]} {n[0]}")
    failed |= not gain > 2 * error
    failed |= not statistics.mean(loss) < statistics.mean(l)
    failed |= len(set(a)) != seeds
    if other == "scratch":
        failed |= not all(2 * x < y for x, y in zip(trained, n))
failed |= set(trained) != {rows} or len(set(auc)) != seeds
sys.exit(failed)
