#!/usr/bin/python3
"""The architectures in the form of FuxiCTR in PyTorch, from their formulas, as a judge of ours.

Prints, in double precision, of tiny models on made-up data: logits, of every gradient a few
numbers (its product with draws, which depends on every element and its place, its norm, and
elements spread over it), and twenty losses. test/unit/zoo.h makes the same weights and data.
"""
import numpy as np
import torch
from torch import nn
import torch.nn.functional as F

from models import BATCH, NUMERIC, STEPS, VOCAB, data, lane

D, HIDDEN = 4, [8, 4]
FIELDS = NUMERIC + len(VOCAB)
N = FIELDS * D
PAIRS = [(i, j) for i in range(FIELDS) for j in range(i + 1, FIELDS)]


def raw(*shape):
    return nn.Parameter(torch.zeros(*shape))


class Dict(nn.Module):
    """Numeric features through linear maps, categorical ones through tables with padding; tables are named by column."""

    def __init__(self, width, numeric=True):
        super().__init__()
        inner = nn.Module()
        inner.embedding_layers = nn.ModuleDict()
        if numeric:
            for i in range(NUMERIC):
                inner.embedding_layers["c%d" % i] = nn.Linear(1, width, bias=False)
        for f, rows in enumerate(VOCAB):
            inner.embedding_layers["c%d" % (NUMERIC + f)] = nn.Embedding(rows, width, padding_idx=0)
        self.embedding_layer = inner

    def forward(self, x, ids):
        layers = self.embedding_layer.embedding_layers
        out = [layers["c%d" % i](x[:, i:i + 1]) for i in range(NUMERIC) if "c%d" % i in layers]
        out += [layers["c%d" % (NUMERIC + f)](ids[:, f]) for f in range(len(VOCAB))]
        return torch.stack(out, 1)


class LrTerm(nn.Module):
    def __init__(self, bias):
        super().__init__()
        self.embedding_layer = Dict(1)
        if bias:
            self.bias = raw(1)

    def forward(self, x, ids):
        s = self.embedding_layer(x, ids).sum((1, 2))
        return s + self.bias if hasattr(self, "bias") else s


class Tower(nn.Module):
    def __init__(self, width, hidden=HIDDEN, head=True):
        super().__init__()
        layers = []
        for h in hidden:
            layers += [nn.Linear(width, h), nn.ReLU()]
            width = h
        self.mlp = nn.Sequential(*layers, *([nn.Linear(width, 1)] if head else []))

    def forward(self, x):
        return self.mlp(x)


def fm2(v):
    return 0.5 * (v.sum(1) ** 2 - (v ** 2).sum(1))


class Fx(nn.Module):
    """lr: None, or whether the first-order term has a bias; at: where its module is."""
    lr, at = None, "lr_layer"

    def __init__(self):
        super().__init__()
        self.embedding_layer = Dict(D)
        if self.lr is not None:
            owner = self
            for part in self.at.split(".")[:-1]:
                setattr(owner, part, nn.Module())
                owner = getattr(owner, part)
            setattr(owner, self.at.split(".")[-1], LrTerm(self.lr))
        self.parts()

    def parts(self):
        pass

    def forward(self, x, ids):
        s = self.score(self.embedding_layer(x, ids))
        if self.lr is not None:
            s = s + self.get_submodule(self.at)(x, ids)
        return s


class Lr(nn.Module):
    def __init__(self):
        super().__init__()
        self.lr_layer = LrTerm(True)

    def forward(self, x, ids):
        return self.lr_layer(x, ids)


class Fm(Fx):
    lr, at = True, "fm.lr_layer"

    def score(self, v):
        return fm2(v).sum(1)


class Fmfm(Fx):
    lr = True

    def parts(self):
        self.interaction_weight = raw(len(PAIRS), D, D)

    def score(self, v):
        return sum(torch.einsum("ba,ac,bc->b", v[:, i], self.interaction_weight[p], v[:, j])
                   for p, (i, j) in enumerate(PAIRS))


