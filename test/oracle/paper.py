#!/usr/bin/python3
"""Is the page right? paper.py OUT NAME PUBLISHED

Computes every number of OUT/NAME/SECTION.tsv anew from what the runs left (OUT/seed-K/*.eval.tsv and *.time) and from
data/published, with numpy and scipy, knowing by itself which stages a method has and which rows the paper's tables have;
then holds the Markdown tables of the page against those numbers. Exits 1 at the first that differs.
"""
import csv
import glob
import math
import os
import re
import sys

import numpy
from scipy import stats

out, name, dataset = sys.argv[1:4]
top = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# tables 1 to 3 have all seeds, the others the first of them
setting = lambda s: int(open(f"{out}/settings/{s}").read())
of_section = lambda s: setting("SEEDS" if s in ("table1", "table2", "table3") else "SEEDS_REST")
checked = 0


def one(path):
    with open(path) as f:
        (record,) = csv.DictReader(f, delimiter="\t")
    return record


def table(path):
    with open(path) as f:
        return list(csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE))


def close(ours, want, what, tolerance=1e-7):
    global checked
    checked += 1
    ours = float(ours)
    if math.isnan(want) and math.isnan(ours):
        return
    if not math.isclose(ours, want, rel_tol=tolerance, abs_tol=2e-9):
        sys.exit(f"{what}: {ours}, should be {want}")


def stages(run):
    """The stages a run is made of, by the definition of its method."""
    folder, _, last = run.rpartition("/")
    method = re.split(r"[+.]", last)[0]
    switches = re.findall(r"\+[^+]*", last.replace(".phase2", ""))
    at = folder + "/"
    if method.startswith("teacher") or method in ("full-retrain", "scratch", "scratch-online"):
        return [run]
    offline_only = last.endswith(".phase2")
    online = ("+replay-", "+interval-")
    early = "".join(s for s in switches if not s.startswith(online))
    random = "+projection-none" in switches or method == "not-offline"
    projected = at + "projected" + ("+projection-none" if random else "")
    if method in ("vanilla-kd", "hint-kd", "rkd"):
        return [f"{at}{method}{early}.offline", run]
    phases = {"crossadapt-sample": "12", "crossadapt-full": "12", "not-progressive": "2", "twice-joint": "23", "not-offline": ""}
    chain = [projected] + [f"{at}{method}{early}.phase{k}" for k in phases[method]]
    return chain if offline_only else chain + [run]


class Run:
    """What was measured, one entry a seed."""

    def __init__(self, run, seeds):
        self.auc, self.logloss, self.seconds, self.rows, self.perf = [], [], [], [], []
        teacher = None
        if not run.startswith("teacher"):
            found = re.search(r"from-([^/]*)/", run)
            teacher = "teacher-" + (found.group(1) if found else "mlp8")
        for k in range(seeds):
            result = one(f"{out}/seed-{k}/{run}.eval.tsv")
            times = [one(f"{out}/seed-{k}/{s}.time") for s in stages(run)]
            self.auc.append(100 * float(result["auc"]))
            self.logloss.append(float(result["logloss"]))
            self.seconds.append(sum(float(t["core_s"]) for t in times))
            self.rows.append(sum(int(t["rows"]) for t in times))
            of_teacher = one(f"{out}/seed-{k}/{teacher}.eval.tsv")["logloss"] if teacher else "nan"
            self.perf.append(self.logloss[-1] - float(of_teacher))


