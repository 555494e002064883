#!/usr/bin/python3
"""Models that read lists, further tasks and domains in PyTorch, from their formulas, as a judge of ours.

Prints, in double precision, of tiny models on made-up data: logits in training and, after twenty
steps, in inference, a few numbers of every gradient, and twenty losses. test/unit/lists.h makes the
same weights and data.
"""
import numpy as np
import torch
from torch import nn
import torch.nn.functional as F

from models import BATCH, NUMERIC, STEPS, VOCAB, data, lane
from zoo import summary

D, HIDDEN, PLACES = 4, [8, 4], 4
ROWS = BATCH * STEPS
LISTS = [("l0", "c4"), ("l1", "c5"), ("l2", None)]
LIST_VOCAB = [VOCAB[1], VOCAB[2], 5]
FIELDS = NUMERIC + len(VOCAB)


def lists():
    """[lists, rows, places]: up to so many ids, some of them 0, then zeros."""
    out = np.zeros((len(LISTS), ROWS, PLACES), dtype=np.int64)
    for q, vocab in enumerate(LIST_VOCAB):
        length = lane(60 + q, ROWS) % (PLACES + 1)
        for p in range(PLACES):
            ids = lane(70 + 8 * q + p, ROWS) % vocab
            out[q, :, p] = np.where(p < length, ids, 0)
    return torch.tensor(out)


class Tables(nn.Module):
    """Linear maps of numeric features, tables of columns, and of lists that have one of their own."""

    def __init__(self, width, share):
        super().__init__()
        inner = nn.Module()
        inner.embedding_layers = nn.ModuleDict()
        for i in range(NUMERIC):
            inner.embedding_layers["c%d" % i] = nn.Linear(1, width, bias=False)
        for f, rows in enumerate(VOCAB):
            inner.embedding_layers["c%d" % (NUMERIC + f)] = nn.Embedding(rows, width, padding_idx=0)
        self.share = share
        for (name, like), rows in zip(LISTS, LIST_VOCAB):
            if not (share and like):
                inner.embedding_layers[name] = nn.Embedding(rows, width, padding_idx=0)
        self.embedding_layer = inner

    def numeric(self, x):
        layers = self.embedding_layer.embedding_layers
        return [layers["c%d" % i](x[:, i:i + 1]) for i in range(NUMERIC)]

    def column(self, ids, f):
        return self.embedding_layer.embedding_layers["c%d" % (NUMERIC + f)](ids[:, f])

    def places(self, items, q):
        name, like = LISTS[q]
        return self.embedding_layer.embedding_layers[like if self.share and like else name](items[q])

    def pooled(self, items, q):
        e = self.places(items, q)
        return e.sum(1) / ((e.sum(2) != 0).sum(1, keepdim=True) + 1e-12)

    def forward(self, x, ids, items):
        out = self.numeric(x) + [self.column(ids, f) for f in range(len(VOCAB))]
        return torch.stack(out + [self.pooled(items, q) for q in range(len(LISTS))], 1)


def tower(width, hidden, head=True):
    layers = []
    for h in hidden:
        layers += [nn.Linear(width, h), nn.ReLU()]
        width = h
    outer = nn.Module()
    outer.mlp = nn.Sequential(*layers, *([nn.Linear(width, 1)] if head else []))
    return outer