class FmfmVector(Fx):
    lr = True

    def parts(self):
        self.interaction_weight = raw(len(PAIRS), D)

    def score(self, v):
        return sum((v[:, i] * self.interaction_weight[p] * v[:, j]).sum(1) for p, (i, j) in enumerate(PAIRS))


class DeepfmFx(Fx):
    lr, at = True, "fm.lr_layer"

    def parts(self):
        self.mlp = Tower(N)

    def score(self, v):
        return fm2(v).sum(1) + self.mlp(v.flatten(1))[:, 0]


class Widedeep(Fx):
    lr = False

    def parts(self):
        self.dnn = Tower(N)

    def score(self, v):
        return self.dnn(v.flatten(1))[:, 0]


class DcnFx(Fx):
    def parts(self):
        self.crossnet = nn.Module()
        self.crossnet.cross_net = nn.ModuleList()
        for _ in range(3):
            layer = nn.Module()
            layer.weight, layer.bias = nn.Linear(N, 1, bias=False), raw(N)
            self.crossnet.cross_net.append(layer)
        self.dnn = Tower(N, head=False)
        self.fc = nn.Linear(N + HIDDEN[-1], 1)

    def score(self, v):
        x0 = x = v.flatten(1)
        for layer in self.crossnet.cross_net:
            x = x0 * layer.weight(x) + layer.bias + x
        return self.fc(torch.cat([x, self.dnn(x0)], 1))[:, 0]


class CrossnetV2(Fx):
    stacked = parallel = False

    def parts(self):
        self.crossnet = nn.Module()
        self.crossnet.cross_layers = nn.ModuleList([nn.Linear(N, N) for _ in range(3)])
        width = 0 if self.stacked else N
        if self.stacked:
            self.stacked_dnn = Tower(N, head=False)
            width += HIDDEN[-1]
        if self.parallel:
            self.parallel_dnn = Tower(N, head=False)
            width += HIDDEN[-1]
        self.fc = nn.Linear(width, 1)

    def score(self, v):
        x0 = x = v.flatten(1)
        for layer in self.crossnet.cross_layers:
            x = x0 * layer(x) + x
        out = [self.stacked_dnn(x) if self.stacked else x]
        if self.parallel:
            out.append(self.parallel_dnn(x0))
        return self.fc(torch.cat(out, 1))[:, 0]


class Dcnv2(CrossnetV2):
    parallel = True


class Dcnv2Stacked(CrossnetV2):
    stacked = True


class Dcnv2Both(CrossnetV2):
    stacked = parallel = True


class AfmFx(Fx):
    lr = True

    def parts(self):
        self.attention = nn.Sequential(nn.Linear(D, 10), nn.ReLU(), nn.Linear(10, 1, bias=False), nn.Softmax(1))
        self.weight_p = nn.Linear(D, 1, bias=False)

    def score(self, v):
        e = torch.stack([v[:, i] * v[:, j] for i, j in PAIRS], 1)
        return self.weight_p((self.attention(e) * e).sum(1))[:, 0]


class NfmFx(Fx):
    lr = False

    def parts(self):
        self.dnn = Tower(D)

    def score(self, v):
        return self.dnn(fm2(v))[:, 0]


