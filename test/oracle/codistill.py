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


class Fields(nn.Module):
    def __init__(self, rows, width):
        super().__init__()
        self.embedding_layers = nn.ModuleList([nn.Embedding(r, width) for r in rows])

    def forward(self, ids):
        return torch.stack([e(ids[:, f]) for f, e in enumerate(self.embedding_layers)], 1)


def sequential(n_in, hidden):
    layers = []
    for h in hidden:
        layers += [nn.Linear(n_in, h), nn.LayerNorm(h), nn.ReLU()]
        n_in = h
    return nn.Sequential(*layers, nn.Linear(n_in, 1))


class Mlp(nn.Module):
    def __init__(self, n_numeric, n_fields, width, hidden):
        super().__init__()
        self.mlp = sequential(n_numeric + n_fields * width, hidden)

    def forward(self, x, v):
        return self.mlp(torch.cat([x, v.flatten(1)], 1))


class Senet(nn.Module):
    def __init__(self, fields):
        super().__init__()
        r = max(1, fields // 3)
        self.squeeze, self.excitation = nn.Linear(fields, r), nn.Linear(r, fields)

    def forward(self, v):
        a = torch.sigmoid(self.excitation(F.relu(self.squeeze(v.mean(2)))))
        return v * a.unsqueeze(2)


class Bilinear(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.bilinear = nn.Linear(width, width, bias=False)

    def forward(self, v):
        n = v.shape[1]
        return torch.cat([self.bilinear(v[:, i]) * v[:, j] for i in range(n) for j in range(i + 1, n)], 1)


class Fibinet(nn.Module):
    def __init__(self, n_numeric, n_fields, width, hidden):
        super().__init__()
        pairs = n_fields * (n_fields - 1) // 2
        self.senet = Senet(n_fields)
        self.bilinear_interaction = Bilinear(width)
        self.mlp = sequential(n_numeric + n_fields * width + pairs * width, hidden)

    def forward(self, x, v):
        return self.mlp(torch.cat([x, v.flatten(1), self.bilinear_interaction(self.senet(v))], 1))


class Model(nn.Module):
    def __init__(self, path):
        super().__init__()
        tensors, meta = read_model(path)
        name, width, hidden = meta["architecture"].split(":")
        tables = [k for k in tensors if k.startswith("sparse_embedding.")]
        rows = [tensors["sparse_embedding.embedding_layers.%d.weight" % f].shape[0] for f in range(len(tables))]
        features = json.loads(meta["features"])
        self.sparse_embedding = Fields(rows, int(width))
        cls = {"mlp": Mlp, "fibinet": Fibinet}[name]
        self.dense = cls(len(features["numeric"]), len(rows), int(width), [int(h) for h in hidden.split(",")])
        self.double()
        weights = {k: v for k, v in tensors.items() if not k.startswith("optimizer.")}
        self.load_state_dict(weights, strict=True)
        steps = json.loads(meta["steps"])
        self.tables = torch.optim.Adam(self.sparse_embedding.parameters(), lr=0.1)
        self.network = torch.optim.Adam(self.dense.parameters(), lr=0.001)
        for key, opt in (("tables", self.tables), ("dense", self.network)):
            for k, p in self.named_parameters():
                if (k.startswith("sparse_embedding.")) == (key == "tables") and steps[key]:
                    opt.state[p] = {
                        "step": torch.tensor(float(steps[key])),
                        "exp_avg": tensors["optimizer.m." + k].clone(),
                        "exp_avg_sq": tensors["optimizer.v." + k].clone(),
                    }

    def forward(self, x, ids):
        return self.dense(x, self.sparse_embedding(ids)).squeeze(1)

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

    teacher, student = Model(a.teacher), Model(a.student)
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
