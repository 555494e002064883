#!/usr/bin/python3
"""Are Tables 4 and 5 right? conversion.py OUT

Computes every number of OUT/conversion.tsv anew: means, deviations and tests over the seeds from what ca-eval left, with numpy
and scipy; the AUC of each day from the records that were served; the cost from the .time files; the published numbers from
data/published. Then holds OUT/conversion.md against them. Exits 1 at the first that differs.
"""
import csv
import math
import os
import re
import subprocess
import sys

import numpy
from scipy import stats

out = sys.argv[1]
top = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
setting = lambda s: open(f"{out}/settings/{s}").read().strip()
seeds, days = range(int(setting("SEEDS"))), range(1, int(setting("DAYS")) + 1)
truth_known = setting("DATA") == "embedded"
students = ["daily", "vanilla-kd", "vanilla-kd-usaug", "crossadapt"]
methods = ["production"] + students
nan = math.nan
checked = 0


def table(path):
    with open(path) as f:
        return list(csv.DictReader(f, delimiter="\t"))


def close(ours, want, what, tolerance=1e-6):
    global checked
    checked += 1
    if not (math.isnan(float(ours)) and math.isnan(want)) and not math.isclose(float(ours), want, rel_tol=tolerance, abs_tol=2e-9):
        sys.exit(f"{what}: {ours}, should be {want}")


evaluation = lambda k, m, kind: {n: float(v) for n, v in table(f"{out}/seed-{k}/{m}.{kind}.tsv")[0].items()}
change = lambda k, m, x: evaluation(k, m, "clicked")[x] / evaluation(k, "production", "clicked")[x] - 1


def auc_of_day(k, method, day):
    """Over the clicked exposures, by ranks of the logits."""
    names = f"{setting('CLICK')},{setting('CONVERSION')},{method}"
    text = subprocess.run(["ca-view", "--quiet", "-c", names, f"{out}/seed-{k}/day-{day}.served.car"],
                          capture_output=True, check=True, text=True).stdout
    click, label, score = numpy.array([[float(x) for x in l.split("\t")] for l in text.splitlines()[1:]]).T
    label, score = label[click > 0], score[click > 0]
    n1 = (label > 0).sum()
    n0 = len(label) - n1
    return (stats.rankdata(score)[label > 0].sum() - n1 * (n1 + 1) / 2) / (n1 * n0) if n1 and n0 else nan


def stages(method):
    """The stages of its own that a method has, by its definition."""
    nights = [f"{method}.day-{d}" for d in days]
    return {"production": ["production"], "daily": nights[1:],
            "crossadapt": ["crossadapt." + s for s in ("projected", "phase1", "phase2")] + nights}.get(
                method, [method + ".offline"] + nights)


# (table, method, measure) to the values over the seeds
want = {}
for m in students:
    for x in ("auc", "logloss", "item_bias"):
        want["4", m, "delta_" + x] = [change(k, m, x) for k in seeds]
    for x in ("spearman", "ndcg5", "ndcg10"):
        want["5", m, x] = [evaluation(k, m, "exposed")[x] for k in seeds]
for m in methods + ["truth"] * truth_known:
    for x in ("auc", "logloss", "item_bias", "item_bias_signed", "calibration"):
        want["clicked", m, x] = [evaluation(k, m, "clicked")[x] for k in seeds]
for m in methods:
    if truth_known:
        for x in ("spearman", "ndcg5", "logloss", "calibration"):
            want["truth", m, x] = [evaluation(k, m, "truth")[x] for k in seeds]
    for d in days:
        want["days", m, f"day-{d}"] = [auc_of_day(k, m, d) for k in seeds]
    for x in ("core_s", "rows"):
        want["cost", m, x] = [sum(float(table(f"{out}/seed-{k}/{s}.time")[0][x]) for s in stages(m)) for k in seeds]

published = {}
for r in csv.DictReader(open(top + "/data/published/crossadapt_table4_5.csv")):
    m = {"Vanilla-KD": "vanilla-kd", "CrossAdapt": "crossadapt", "w/o USAug": "vanilla-kd", "w/ USAug": "vanilla-kd-usaug"}[r["method"]]
    published[r["table"], m, r["metric"].replace("@", "").replace("pcvr", "item")] = float(r["value"])
