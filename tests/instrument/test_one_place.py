"""What is true of one camera stands in `instrument` and in the simulator, nowhere else."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import mizzle

ROOT = Path(mizzle.__file__).parent
#: The rooms that may know a camera: its facts, its simulator, and the bridges to programs that have no other camera.
ALLOWED = ("instrument/", "simulate/", "drizzlepac/", "stwcs/", "translation/", "archive/")
#: Single files that may, and why.
REASONS = {
    "cli/app.py": "which camera the demonstration shows, where the user names none",
    "demo.py": "the same",
    "cli/archive.py": "which instrument the archive is asked for, where the user names none",
    "io/exposures.py": "reads the form of WFPC2's files; those of the other cameras have io/calibrated.py",
    "io/history.py": "what the calibration of WFPC2's files does not know of its throughput and temperature",
    "io/headers.py": "what the headers of WFPC2's files say, and in which years",
    "io/photmode.py": "what PHOTMODE of a WFPC2 file says of chip, gain and filters",
    "io/state.py": "what calwp2 has done to a file",
    "io/reference_tables.py": "reference files that only WFPC2 has: the row profile and the headerlets of its chips",
    "io/rewriting.py": "c0m and flt files changed in place, as updatewcs and tweakreg of the incumbent do",
    "io/waivered.py": "a form of file that only WFPC2 has",
    "io/input_table.py": "columns of the product's table of inputs, which are promised: ATODGAIN",
    "io/wcs_in_place.py": "the same: the WCS of a c0m or flt",
    "io/product_cards.py": "keywords of products, which are promised: FILTNAM1, FILTNAM2",
    "settings/noise.py": "gains by the commanded ones, 7 and 15, which are promised; other cameras bring theirs",
    "visits/grouping.py": "names of visits, which are promised: those of WFPC2 have no ending",
    "settings/equalize.py": "the default of equalize.reference, which is promised; other cameras replace it",
}
WORDS = re.compile(
    r"\b(WF[234]|PC1|WFPC2|FILTNAM[12]|ATODGAIN|A2D(7|15)|CHIP_(NAMES|NUMBERS|SIDE)|\w+_DN|gain_(7|15))\b|\bwfpc2\b"
)


class _WithoutProse(ast.NodeTransformer):
    """Takes docstrings and the help of settings and options away: a user of one camera reads its words there."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        is_text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if is_text else self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if isinstance(node.func, ast.Name) and node.func.id == "setting":
            node.args = node.args[:1]
        node.keywords = [keyword for keyword in node.keywords if keyword.arg != "help"]
        return self.generic_visit(node)


def code_of(path: Path) -> str:
    """Return a file's code without comments, docstrings and help."""
    return ast.unparse(_WithoutProse().visit(ast.parse(path.read_text(encoding="utf-8"))))


def test_no_room_but_the_cameras_own_knows_a_camera():
    files = (path for path in ROOT.rglob("*.py") if not path.relative_to(ROOT).as_posix().startswith(ALLOWED))
    knowing = {path.relative_to(ROOT).as_posix() for path in files if WORDS.search(code_of(path))}
    assert sorted(knowing - set(REASONS)) == []
    assert sorted(set(REASONS) - knowing) == []  # a reason that is no longer needed goes


def test_the_search_finds_code_and_spares_prose(tmp_path):
    path = tmp_path / "a.py"
    path.write_text('"""About WFPC2."""\nx = setting("PC", "Or WF3.")  # WF3\ny = Option(help="Of WFPC2.")\n')
    assert not WORDS.search(code_of(path))
    for code in ('x = chips["WF3"]', 'x = setting("WF3", "A chip.")', 'x = fail("WFPC2")'):
        path.write_text(code)
        assert WORDS.search(code_of(path))
