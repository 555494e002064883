#!/usr/bin/python3
"""The losses on embeddings by PyTorch's autograd in double, as a table.

test/unit/embed_losses.h makes the same numbers and draws, and holds the library
against the stored output of this script, test/golden/embed_losses.tsv: a line for
each case and quantity, its elements one after the other.
"""
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)

FIELDS, ROWS, STUDENT, TEACHER = 3, 24, 4, 2
IDS = 9
DRAWS = 60
STEPS = 20


def draw(lane, i):
    """splitmix64 of counter i of a lane, the upper 24 bits."""
    m = (1 << 64) - 1
    z = ((lane << 32) + i + 1) * 0x9E3779B97F4A7C15 & m
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & m
    z = (z ^ z >> 27) * 0x94D049BB133111EB & m
    return (z ^ z >> 31) >> 40


def matrix(lane, rows, width):
    """Numbers in [-2, 2) that a float holds; the first row far out, so that no ratio of distances is typical."""
    m = torch.tensor([[draw(lane, r * width + k) / 2.0**22 - 2.0 for k in range(width)] for r in range(rows)])
    m[0] *= 8
    return m


def draws(lane, of, rows):
    picked = [[draw(lane, q * of + k) % rows for k in range(of)] for q in range(DRAWS)]
    return torch.tensor([p for p in picked if len(set(p)) == of])


def hint(maps, s, t):
    losses = []
    for f, linear in enumerate(maps):
        u = linear(s[:, f * STUDENT : (f + 1) * STUDENT])
        losses.append(F.mse_loss(u, t[:, f * TEACHER : (f + 1) * TEACHER]))
    return torch.stack(losses).mean()


def through(maps, s):
    return torch.cat([linear(s[:, f * STUDENT : (f + 1) * STUDENT]) for f, linear in enumerate(maps)], dim=1)


def distances(e, pairs):
    d = (e[pairs[:, 0]] - e[pairs[:, 1]]).norm(dim=1)
    return d / d.mean().clamp(min=1e-6)


def cosines(e, triplets):
    x, y = e[triplets[:, 1]] - e[triplets[:, 0]], e[triplets[:, 2]] - e[triplets[:, 0]]
    return (x * y).sum(1) / (x.norm(dim=1) * y.norm(dim=1)).clamp(min=1e-6)


branches = set()


def rkd(s, t, pairs, triplets):
    a, b = distances(s, pairs), distances(t, pairs)
    c, d = cosines(s, triplets), cosines(t, triplets)
    branches.update(("distance", bool(x)) for x in (a - b).abs() < 1)
    branches.update(("angle", bool(x)) for x in (c - d).abs() < 1)
    return 25 * F.smooth_l1_loss(a, b) + 50 * F.smooth_l1_loss(c, d)


def make_maps():
    maps = [torch.nn.Linear(STUDENT, TEACHER, bias=False) for _ in range(FIELDS)]
    for f, linear in enumerate(maps):
        linear.weight.data = matrix(10 + f, TEACHER, STUDENT) / 4
    return maps


def put(case, quantity, values):
    print(case, quantity, *("%.17g" % x for x in values.detach().flatten().tolist()), sep="\t")


def weights(maps):
    return torch.stack([linear.weight for linear in maps])


def gradients(maps):
    return torch.stack([linear.weight.grad for linear in maps])


def main():
    t = matrix(1, ROWS, FIELDS * TEACHER)
    pairs, triplets = draws(20, 2, ROWS), draws(21, 3, ROWS)

    s, maps = matrix(0, ROWS, FIELDS * STUDENT).requires_grad_(), make_maps()
    loss = 0.7 * hint(maps, s, t)
    loss.backward()
    put("hint", "loss", loss)
    put("hint", "ds", s.grad)
    put("hint", "dp", gradients(maps))

    maps = make_maps()
    adam = torch.optim.Adam([linear.weight for linear in maps], lr=0.1)
    for _ in range(STEPS):
        adam.zero_grad()
        hint(maps, s.detach(), t).backward()
        adam.step()
    put("hint", "trained", weights(maps))

    s = matrix(0, ROWS, FIELDS * STUDENT).requires_grad_()
    loss = 1.5 * rkd(s, t, pairs, triplets)
    loss.backward()
    put("native", "loss", loss)
    put("native", "ds", s.grad)

    s, maps = matrix(0, ROWS, FIELDS * STUDENT).requires_grad_(), make_maps()
    loss = 0.7 * hint(maps, s, t) + 1.5 * rkd(through(maps, s), t, pairs, triplets)
    loss.backward()
    put("project", "loss", loss)
    put("project", "ds", s.grad)
    put("project", "dp", gradients(maps))

    # few ids: rows repeat, distances are 0 and angles have no sides; the gradient is that of the table
    table = matrix(0, IDS, FIELDS * STUDENT).requires_grad_()
    ids = torch.tensor([draw(30, r) % IDS for r in range(ROWS)])
    other = matrix(1, IDS, FIELDS * TEACHER)[ids]
    loss = 1.5 * rkd(F.embedding(ids, table), other, pairs, triplets)
    loss.backward()
    put("repeated", "loss", loss)
    put("repeated", "ds", table.grad)

    # rows that are all the same: the mean distance is clamped
    same = torch.ones(ROWS, FIELDS * STUDENT, requires_grad=True)
    loss = rkd(same, t, pairs, triplets)
    put("same", "loss", loss)
    assert len(branches) == 4, "a branch of SmoothL1 was never taken"


main()