def read_published():
    """(table, row, column, measure) to (value, deviation), straight from the files."""
    read = lambda t: csv.DictReader(open(f"{top}/data/published/crossadapt_{t}.csv"))
    found = {}

    def put(key, measure, value, sd=""):
        if value:
            found[key, measure] = (float(value), float(sd) if sd else math.nan)

    for r in read("table1"):
        if r["dataset"] == dataset:
            student = {"teacher_MLP_d8": "teacher", "MLP_d8": "mlp8", "FiBiNET_d16": "fibinet16"}[r["student"]]
            method = "teacher" if student == "teacher" else r["method"].lower()
            put(("table1", student, method), "auc", r["auc"], r["auc_std"])
            put(("table1", student, method), "logloss", r["logloss"], r["logloss_std"])
            put(("table1", student, method), "time_s", r["time_s"])
    ablation = {
        "CrossAdapt-Sample": "full",
        "w/o Dimension-Adaptive Embedding Table Projection": "without projection",
        "w/o Progressive Interaction Network Distillation": "without the frozen phase",
        "w/o Strategic Distillation Sample Selection": "without sample selection",
        "w/o Offline Stage": "without the offline stage",
        "w/o Teacher-student Co-evolution": "teacher frozen online",
        "w/o Asymmetric Teacher-student Co-evolution": "teacher moves every step",
        "w/o Adaptive Historical Knowledge Preservation": "without replay",
        "w/o Online Stage": "without the online stage",
    }
    for r in read("table2"):
        if r["dataset"] == dataset:
            put(("table2", "fibinet16", ablation[r["configuration"]]), "auc", r["auc"], r["auc_std"])
            put(("table2", "fibinet16", ablation[r["configuration"]]), "logloss", r["logloss"], r["logloss_std"])
    for r in read("table3"):
        group = f"{r['scenario'].lower()}-{r['d_teacher']}-to-{r['d_student']}"
        for row, column in (("teacher", "teacher"), ("scratch", "scratch"), ("without projection", "no_etp"), ("with projection", "etp")):
            put(("table3", group, row), "auc", r[column + "_auc"], r[column + "_std"])
    for r in read("table7"):
        group = f"{r['teacher']}-to-{r['student']}".lower()
        for row, column in (("teacher", "teacher"), ("scratch", "scratch"), ("crossadapt-full", "crossadapt_full")):
            put(("table7", group, row), "auc", r[column + "_auc"], r[column + "_std"])
    for r in read("sweeps"):
        if re.fullmatch(r"6[a-e]", r["figure"]) and re.fullmatch(r"[0-9.]+", r["value"]):
            stage = "offline" if r["stage"] == "offline" else "online"
            if r["metric"] in ("auc", "logloss", "time_s"):
                put(("fig" + r["figure"], r["value"], stage), r["metric"], r["result"])
    return found


