#!/usr/bin/python3
"""The architectures in the form of FuxiCTR in PyTorch, from their formulas, as a judge of ours.

Prints, in double precision, of tiny models on made-up data: logits, of every gradient a few
numbers (its product with draws, which depends on every element and its place, its norm, and
elements spread over it), and twenty losses; where training and inference differ, also the logits
of inference after these twenty steps, and the running statistics. Of models that drop at random:
the logits of inference, and the names of their parameters. test/unit/zoo.h makes the same weights
and data.
"""
import numpy as np
import torch
from torch import nn

from models import BATCH, STEPS, data, lane
from twins import *

ARCHS = [("lr", Lr), ("fm:4", Fm), ("fmfm:4", Fmfm), ("fmfm-vector:4", FmfmVector), ("deepfm-fx:4:8,4", DeepfmFx),
         ("widedeep:4:8,4", Widedeep), ("dcn-fx:4:8,4", DcnFx), ("crossnetv2:4", CrossnetV2), ("dcnv2:4:8,4", Dcnv2),
         ("dcnv2-stacked:4:8,4", Dcnv2Stacked), ("dcnv2-both:4:8,4", Dcnv2Both), ("afm-fx:4", AfmFx),
         ("nfm-fx:4:8,4", NfmFx), ("fibinet-fx:4:8,4", FibinetFx), ("fibinet-each:4:8,4", FibinetEach),
         ("fibinet-all:4:8,4", FibinetAll), ("cin:4", Cin), ("xdeepfm-fx:4:8,4", XdeepfmFx), ("pnn:4:8,4", Pnn),
         ("finalmlp:4:8,4:heads=2", Finalmlp), ("masknet:4:8,4:norm=1,block=8", Masknet),
         ("masknet-serial:4:8,4:norm=1", MasknetSerial), ("final:4:8,4", Final), ("ecn:4", Ecn), ("lcn:4", Lcn),
         ("edcn:4", Edcn), ("dlrm:4:8,4", Dlrm), ("fcn:4", Fcn), ("autoint-fx:4", AutointFx),
         ("autoint-fx:4:heads=3,attention=6,scale=1,norm=1", AutointFxOther),
         ("autoint-fx:4:heads=2,attention=4,scale=1,residual=0", AutointFxBare), ("autoint-plus:4:8,4", AutointPlus),
         ("eulernet:4:orders=7", Eulernet), ("eulernet:4:layers=1,orders=3,norm=0", EulernetOther), ("rfm:4:8,4", Rfm),
         ("rfm:4:8,4:layers=2,heads=3,attention=6,residual=0,group=2", RfmOther), ("dagfm:4", Dagfm),
         ("dagfm-outer:4", DagfmOuter), ("twotower:4:8,4:item=3", Twotower), ("mlp-fx:4:8,4", MlpFx),
         ("afn:4:8,4:bn=0", Afn), ("final-2b:4:8,4", Final2b)]

