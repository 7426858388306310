"""Signatures that can be read: at most eight arguments, and from the fourth on each with its name."""

from __future__ import annotations

import ast
from pathlib import Path

import mizzle

ROOT = Path(mizzle.__file__).parent
MOST = 8
#: So many may be given by position: after the third nobody remembers the order.
UNNAMED = 3
#: Rooms whose signatures are not ours to choose: the command line, the incumbents' calls, and the fronts of the kernel,
#: whose arguments are those of the C functions behind them.
FREE = ("cli/", "drizzlepac/", "stwcs/", "skypac/", "kernel/")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(text: str) -> list[Function]:
    """Return the functions of a file, those within others and of classes too."""
    return [node for node in ast.walk(ast.parse(text)) if isinstance(node, Function)]


def unnamed(function: Function) -> int:
    """Return the number of arguments that may be given by position, its own object left out."""
    every = [*function.args.posonlyargs, *function.args.args]
    return sum(argument.arg not in ("self", "cls") for argument in every)


def arguments(function: Function) -> int:
    """Return the number of all arguments of a function, its own object left out."""
    return unnamed(function) + len(function.args.kwonlyargs)


def beyond(limit: int, count) -> dict[str, int]:
    """Return the functions of which `count` says more than `limit`."""
    return {
        f"{path.relative_to(ROOT).as_posix()}: {function.name}": count(function)
        for path in ROOT.rglob("*.py")
        if not path.relative_to(ROOT).as_posix().startswith(FREE)
        for function in functions(path.read_text(encoding="utf-8"))
        if count(function) > limit
    }


def test_no_function_has_more_arguments_than_can_be_remembered():
    assert beyond(MOST, arguments) == {}


def test_from_the_fourth_on_arguments_are_given_by_name():
    assert beyond(UNNAMED, unnamed) == {}


def test_arguments_of_every_kind_are_counted():
    (method,) = functions("class A:\n    def f(self, a, /, b, *, c=1): ...")
    assert (arguments(method), unnamed(method)) == (3, 2)
