#!/usr/bin/python3
"""The online stage by PyTorch, in double precision, held against ca-codistill's log.

    codistill.py TEACHER STUDENT ONLINE.tsv POOL.tsv LOG.tsv --batch N --interval N [--first N] [--gather mean]
                 [--sgd RATE] --replay N [--hint X] [--rkd X [--mismatch zero|native|project]] [--seed N]

TEACHER and STUDENT are the models the stage starts from (their optimizer
state included), the TSV files what ca-view shows of the online stream and of
a replay pool whose rows are all alike, so that it does not matter which are
drawn. With a hint the student must bring its maps. LOG has one line a step. Prints the largest differences of the losses
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
        a, b = t["data_offsets"]
        if t["dtype"] == "U64":
            tensors[name] = int.from_bytes(raw[8 + n + a : 8 + n + b], "little")
        if t["dtype"] == "F32":
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
        weights = {k: v for k, v in tensors.items() if not k.startswith(("optimizer.", "extra."))}
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


class Maps(nn.Module):
    """The linear maps of a hint, from the student's embedding of each field to the teacher's."""

    def __init__(self, path):
        super().__init__()
        tensors, _ = read_model(path)
        self.weight = nn.Parameter(tensors["extra.hint.weight"].clone())
        self.adam = torch.optim.Adam([self.weight], lr=0.1)
        self.adam.state[self.weight] = {
            "step": torch.tensor(float(tensors["extra.hint.steps"])),
            "exp_avg": tensors["extra.hint.m"].clone(),
            "exp_avg_sq": tensors["extra.hint.v"].clone(),
        }

    def forward(self, e):
        fields, _, width = self.weight.shape
        return torch.einsum("rfs,fts->rft", e.reshape(len(e), fields, width), self.weight)


# XXH3 of "rkd pairs" and of "rkd triplets", which key the draws
PAIRS, TRIPLETS = 0x1E6E5FE74EA3E94D, 0x969C4E4753FFA80E


def philox(seed, purpose, index):
    """The first 64 bits of block index of Philox4x32-10."""
    w = 0xFFFFFFFF
    c = [index & w, index >> 32, purpose & w, purpose >> 32]
    k = [seed & w, seed >> 32]
    for _ in range(10):
        p, q = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [q >> 32 ^ c[1] ^ k[0], q & w, p >> 32 ^ c[3] ^ k[1], p & w]
        k = [k[0] + 0x9E3779B9 & w, k[1] + 0xBB67AE85 & w]
    return c[1] << 32 | c[0]


def drawn(seed, purpose, step, of, rows):
    picked = []
    for q in range(step * 2048, (step + 1) * 2048):
        p = [philox(seed, purpose, q * of + k) * rows >> 64 for k in range(of)]
        if len(set(p)) == of:
            picked.append(p)
    return torch.tensor(picked)


def distances(e, pairs):
    d = (e[pairs[:, 0]] - e[pairs[:, 1]]).norm(dim=1)
    return d / d.mean().clamp(min=1e-6)


def cosines(e, triplets):
    x, y = e[triplets[:, 1]] - e[triplets[:, 0]], e[triplets[:, 2]] - e[triplets[:, 0]]
    return (x * y).sum(1) / (x.norm(dim=1) * y.norm(dim=1)).clamp(min=1e-6)


def rkd(s, t, seed, step):
    pairs, triplets = drawn(seed, PAIRS, step, 2, len(s)), drawn(seed, TRIPLETS, step, 3, len(s))
    loss = 25 * F.smooth_l1_loss(distances(s, pairs), distances(t, pairs))
    return loss + 50 * F.smooth_l1_loss(cosines(s, triplets), cosines(t, triplets))


def beside(a, student, teacher, maps, ids, step):
    """The losses on embeddings, the teacher's taken as constants."""
    s, t = (m.model.sparse_embedding(ids).reshape(len(ids), -1) for m in (student, teacher))
    t = t.detach()
    loss = 0.0
    if a.hint:
        u = maps(s)
        loss = a.hint * F.mse_loss(u, t.reshape(u.shape))
    if a.rkd:
        same = s.shape == t.shape
        seen = maps(s).reshape(t.shape) if a.mismatch == "project" and not same else s
        if same or a.mismatch != "zero":
            loss = loss + a.rkd * rkd(seen, t, a.seed, step)
    return loss


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
    a.add_argument("--hint", type=float, default=0.0)
    a.add_argument("--rkd", type=float, default=0.0)
    a.add_argument("--mismatch", default="native")
    a.add_argument("--seed", type=int, default=20260201)
    a = a.parse_args()

    teacher, student = Learner(a.teacher), Learner(a.student)
    maps = Maps(a.student) if a.hint else None
    first = json.loads(read_model(a.student)[1]["steps"])["dense"]
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
        loss = loss + beside(a, student, teacher, maps, ids, first + t)
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
        if maps:
            maps.adam.step()
            maps.adam.zero_grad()
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
