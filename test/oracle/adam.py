#!/usr/bin/python3
"""Golden weights for test/unit/test_adam.c: PyTorch's dense Adam in double.

200 rows of 4, 400 steps at lr 0.1. In a step a row has a gradient with
probability 1/20, of scale 1e-5, 1e-7 or 1 by its number; else it has none and
rests. All draws come from one linear congruential generator that the C test
runs too.
"""
import torch

ROWS, WIDTH, STEPS = 200, 4, 400
SCALE = (1e-5, 1e-7, 1.0)
state = 2026


def unit():
    global state
    state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
    return (state >> 40) / 2**24


p = torch.tensor([[2 * unit() - 1 for _ in range(WIDTH)] for _ in range(ROWS)], dtype=torch.float64, requires_grad=True)
adam = torch.optim.Adam([p], lr=0.1)
for step in range(STEPS):
    grad = torch.zeros(ROWS, WIDTH, dtype=torch.float64)
    for row in range(ROWS):
        if unit() < 0.05:
            grad[row] = torch.tensor([SCALE[row % 3] * (2 * unit() - 1) for _ in range(WIDTH)], dtype=torch.float64)
    p.grad = grad
    adam.step()

print("w0\tw1\tw2\tw3")
for row in p.tolist():
    print("\t".join("%.12g" % x for x in row))
