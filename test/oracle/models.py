#!/usr/bin/python3
"""The architectures in PyTorch, written from their formulas, as a judge of ours.

Without arguments: logits, gradients and twenty losses of tiny models on made-up
data, in double precision. test/unit/test_golden.c makes the same weights and
data and holds the library against the stored output, test/golden/models.tsv.

  models.py check MODEL ROWS    load MODEL strictly and print the logits of the rows of a text file of ca-view
  models.py write ARCH MODEL    write a model as PyTorch would, without a word of ours; ARCH as in ca-train
"""
import json
import sys

import numpy as np
import torch
from torch import nn
import torch.nn.functional as F

NUMERIC, VOCAB, WIDTH, HIDDEN = 3, [40, 25, 12, 6, 3], 4, [8, 4]
BATCH, STEPS, STIRRED = 32, 20, 12


def hidden_block(width, hidden):
    layers = []
    for h in hidden:
        layers += [nn.Linear(width, h), nn.LayerNorm(h), nn.ReLU()]
        width = h
    return nn.Sequential(*layers)


def block(width, hidden):
    return nn.Sequential(*hidden_block(width, hidden), nn.Linear(hidden[-1], 1))


class Embeddings(nn.Module):
    def __init__(self, vocab, width):
        super().__init__()
        self.embedding_layers = nn.ModuleList([nn.Embedding(v, width) for v in vocab])

    def forward(self, ids):
        return torch.stack([e(ids[:, f]) for f, e in enumerate(self.embedding_layers)], 1)


class Mlp(nn.Module):
    def __init__(self, numeric, vocab, width, hidden):
        super().__init__()
        self.mlp = block(numeric + len(vocab) * width, hidden)

    def forward(self, x, v):
        return self.mlp(torch.cat([x, v.flatten(1)], 1))[:, 0]


