#!/usr/bin/python3
"""Speed of the same models in PyTorch, as test/bench/peer runs it; prints one line as test/bench/sample.h has them.

  peer.py CASE WHAT THREADS SETTING SCALE

The models are those of the oracle (test/oracle/models.py), which the library's logits, gradients and losses are held
to, so both sides compute the same. SETTING rewritten takes what one would write for speed: one table for all fields,
pairs by one product and an index, Adam over lists of tensors.
"""
import os
import resource
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "oracle"))
import models

NUMERIC = 13
ROWS = [1458, 555, 193948, 138800, 306, 18, 11970, 634, 4, 42646, 5178, 192772, 3175,
        27, 11422, 181074, 11, 4654, 2031, 4, 189656, 17, 16, 59696, 85, 45570]
BATCHES, INTERVAL = 8, 10


class PairsBySlices(nn.Module):
    """AFM with its pairs as the published code makes them, one after the other."""

    def __init__(self, afm):
        super().__init__()
        self.afm = afm

    def forward(self, x, v):
        n, a = v.shape[1], self.afm
        e = torch.stack([v[:, i] * v[:, j] for i in range(n) for j in range(i + 1, n)], 1)
        weight = torch.softmax(a.attention_h(F.relu(a.attention_linear(e))), 1)
        return (weight * e).sum((1, 2)) + a.mlp(torch.cat([x, v.flatten(1)], 1))[:, 0]


class OneTable(nn.Module):
    def __init__(self, rows, width):
        super().__init__()
        self.table = nn.Embedding(sum(rows), width)
        self.register_buffer("first", torch.tensor(np.cumsum([0] + rows[:-1])))

    def forward(self, ids):
        return self.table(ids + self.first)


class BilinearAtOnce(nn.Module):
    def __init__(self, bilinear, fields):
        super().__init__()
        self.bilinear = bilinear
        self.register_buffer("pair", torch.triu_indices(fields, fields, 1))

    def forward(self, v):
        return (self.bilinear(v)[:, self.pair[0]] * v[:, self.pair[1]]).flatten(1)


def make(arch, width, hidden, rows, setting):
    m = models.Model(arch, NUMERIC, rows, width, hidden)
    if setting == "rewritten":
        m.sparse_embedding = OneTable(rows, width)
        if arch == "fibinet":
            m.dense.bilinear_interaction = BilinearAtOnce(m.dense.bilinear_interaction.bilinear, len(rows))
    elif arch == "afm":
        m.dense = PairsBySlices(m.dense)
    foreach = {"foreach": True} if setting == "rewritten" else {}
    groups = [{"params": m.sparse_embedding.parameters(), "lr": 0.1}, {"params": m.dense.parameters()}]
    return m, torch.optim.Adam(groups, lr=1e-3, **foreach)


def draw(rows, batch):
    rng = np.random.default_rng(1)
    out = []
    for _ in range(BATCHES):
        ids = np.stack([np.minimum(np.exp(rng.random(batch) * np.log(n + 1)) - 1, n - 1) for n in rows], 1)
        x = rng.random((batch, NUMERIC), dtype=np.float32) * 2 - 1
        y = (rng.random(batch) < 0.3).astype(np.float32)
        out.append((torch.from_numpy(x), torch.from_numpy(ids.astype(np.int64)), torch.from_numpy(y)))
    return out


def main(case, what, threads, setting, scale):
    tiny = scale == "tiny"
    torch.set_num_threads(int(threads))
    torch.manual_seed(1)
    batch, rows = (128, [2 + n // 1000 for n in ROWS]) if tiny else (4096, ROWS)
    small = (4, [8, 4]) if tiny else (8, [64, 32, 4])
    large = (4, [8, 4]) if tiny else (16, [256, 128, 16])
    data = draw(rows, batch)
    bce = F.binary_cross_entropy_with_logits
    if case == "distill":
        teacher, teacher_adam = make("mlp", *small, rows, setting)
        student, student_adam = make("fibinet", *large, rows, setting)
    else:
        model, adam = make(case, *(small if case == "mlp" else large), rows, setting)

    def step(k):
        x, ids, y = data[k % BATCHES]
        if what == "infer":
            with torch.no_grad():
                model(x, ids)
        elif case == "distill":
            t = teacher(x, ids)
            bce(t, y).backward()
            s = student(x, ids)
            soft = 16 * bce(s / 4, torch.sigmoid(t.detach() / 4))
            student_adam.zero_grad()
            (0.7 * soft + 0.3 * bce(s, y)).backward()
            student_adam.step()
            if k % INTERVAL == 0:
                teacher_adam.step()
                teacher_adam.zero_grad()
        else:
            adam.zero_grad()
            bce(model(x, ids), y).backward()
            adam.step()

    least = 0 if tiny else 1.0
    step(0)
    if not tiny and what == "infer":
        step(1)
    wall, cpu, n = time.perf_counter(), time.process_time(), 0
    while n < 2 or time.perf_counter() - wall < least:
        n += 1
        step(n)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print("peer", case, what, threads, setting, os.environ.get("BENCH_ROUND", "1"), n * batch, 0, 0, f"{wall:.6f}",
          f"{cpu:.6f}", rss, sep="\t")


if __name__ == "__main__":
    main(*sys.argv[1:])
