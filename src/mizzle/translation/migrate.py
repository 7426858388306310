"""Notebooks and scripts written for drizzlepac: imports rewritten, and what a reader should know of each call."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mizzle.errors import InputError
from mizzle.translation.attributes import missing_names
from mizzle.translation.imports import is_there, rewritten_import
from mizzle.translation.parameters import Task

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
    "apply_bestrefs": "headers stay as they are: the distortion tables are mizzle's own",
    "do_blot": "the mapping is exact; spline3 and sinc are not offered",
    "do_driz": "the mapping is exact; the image is left as it is; lanczos kernels weigh as in the drizzle package",
    "updatewcs_with_shift": "the same WCS to 1e-6 pixel; a name that is taken is an error without reusename or force",
    "update_from_shiftfile": "a line with nan raises DataError before any header is changed",
    "write_headerlet": "headerlets are files: none is attached",
    "apply_headerlet_as_primary": "headerlets are files: none is attached",
    "generateCatalog": "stars are found by their signal-to-noise ratio: other numbers of them, whatever the threshold",
    "restoreWCS": "a WCS that is not there raises InputError",
    "deleteWCS": "a WCS that is not there raises InputError",
}

_SUM = "exposures are compared with the mean, which is their sum over their number; _med.fits holds the sum"
#: Values that mean something else, by call and parameter.
_VALUES = {("AstroDrizzle", "combine_type", word): _SUM for word in ("sum", "isum")}


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
        code, cell_remarks = migrate_code("".join(lines), tasks, f"cell {number}, ")
        cell["source"] = code.splitlines(keepends=True)
        remarks += cell_remarks
    return Migrated(json.dumps(document, indent=1, ensure_ascii=False) + "\n", tuple(remarks))


def migrate_code(code: str, tasks: Mapping[str, Task], where: str) -> tuple[str, list[Remark]]:
    """Return code with rewritten imports, and remarks in the order of lines; `where` goes before their line."""
    lines = [rewritten_import(line) for line in code.splitlines(keepends=True)]
    numbered = list(_literal_remarks(code))
    # Lines for the notebook alone (%magic, !command) are no Python.
    plain = "".join(_without_magic(line) for line in code.splitlines(keepends=True))
    try:
        tree = ast.parse(plain)
    except SyntaxError as problem:
        numbered.append((problem.lineno or 1, "not Python: calls were not looked at"))
    else:
        numbered += _tree_remarks(tree, tasks)
        numbered += missing_names(tree)
    remarks = [Remark(f"{where}line {number}", text) for number, text in sorted(numbered, key=lambda remark: remark[0])]
    return "".join(lines), remarks


def _tree_remarks(tree: ast.AST, tasks: Mapping[str, Task]) -> Iterator[tuple[int, str]]:
    """Yield line and text of what imports, calls and wildcards say."""
    in_order = {id(arg) for node in ast.walk(tree) if _called(node) == "sorted" for arg in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from ((node.lineno, text) for text in _import_remarks(node))
        elif isinstance(node, ast.Subscript) and _is_glob(node.value) and id(node.value) not in in_order:
            text = "an element of an unsorted glob: the disk decides which; write sorted(glob.glob(...))"
            yield node.lineno, text
            in_order.add(id(node.value))
        elif isinstance(node, ast.Call):
            yield from ((node.lineno, text) for text in _call_remarks(node, tasks))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _is_glob(node) and id(node) not in in_order:
            yield (
                node.lineno,
                "an unsorted glob: calls of mizzle sort their files, but the list's own order is the disk's",
            )


def _called(node: ast.AST) -> str:
    """Return the last name of what is called."""
    if not isinstance(node, ast.Call):
        return ""
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def _is_glob(node: ast.AST) -> bool:
    return _called(node) in ("glob", "iglob")


def _import_remarks(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    """Yield what an import asks for that is not there."""
    if isinstance(node, ast.Import):
        names = [(alias.name, "") for alias in node.names]
    else:
        names = [(node.module or "", alias.name) for alias in node.names]
    for module, name in names:
        whole = f"{module}.{name}" if name else module
        if module.startswith("stsci.tools") or (module == "stsci" and name == "tools"):
            yield (
                f"{whole} stays what it is: a .cfg file, or what teal.load returns, may be given as configobj;"
                " teal.load and teal.unlearn of a task need drizzlepac itself, and are not needed here"
            )
        elif not is_there(module, name):
            yield f"{whole} has no counterpart in mizzle: the import will fail"


def _without_magic(line: str) -> str:
    """Return a line of a notebook's cell as Python: ``%magic`` and ``!command`` do nothing."""
    bare = line.lstrip()
    return f"{line[: len(line) - len(bare)]}pass\n" if bare.startswith(("%", "!")) else line


def _literal_remarks(code: str) -> Iterator[tuple[int, str]]:
    """Yield remarks on names of files."""
    for number, line in enumerate(code.splitlines(), 1):
        if "_drz_sci.fits" in line or "_drz_wht.fits" in line:
            yield number, "AstroDrizzle writes _drw for WFPC2; _drz names are there for the default output 'final' only"
        for name in _NOT_WRITTEN:
            if name in line:
                yield number, f"*{name} is not written"
        for name, step in (("_med.fits", "median"), ("_blt.fits", "blot"), ("_crclean.fits", "driz_cr_corr")):
            if name in line:
                yield number, f"*{name} is written where {step}=True stands in the call of AstroDrizzle"


def _call_remarks(node: ast.Call, tasks: Mapping[str, Task]) -> Iterator[str]:
    """Yield remarks on one call."""
    name = _called(node)
    if name not in DIFFERENCES:
        return
    yield f"{name}: {DIFFERENCES[name]}"
    task = tasks.get(name)
    if task is None:
        return
    idle: dict[str, list[str]] = {}
    for key, value in _given(node):
        if not task.knows(key):
            if key not in _OTHER:
                yield f"{name}: {key} is no parameter of it: the call will raise"
        elif isinstance(value, ast.Constant) and (name, key, str(value.value)) in _VALUES:
            yield f"{name}: {key} = {value.value!r}: {_VALUES[name, key, str(value.value)]}"
        elif key in task.void:
            default, reason = task.void[key]
            if not isinstance(value, ast.Constant) or value.value != default:
                idle.setdefault(reason, []).append(key)
    for reason, keys in idle.items():
        yield f"{name}: {', '.join(keys)} change{'s' if len(keys) == 1 else ''} nothing here: {reason}"


def _given(node: ast.Call) -> Iterator[tuple[str, ast.expr]]:
    """Yield the parameters of a call by name, those of a dictionary that is spread out too."""
    for keyword in node.keywords:
        if keyword.arg is not None:
            yield keyword.arg, keyword.value
        elif isinstance(keyword.value, ast.Dict):
            for key, value in zip(keyword.value.keys, keyword.value.values, strict=True):
                if isinstance(key, ast.Constant):
                    yield str(key.value), value


#: Ends of names of files that the incumbents write, and mizzle does not.
_NOT_WRITTEN = (
    *("staticMask.fits", "_single_mask.fits", "_final_mask.fits", "_dqmask.fits", "skymatch_mask", "_d2im.fits"),
)
_OTHER = frozenset(
    {
        *("input", "files", "editpars", "configobj", "imagefindcfg", "refimagefindcfg", "wcsmap"),
        *("image", "reference", "filename", "hdrname", "hdrlet", "wcs", "mode", "catalog", "src_find_filters"),
    }
)
