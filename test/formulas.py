"""Every formula of ca-train --list-archs against ca-train --dry-run, in the notation of ca-architectures(7).

formulas.py FILE N C LISTS SHARED TASKS DOMAINS FILE ...: streams and what they have. For each architecture: two sizes on
every stream that it takes, then other values of each of its keys, alone and together. Prints how many cases agreed.
"""
import ast
import operator
import random
import subprocess
import sys

LENGTH = 3  # of lists
SIZES = [(8, (16, 4)), (6, (10,))]
VALUES = ["0", "1", "2", "3", "6"]

BINARY = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}
COMPARE = {ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Gt: operator.gt, ast.Lt: operator.lt}


class Formula:
    """An architecture at one shape; value(TEXT) computes a formula of it."""

    def __init__(self, family, hidden, names):
        self.family, self.hidden, self.names = family, hidden, names

    def key(self, name):
        return self.names.get(name, 0)

    def stack(self, x, widths, operations):
        """What a stack of layers on x inputs has, or does."""
        ca, each, once, dice = self.family == "CA", self.key("bn") == 1, self.key("bn") == 2, self.key("dice")
        total = (4 if operations else 2) * x * once
        for w in widths:
            if operations:
                total += 2 * x * w + w * (7 * ca + 4 * each + 14 * dice)
            else:
                total += x * w + w + w * (2 * ca + 2 * each + dice)
            x = w
        return total

    def call(self, name, args):
        if name == "each":
            x, total = self.walk(args[0]), 0
            for w in self.hidden:
                self.names.update(i=x, o=w)
                total += self.walk(args[1])
                x = w
            return total
        v = [self.walk(a) for a in args]
        last = self.hidden[-1] if self.hidden else 0
        if name in ("H", "K"):
            return self.stack(v[0], self.hidden, name == "K")
        if name in ("M", "Q"):
            return self.stack(v[0], self.hidden, name == "Q") + (2 * last if name == "Q" else last + 1)
        if name in ("S", "T"):
            return self.stack(v[0], [v[1]] * int(v[2]) if v[1] else [], name == "T")
        return {"int": lambda: int(v[0]), "max": lambda: max(v), "first": lambda: v[0] or v[1]}[name]()

    def walk(self, node):
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Name):
            return self.names[node.id] if node.id not in ("bn", "dice") else self.key(node.id)
        if isinstance(node, ast.BinOp):
            return BINARY[type(node.op)](self.walk(node.left), self.walk(node.right))
        if isinstance(node, ast.Compare):
            return int(COMPARE[type(node.ops[0])](self.walk(node.left), self.walk(node.comparators[0])))
        return self.call(node.func.id, node.args)

    def value(self, text):
        return self.walk(ast.parse(text, mode="eval").body)


def shape(family, stream, width, hidden, keys):
    n, c, lists = stream["N"], stream["C"], stream["lists"]
    f = c if family == "CA" else n + c + lists
    names = {k.replace("-", "_"): float(v) for k, v in keys.items()}
    names.update(N=n, C=c, F=f, d=width, D=(n if family == "CA" else 0) + f * width, P=f * (f - 1) // 2,
                 R=max(1, f // 3), h=hidden[-1] if hidden else 0, tasks=stream["tasks"], domains=stream["domains"],
                 L=LENGTH, lists=lists, G=stream["shared"], m=stream["shared"] * width, V=(n + 2 * lists * LENGTH) * width, U=n + 2 * lists * LENGTH + f)
    return Formula(family, hidden, names)


def plan(spelling, stream):
    """dense_parameters and flops_per_row, or why there are none."""
    command = ["ca-train", "--quiet", "--dry-run", "--sequence-length", str(LENGTH), "--arch", spelling, stream["file"]]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode == 2 and "item" in done.stderr and "--item-fields" in done.stderr:
        done = subprocess.run(command[:-1] + ["--item-fields", "a", stream["file"]], capture_output=True, text=True)
    if done.returncode:
        return None, done.stderr
    lines = dict(line.split("\t") for line in done.stdout.splitlines())
    assert int(lines["numeric"]) == stream["N"] and int(lines["fields"]) == stream["C"]
    return (int(lines["dense_parameters"]), int(lines["flops_per_row"])), ""


def check(arch, stream, size, keys):
    """0 when the architecture does not come in this form or take this stream, 1 when both formulas hold."""
    form = arch["spelling"].split(":")[1:]
    parts = [arch["name"]]
    width, hidden = (size[0], size[1]) if "HIDDEN,..." in form else (size[0], ()) if "WIDTH" in form else (0, ())
    parts += [str(width)] if "WIDTH" in form else []
    parts += [",".join(map(str, hidden))] if hidden else []
    given = {k: v for k, v in keys.items() if v != arch["keys"][k]}
    parts += [",".join(f"{k}={v}" for k, v in given.items())] if given else []
    got, why = plan(":".join(parts), stream)
    if got is None:
        return 0
    for column, real in zip(("parameters", "operations"), got):
        want = shape(arch["family"], stream, width, hidden, keys).value(arch[column])
        if want != real:
            sys.exit(f"{':'.join(parts)} on {stream['file']}: {column} by the formula {want:.10g}, by ca-train {real}")
    return 1


def catalogue():
    lines = subprocess.run(["ca-train", "--quiet", "--list-archs"], capture_output=True, text=True, check=True).stdout
    head, *rows = [line.split("\t") for line in lines.splitlines()]
    for row in rows:
        arch = dict(zip(head, row))
        last = arch["spelling"].split(":")[-1]
        arch["keys"] = dict(pair.split("=") for pair in last.split(",")) if "=" in last else {}
        yield arch


def main():
    names = ("file", "N", "C", "lists", "shared", "tasks", "domains")
    streams = [dict(zip(names, [sys.argv[i]] + list(map(int, sys.argv[i + 1:i + 7])))) for i in range(1, len(sys.argv), 7)]
    draw, total, archs = random.Random(1), 0, 0
    for arch in catalogue():
        for column in ("used", "parameters", "operations"):
            if not arch[column] or arch[column] == "(null)":
                sys.exit(f"{arch['name']} has no {column}")
        held = [s for s in streams if sum(check(arch, s, size, arch["keys"]) for size in SIZES)]
        if not held:
            sys.exit(f"{arch['name']} takes none of the streams: {plan(arch['spelling'].replace('WIDTH', '8').replace('HIDDEN,...', '16,4'), streams[0])[1]}")
        total += 2 * len(held)
        for k, default in arch["keys"].items():
            tried = sum(check(arch, held[0], SIZES[0], {**arch["keys"], k: v}) for v in VALUES if v != default)
            tried += check(arch, held[0], SIZES[0], {**arch["keys"], k: "0.5"}) if "." in default or not tried else 0
            if not tried:
                sys.exit(f"{arch['name']}: no value of {k} could be tried")
            total += tried
        for _ in range(6 if len(arch["keys"]) > 1 else 0):
            keys = {k: draw.choice(VALUES[:3] + [v]) for k, v in arch["keys"].items()}
            total += check(arch, draw.choice(held), SIZES[0], keys)
        archs += 1
    print(f"{archs} architectures, {total} cases")


main()
