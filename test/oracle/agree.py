#!/usr/bin/python3
"""Item bias, Spearman's correlation and NDCG of a text table, by plain loops: agree.py TABLE

Columns label, logit, teacher (a logit), item, request and weight. Prints the measures as a table with the names that
ca-eval gives them.
"""
import csv
import math
import sys


def sigmoid(x):
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def ranks(x):
    """Average ranks from 1, by counting."""
    return [sum(b < a for b in x) + (sum(b == a for b in x) + 1) / 2 for a in x]


def pearson(x, y):
    mx, my = math.fsum(x) / len(x), math.fsum(y) / len(y)
    xy = math.fsum((a - mx) * (b - my) for a, b in zip(x, y))
    return xy / math.sqrt(math.fsum((a - mx) ** 2 for a in x) * math.fsum((b - my) ** 2 for b in y))


def dcg(gains, k):
    return math.fsum(g / math.log2(place + 1) for place, g in enumerate(gains[:k], 1))


def ndcg(rows, k):
    """The mean over requests; equal scores give every row of theirs the mean gain."""
    requests = {}
    for r in rows:
        requests.setdefault(r["request"], []).append((r["logit"], 2 ** sigmoid(r["teacher"]) - 1))
    out = []
    for shown in requests.values():
        equal = {}
        for s, g in shown:
            equal.setdefault(s, []).append(g)
        got = [math.fsum(equal[s]) / len(equal[s]) for s in sorted((s for s, _ in shown), reverse=True)]
        out.append(dcg(got, k) / dcg(sorted((g for _, g in shown), reverse=True), k))
    return math.fsum(out) / len(out)


def bias(rows):
    items = {}
    for r in rows:
        items.setdefault(r["item"], []).append(r)
    off = []
    for of in items.values():
        w = math.fsum(r["weight"] for r in of)
        y = math.fsum(r["weight"] * r["label"] for r in of)
        if y > 0:
            q = math.fsum(r["weight"] * sigmoid(r["logit"]) for r in of) / w
            off.append((q - y / w) / (y / w))
    return math.fsum(map(abs, off)) / len(off), math.fsum(off) / len(off), len(off)


def main():
    with open(sys.argv[1]) as f:
        rows = [{k: float(v) for k, v in r.items()} for r in csv.DictReader(f, delimiter="\t")]
    rho = pearson(ranks([r["logit"] for r in rows]), ranks([r["teacher"] for r in rows]))
    names = ("item_bias", "item_bias_signed", "items", "spearman", "ndcg5", "ndcg10")
    print(*names, sep="\t")
    print(*("%.17g" % v for v in (*bias(rows), rho, ndcg(rows, 5), ndcg(rows, 10))), sep="\t")


main()