published = read_published()
runs = {}
used = set()
sections = {}
for path in sorted(glob.glob(f"{out}/{name}/*.rows.tsv")):
    section = os.path.basename(path)[: -len(".rows.tsv")]
    rows = table(f"{out}/{name}/{section}.tsv")
    sections[section] = rows
    by_name = {(r["group"], r["name"]): r for r in rows}
    for r in rows:
        what = f"{section} {r['group']} {r['name']}"
        key = (section, r["group"], r["name"])
        absent = (math.nan, math.nan)
        seeds = of_section(section)
        pub = {m: published.get((key, m), absent) for m in ("auc", "logloss", "time_s")}
        used |= {(key, m) for m in pub if (key, m) in published}
        close(r["published_time_s"], pub["time_s"][0], what + " published seconds")
        ran = r["run"] != "-"
        if ran:
            mine = runs.setdefault((r["run"], seeds), None) or Run(r["run"], seeds)
            runs[r["run"], seeds] = mine
            assert int(r["seeds"]) == seeds, what
        else:
            assert r["seeds"] == "0", what
        for m, values in (("auc", mine.auc if ran else []), ("logloss", mine.logloss if ran else [])):
            mean = numpy.mean(values) if ran else math.nan
            close(r[m], mean, f"{what} {m}")
            close(r[m + "_sd"], numpy.std(values, ddof=1) if len(values) > 1 else math.nan, f"{what} {m} deviation")
            close(r["published_" + m], pub[m][0], f"{what} published {m}")
            close(r[f"published_{m}_sd"], pub[m][1], f"{what} published {m} deviation")
            close(r[m + "_difference"], mean - pub[m][0], f"{what} {m} difference")
            gain = "gain" if m == "auc" else "logloss_gain"
            want = [math.nan] * 4
            if r["reference"] != "-":
                other = by_name[r["group"], r["reference"]]
                want[3] = pub[m][0] - published.get(((section, r["group"], r["reference"]), m), absent)[0]
                if ran and other["run"] != "-":
                    o = runs.setdefault((other["run"], seeds), None) or Run(other["run"], seeds)
                    runs[other["run"], seeds] = o
                    d = numpy.array(values) - numpy.array(getattr(o, m))
                    want[0] = d.mean()
                    if seeds > 1:
                        want[1] = d.std(ddof=1)
                        want[2] = stats.ttest_rel(values, getattr(o, m)).pvalue if want[1] > 0 else float(want[0] == 0)
            for column, w in zip((gain, gain + "_sd", gain + "_p", "published_" + gain), want):
                close(r[column], w, f"{what} {column}", 1e-6)
        if ran:
            close(r["core_s"], numpy.mean(mine.seconds), what + " seconds", 1e-6)
            close(r["core_s_sd"], numpy.std(mine.seconds, ddof=1) if seeds > 1 else math.nan, what + " deviation of seconds", 1e-4)
            close(r["rows"], numpy.mean(mine.rows), what + " rows")
            close(r["cost_iter_us"], 1e6 * numpy.mean(mine.seconds) / numpy.mean(mine.rows), what + " cost a row", 1e-5)
            close(r["cost_perf"], numpy.mean(mine.perf), what + " cost in log loss", 1e-6)
            close(r["cost_perf_sd"], numpy.std(mine.perf, ddof=1) if seeds > 1 else math.nan, what + " its deviation", 1e-5)

# all that was published of these tables is shown, but for sweep points that are not on the grid
for key, measure in published:
    if key[0] in sections and not key[0].startswith("fig6"):
        assert (key, measure) in used, f"not shown: {key} {measure}"

# the Markdown: every cell is a number of the table above, rounded
page = open(f"{out}/{name}.md").read()
for section, rows in sections.items():
    text = page.split(f"\n## {title}\n")[1] if (title := {
        "table1": "Table 1: methods", "table2": "Table 2: without one part at a time", "table3": "Table 3: widths",
        "table7": "Table 7: pairs of architectures", "cost": "The cost of the switch"}.get(section)) else None
    if not text:
        continue
    lines = [l for l in text.split("\n## ")[0].split("\n") if l.startswith("|")][: len(rows) + 2]
    split = lambda l: [c.strip() for c in l.strip("|").split("|")]
    head = split(lines[0])
    for r, line in zip(rows, lines[2:]):
        cells = dict(zip(head, split(line)))
        both = lambda m, f, s: "-" if r[m] == "nan" else f % float(r[m]) + ("" if r.get(m + "_sd", "nan") == "nan" else " ± " + s % float(r[m + "_sd"]))
        assert (cells["of"], cells["row"]) == (r["group"], r["name"]), (section, line)
        assert cells["AUC"] == (both("auc", "%.2f", "%.2f") if r["run"] != "-" else "not run"), (section, line)
        assert cells["LogLoss"] == (both("logloss", "%.4f", "%.4f") if r["run"] != "-" else "not run"), (section, line)
        if "AUC published" in cells:
            mark = f" [{r['auc_mark']}]" if r["auc_mark"] else ""
            assert cells["AUC published"] == both("published_auc", "%.2f", "%.2f") + mark, (section, line)
            assert cells["AUC less published"] == both("auc_difference", "%+.2f", ""), (section, line)
        if "AUC gain" in cells:
            assert cells["AUC gain"] == both("gain", "%+.2f", "%.2f"), (section, line)
        assert cells["rows"] == ("-" if r["rows"] == "nan" else "%d" % float(r["rows"])), (section, line)
        checked += 5
print(f"{checked} numbers of {len(runs)} runs in {len(sections)} sections")
assert runs and checked > 10 * len(runs)
