"""Imports of the incumbents' packages, rewritten to mizzle's."""

from __future__ import annotations

import importlib
import importlib.util
import re

#: Incumbent's package to mizzle's.
PACKAGES = {"stsci.skypac": "mizzle.skypac", "drizzlepac": "mizzle.drizzlepac", "stwcs": "mizzle.stwcs"}

_FROM = re.compile(r"^(?P<start>\s*from\s+)(?P<module>[\w.]+)(?P<rest>\s+import\b.*)$")
_IMPORT = re.compile(r"^(?P<indent>\s*)import\s+(?P<names>[^#;]+?)(?P<rest>\s*([#;].*)?)$")


def translated(module: str) -> str | None:
    """Return mizzle's name of a module; None for one that is none of the incumbents'.

    Examples
    --------
    >>> translated("stsci.skypac.skymatch"), translated("drizzlepac"), translated("drizzlepacker")
    ('mizzle.skypac.skymatch', 'mizzle.drizzlepac', None)
    """
    for package, target in PACKAGES.items():
        if module == package or module.startswith(f"{package}."):
            return target + module[len(package) :]
    return None


def rewritten_import(line: str) -> str:
    """Return a line of code with the incumbents' packages replaced by mizzle's in what it imports.

    Examples
    --------
    >>> rewritten_import("from drizzlepac import astrodrizzle")
    'from mizzle.drizzlepac import astrodrizzle'
    >>> rewritten_import("import os, drizzlepac, stwcs.wcsutil as w  # all")
    'import os; import mizzle.drizzlepac as drizzlepac; import mizzle.stwcs.wcsutil as w  # all'
    """
    body = line.rstrip("\r\n")
    end = line[len(body) :]
    match = _FROM.match(body)
    if match:
        module = match["module"]
        target = (
            "mizzle" if module == "stsci" and re.search(r"import\s+skypac\b", match["rest"]) else translated(module)
        )
        return line if target is None else f"{match['start']}{target}{match['rest']}{end}"
    match = _IMPORT.match(body)
    names = [name.strip() for name in match["names"].split(",")] if match else []
    if match is None or not any(translated(name.split()[0]) for name in names if name):
        return line
    return f"{match['indent']}{'; '.join(_statement(name) for name in names)}{match['rest']}{end}"


def _statement(name: str) -> str:
    """Return the import of one module: under the name that the code goes on to say."""
    words = name.split()
    target = translated(words[0])
    if target is None:
        return f"import {name}"
    if len(words) > 1:
        return f"import {' '.join([target, *words[1:]])}"
    package = next(old for old in PACKAGES if words[0] == old or words[0].startswith(f"{old}."))
    whole = f"import {PACKAGES[package]} as {package.split('.')[-1]}"
    return whole if words[0] == package else f"import {target}; {whole}"


def is_there(module: str, name: str = "") -> bool:
    """Return whether mizzle has what an import of the incumbents asks for; True for what is none of theirs.

    Parameters
    ----------
    module : str
        As ``drizzlepac.astrodrizzle``.
    name : str
        What is taken from it; ``*`` for all.
    """
    target = translated(module)
    if target is None:
        return True
    try:
        imported = importlib.import_module(target)
    except ModuleNotFoundError:
        return False
    if not name or name == "*" or hasattr(imported, name):
        return True
    return hasattr(imported, "__path__") and importlib.util.find_spec(f"{target}.{name}") is not None