class FibinetFx(Fx):
    lr = False
    shape = (len(PAIRS), D, D)

    def parts(self):
        r = max(1, FIELDS // 3)
        self.senet_layer = nn.Module()
        self.senet_layer.excitation = nn.Sequential(
            nn.Linear(FIELDS, r, bias=False), nn.ReLU(), nn.Linear(r, FIELDS, bias=False), nn.ReLU())
        for name in ("bilinear_interaction1", "bilinear_interaction2"):
            part = nn.Module()
            part.bilinear_W = raw(*self.shape)
            setattr(self, name, part)
        self.dnn = Tower(2 * len(PAIRS) * D)

    def of(self, w, p, i):
        return w[p]

    def forms(self, v, w):
        return torch.cat([v[:, i] @ self.of(w, p, i) * v[:, j] for p, (i, j) in enumerate(PAIRS)], 1)

    def score(self, v):
        a = self.senet_layer.excitation(v.mean(2))
        both = [self.forms(v, self.bilinear_interaction1.bilinear_W),
                self.forms(v * a[:, :, None], self.bilinear_interaction2.bilinear_W)]
        return self.dnn(torch.cat(both, 1))[:, 0]


class FibinetEach(FibinetFx):
    shape = (FIELDS, D, D)

    def of(self, w, p, i):
        return w[i]


class FibinetAll(FibinetFx):
    shape = (D, D)

    def of(self, w, p, i):
        return w


class Cin(Fx):
    def parts(self):
        self.cin = nn.Module()
        self.cin.cin_layer = nn.ModuleDict(
            {"layer_%d" % (l + 1): nn.Conv1d(FIELDS * (16 if l else FIELDS), 16, 1) for l in range(3)})
        self.cin.fc = nn.Linear(48, 1)

    def network(self, v):
        x, pool = v, []
        for layer in self.cin.cin_layer.values():
            z = torch.einsum("bhk,bmk->bhmk", v, x).flatten(1, 2)
            x = layer(z)
            pool.append(x.sum(2))
        return self.cin.fc(torch.cat(pool, 1))[:, 0]

    def score(self, v):
        return self.network(v)


class XdeepfmFx(Cin):
    lr = False

    def parts(self):
        super().parts()
        self.dnn = Tower(N)

    def score(self, v):
        return self.network(v) + self.dnn(v.flatten(1))[:, 0]


class Pnn(Fx):
    def parts(self):
        self.dnn = Tower(N + len(PAIRS))

    def score(self, v):
        p = torch.stack([(v[:, i] * v[:, j]).sum(1) for i, j in PAIRS], 1)
        return self.dnn(torch.cat([v.flatten(1), p], 1))[:, 0]


class Finalmlp(Fx):
    heads = 2

    def parts(self):
        self.mlp1, self.mlp2 = Tower(N, head=False), Tower(N, head=False)
        self.fusion_module = nn.Module()
        h = HIDDEN[-1]
        self.fusion_module.w_x, self.fusion_module.w_y = nn.Linear(h, 1), nn.Linear(h, 1)
        self.fusion_module.w_xy = raw(h * h // self.heads, 1)

    def score(self, v):
        f, h, n = self.fusion_module, HIDDEN[-1], self.heads
        a, b = self.mlp1(v.flatten(1)), self.mlp2(v.flatten(1))
        w = f.w_xy.view(n, h // n, h // n)
        xy = torch.einsum("bni,nij,bnj->b", a.view(-1, n, h // n), w, b.view(-1, n, h // n))
        return f.w_x(a)[:, 0] + f.w_y(b)[:, 0] + xy


class MaskBlock(nn.Module):
    def __init__(self, width, out):
        super().__init__()
        r = max(1, width * 10 // 100)
        self.mask_layer = nn.Sequential(nn.Linear(N, r), nn.ReLU(), nn.Linear(r, width))
        self.hidden_layer = nn.Sequential(nn.Linear(width, out, bias=False), nn.LayerNorm(out), nn.ReLU())

    def forward(self, e, h):
        return self.hidden_layer(self.mask_layer(e) * h)


class Masknet(Fx):
    def parts(self):
        self.mask_net = nn.Module()
        self.mask_net.mask_blocks = nn.ModuleList([MaskBlock(N, 8) for _ in range(2)])
        self.mask_net.dnn = Tower(16)

    def score(self, v):
        e = v.flatten(1)
        return self.mask_net.dnn(torch.cat([b(e, e) for b in self.mask_net.mask_blocks], 1))[:, 0]


class MasknetSerial(Fx):
    def parts(self):
        self.mask_net = nn.Module()
        self.mask_net.mask_blocks = nn.ModuleList([MaskBlock(w, h) for w, h in zip([N] + HIDDEN, HIDDEN)])
        self.mask_net.fc = nn.Sequential(nn.Linear(HIDDEN[-1], 1))

    def score(self, v):
        e = h = v.flatten(1)
        for b in self.mask_net.mask_blocks:
            h = b(e, h)
        return self.mask_net.fc(h)[:, 0]


class Final(Fx):
    def parts(self):
        self.field_gate = nn.Module()
        self.field_gate.linear = nn.Linear(FIELDS, FIELDS)
        self.block1 = nn.Module()
        self.block1.layer = nn.ModuleList()
        for w, h in zip([2 * N] + HIDDEN, HIDDEN):
            layer = nn.Module()
            layer.linear = nn.Linear(w, h)
            self.block1.layer.append(layer)
        self.fc1 = nn.Linear(HIDDEN[-1], 1)

    def score(self, v):
        gate = self.field_gate.linear(v.transpose(1, 2)).transpose(1, 2)
        x = torch.cat([v, v * gate], 1).flatten(1)
        for layer in self.block1.layer:
            h2, h1 = layer.linear(x).chunk(2, 1)
            x = F.relu(torch.cat([h2, h1 * h2], 1))
        return self.fc1(x)[:, 0]


class Ecn(Fx):
    name, head, linear = "ECN", "dfc", False

    def parts(self):
        net = nn.Module()
        net.w = nn.ModuleList([nn.Linear(N, N // 2, bias=False) for _ in range(4)])
        net.layer_norm = nn.ModuleList([nn.LayerNorm(N // 2) for _ in range(4)])
        net.b = nn.ParameterList([raw(N) for _ in range(4)])
        setattr(net, self.head, nn.Linear(N, 1))
        setattr(self, self.name, net)

    def score(self, v):
        net = getattr(self, self.name)
        a, b = v.chunk(2, 2)
        x0 = x = torch.cat([a.flatten(1), b.flatten(1)], 1)
        for w, norm, bias in zip(net.w, net.layer_norm, net.b):
            h = w(x)
            c = torch.cat([h, h * F.relu(norm(h))], 1)
            x = (x0 if self.linear else x) * (c + bias) + x
        return getattr(net, self.head)(x)[:, 0]


class Lcn(Ecn):
    name, head, linear = "LCN", "sfc", True


class Edcn(Fx):
    def parts(self):
        self.regulation_modules, self.cross_layers, self.dense_layers = (nn.ModuleList() for _ in range(3))
        for _ in range(3):
            gate, cross = nn.Module(), nn.Module()
            gate.g1, gate.g2 = raw(FIELDS), raw(FIELDS)
            cross.weight, cross.bias = nn.Linear(N, 1, bias=False), raw(N)
            self.regulation_modules.append(gate)
            self.cross_layers.append(cross)
            self.dense_layers.append(Tower(N, [N], head=False))
        self.fc = nn.Linear(3 * N, 1)

    def score(self, v):
        z, c0 = v.flatten(1), None
        for gate, cross, dense in zip(self.regulation_modules, self.cross_layers, self.dense_layers):
            c, t = (torch.softmax(w, 0).repeat_interleave(D) * z for w in (gate.g1, gate.g2))
            c0 = c if c0 is None else c0
            c = c0 * cross.weight(c) + cross.bias
            t = dense(t)
            z = c * t
        return self.fc(torch.cat([c, t, z], 1))[:, 0]


class Dlrm(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding_layer = Dict(D, numeric=False)
        self.bottom_mlp = Tower(NUMERIC, [64, 64, 64, D], head=False)
        f = len(VOCAB) + 1
        self.top_mlp = Tower(f * (f - 1) // 2 + D)

    def forward(self, x, ids):
        dense = self.bottom_mlp(x)
        v = torch.cat([self.embedding_layer(x, ids), dense[:, None]], 1)
        f = v.shape[1]
        p = torch.stack([(v[:, i] * v[:, j]).sum(1) for i in range(f) for j in range(i + 1, f)], 1)
        return self.top_mlp(torch.cat([p, dense], 1))[:, 0]


ARCHS = [("lr", Lr), ("fm:4", Fm), ("fmfm:4", Fmfm), ("fmfm-vector:4", FmfmVector), ("deepfm-fx:4:8,4", DeepfmFx),
         ("widedeep:4:8,4", Widedeep), ("dcn-fx:4:8,4", DcnFx), ("crossnetv2:4", CrossnetV2), ("dcnv2:4:8,4", Dcnv2),
         ("dcnv2-stacked:4:8,4", Dcnv2Stacked), ("dcnv2-both:4:8,4", Dcnv2Both), ("afm-fx:4", AfmFx),
         ("nfm-fx:4:8,4", NfmFx), ("fibinet-fx:4:8,4", FibinetFx), ("fibinet-each:4:8,4", FibinetEach),
         ("fibinet-all:4:8,4", FibinetAll), ("cin:4", Cin), ("xdeepfm-fx:4:8,4", XdeepfmFx), ("pnn:4:8,4", Pnn),
         ("finalmlp:4:8,4:heads=2", Finalmlp), ("masknet:4:8,4:norm=1,block=8", Masknet),
         ("masknet-serial:4:8,4:norm=1", MasknetSerial), ("final:4:8,4", Final), ("ecn:4", Ecn), ("lcn:4", Lcn),
         ("edcn:4", Edcn), ("dlrm:4:8,4", Dlrm)]


def weights(model):
    """As models.py has them, but a quarter the size, and rows of padding are 0: polynomials of a high degree stay small."""
    tables = {n + ".weight" for n, m in model.named_modules() if isinstance(m, nn.Embedding)}
    for k, (name, p) in enumerate(sorted(model.state_dict().items())):
        u = (lane(100 + k, p.numel()) - 2**23) / 2.0**26
        if p.dim() == 1 and name.endswith("weight"):
            u = u + 1.0
        with torch.no_grad():
            p.copy_(torch.from_numpy(u).reshape(p.shape))
            if name in tables:
                p[0] = 0


def make(kind):
    model = kind().double()
    weights(model)
    return model


def show(*fields, values):
    print(*fields, " ".join("%.10g" % v for v in np.ravel(values)), sep="\t")


def summary(g):
    """The product with draws, the norm, and two elements."""
    g = g.numpy().ravel()
    u = (lane(300, g.size) - 2**23) / 2.0**24
    return [g @ u, np.sqrt(g @ g)] + [g[i * g.size // 2] for i in range(2)]


def main():
    torch.set_num_threads(1)
    print("arch", "what", "name", "values", sep="\t")
    ids, x, y, _ = data()
    for arch, kind in ARCHS:
        model = make(kind)
        s = model(x[:BATCH], ids[:BATCH])
        F.binary_cross_entropy_with_logits(s, y[:BATCH]).backward()
        show(arch, "logit", "", values=s.detach().numpy())
        for name, p in sorted(model.named_parameters()):
            show(arch, "gradient", name, values=summary(p.grad))
        model, out = make(kind), []
        tables = [p for m in model.modules() if isinstance(m, nn.Embedding) for p in m.parameters()]
        dense = [p for p in model.parameters() if all(p is not t for t in tables)]
        steps = [torch.optim.Adam(tables, lr=0.01), torch.optim.Adam(dense, lr=0.001)]
        for k in range(STEPS):
            at = slice(k * BATCH, (k + 1) * BATCH)
            model.zero_grad()
            value = F.binary_cross_entropy_with_logits(model(x[at], ids[at]), y[at])
            value.backward()
            for o in steps:
                o.step()
            out.append(value.item())
        show(arch, "losses", "bce", values=out)


if __name__ == "__main__":
    main()
