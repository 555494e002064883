#!/usr/bin/python3
"""The online stage by PyTorch, in double precision, held against ca-codistill's log.

    codistill.py TEACHER STUDENT ONLINE.tsv POOL.tsv LOG.tsv --batch N --interval N [--first N] [--gather mean]
                 [--sgd RATE] --replay N [--teacher-out MODEL]

TEACHER and STUDENT are the models the stage starts from (their optimizer
state included), the TSV files what ca-view shows of the online stream and of
a replay pool whose rows are all alike, so that it does not matter which are
drawn. LOG has one line a step. Prints the largest differences of the losses
and exits 1 when one is above 2e-5.
"""
import argparse
import csv
import json
import struct

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from models import Model


def read_model(path):
    raw = open(path, "rb").read()
    (n,) = struct.unpack("<Q", raw[:8])
    head = json.loads(raw[8 : 8 + n])
    meta = head.pop("__metadata__")
    tensors = {}
    for name, t in head.items():
        if t["dtype"] == "F32":
            a, b = t["data_offsets"]
            flat = np.frombuffer(raw[8 + n + a : 8 + n + b], "<f4").reshape(t["shape"])
            tensors[name] = torch.tensor(flat.astype(np.float64))
    return tensors, meta


class Learner(nn.Module):
    def __init__(self, path):
        super().__init__()
        tensors, meta = read_model(path)
        name, width, hidden = meta["architecture"].split(":")
        tables = [k for k in tensors if k.startswith("sparse_embedding.")]
        rows = [tensors["sparse_embedding.embedding_layers.%d.weight" % f].shape[0] for f in range(len(tables))]
        features = json.loads(meta["features"])
        hidden = [int(h) for h in hidden.split(",")]
        self.model = Model(name, len(features["numeric"]), rows, int(width), hidden).double()
        weights = {k: v for k, v in tensors.items() if not k.startswith("optimizer.")}
        self.model.load_state_dict(weights, strict=True)
        steps = json.loads(meta["steps"])
        self.tables = torch.optim.Adam(self.model.sparse_embedding.parameters(), lr=0.1)
        self.network = torch.optim.Adam(self.model.dense.parameters(), lr=0.001)
        for key, opt in (("tables", self.tables), ("dense", self.network)):
            for k, p in self.model.named_parameters():
                if (k.startswith("sparse_embedding.")) == (key == "tables") and steps[key]:
                    opt.state[p] = {
                        "step": torch.tensor(float(steps[key])),
                        "exp_avg": tensors["optimizer.m." + k].clone(),
                        "exp_avg_sq": tensors["optimizer.v." + k].clone(),
                    }

    def forward(self, x, ids):
        return self.model(x, ids)

    def clear(self):
        self.tables.zero_grad()
        self.network.zero_grad()

    def step(self):
        self.tables.step()
        self.network.step()
        self.clear()


def read_rows(path, label, numeric, fields):
    with open(path) as f:
        rows = list(csv.DictReader(f, delimiter="\t"))
    x = torch.tensor([[float(r[c]) for c in numeric] for r in rows], dtype=torch.float64).reshape(len(rows), -1)
    ids = torch.tensor([[int(r[c]) for c in fields] for r in rows])
    y = torch.tensor([float(r[label]) for r in rows], dtype=torch.float64)
    return x, ids, y


def names(features):
    return [f if isinstance(f, str) else f["name"] for f in features]


def main():
    a = argparse.ArgumentParser()
    for arg in ("teacher", "student", "online", "pool", "log"):
        a.add_argument(arg)
    a.add_argument("--label", default="click")
    a.add_argument("--batch", type=int, required=True)
    a.add_argument("--interval", type=int, required=True)
    a.add_argument("--replay", type=int, required=True)
    a.add_argument("--first", type=int, default=0)
    a.add_argument("--gather", default="sum")
    a.add_argument("--sgd", type=float, default=0.0)
    a.add_argument("--steps", type=int, default=25)
    a = a.parse_args()

    teacher, student = Learner(a.teacher), Learner(a.student)
    features = json.loads(read_model(a.teacher)[1]["features"])
    columns = (a.label, names(features["numeric"]), names(features["fields"]))
    online, pool = read_rows(a.online, *columns), read_rows(a.pool, *columns)
    for part in pool:
        assert bool((part == part[0]).all()), "the rows of the pool differ"
    log = list(csv.DictReader(open(a.log), delimiter="\t"))

    worst = 0.0
    for t in range(a.steps):
        cut = slice(t * a.batch, (t + 1) * a.batch)
        n = len(online[2][cut])
        x, ids, y = (torch.cat([o[cut], p[: a.replay]]) for o, p in zip(online, pool))
        s, z = student(x, ids), teacher(x, ids)
        target = torch.sigmoid(z.detach() / 4)
        loss = 0.7 * 16 * F.binary_cross_entropy_with_logits(s / 4, target)
        loss = loss + 0.3 * F.binary_cross_entropy_with_logits(s, y)
        got = log[t]
        want = {
            "loss": loss.item(),
            "student_logloss": F.binary_cross_entropy_with_logits(s[:n], y[:n]).item(),
            "teacher_logloss": F.binary_cross_entropy_with_logits(z[:n], y[:n]).item(),
        }
        for k, v in want.items():
            worst = max(worst, abs(float(got[k]) - v))
        loss.backward()
        student.step()
        if a.interval:
            number = t + a.first
            share = 1.0 if a.gather == "sum" or number == 0 else 1.0 / a.interval
            (share * F.binary_cross_entropy_with_logits(z, y)).backward()
            if number % a.interval == 0:
                if a.sgd:
                    with torch.no_grad():
                        for p in teacher.parameters():
                            p -= a.sgd * p.grad
                    teacher.clear()
                else:
                    teacher.step()
    print("%.3g" % worst)
    return worst > 2e-5


if __name__ == "__main__":
    raise SystemExit(main())
