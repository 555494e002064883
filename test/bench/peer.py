#!/usr/bin/python3
"""Speed of the same models in PyTorch, as test/bench/peer runs it; prints one line as test/bench/sample.h has them.

  peer.py CASE WHAT THREADS SETTING SCALE

The models are those of the oracle (test/oracle/models.py), which the library's logits, gradients and losses are held
to, so both sides compute the same. Every step has a fresh batch, drawn while the clock stands, as ours has.

SETTING rewritten takes what one would write for speed: one table for all fields, whose gradient is sparse and made dense
for Adam (a fifth faster than a dense one from the start), pairs by one product and an index, Adam over lists of
tensors. SETTING sparse leaves the gradient sparse, for torch.optim.SparseAdam, which is another algorithm: moments of a
row at rest do not decay and the row does not move.

Inference is without a tape: no_grad by default, else the faster of inference_mode and a frozen trace of torch.jit, as
some steps beforehand tell. PyTorch 1.13, which is Debian's, has no torch.compile.
"""
import os
import resource
import sys
import time
import warnings

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "oracle"))
import models

NUMERIC = 13
ROWS = [1458, 555, 193948, 138800, 306, 18, 11970, 634, 4, 42646, 5178, 192772, 3175,
        27, 11422, 181074, 11, 4654, 2031, 4, 189656, 17, 16, 59696, 85, 45570]
INTERVAL = 10


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
        self.table = nn.Embedding(sum(rows), width, sparse=True)
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


class Split:
    """Tables and the rest, each with its optimizer; gradients of tables are made dense unless theirs takes sparse ones."""

    def __init__(self, tables, rest):
        self.each, self.dense = (tables, rest), not isinstance(tables, torch.optim.SparseAdam)

    def step(self):
        for p in self.each[0].param_groups[0]["params"] if self.dense else ():
            p.grad = p.grad.to_dense()
        for o in self.each:
            o.step()

    def zero_grad(self):
        for o in self.each:
            o.zero_grad(set_to_none=True)


def make(arch, width, hidden, rows, setting):
    m = models.Model(arch, NUMERIC, rows, width, hidden)
    if setting in ("rewritten", "sparse"):
        m.sparse_embedding = OneTable(rows, width)
        if arch == "fibinet":
            m.dense.bilinear_interaction = BilinearAtOnce(m.dense.bilinear_interaction.bilinear, len(rows))
        tables = list(m.sparse_embedding.parameters())
        return m, Split(torch.optim.SparseAdam(tables, lr=0.1) if setting == "sparse" else
                        torch.optim.Adam(tables, lr=0.1, foreach=True),
                        torch.optim.Adam(m.dense.parameters(), lr=1e-3, foreach=True))
    if arch == "afm":
        m.dense = PairsBySlices(m.dense)
    groups = [{"params": m.sparse_embedding.parameters(), "lr": 0.1}, {"params": m.dense.parameters()}]
    return m, torch.optim.Adam(groups, lr=1e-3)


def batches(rows, batch):
    """Batches without end: ids log-uniform, as test/bench/model.c draws them."""
    rng = np.random.default_rng(1)
    while True:
        ids = np.stack([np.minimum(np.exp(rng.random(batch) * np.log(n + 1)) - 1, n - 1) for n in rows], 1)
        x = rng.random((batch, NUMERIC), dtype=np.float32) * 2 - 1
        y = (rng.random(batch) < 0.3).astype(np.float32)
        yield torch.from_numpy(x), torch.from_numpy(ids.astype(np.int64)), torch.from_numpy(y)


def scorers(model, setting, batch):
    """The ways to infer that are tried in a setting."""
    x, ids, _ = batch
    # loops over fields are unrolled, which is what is wanted
    warnings.simplefilter("ignore", torch.jit.TracerWarning)
    return [model] if setting == "default" else [model, torch.jit.freeze(torch.jit.trace(model.eval(), (x, ids)))]


def main(case, what, threads, setting, scale):
    tiny = scale == "tiny"
    torch.set_num_threads(int(threads))
    torch.manual_seed(1)
    batch, rows = (128, [2 + n // 1000 for n in ROWS]) if tiny else (4096, ROWS)
    small = (4, [8, 4]) if tiny else (8, [64, 32, 4])
    large = (4, [8, 4]) if tiny else (16, [256, 128, 16])
    data = batches(rows, batch)
    bce = F.binary_cross_entropy_with_logits
    if case == "distill":
        teacher, teacher_adam = make("mlp", *small, rows, setting)
        student, student_adam = make("fibinet", *large, rows, setting)
    else:
        model, adam = make(case, *(small if case == "mlp" else large), rows, setting)

    def train(k, x, ids, y):
        adam.zero_grad()
        bce(model(x, ids), y).backward()
        adam.step()

    def distill(k, x, ids, y):
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

    def timed(step, warm, steps, least):
        """Wall and processor seconds of the steps after the first ones, and their number."""
        wall = cpu = n = 0
        for k in range(warm):
            step(k, *next(data))
        while n < steps or wall < least:
            b = next(data)
            wall, cpu, n = wall - time.perf_counter(), cpu - time.process_time(), n + 1
            step(n, *b)
            wall, cpu = wall + time.perf_counter(), cpu + time.process_time()
        return wall, cpu, n

    least = 0 if tiny else 1.0
    if what == "infer":
        # a trace is specialised in its first two steps
        with torch.inference_mode(setting != "default"), torch.no_grad():
            ways = [lambda k, x, ids, y, f=f: f(x, ids) for f in scorers(model, setting, next(data))]
            if len(ways) > 1:
                ways.sort(key=lambda way: timed(way, 3, 2, 0)[0])
            wall, cpu, n = timed(ways[0], 2, 2, least)
    else:
        wall, cpu, n = timed(distill if case == "distill" else train, 1, 2, least)
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print("peer", case, what, threads, setting, os.environ.get("BENCH_ROUND", "1"), n * batch, 0, 0, f"{wall:.6f}",
          f"{cpu:.6f}", rss, sep="\t")


if __name__ == "__main__":
    main(*sys.argv[1:])