assert len(published) == 12 and set(published) <= set(want)

ours = {(r["table"], r["method"], r["measure"]): r for r in table(out + "/conversion.tsv")}
assert set(ours) == set(want), set(ours) ^ set(want)
spread = lambda v: numpy.std(v, ddof=1) if len(v) > 1 else nan


def p_value(differences):
    d = numpy.array(differences)
    if len(d) < 2 or numpy.isnan(d).any():
        return nan
    return stats.ttest_1samp(d, 0).pvalue if spread(d) > 0 else float((d == 0).all())


for key, v in want.items():
    r, what = ours[key], " ".join(key)
    said = published.get(key, nan)
    close(r["ours"], numpy.mean(v), what)
    close(r["ours_sd"], spread(v), what + " deviation")
    close(r["published"], said, what + " published")
    close(r["difference"], numpy.mean(v) - said, what + " difference")
    close(r["p"], p_value(v) if key[0] == "4" else nan, what + " p")
    against = key[0] in "45" and key[1] in ("vanilla-kd-usaug", "crossadapt")
    assert r["reference"] == ("vanilla-kd" if against else "-"), what
    other = want[key[0], "vanilla-kd", key[2]] if against else None
    gains = [a - b for a, b in zip(v, other)] if against else [nan]
    close(r["gain"], numpy.mean(gains), what + " gain")
    close(r["gain_sd"], spread(gains), what + " deviation of the gain")
    close(r["gain_p"], stats.ttest_rel(v, other).pvalue if against and spread(gains) > 0 else p_value(gains), what + " p of the gain")
    close(r["published_gain"], said - published.get((key[0], "vanilla-kd", key[2]), nan) if against else nan, what + " published gain")

# the Markdown: every cell is one of these numbers, rounded
show = lambda x, form: "-" if math.isnan(float(x)) else form % float(x)
both = lambda x, sd, form: show(x, form) + ("" if math.isnan(float(sd)) else " ± " + form.replace("+", "") % float(sd))
significance = lambda p: "-" if math.isnan(float(p)) else "< 0.001" if float(p) < 0.001 else "%.3f" % float(p)
page = open(out + "/conversion.md").read()
for name, title in {"4": "Table 4", "5": "Table 5", "clicked": "The values", "truth": "Against the true", "days": "The days",
                    "cost": "What each"}.items():
    keys = [k for k in want if k[0] == name]
    if not keys:
        assert f"## {title}" not in page
        continue
    lines = [l for l in page.split(f"## {title}")[1].split("\n## ")[0].split("\n") if l.startswith("|")]
    head, _, *body = [[c.strip() for c in l.strip("|").split("|")] for l in lines]
    cells = {}
    for line in body:
        c = dict(zip(head, line))
        if name in "45":
            cells[name, c["method"], c["measure"]] = c
        else:
            for measure in head[1:]:
                cells[name, c["method"], measure.replace("core seconds", "core_s")] = c[measure]
    assert set(cells) == set(keys), (name, set(cells) ^ set(keys))
    for key in keys:
        r, c = ours[key], cells[key]
        form = "%+.4f" if name == "4" else {"rows": "%d", "core_s": "%.2f"}.get(key[2], "%.4f")
        if name not in "45":
            assert c == both(r["ours"], r["ours_sd"], form), (key, c, r)
            checked += 1
            continue
        right = {"published": show(r["published"], form), "ours": both(r["ours"], r["ours_sd"], form),
                 "ours less published": show(r["difference"], "%+.4f"),
                 "gain over vanilla-kd, published": show(r["published_gain"], "%+.4f"),
                 "gain over vanilla-kd": both(r["gain"], r["gain_sd"], "%+.4f"), "p of the gain": significance(r["gain_p"])}
        if name == "4":
            right["p"] = significance(r["p"])
        for title_of, text in right.items():
            assert c[title_of] == text, (key, title_of, c[title_of], text)
            checked += 1
print(f"{checked} numbers of {len(seeds)} seeds")
assert checked > 9 * len(want)
