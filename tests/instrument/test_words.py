"""Local names say what a thing is, not how it came."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

import mizzle

ROOT = Path(mizzle.__file__).parent
#: They tell how a value came to a function, or whose it is; a chip, a vote, a list of findings has a name of its own.
EMPTY = frozenset({"found", "mine", "told", "gone", "one", "thing", "stuff", "it"})
#: Folders and files that still have some: none.
FREE: tuple[str, ...] = ()

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


def empty_names(text: str) -> set[str]:
    """Return the empty words among arguments, variables and loops of a file's functions; fields are not looked at."""
    nodes = [
        node for function in ast.walk(ast.parse(text)) if isinstance(function, Function) for node in ast.walk(function)
    ]
    bound = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return EMPTY & (bound | {node.arg for node in nodes if isinstance(node, ast.arg)})


def test_local_names_say_what_a_thing_is():
    names = {path.relative_to(ROOT).as_posix(): empty_names(path.read_text("utf-8")) for path in ROOT.rglob("*.py")}
    assert {name: words for name, words in names.items() if words and not name.startswith(FREE)} == {}


def test_a_class_name_stands_for_one_thing():
    names = Counter(
        node.name.lstrip("_")
        for path in ROOT.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ClassDef)
    )
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize(
    "body",
    [
        "found = 1",
        "found: int = 1",
        "for found in x: pass",
        "[found for found in x]",
        "(found := x)",
        "a, (b, found) = x",
    ],
)
def test_empty_names_are_seen(body: str):
    assert empty_names(f"def f(x):\n    {body}") == {"found"}


def test_arguments_are_names_and_fields_are_not():
    assert empty_names("def f(mine, *, told): ...\nlambda gone: 0") == {"mine", "told", "gone"}
    assert empty_names("class A:\n    gone: float\n    def f(self):\n        self.gone = E(found=1)") == set()
