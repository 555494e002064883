"""The architectures in the form of FuxiCTR in PyTorch, from their formulas: modules for zoo.py."""
import torch
from torch import nn
import torch.nn.functional as F

from models import NUMERIC, VOCAB

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


bce = F.binary_cross_entropy_with_logits
HOW = {}  # of the model that is being made: bn, dropout, dice, and what else its kind knows


class Dice(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.bn = nn.BatchNorm1d(width, affine=False, eps=1e-9, momentum=0.01)
        self.alpha = raw(width)

    def forward(self, x):
        p = torch.sigmoid(self.bn(x))
        return p * x + self.alpha * (1 - p) * x


class Tower(nn.Module):
    def __init__(self, width, hidden=HIDDEN, head=True, dropout=None, bn=None):
        super().__init__()
        bn = HOW.get("bn", 0) if bn is None else bn
        dropout = HOW.get("dropout", 0) if dropout is None else dropout
        layers = [nn.BatchNorm1d(width)] if bn == 2 else []
        for h in hidden:
            layers += [nn.Linear(width, h)] + ([nn.BatchNorm1d(h)] if bn == 1 else [])
            layers += [Dice(h) if HOW.get("dice") else nn.ReLU()] + ([nn.Dropout(dropout)] if dropout else [])
            width = h
        self.mlp = nn.Sequential(*layers, *([nn.Linear(width, 1)] if head else []))

    def forward(self, x):
        return self.mlp(x)


def fm2(v):
    return 0.5 * (v.sum(1) ** 2 - (v ** 2).sum(1))


class Fx(nn.Module):
    """lr: None, or whether the first-order term has a bias; at: where its module is."""
    lr, at = None, "lr_layer"
    heads = ()  # further outputs of the last pass

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
        self.fed = x, ids
        s = self.score(self.embedding_layer(x, ids))
        if self.lr is not None:
            s = s + self.get_submodule(self.at)(x, ids)
        return s

    def loss(self, s, y):
        return bce(s, y)


class Lr(nn.Module):
    def __init__(self):
        super().__init__()
        self.lr_layer = LrTerm(True)

    def forward(self, x, ids):
        return self.lr_layer(x, ids)

    loss = Fx.loss


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
        self.dropout1, self.dropout2 = nn.Dropout(HOW.get("dropout", 0)), nn.Dropout(HOW.get("dropout2", 0))

    def score(self, v):
        e = torch.stack([v[:, i] * v[:, j] for i, j in PAIRS], 1)
        return self.weight_p(self.dropout2((self.dropout1(self.attention(e)) * e).sum(1)))[:, 0]


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
        self.mlp1, self.mlp2 = Tower(N, head=False), Tower(N, head=False, dropout=HOW.get("dropout2", 0))
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
        drop = [nn.Dropout(HOW["dropout"])] if HOW.get("dropout") else []
        self.hidden_layer = nn.Sequential(nn.Linear(width, out, bias=False), nn.LayerNorm(out), nn.ReLU(), *drop)

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


class FinalBlock(nn.Module):
    def __init__(self, width, dropout):
        super().__init__()
        self.layer, self.norm = nn.ModuleList(), nn.ModuleList()
        for w, h in zip([width] + HIDDEN, HIDDEN):
            layer = nn.Module()
            layer.linear = nn.Linear(w, h)
            self.layer.append(layer)
            if HOW.get("bn"):
                self.norm.append(nn.BatchNorm1d(h))
        self.drop = nn.Dropout(dropout)

    def forward(self, x):
        for i, layer in enumerate(self.layer):
            h2, h1 = layer.linear(x).chunk(2, 1)
            x = torch.cat([h2, h1 * h2], 1)
            x = self.drop(F.relu(self.norm[i](x) if self.norm else x))
        return x


class Final(Fx):
    def parts(self):
        self.field_gate = nn.Module()
        self.field_gate.linear = nn.Linear(FIELDS, FIELDS)
        self.block1 = FinalBlock(2 * N, HOW.get("dropout", 0))
        self.fc1 = nn.Linear(HIDDEN[-1], 1)

    def score(self, v):
        gate = self.field_gate.linear(v.transpose(1, 2)).transpose(1, 2)
        return self.fc1(self.block1(torch.cat([v, v * gate], 1).flatten(1)))[:, 0]


class Final2b(Final):
    def parts(self):
        super().parts()
        self.block2 = FinalBlock(N, HOW.get("dropout2", 0))
        self.fc2 = nn.Linear(HIDDEN[-1], 1)

    def score(self, v):
        self.heads = super().score(v), self.fc2(self.block2(v.flatten(1)))[:, 0]
        return 0.5 * (self.heads[0] + self.heads[1])

    def loss(self, s, y):
        p = torch.sigmoid(s).detach()
        return bce(s, y) + sum(bce(h, p) for h in self.heads)


class Ecn(Fx):
    name, head, linear = "ECN", "dfc", False

    def parts(self):
        net = nn.Module()
        net.w = nn.ModuleList([nn.Linear(N, N // 2, bias=False) for _ in range(4)])
        net.layer_norm = nn.ModuleList([nn.LayerNorm(N // 2) for _ in range(4)])
        net.b = nn.ParameterList([raw(N) for _ in range(4)])
        net.batch_norm = nn.ModuleList([nn.BatchNorm1d(1) for _ in range(4 if HOW.get("bn") else 0)])
        net.drop = nn.Dropout(HOW.get("dropout", 0))
        setattr(net, self.head, nn.Linear(N, 1))
        setattr(self, self.name, net)

    @classmethod
    def network(cls, net, v):
        a, b = v.chunk(2, 2)
        x0 = x = torch.cat([a.flatten(1), b.flatten(1)], 1)
        for i, (w, norm, bias) in enumerate(zip(net.w, net.layer_norm, net.b)):
            h = w(x)
            if net.batch_norm:
                h = net.batch_norm[i](h[:, None])[:, 0]
            c = torch.cat([h, h * F.relu(norm(h))], 1)
            x = net.drop((x0 if cls.linear else x) * (c + bias) + x)
        return getattr(net, cls.head)(x)[:, 0]

    def score(self, v):
        return self.network(getattr(self, self.name), v)


class Lcn(Ecn):
    name, head, linear = "LCN", "sfc", True


class AutointFx(Fx):
    layers, heads, width, scale, residual, norm = 2, 1, 8, False, True, False

    def parts(self):
        self.self_attention = nn.ModuleList()
        for i in range(self.layers):
            layer, d = nn.Module(), self.width if i else D
            layer.W_q, layer.W_k, layer.W_v = (nn.Linear(d, self.width, bias=False) for _ in range(3))
            if self.residual and d != self.width:
                layer.W_res = nn.Linear(d, self.width, bias=False)
            if self.norm:
                layer.layer_norm = nn.LayerNorm(self.width)
            self.self_attention.append(layer)
        self.fc = nn.Linear(FIELDS * self.width, 1)

    def attended(self, v):
        for layer in self.self_attention:
            q, k, u = (w(v).unflatten(2, (self.heads, -1)).transpose(1, 2) for w in (layer.W_q, layer.W_k, layer.W_v))
            scores = q @ k.transpose(2, 3) / (q.shape[3] ** 0.5 if self.scale else 1)
            y = (torch.softmax(scores, 3) @ u).transpose(1, 2).flatten(2)
            if self.residual:
                y = y + (layer.W_res(v) if hasattr(layer, "W_res") else v)
            if self.norm:
                y = layer.layer_norm(y)
            v = F.relu(y)
        return self.fc(v.flatten(1))[:, 0]

    def score(self, v):
        return self.attended(v)


class AutointFxOther(AutointFx):
    layers, heads, width, scale, residual, norm = 2, 3, 6, True, True, True


class AutointFxBare(AutointFx):
    layers, heads, width, scale, residual, norm = 2, 2, 4, True, False, False


class AutointPlus(AutointFx):
    def parts(self):
        super().parts()
        self.dnn = Tower(N)

    def score(self, v):
        return self.attended(v) + self.dnn(v.flatten(1))[:, 0]


class Eulernet(Fx):
    """With torch's complex numbers; logarithm, power and exponential are its own."""
    layers, orders, norm = 2, 7, True

    def parts(self):
        self.mu = raw(1, FIELDS, 1)
        self.Euler_interaction_layers = nn.ModuleList()
        for i in range(self.layers):
            layer, n, m = nn.Module(), self.orders if i else FIELDS, self.orders
            layer.inter_orders = raw(n, m)
            layer.im = nn.Linear(n * D, m * D)
            layer.bias_lam, layer.bias_theta = raw(1, D, m), raw(1, D, m)
            if self.norm:
                layer.norm_r, layer.norm_p = nn.LayerNorm(D), nn.LayerNorm(D)
            self.Euler_interaction_layers.append(layer)
        self.reg = nn.Linear(self.orders * D, 1)

    def score(self, e):
        r, p = self.mu * torch.cos(e), self.mu * torch.sin(e)
        for layer in self.Euler_interaction_layers:
            size = torch.complex(0.5 * torch.log(r * r + p * p + 1e-8), torch.atan2(p, r))
            bias = torch.complex(layer.bias_lam, layer.bias_theta).transpose(1, 2)
            z = torch.exp(torch.einsum("bnk,nm->bmk", size, layer.inter_orders.to(size.dtype)) + bias)
            r, p = (F.relu(layer.im(x.flatten(1))).unflatten(1, (-1, D)) + y for x, y in ((r, z.real), (p, z.imag)))
            if self.norm:
                r, p = layer.norm_r(r), layer.norm_p(p)
        return (self.reg(r.flatten(1)) + self.reg(p.flatten(1)))[:, 0]


class EulernetOther(Eulernet):
    layers, orders, norm = 1, 3, False


class Rfm(Fx):
    layers, heads, width, group, residual = 1, 1, 16, None, True

    def parts(self):
        self.saro_layers = nn.ModuleList()
        for i in range(self.layers):
            layer, d = nn.Module(), self.width if i else D
            layer.Q, layer.K, layer.V = (raw(FIELDS, d, self.width) for _ in range(3))
            layer.weight = raw(1, self.width // self.heads)
            layer.linear_transform = nn.Linear(d, self.width, bias=False)
            layer.norm = nn.LayerNorm(self.width)
            self.saro_layers.append(layer)
        if self.residual:
            self.projection = nn.Linear(D, self.width)
            self.norm1, self.norm2 = nn.LayerNorm(self.width), nn.LayerNorm(self.width)
        self.ampnet = nn.Module()
        self.ampnet.block = nn.ModuleList()
        width = FIELDS * self.width
        for h in HIDDEN:
            layer = nn.Module()
            layer.linear = nn.Linear(width, h)
            layer.norm1, layer.norm2 = nn.LayerNorm(self.group or h), nn.LayerNorm(self.group or h)
            self.ampnet.block.append(layer)
            width = h
        self.ampnet.regularization = nn.Linear(width, 1)

    def rotate(self, layer, theta):
        """Differences of all pairs of angles, as the formula has them."""
        q, k, v = (torch.einsum("bfd,fdw->bfw", theta, w).unflatten(2, (self.heads, -1)) for w in (layer.Q, layer.K, layer.V))
        scores = (layer.weight * torch.cos(q[:, :, None] - k[:, None])).sum(-1).sigmoid()
        out = torch.einsum("bijh,bjhk->bihk", scores, v).flatten(2)
        return layer.norm(out + layer.linear_transform(theta))

    def score(self, v):
        theta = v
        for layer in self.saro_layers:
            theta = self.rotate(layer, theta)
        r, p = torch.cos(theta), torch.sin(theta)
        if self.residual:
            r = self.norm1(r + torch.cos(self.projection(v)))
            p = self.norm2(p + torch.sin(self.projection(v)))
        r, p = r.flatten(1), p.flatten(1)
        for layer in self.ampnet.block:
            g = self.group or layer.linear.out_features
            r, p = (norm(F.relu(layer.linear(x)).unflatten(1, (-1, g))).flatten(1)
                    for x, norm in ((r, layer.norm1), (p, layer.norm2)))
        return (self.ampnet.regularization(r) + self.ampnet.regularization(p))[:, 0]


class RfmOther(Rfm):
    layers, heads, width, group, residual = 2, 3, 6, 2, False


class Dagfm(Fx):
    outer = False

    def parts(self):
        self.connect_layer = raw(FIELDS, FIELDS)
        self.p = nn.ParameterList([raw(FIELDS, FIELDS, D) for _ in range(3)])
        if self.outer:
            self.q = nn.ParameterList([raw(FIELDS, FIELDS, D) for _ in range(3)])
        self.linear = nn.Linear(4 * FIELDS, 1)

    def score(self, v):
        edges = torch.ones(FIELDS, FIELDS, dtype=v.dtype).triu()
        h0 = h = torch.einsum("sf,bfk->bsk", self.connect_layer, v)
        states = [h.sum(2)]
        for i, p in enumerate(self.p):
            if self.outer:
                t = torch.einsum("bfk,fsk->bfs", h, p) * edges
                h = h0 * torch.einsum("bfs,fsk->bsk", t, self.q[i])
            else:
                h = h0 * torch.einsum("bfk,fsk,fs->bsk", h, p, edges)
            states.append(h.sum(2))
        return self.linear(torch.cat(states, 1))[:, 0]


class DagfmOuter(Dagfm):
    outer = True


class Twotower(Fx):
    item = 3

    def parts(self):
        self.user_tower, self.item_tower = (self.tower(n * D) for n in (FIELDS - self.item, self.item))

    def tower(self, width):
        tower = Tower(width, HIDDEN[:-1], head=False)
        tower.mlp.append(nn.Linear(HIDDEN[-2], HIDDEN[-1]))
        return tower

    def score(self, v):
        user, item = v[:, :-self.item].flatten(1), v[:, -self.item:].flatten(1)
        return (self.user_tower(user) * self.item_tower(item)).sum(1)


class Fcn(Fx):
    def parts(self):
        for kind in (Ecn, Lcn):
            setattr(self, kind.name, getattr(kind(), kind.name))

    def score(self, v):
        self.heads = [kind.network(getattr(self, kind.name), v) for kind in (Ecn, Lcn)]
        return sum(self.heads) / 2

    def loss(self, s, y):
        of_mean, of_each = bce(s, y), [bce(h, y) for h in self.heads]
        return of_mean + sum(F.relu(each - of_mean) * each for each in of_each)


class Edcn(Fx):
    def parts(self):
        self.regulation_modules, self.cross_layers, self.dense_layers = (nn.ModuleList() for _ in range(3))
        for _ in range(3):
            gate, cross = nn.Module(), nn.Module()
            gate.g1, gate.g2 = raw(FIELDS), raw(FIELDS)
            if HOW.get("bn"):
                gate.bn1, gate.bn2 = nn.BatchNorm1d(N), nn.BatchNorm1d(N)
            cross.weight, cross.bias = nn.Linear(N, 1, bias=False), raw(N)
            self.regulation_modules.append(gate)
            self.cross_layers.append(cross)
            self.dense_layers.append(Tower(N, [N], head=False, bn=0))
        self.fc = nn.Linear(3 * N, 1)

    def score(self, v):
        z, c0 = v.flatten(1), None
        for gate, cross, dense in zip(self.regulation_modules, self.cross_layers, self.dense_layers):
            c, t = (torch.softmax(w, 0).repeat_interleave(D) * z for w in (gate.g1, gate.g2))
            if hasattr(gate, "bn1"):
                c, t = gate.bn1(c), gate.bn2(t)
            c0 = c if c0 is None else c0
            c = c0 * cross.weight(c) + cross.bias
            t = dense(t)
            z = c * t
        return self.fc(torch.cat([c, t, z], 1))[:, 0]


class Dlrm(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding_layer = Dict(D, numeric=False)
        self.bottom_mlp = Tower(NUMERIC, [64, 64, 64], head=False, dropout=HOW.get("bottom-dropout", 0))
        self.bottom_mlp.mlp.extend([nn.Linear(64, D), nn.ReLU()])
        f = len(VOCAB) + 1
        self.top_mlp = Tower(f * (f - 1) // 2 + D)

    def forward(self, x, ids):
        dense = self.bottom_mlp(x)
        v = torch.cat([self.embedding_layer(x, ids), dense[:, None]], 1)
        f = v.shape[1]
        p = torch.stack([(v[:, i] * v[:, j]).sum(1) for i in range(f) for j in range(i + 1, f)], 1)
        return self.top_mlp(torch.cat([p, dense], 1))[:, 0]

    loss = Fx.loss


class MlpFx(Fx):
    def parts(self):
        self.mlp = Tower(N)

    def score(self, v):
        return self.mlp(v.flatten(1))[:, 0]


class Afn(Fx):
    neurons = 5

    def parts(self):
        self.log_batch_norm, self.exp_batch_norm = nn.BatchNorm1d(FIELDS), nn.BatchNorm1d(self.neurons)
        self.coefficient_W = nn.Linear(FIELDS, self.neurons, bias=False)
        self.dense_layer = Tower(self.neurons * D)

    def score(self, v):
        l = self.log_batch_norm(torch.log(torch.clamp(torch.abs(v), min=1e-5)))
        x = torch.exp(self.coefficient_W(l.transpose(1, 2)).transpose(1, 2))
        return self.dense_layer(self.exp_batch_norm(x).flatten(1))[:, 0]


class AfnPlus(Afn):
    neurons, own = 5, True

    def parts(self):
        super().parts()
        if self.own:
            self.embedding_layer2 = Dict(D)
        self.dnn = Tower(N, dropout=HOW.get("dnn-dropout", 0))
        self.fc = nn.Linear(2, 1)

    def score(self, v):
        u = self.embedding_layer2(*self.fed) if self.own else v
        return self.fc(torch.stack([super().score(v), self.dnn(u.flatten(1))[:, 0]], 1))[:, 0]


class AfnShared(AfnPlus):
    neurons, own = 7, False


class Cl4ctr(Fm):
    """The three losses as they are defined: over all pairs of rows, and over all pairs of fields."""
    layers, hidden, alpha, beta = 3, 128, 1, 0.01

    def parts(self):
        mask, drop = HOW.get("mask", 0.5), HOW.get("encoder-dropout", 0.2)
        self.mask1, self.mask2 = nn.Dropout(mask), nn.Dropout(mask)
        self.fi_cl = nn.Module()
        self.fi_cl.layers = nn.ModuleList([nn.TransformerEncoderLayer(D, 1, self.hidden, drop, batch_first=True)
                                           for _ in range(self.layers)])
        self.projector1, self.projector2 = nn.Linear(N, D), nn.Linear(N, D)

    def encode(self, v):
        for layer in self.fi_cl.layers:
            v = layer(v)
        return v.flatten(1)

    def score(self, v):
        self.v = v
        return super().score(v)

    def loss(self, s, y):
        v, rows = self.v, len(self.v)
        apart = self.projector1(self.encode(self.mask1(v))) - self.projector2(self.encode(self.mask2(v)))
        a, b = torch.triu_indices(rows, rows, 1)
        align = ((v[a] - v[b]) ** 2).sum(2).mean()
        size = v.norm(dim=2)
        uniform = (v @ v.transpose(1, 2) / (size[:, :, None] * size[:, None] + 1e-4)).mean()
        return bce(s, y) + self.alpha * (apart ** 2).sum(1).mean() + self.beta * (align + uniform)


class Cl4ctrOther(Cl4ctr):
    layers, hidden, alpha, beta = 1, 6, 0.5, 2


class Cl4ctrDeep(Cl4ctr):
    def parts(self):
        super().parts()
        self.mlp = Tower(N)

    def score(self, v):
        return super().score(v) + self.mlp(v.flatten(1))[:, 0]
