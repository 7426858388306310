"""Signatures that can be read: at most eight arguments, from the fourth on by name, and arrays that have names."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import mizzle

ROOT = Path(mizzle.__file__).parent
MOST = 8
#: So many may be given by position: after the third nobody remembers the order.
UNNAMED = 3
#: Rooms whose signatures are not ours to choose: the command line, the incumbents' calls, and the fronts of the kernel,
#: whose arguments are those of the C functions behind them.
INCUMBENTS = ("drizzlepac/", "stwcs/", "skypac/")
FREE = ("cli/", "kernel/", *INCUMBENTS)

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


#: Words of annotations that stand for arrays.
ARRAYS = re.compile(r"\b(NDArray|FloatArray|IntArray|Indices|Image|Mask|Marks|ArrayLike)\b")


def nameless(annotation: ast.expr | None, least: int) -> bool:
    """Return whether an annotation holds a plain tuple of which at least so many parts are arrays."""
    tuples = [
        node.slice.elts
        for node in (ast.walk(annotation) if annotation is not None else ())
        if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "tuple" and isinstance(node.slice, ast.Tuple)
    ]
    parts = [[ast.unparse(part) for part in parts] for parts in tuples if ast.unparse(parts[-1]) != "..."]
    return any(sum(bool(ARRAYS.search(part)) and "Callable" not in part for part in p) >= least for p in parts)


def outer(text: str) -> list[Function]:
    """Return the functions of a file and of its classes, not those within functions."""
    tree = ast.parse(text)
    bodies = [tree.body, *(node.body for node in ast.walk(tree) if isinstance(node, ast.ClassDef))]
    return [node for body in bodies for node in body if isinstance(node, Function)]


def test_arrays_that_go_together_have_names():
    """What a function takes, and what it answers beyond its own file: ``Places.x``, not the first of two."""
    plain = [
        f"{path.relative_to(ROOT).as_posix()}: {function.name}"
        for path in ROOT.rglob("*.py")
        if not path.relative_to(ROOT).as_posix().startswith(INCUMBENTS)
        for function in outer(path.read_text(encoding="utf-8"))
        if any(nameless(a.annotation, 1) for a in (*function.args.args, *function.args.kwonlyargs))
        or (not function.name.startswith("_") and nameless(function.returns, 2))
    ]
    assert plain == []


def test_tuples_of_arrays_are_seen():
    (function,) = functions(
        "def f(a: tuple[Mask, int], *, b: tuple[Mask, ...]) -> list[tuple[Mask, Image]] | None: ..."
    )
    first, second = function.args.args[0].annotation, function.args.kwonlyargs[0].annotation
    assert nameless(first, 1)
    assert not nameless(first, 2)
    assert not nameless(second, 1)
    assert nameless(function.returns, 2)


def test_arguments_of_every_kind_are_counted():
    (method,) = functions("class A:\n    def f(self, a, /, b, *, c=1): ...")
    assert (arguments(method), unnamed(method)) == (3, 2)