# with what makes training differ from inference
DIFFERING = [
    ("mlp-fx:4:8,4:bn=1", MlpFx, {"bn": 1}), ("mlp-fx:4:8,4:bn=2", MlpFx, {"bn": 2}),
    ("mlp-fx:4:8,4:dice=1", MlpFx, {"dice": 1}), ("mlp-fx:4:8,4:bn=1,dice=1", MlpFx, {"bn": 1, "dice": 1}),
    ("deepfm-fx:4:8,4:bn=1", DeepfmFx, {"bn": 1}), ("widedeep:4:8,4:bn=1", Widedeep, {"bn": 1}),
    ("dcn-fx:4:8,4:bn=1", DcnFx, {"bn": 1}), ("dcnv2:4:8,4:bn=1", Dcnv2, {"bn": 1}),
    ("dcnv2-stacked:4:8,4:bn=2", Dcnv2Stacked, {"bn": 2}), ("dcnv2-both:4:8,4:bn=1", Dcnv2Both, {"bn": 1}),
    ("nfm-fx:4:8,4:bn=1", NfmFx, {"bn": 1}), ("fibinet-fx:4:8,4:bn=1", FibinetFx, {"bn": 1}),
    ("fibinet-each:4:8,4:dice=1", FibinetEach, {"dice": 1}), ("fibinet-all:4:8,4:bn=2", FibinetAll, {"bn": 2}),
    ("xdeepfm-fx:4:8,4:bn=1", XdeepfmFx, {"bn": 1}), ("pnn:4:8,4:bn=1", Pnn, {"bn": 1}),
    ("finalmlp:4:8,4:heads=2,bn=1", Finalmlp, {"bn": 1}), ("final:4:8,4:bn=1", Final, {"bn": 1}),
    ("final-2b:4:8,4:bn=1", Final2b, {"bn": 1}), ("ecn:4:bn=1", Ecn, {"bn": 1}), ("lcn:4:bn=1", Lcn, {"bn": 1}),
    ("fcn:4:bn=1", Fcn, {"bn": 1}), ("edcn:4:bn=1", Edcn, {"bn": 1}), ("dlrm:4:8,4:bn=1", Dlrm, {"bn": 1}),
    ("autoint-plus:4:8,4:bn=1", AutointPlus, {"bn": 1}), ("twotower:4:8,4:item=3,bn=1", Twotower, {"bn": 1}),
    ("afn:4:8,4", Afn, {"bn": 1}), ("afn-plus:4:8,4", AfnPlus, {"bn": 1}),
    ("afn-plus:4:8,4:neurons=7,shared=1,bn=0", AfnShared, {}),
    ("cl4ctr:4:mask=0,encoder-dropout=0", Cl4ctr, {"mask": 0, "encoder-dropout": 0}),
    ("cl4ctr:4:layers=1,feedforward=6,alpha=0.5,beta=2,mask=0,encoder-dropout=0", Cl4ctrOther,
     {"mask": 0, "encoder-dropout": 0}),
    ("cl4ctr-deepfm:4:8,4:mask=0,encoder-dropout=0,bn=1", Cl4ctrDeep, {"mask": 0, "encoder-dropout": 0, "bn": 1})]

# that drop at random
DROPPING = [
    ("mlp-fx:4:8,4:dropout=0.3", MlpFx, {"dropout": 0.3}),
    ("mlp-fx:4:8,4:bn=1,dropout=0.3", MlpFx, {"bn": 1, "dropout": 0.3}),
    ("mlp-fx:4:8,4:bn=2,dropout=0.3,dice=1", MlpFx, {"bn": 2, "dropout": 0.3, "dice": 1}),
    ("afm-fx:4:dropout=0.2,dropout2=0.1", AfmFx, {"dropout": 0.2, "dropout2": 0.1}),
    ("finalmlp:4:8,4:heads=2,dropout=0.2,dropout2=0.1", Finalmlp, {"dropout": 0.2, "dropout2": 0.1}),
    ("finalmlp:4:8,4:heads=2,bn=1,dropout2=0.1", Finalmlp, {"bn": 1, "dropout2": 0.1}),
    ("masknet:4:8,4:norm=1,block=8,dropout=0.3", Masknet, {"dropout": 0.3}),
    ("masknet-serial:4:8,4:norm=1,dropout=0.3", MasknetSerial, {"dropout": 0.3}),
    ("final:4:8,4:bn=1,dropout=0.1", Final, {"bn": 1, "dropout": 0.1}),
    ("final-2b:4:8,4:bn=1,dropout=0.1,dropout2=0.2", Final2b, {"bn": 1, "dropout": 0.1, "dropout2": 0.2}),
    ("ecn:4:bn=1,dropout=0.1", Ecn, {"bn": 1, "dropout": 0.1}), ("fcn:4:dropout=0.1,dropout2=0.2", Fcn, {"dropout": 0.1}),
    ("edcn:4:bn=1,dropout=0.1", Edcn, {"bn": 1, "dropout": 0.1}),
    ("dlrm:4:8,4:bn=1,dropout=0.2,bottom-dropout=0.1", Dlrm, {"bn": 1, "dropout": 0.2, "bottom-dropout": 0.1}),
    ("dlrm:4:8,4:bottom-dropout=0.1", Dlrm, {"bottom-dropout": 0.1}),
    ("twotower:4:8,4:item=3,bn=1,dropout=0.2", Twotower, {"bn": 1, "dropout": 0.2}),
    ("afn-plus:4:8,4:dropout=0.1,dnn-dropout=0.2", AfnPlus, {"bn": 1, "dropout": 0.1, "dnn-dropout": 0.2}),
    ("cl4ctr:4", Cl4ctr, {}), ("cl4ctr-deepfm:4:8,4:bn=1,dropout=0.2", Cl4ctrDeep, {"bn": 1, "dropout": 0.2})]


