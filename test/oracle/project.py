#!/usr/bin/python3
"""Principal-component projection of made-up embedding tables by numpy, with what it costs, as a table.

test/unit/test_project.c makes the same tables and holds the library against the
stored output of this script, test/golden/project.tsv. Distortions are taken the long
way here: from the V x V matrices of inner products.
"""
import numpy as np

ROWS = (300, 4, 1000)
D = 8


def draw(n):
    """splitmix64 of the element's number, the upper 24 bits as a number in [-1, 1)."""
    with np.errstate(over="ignore"):
        z = (n.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return (z >> np.uint64(40)).astype(np.float64) / 2.0**23 - 1.0


def table(field):
    """Correlated columns of falling scale, about a mean that is not zero."""
    k = np.arange(D)
    n = (field * 100000 + np.arange(ROWS[field])[:, None]) * 64 + k
    u = draw(n)
    e = u / (k + 1.0) + 0.25
    e[:, 1:] += 0.5 * u[:, :-1]
    return e.astype(np.float32).astype(np.float64)


def basis(rows, mean, gram, width, keep):
    """Leading eigenvectors, greatest entry positive; directions without variance are zero, or the mean's rest."""
    value, vector = np.linalg.eigh(gram / rows)
    value, vector = value[::-1], vector[:, ::-1]
    w = np.zeros((D, width))
    k = 0
    while k < min(width, rows) and value[k] > 1e-12 * value[0]:
        v = vector[:, k]
        w[:, k] = v * np.sign(v[np.argmax(np.abs(v))])
        k += 1
    if keep and k < width:
        rest = mean - w[:, :k] @ (w[:, :k].T @ mean)
        w[:, k] = rest / np.linalg.norm(rest)
    return w, value


def relative(a, b):
    return np.linalg.norm(a - b) / np.linalg.norm(a)


def case(name, width, keep, shared):
    old = [table(f) for f in range(len(ROWS))]
    means = [e.mean(0) for e in old]
    if shared:
        stacked = np.vstack(old)
        mean = stacked.mean(0)
        w, _ = basis(len(stacked), mean, (stacked - mean).T @ (stacked - mean), width, keep)
        plan = [(w, mean)] * len(old)
    else:
        plan = [(basis(len(e), m, (e - m).T @ (e - m), width, keep)[0], m) for e, m in zip(old, means)]
    origin = [0.0 if keep else m for _, m in plan]
    new = [((e - o) @ w).astype(np.float32).astype(np.float64) for e, o, (w, _) in zip(old, origin, plan)]
    for f, (e, s, o, (w, _)) in enumerate(zip(old, new, origin, plan)):
        a, b, exact = e - e.mean(0), s - s.mean(0), (e - o) @ w
        exact = exact - exact.mean(0)
        cross = [relative(e @ old[g].T, s @ new[g].T) for g in range(len(old)) if g != f]
        numbers = (
            np.linalg.norm(e - (s @ w.T + o)) / np.linalg.norm(e),
            np.linalg.norm(exact) ** 2 / np.linalg.norm(a) ** 2,
            np.linalg.norm(a @ a.T - exact @ exact.T) ** 2,
            relative(a @ a.T, b @ b.T),
            relative(e @ e.T, s @ s.T),
            np.mean(cross),
            *s[1, :3],
        )
        print(name, f, *("%.17g" % x for x in numbers), sep="\t")


def main():
    print("case", "field", "reconstruction", "retained", "theory", "relative", "inner", "cross", "e0", "e1", "e2",
          sep="\t")
    case("drop3", 3, False, False)
    case("keep3", 3, True, False)
    case("drop6", 6, False, False)
    case("keep6", 6, True, False)
    case("shared3", 3, False, True)
    case("shared3keep", 3, True, True)


main()
