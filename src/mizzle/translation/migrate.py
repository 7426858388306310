"""Notebooks and scripts written for drizzlepac: imports rewritten, and what a reader should know of each call."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mizzle.errors import InputError
from mizzle.translation.parameters import Task

#: Incumbent's package to mizzle's.
PACKAGES = {"stsci.skypac": "mizzle.skypac", "drizzlepac": "mizzle.drizzlepac", "stwcs": "mizzle.stwcs"}

_IMPORT = re.compile(
    r"^(?P<indent>\s*)(?P<word>import|from)\s+(?P<package>stsci\.skypac|drizzlepac|stwcs)\b(?P<rest>.*)$"
)

#: What differs in the result of a call, by its last name.
DIFFERENCES = {
    "AstroDrizzle": "no gain touches the science values (the incumbent leaves WF3 2.8 % low at gain 7 after photeq);"
    " cosmic rays are judged in true sigma; a failure raises",
    "TweakReg": "stars are found by their signal-to-noise ratio; all exposures are solved together; an exposure that"
    " cannot be aligned raises DataError (and is nan in the shifts file)",
    "updatewcs": "the 34th row is corrected along y on all four chips",
    "photeq": "the same pixels, to rounding",
    "skymatch": "sky pixels are clipped on both sides; sky.* settings",
    "wfpc2_to_flt": "ERR is the true noise, not the root of the DN",
    "do_blot": "the mapping is exact; spline3 and sinc are not offered",
}


@dataclass(frozen=True)
class Remark:
    """One thing to know.

    Parameters
    ----------
    place : str
        ``cell 3, line 2`` or ``line 12``.
    text : str
        One sentence.
    """

    place: str
    text: str


@dataclass(frozen=True)
class Migrated:
    """A rewritten document and what to know of it."""

    text: str
    remarks: tuple[Remark, ...]


def migrate(text: str, tasks: Mapping[str, Task], *, notebook: bool, source: str = "document") -> Migrated:
    """Rewrite the imports of a notebook or script, and say what will differ.

    Parameters
    ----------
    text : str
        The document.
    tasks : mapping
        Parameters by name of the call.
    notebook : bool
        A Jupyter notebook (JSON), or a script.
    source : str
        Its name, for messages.

    Raises
    ------
    InputError
        A notebook that is no JSON with cells.
    """
    if not notebook:
        code, remarks = migrate_code(text, tasks, "")
        return Migrated(code, tuple(remarks))
    try:
        document = json.loads(text)
        cells = document["cells"]
    except (json.JSONDecodeError, KeyError, TypeError) as problem:
        raise InputError(f"{source}: not a Jupyter notebook of version 4: {problem}", file=source) from problem
    remarks = []
    for number, cell in enumerate(cells, 1):
        if cell.get("cell_type") != "code":
            continue
        lines = cell["source"] if isinstance(cell["source"], list) else [cell["source"]]
        code, found = migrate_code("".join(lines), tasks, f"cell {number}, ")
        cell["source"] = code.splitlines(keepends=True)
        remarks += found
    return Migrated(json.dumps(document, indent=1, ensure_ascii=False) + "\n", tuple(remarks))


def migrate_code(code: str, tasks: Mapping[str, Task], where: str) -> tuple[str, list[Remark]]:
    """Return code with rewritten imports, and remarks; `where` goes before their line."""
    lines = [_import(line) for line in code.splitlines(keepends=True)]
    remarks = [Remark(f"{where}line {n}", text) for n, text in _literal_remarks(code)]
    # Lines for the notebook alone (%magic, !command) are no Python.
    plain = "".join(_without_magic(line) for line in code.splitlines(keepends=True))
    try:
        tree = ast.parse(plain)
    except SyntaxError as problem:
        unread = Remark(f"{where}line {problem.lineno}", "not Python: calls were not looked at")
        return "".join(lines), [*remarks, unread]
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            remarks += [Remark(f"{where}line {node.lineno}", text) for text in _call_remarks(node, tasks)]
    return "".join(lines), remarks


def _without_magic(line: str) -> str:
    """Return a line of a notebook's cell as Python: ``%magic`` and ``!command`` do nothing."""
    bare = line.lstrip()
    return f"{line[: len(line) - len(bare)]}pass\n" if bare.startswith(("%", "!")) else line


def _import(line: str) -> str:
    """Return a line with the incumbent's package replaced by mizzle's."""
    match = _IMPORT.match(line.rstrip("\n"))
    if match is None:
        return line
    target, rest = PACKAGES[match["package"]], match["rest"]
    if match["word"] == "import" and " as " not in rest:
        if rest.startswith("."):  # import drizzlepac.astrodrizzle: the code goes on to say drizzlepac.astrodrizzle
            line = f"{match['indent']}import {target}{rest}; import {target} as {match['package'].split('.')[-1]}\n"
        else:
            line = f"{match['indent']}import {target} as {match['package'].split('.')[-1]}{rest}\n"
        return line
    return f"{match['indent']}{match['word']} {target}{rest}\n"


def _literal_remarks(code: str) -> Iterator[tuple[int, str]]:
    """Yield remarks on names of files."""
    for number, line in enumerate(code.splitlines(), 1):
        if re.search(r"glob\.glob\([^)]*\)\s*\[", line) and "sorted" not in line:
            yield (
                number,
                "an element of an unsorted glob: the disk decides which; write sorted(glob.glob(...))",
            )
        if "_drz_sci.fits" in line or "_drz_wht.fits" in line:
            yield number, "AstroDrizzle writes _drw for WFPC2; _drz names are there for the default output 'final' only"
        for name in ("staticMask.fits", "_single_mask.fits", "_final_mask.fits", "_dqmask.fits", "skymatch_mask"):
            if name in line:
                yield number, f"*{name} is not written"


def _call_remarks(node: ast.Call, tasks: Mapping[str, Task]) -> Iterator[str]:
    """Yield remarks on one call."""
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if name not in DIFFERENCES:
        return
    yield f"{name}: {DIFFERENCES[name]}"
    task = tasks.get(name)
    for keyword in node.keywords:
        if task is None or keyword.arg is None:
            continue
        if not task.knows(keyword.arg):
            if name in ("AstroDrizzle", "TweakReg") and keyword.arg not in _OTHER:
                yield f"{name}: {keyword.arg} is no parameter of it: the call will raise"
        elif keyword.arg in task.void:
            default, reason = task.void[keyword.arg]
            if not isinstance(keyword.value, ast.Constant) or keyword.value.value != default:
                yield f"{name}: {keyword.arg} changes nothing here: {reason}"


_OTHER = frozenset({"input", "files", "editpars", "configobj", "imagefindcfg", "refimagefindcfg", "wcsmap"})