def weights(model):
    """As models.py has them, but a quarter the size, and rows of padding are 0: polynomials of a high degree stay small."""
    tables = {n + ".weight" for n, m in model.named_modules() if isinstance(m, nn.Embedding)}
    for k, (name, p) in enumerate(sorted(model.named_parameters())):
        u = (lane(100 + k, p.numel()) - 2**23) / 2.0**26
        if (p.dim() == 1 and name.endswith("weight")) or name == "mu":
            u = u + 1.0
        with torch.no_grad():
            p.copy_(torch.from_numpy(u).reshape(p.shape))
            if name in tables:
                p[0] = 0


def make(kind, how=None):
    HOW.clear()
    HOW.update(how or {})
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


def first(model, x, ids, y):
    s = model(x[:BATCH], ids[:BATCH])
    model.loss(s, y[:BATCH]).backward()
    return s.detach().double().numpy(), {n: summary(p.grad.double()) for n, p in sorted(model.named_parameters())}


def train(model, x, ids, y):
    tables = [p for m in model.modules() if isinstance(m, nn.Embedding) for p in m.parameters()]
    dense = [p for p in model.parameters() if all(p is not t for t in tables)]
    steps, out = [torch.optim.Adam(tables, lr=0.01), torch.optim.Adam(dense, lr=0.001)], []
    for k in range(STEPS):
        at = slice(k * BATCH, (k + 1) * BATCH)
        model.zero_grad()
        value = model.loss(model(x[at], ids[at]), y[at])
        value.backward()
        for o in steps:
            o.step()
        out.append(value.item())
    return out


def inferred(model, x, ids):
    model.eval()
    with torch.no_grad():
        return model(x[:BATCH], ids[:BATCH]).double().numpy()


def main():
    torch.set_num_threads(1)
    print("arch", "what", "name", "values", sep="\t")
    ids, x, y, _ = data()
    for arch, kind, how in [(arch, kind, None) for arch, kind in ARCHS] + DIFFERING:
        s, grads = first(make(kind, how), x, ids, y)
        model = make(kind, how)
        losses = train(model, x, ids, y)
        show(arch, "logit", "", values=s)
        for name, g in grads.items():
            show(arch, "gradient", name, values=g)
        show(arch, "losses", "bce", values=losses)
        if how is not None:
            after = inferred(model, x, ids)
            show(arch, "inferred", "", values=after)
            for name, b in sorted(model.named_buffers()):
                if b.is_floating_point():
                    show(arch, "buffer", name, values=b.numpy())
        # norms of small numbers cost digits: how many, PyTorch in single precision tells (logits, gradients, losses, inference)
        if issubclass(kind, (Eulernet, Rfm)) or how is not None:
            s1, grads1 = first(make(kind, how).float(), x.float(), ids, y.float())
            model = make(kind, how).float()
            losses1 = train(model, x.float(), ids, y.float())
            spread = [max(abs(s1 - s) / np.maximum(abs(s), 0.01)),
                      max(max(abs(a - b) for a, b in zip(grads1[n], g)) / max(g[1], 1e-6) for n, g in grads.items()),
                      max(abs(a / b - 1) for a, b in zip(losses1, losses))]
            if how is not None:
                spread.append(max(abs(inferred(model, x.float(), ids) - after) / np.maximum(abs(after), 0.01)))
            show(arch, "spread", "", values=[float("%.0e" % v) for v in spread])
    for arch, kind, how in DROPPING:
        model = make(kind, how)
        show(arch, "inferred", "", values=inferred(model, x, ids))
        for name, p in sorted(model.named_parameters()):
            show(arch, "parameter", name, values=[p.numel()])


if __name__ == "__main__":
    main()