class Base(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding_layer = Tables(D, True)
        self.parts()

    def loss(self, heads, y, tasks):
        return F.binary_cross_entropy_with_logits(heads[0], y)


class Deepfm(Base):
    def parts(self):
        self.fm = nn.Module()
        self.fm.lr_layer = nn.Module()
        self.fm.lr_layer.embedding_layer = Tables(1, False)
        self.fm.lr_layer.bias = nn.Parameter(torch.zeros(1))
        self.mlp = tower((FIELDS + len(LISTS)) * D, HIDDEN)

    def forward(self, x, ids, items, domain):
        v = self.embedding_layer(x, ids, items)
        lr = self.fm.lr_layer.embedding_layer(x, ids, items).sum((1, 2)) + self.fm.lr_layer.bias
        fm = 0.5 * (v.sum(1) ** 2 - (v ** 2).sum(1)).sum(1)
        return [lr + fm + self.mlp.mlp(v.flatten(1))[:, 0]]


class Multitask(Base):
    towers = 3

    def parts(self):
        self.bottom = tower((FIELDS + len(LISTS)) * D, HIDDEN, False)
        self.tower = nn.ModuleList([tower(HIDDEN[-1], [3]) for _ in range(self.towers)])

    def forward(self, x, ids, items, domain):
        v = self.bottom.mlp(self.embedding_layer(x, ids, items).flatten(1))
        return [t.mlp(v)[:, 0] for t in self.tower]

    def loss(self, heads, y, tasks):
        return sum(F.binary_cross_entropy_with_logits(s, t) for s, t in zip(heads, [y, *tasks]))


class Multidomain(Multitask):
    def forward(self, x, ids, items, domain):
        s = torch.stack(super().forward(x, ids, items, domain), 1)
        return [s.gather(1, domain[:, None])[:, 0]]

    def loss(self, heads, y, tasks):
        return F.binary_cross_entropy_with_logits(heads[0], y)


class Dice(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.bn = nn.BatchNorm1d(n, eps=1e-9, momentum=0.01, affine=False)
        self.alpha = nn.Parameter(torch.zeros(n))

    def forward(self, x):
        p = torch.sigmoid(self.bn(x))
        return x * (p + self.alpha * (1 - p))


def feed_forward(m):
    return nn.Sequential(nn.Linear(m, 2 * m), nn.ReLU(), nn.Linear(2 * m, m))


class Target(nn.Module):
    def __init__(self, m, position, hidden, dice):
        super().__init__()
        if position:
            self.pos_emb = nn.Parameter(torch.zeros(PLACES, position))
            self.W_proj = nn.Linear(m + position, m)
        layers, width = [], 4 * m
        for h in hidden:
            layers += [nn.Linear(width, h), Dice(h) if dice else nn.ReLU()]
            width = h
        self.attn_mlp = nn.Module()
        self.attn_mlp.mlp = nn.Sequential(*layers, nn.Linear(width, 1))

    def forward(self, y, target, keep):
        t = target[:, None].expand(-1, PLACES, -1)
        if hasattr(self, "pos_emb"):
            t = self.W_proj(torch.cat([t, self.pos_emb.expand(len(t), -1, -1)], 2))
        features = torch.cat([t, y, t - y, t * y], 2)
        score = self.attn_mlp.mlp(features.flatten(0, 1)).view(-1, PLACES)
        a = score.masked_fill(~keep, -1e9).softmax(1)
        return (a[:, :, None] * y).sum(1)


class Dmin(Base):
    heads, refiner, position, attention, dice, float_mask, norm = 2, True, 3, [6, 5], False, False, False

    def parts(self):
        m = 2 * D
        if self.refiner:
            block = nn.Module()
            block.attention = nn.MultiheadAttention(m, self.heads, batch_first=True)
            block.layer_norm = nn.LayerNorm(m)
            block.ffn = feed_forward(m)
            self.behavior_refiner = nn.ModuleList([block])
        e = nn.Module()
        e.W_qkv = nn.Linear(m, 3 * m, bias=False)
        e.W_o = nn.ModuleList([nn.Linear(m // self.heads, m, bias=False) for _ in range(self.heads)])
        e.layer_norm = nn.ModuleList([nn.LayerNorm(m) for _ in range(self.heads)])
        e.ffn = nn.ModuleList([feed_forward(m) for _ in range(self.heads)])
        e.target_attention = nn.ModuleList([Target(m, self.position, self.attention, self.dice) for _ in range(self.heads)])
        self.multi_interest_extractor = nn.ModuleList([e])
        width = self.heads * m + (FIELDS + 1) * D
        self.dnn = tower(width, HIDDEN)
        if self.norm:
            self.dnn.mlp = nn.Sequential(nn.BatchNorm1d(width), *self.dnn.mlp)

    def forward(self, x, ids, items, domain):
        e = self.embedding_layer
        columns = [e.column(ids, f) for f in range(len(VOCAB))]
        places = torch.cat([e.places(items, 0), e.places(items, 1)], 2)
        target = torch.cat([columns[1], columns[2]], 1)
        keep = items[0] != 0
        seen = (keep[:, None, :] | torch.eye(PLACES, dtype=torch.bool)) & torch.ones(PLACES, PLACES, dtype=torch.bool).tril()
        h = self.heads
        if self.refiner:
            block = self.behavior_refiner[0]
            mask = (~seen).repeat_interleave(h, 0)
            if self.float_mask:
                mask = mask.to(places.dtype)
            s = block.layer_norm(block.attention(places, places, places, attn_mask=mask, need_weights=False)[0] + places)
            places = block.ffn(s) + s
        ex = self.multi_interest_extractor[0]
        m = places.shape[2]
        q, k, v = (z.view(-1, PLACES, h, m // h).transpose(1, 2) for z in ex.W_qkv(places).chunk(3, 2))
        a = (q @ k.transpose(2, 3) / (m // h) ** 0.5).masked_fill(~seen[:, None], -1e9).softmax(3) @ v
        interests = []
        for i in range(h):
            s = ex.layer_norm[i](ex.W_o[i](a[:, i]) + places)
            interests.append(ex.target_attention[i](ex.ffn[i](s) + s, target, keep))
        return self.score(torch.cat(interests + e.numeric(x) + columns + [e.pooled(items, 2)], 1))

    def score(self, x):
        return [self.dnn.mlp(x)[:, 0]]


class DminPlain(Dmin):
    heads, refiner, position, attention = 1, False, 0, [6]


class DminDice(Dmin):
    dice, float_mask, norm = True, True, True


class DminMultitask(Dmin):
    towers = 3

    def parts(self):
        super().parts()
        self.dnn.mlp = self.dnn.mlp[:-1]
        self.tower = nn.ModuleList([tower(HIDDEN[-1], [3]) for _ in range(self.towers)])

    def score(self, x):
        v = self.dnn.mlp(x)
        return [t.mlp(v)[:, 0] for t in self.tower]

    def loss(self, heads, y, tasks):
        return Multitask.loss(self, heads, y, tasks)


class DminMultidomain(DminMultitask):
    def forward(self, x, ids, items, domain):
        s = torch.stack(super().forward(x, ids, items, domain), 1)
        return [s.gather(1, domain[:, None])[:, 0]]

    def loss(self, heads, y, tasks):
        return F.binary_cross_entropy_with_logits(heads[0], y)


ARCHS = [("deepfm-fx:4:8,4", Deepfm), ("multitask:4:8,4:tower=3", Multitask), ("multidomain:4:8,4:tower=3", Multidomain),
         ("dmin:4:8,4:heads=2,position=3,attention=6,attention-2=5", Dmin),
         ("dmin:4:8,4:heads=1,refiner=0,position=0,attention=6,attention-2=0", DminPlain),
         ("dmin:4:8,4:heads=2,position=3,attention=6,attention-2=5,attention-dice=1,float-mask=1,bn=2", DminDice),
         ("dmin-multitask:4:8,4:heads=2,position=3,attention=6,attention-2=5,tower=3", DminMultitask),
         ("dmin-multidomain:4:8,4:heads=2,position=3,attention=6,attention-2=5,tower=3", DminMultidomain)]


def make(kind):
    """From -1/2 to 1/2; a gain is 1 more; padding is 0."""
    model = kind().double()
    padded = {n + ".weight" for n, m in model.named_modules() if isinstance(m, nn.Embedding)}
    with torch.no_grad():
        for k, (name, p) in enumerate(sorted(model.named_parameters())):
            draws = (lane(100 + k, p.numel()) - (1 << 23)) / (1 << 24)
            p.copy_(torch.tensor(draws + (p.dim() == 1 and name.endswith(".weight"))).view(p.shape))
            if name in padded:
                p[0] = 0
    return model


def show(*key, values):
    print(*key, " ".join("%.17g" % v for v in values), sep="\t")


def main():
    torch.set_num_threads(1)
    print("arch", "what", "name", "values", sep="\t")
    ids, x, y, _ = data()
    items = lists()
    tasks = [torch.tensor((lane(94, ROWS) % 3 == 0).astype(np.float64)), torch.tensor((lane(95, ROWS) % 2).astype(np.float64))]
    domain = torch.tensor((lane(96, ROWS) % 3).astype(np.int64))
    for arch, kind in ARCHS:
        model = make(kind)
        tables = [p for m in model.modules() if isinstance(m, nn.Embedding) for p in m.parameters()]
        dense = [p for p in model.parameters() if all(p is not t for t in tables)]
        steps, losses = [torch.optim.Adam(tables, lr=0.01), torch.optim.Adam(dense, lr=0.001)], []
        for k in range(STEPS):
            at = slice(k * BATCH, (k + 1) * BATCH)
            model.zero_grad()
            heads = model(x[at], ids[at], items[:, at], domain[at])
            value = model.loss(heads, y[at], [t[at] for t in tasks])
            value.backward()
            if not k:
                show(arch, "logit", "", values=heads[0].detach().numpy())
                for name, p in sorted(model.named_parameters()):
                    show(arch, "gradient", name, values=summary(p.grad))
            for o in steps:
                o.step()
            losses.append(value.item())
        show(arch, "losses", "bce", values=losses)
        model.eval()
        with torch.no_grad():
            for h, s in enumerate(model(x[:BATCH], ids[:BATCH], items[:, :BATCH], domain[:BATCH])):
                show(arch, "inference", h, values=s.numpy())


if __name__ == "__main__":
    main()
