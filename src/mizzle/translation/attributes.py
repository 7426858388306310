"""Names that code takes from the incumbents' modules with a dot, and that mizzle has not."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from mizzle.translation.imports import is_there, translated


def missing_names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield line and text for each ``module.name`` of the incumbents that has no counterpart, once for each name.

    Parameters
    ----------
    tree : AST
        Of the code, with its imports.
    """
    known = dict(_imported(tree))
    inner = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    said: set[str] = set()
    attributes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and id(node) not in inner]
    for node in sorted(attributes, key=lambda node: (node.lineno, node.col_offset)):
        whole = _dotted(node)
        first, _, rest = whole.partition(".")
        if first not in known or not rest:
            continue
        name = _missing(known[first], rest.split("."))
        if name and name not in said:
            said.add(name)
            yield node.lineno, f"{name} has no counterpart in mizzle: the line will fail"


def _imported(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield the name in the code and the incumbents' module it stands for."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if translated(alias.name) is not None:
                    first = alias.name if alias.asname else alias.name.split(".")[0]
                    yield alias.asname or first, first
        elif isinstance(node, ast.ImportFrom) and node.module and translated(f"{node.module}.x") is not None:
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module}.{alias.name}"


def _dotted(node: ast.expr) -> str:
    """Return ``a.b.c`` as text; an empty text for what hangs on a call or an element."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = _dotted(node.value)
        return f"{before}.{node.attr}" if before else ""
    return ""


def _missing(module: str, names: list[str]) -> str:
    """Return the first name along a path that is not there; empty where all are, or behind a class or function."""
    package = module.rpartition(".")[0]
    for name in names:
        if package and not is_there(module):  # no module: a class or a function, whose own names are not looked at
            return ""
        if not is_there(module, name):
            return f"{module}.{name}"
        package, module = module, f"{module}.{name}"
    return ""
