"""What is true of one camera stands in `instrument` and in the simulator, nowhere else."""

from __future__ import annotations

import io
import re
import tokenize
from pathlib import Path

import mizzle

ROOT = Path(mizzle.__file__).parent
#: The rooms that may know a camera: its facts, its simulator, and the bridges to programs that have no other camera.
ALLOWED = ("instrument/", "simulate/", "drizzlepac/", "stwcs/", "translation/", "archive/")
WORDS = re.compile(
    r"\b(WF[234]|PC1|WFPC2|FILTNAM[12]|ATODGAIN|A2D(7|15)|CHIP_(NAMES|NUMBERS|SIDE))\b|instrument\.wfpc2"
)
#: Not clean yet. This list may only shrink.
KNOWN: frozenset[str] = frozenset(
    """
    cli/archive.py cli/simulate.py io/examine.py io/exposures.py io/headers.py io/pixels.py io/products.py
    io/quick_headers.py io/reference_tables.py io/rewriting.py io/state.py io/tables.py io/wcs_in_place.py
    report/charts.py report/evidence.py report/figures.py report/maps.py report/tables.py settings/equalize.py
    settings/input.py settings/noise.py steps/equalize.py visits/grouping.py
    """.split()
)


def code_of(path: Path) -> str:
    """Return a file's code without comments and docstrings."""
    starts = (tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.NL)
    kept, previous = [], tokenize.NEWLINE
    for token in tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline):
        if token.type == tokenize.COMMENT:
            continue
        if token.type == tokenize.STRING and previous in starts:
            continue
        kept.append(token.string)
        previous = token.type
    return " ".join(kept).replace(" . ", ".")


def test_no_room_but_the_cameras_own_knows_a_camera():
    files = (path for path in ROOT.rglob("*.py") if not path.relative_to(ROOT).as_posix().startswith(ALLOWED))
    found = {path.relative_to(ROOT).as_posix() for path in files if WORDS.search(code_of(path))}
    assert sorted(found - KNOWN) == []


def test_the_search_finds_code_and_spares_comments_and_docstrings(tmp_path):
    path = tmp_path / "a.py"
    path.write_text('"""About WFPC2."""\nx = 1  # WF3\n')
    assert not WORDS.search(code_of(path))
    path.write_text('x = chips["WF3"]\n')
    assert WORDS.search(code_of(path))