class Senet(nn.Module):
    def __init__(self, fields, ratio=3):
        super().__init__()
        middle = max(1, fields // ratio)
        self.squeeze = nn.Linear(fields, middle)
        self.excitation = nn.Linear(middle, fields)

    def forward(self, v):
        a = torch.sigmoid(self.excitation(F.relu(self.squeeze(v.mean(2)))))
        return v * a[:, :, None]


class Bilinear(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.bilinear = nn.Linear(width, width, bias=False)

    def forward(self, v):
        n = v.shape[1]
        return torch.cat([self.bilinear(v[:, i]) * v[:, j] for i in range(n) for j in range(i + 1, n)], 1)


class Fibinet(nn.Module):
    def __init__(self, numeric, vocab, width, hidden):
        super().__init__()
        f = len(vocab)
        self.senet = Senet(f)
        self.bilinear_interaction = Bilinear(width)
        self.mlp = block(numeric + f * width + f * (f - 1) // 2 * width, hidden)

    def forward(self, x, v):
        pairs = self.bilinear_interaction(self.senet(v))
        return self.mlp(torch.cat([x, v.flatten(1), pairs], 1))[:, 0]


class Dcn(nn.Module):
    def __init__(self, numeric, vocab, width, hidden):
        super().__init__()
        n = numeric + len(vocab) * width
        self.cross_layers = nn.ModuleList([nn.Linear(n, 1) for _ in range(3)])
        self.deep_mlp = hidden_block(n, hidden)
        self.final_fc = nn.Linear(n + hidden[-1], 1)

    def forward(self, x, v):
        x0 = cross = torch.cat([x, v.flatten(1)], 1)
        for layer in self.cross_layers:
            cross = x0 * layer(cross) + cross
        return self.final_fc(torch.cat([cross, self.deep_mlp(x0)], 1))[:, 0]


def pairs(v):
    """Products of all pairs of fields: [rows, pairs, width]."""
    i, j = torch.triu_indices(v.shape[1], v.shape[1], 1)
    return v[:, i] * v[:, j]


class Deepfm(nn.Module):
    def __init__(self, numeric, vocab, width, hidden):
        super().__init__()
        self.deep_mlp = hidden_block(numeric + len(vocab) * width, hidden)
        self.deep_out = nn.Linear(hidden[-1], 1)

    def forward(self, x, v):
        deep = self.deep_out(self.deep_mlp(torch.cat([x, v.flatten(1)], 1)))[:, 0]
        return pairs(v).sum((1, 2)) + deep


class Xdeepfm(nn.Module):
    """Compressed interaction with one map a layer: it is a number, the same at every position of an embedding."""

    def __init__(self, numeric, vocab, width, hidden):
        super().__init__()
        f = len(vocab)
        self.cin_layers = nn.ModuleList([nn.Linear(f * m * width, 1) for m in (f, 1, 1)])
        self.dnn = block(numeric + f * width, hidden)
        self.final_linear = nn.Linear(2, 1)

    def forward(self, x, v):
        state, cin = v, 0
        for layer in self.cin_layers:
            s = layer((v[:, :, None] * state[:, None]).flatten(1))
            cin = cin + s
            state = s[:, :, None]
        return self.final_linear(torch.cat([cin, self.dnn(torch.cat([x, v.flatten(1)], 1))], 1))[:, 0]


class Autoint(nn.Module):
    def __init__(self, numeric, vocab, width, hidden):
        super().__init__()
        self.attention_layers = nn.ModuleList([nn.MultiheadAttention(width, 2, batch_first=True) for _ in range(3)])
        self.layer_norms = nn.ModuleList([nn.LayerNorm(width) for _ in range(3)])
        self.mlp = block(numeric + len(vocab) * width, hidden)

    def forward(self, x, v):
        for attention, norm in zip(self.attention_layers, self.layer_norms):
            v = norm(attention(v, v, v)[0] + v)
        return self.mlp(torch.cat([x, v.flatten(1)], 1))[:, 0]


class Afm(nn.Module):
    def __init__(self, numeric, vocab, width, hidden):
        super().__init__()
        self.attention_linear = nn.Linear(width, 8)
        self.attention_h = nn.Linear(8, 1, bias=False)
        self.mlp = block(numeric + len(vocab) * width, hidden)

    def forward(self, x, v):
        e = pairs(v)
        weight = torch.softmax(self.attention_h(F.relu(self.attention_linear(e))), 1)
        return (weight * e).sum((1, 2)) + self.mlp(torch.cat([x, v.flatten(1)], 1))[:, 0]


class Nfm(nn.Module):
    def __init__(self, numeric, vocab, width, hidden):
        super().__init__()
        self.mlp = block(numeric + width, hidden)

    def forward(self, x, v):
        return self.mlp(torch.cat([x, pairs(v).sum(1)], 1))[:, 0]


ARCHS = {"afm": Afm, "autoint": Autoint, "dcn": Dcn, "deepfm": Deepfm, "fibinet": Fibinet, "mlp": Mlp, "nfm": Nfm,
         "xdeepfm": Xdeepfm}


class Model(nn.Module):
    def __init__(self, arch, numeric, vocab, width, hidden):
        super().__init__()
        self.sparse_embedding = Embeddings(vocab, width)
        self.dense = ARCHS[arch](numeric, vocab, width, hidden)

    def forward(self, x, ids):
        return self.dense(x, self.sparse_embedding(ids))


def draw(first, n):
    """splitmix64 of n counters from first, the upper 24 bits."""
    with np.errstate(over="ignore"):
        z = (np.arange(n, dtype=np.uint64) + np.uint64(first + 1)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return (z >> np.uint64(40)).astype(np.int64)


def lane(k, n):
    return draw(k << 32, n)


def weights(model, stir=0):
    """Tensor k, sorted by name, is lane 100 + k, from -1/2 to 1/2 in steps a float can hold; gains around 1.

    stir moves each value by at most two of its last bits in single precision, another way for each number.
    """
    for k, (name, p) in enumerate(sorted(model.state_dict().items())):
        u = (lane(100 + k, p.numel()) - 2**23) / 2.0**24
        if p.dim() == 1 and name.endswith("weight"):
            u = u + 1.0
        if stir:
            u = u * (1 + (lane(1000 * stir + k, p.numel()) - 2**23) * 2.0**-46)
        with torch.no_grad():
            p.copy_(torch.from_numpy(u).reshape(p.shape))


def data():
    n = BATCH * STEPS
    ids = np.stack([lane(f, n) % v for f, v in enumerate(VOCAB)], 1)
    x = np.stack([(lane(20 + i, n) % 64 - 32) / 16.0 for i in range(NUMERIC)], 1)
    y = (lane(40, n) % 4 == 0).astype(np.float64)
    t = (lane(43, n) % 256 - 128) / 32.0
    return [torch.from_numpy(a) for a in (ids, x, y, t)]


def loss(name, s, y, t):
    bce = F.binary_cross_entropy_with_logits
    alpha, temp, lam = 0.7, 4.0, 0.5
    if name == "bce":
        return bce(s, y)
    if name == "paper":
        return bce(s, y) + lam * bce(s, torch.sigmoid(t))
    if name == "published":
        return alpha * temp**2 * bce(s / temp, torch.sigmoid(t / temp)) + (1 - alpha) * bce(s, y)
    if name == "huber":
        return (alpha * temp**2 * F.smooth_l1_loss(torch.sigmoid(s / temp), torch.sigmoid(t / temp))
                + (1 - alpha) * bce(s, y))
    raise ValueError(name)


def make(arch, kind=torch.float64, stir=0):
    model = Model(arch, NUMERIC, VOCAB, WIDTH, HIDDEN).to(kind)
    weights(model, stir)
    return model


def show(*fields, values):
    print(*fields, " ".join("%.12g" % v for v in np.ravel(values)), sep="\t")


def train(arch, name, frozen=0, kind=torch.float64, stir=0):
    """Losses before each step; the tables stay as they are for the first frozen steps."""
    model = make(arch, kind, stir)
    ids, x, y, t = (a if a.dtype == torch.int64 else a.to(kind) for a in data())
    tables = torch.optim.Adam(model.sparse_embedding.parameters(), lr=0.1)
    dense = torch.optim.Adam(model.dense.parameters(), lr=0.001)
    out = []
    for k in range(STEPS):
        at = slice(k * BATCH, (k + 1) * BATCH)
        tables.zero_grad()
        dense.zero_grad()
        value = loss(name, model(x[at], ids[at]), y[at], t[at])
        value.backward()
        if k >= frozen:
            tables.step()
        dense.step()
        out.append(value.item())
    return out, model


def losses(arch, name, loss, frozen=0):
    """Prints the losses, and for each step how far PyTorch's own are from it in single precision, at most of several runs
    whose weights start a rounding apart: Adam's steps make much of it. Data with which a unit so near to 0 meets a step that
    it opens in one run and not in another would tell nothing from there on, and are refused."""
    out, model = train(arch, loss, frozen)
    single = [train(arch, loss, frozen, torch.float32, stir)[0] for stir in range(STIRRED)]
    spread = [max(abs(a / b - 1) for a in at) for *at, b in zip(*single, out)]
    if max(spread) > 1e-5:
        raise SystemExit(f"models.py: {arch}, {name}: runs a rounding apart part by {max(spread):.0e}: take other data")
    show(arch, "losses", name, values=out)
    show(arch, "spread", name, values=[float("%.0e" % s) for s in spread])
    return model


def golden():
    print("arch", "what", "name", "values", sep="\t")
    for arch in ("mlp", "fibinet", *sorted(ARCHS.keys() - {"mlp", "fibinet"})):
        model = make(arch)
        ids, x, y, t = (a[:BATCH] for a in data())
        s = model(x, ids)
        loss("bce", s, y, t).backward()
        show(arch, "logit", "", values=s.detach().numpy())
        for name, p in sorted(model.named_parameters()):
            show(arch, "gradient", name, values=p.grad.numpy())
        for name in ("bce", "published", "paper", "huber"):
            losses(arch, name, name)
        model = losses(arch, "frozen", "bce", STEPS // 2)
        for name, p in sorted(model.state_dict().items()):
            show(arch, "trained", name, values=p.numpy())


# ---- files ----


def read(path):
    with open(path, "rb") as f:
        n = int.from_bytes(f.read(8), "little")
        header = json.loads(f.read(n))
        data = f.read()
    meta = header.pop("__metadata__", {})
    tensors = {}
    for name, t in header.items():
        a, b = t["data_offsets"]
        kind = {"F32": np.float32, "U8": np.uint8, "U64": np.int64}[t["dtype"]]
        tensors[name] = torch.from_numpy(np.frombuffer(data[a:b], kind).copy().reshape(t["shape"]))
    return tensors, meta


def write(path, tensors):
    header, data = {}, b""
    for name, t in tensors.items():
        raw = t.numpy().astype(np.float32).tobytes()
        header[name] = {"dtype": "F32", "shape": list(t.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    with open(path, "wb") as f:
        f.write(len(text).to_bytes(8, "little") + text + data)


def parse(text):
    arch, width, hidden = text.split(":")
    return arch, int(width), [int(h) for h in hidden.split(",")]


def check(path, rows):
    tensors, meta = read(path)
    arch, width, hidden = parse(meta["architecture"])
    features = json.loads(meta["features"])
    model = Model(arch, len(features["numeric"]), [f["vocab"] for f in features["fields"]], width, hidden)
    model.load_state_dict(tensors, strict=True)
    with open(rows) as f:
        names = f.readline().rstrip("\n").split("\t")
        table = [line.rstrip("\n").split("\t") for line in f]
    column = {n: [r[i] for r in table] for i, n in enumerate(names)}
    x = np.array([column[n] for n in features["numeric"]], dtype=np.float32).reshape(len(features["numeric"]), -1).T
    ids = np.array([column[f["name"]] for f in features["fields"]], dtype=np.int64).T
    with torch.no_grad():
        s = model(torch.from_numpy(x), torch.from_numpy(ids))
    for v in s.numpy():
        print("%.9g" % v)


def main():
    torch.set_num_threads(1)
    if sys.argv[1:2] == ["check"]:
        check(sys.argv[2], sys.argv[3])
    elif sys.argv[1:2] == ["write"]:
        arch, width, hidden = parse(sys.argv[2])
        torch.manual_seed(1)
        write(sys.argv[3], Model(arch, NUMERIC, VOCAB, width, hidden).state_dict())
    else:
        golden()


if __name__ == "__main__":
    main()
