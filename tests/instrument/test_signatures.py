"""Signatures that can be read: at most eight arguments."""

from __future__ import annotations

import ast
from pathlib import Path

import mizzle

ROOT = Path(mizzle.__file__).parent
MOST = 8
#: Rooms whose signatures are not ours to choose: the command line, the incumbents' calls, and the fronts of the kernel,
#: whose arguments are those of the C functions behind them.
FREE = ("cli/", "drizzlepac/", "stwcs/", "skypac/", "kernel/")


def arguments(text: str) -> dict[str, int]:
    """Return the number of arguments of each function of a file, its own object left out."""
    count = {}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            count[node.name] = sum(argument.arg not in ("self", "cls") for argument in every)
    return count


def test_no_function_has_more_arguments_than_can_be_remembered():
    long = {
        f"{path.relative_to(ROOT).as_posix()}: {name}": number
        for path in ROOT.rglob("*.py")
        if not path.relative_to(ROOT).as_posix().startswith(FREE)
        for name, number in arguments(path.read_text(encoding="utf-8")).items()
        if number > MOST
    }
    assert long == {}


def test_arguments_of_every_kind_are_counted():
    assert arguments("class A:\n    def f(self, a, /, b, *, c=1): ...") == {"f": 3}
