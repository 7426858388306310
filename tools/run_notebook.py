"""Execute the tutorial and store its outputs in it: ``python tools/run_notebook.py docs/tutorial.ipynb``.

Plain Python, no Jupyter: the code cells run one after the other in one namespace, in a folder that is thrown away.
"""

from __future__ import annotations

import ast
import base64
import contextlib
import io
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

#: Resolution of the figures, and colors kept of each: small enough to be committed.
DPI = 72
COLORS = 256


def execute(notebook: dict[str, Any], folder: str | Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run all code cells in `folder`.

    Parameters
    ----------
    notebook : dict
        As JSON holds it; not changed.
    folder : str or Path
        Working folder; files that the cells write stay there.

    Returns
    -------
    executed : dict
        The notebook with fresh outputs.
    namespace : dict
        What the cells defined.
    """
    import matplotlib

    matplotlib.use("Agg")
    executed = json.loads(json.dumps(notebook))
    namespace: dict[str, Any] = {"__name__": "__main__"}
    before = Path.cwd()
    os.chdir(folder)
    try:
        with matplotlib.rc_context():  # what a notebook sets for its figures ends with it
            code = [cell for cell in executed["cells"] if cell["cell_type"] == "code"]
            for number, cell in enumerate(code, start=1):
                cell["execution_count"] = number
                cell["outputs"] = run_cell("".join(cell["source"]), namespace, number)
    finally:
        os.chdir(before)
    return executed, namespace


def run_cell(source: str, namespace: dict[str, Any], number: int) -> list[dict[str, Any]]:
    """Run one cell; return what it printed and drew, as a notebook keeps it."""
    import matplotlib.pyplot as plt
    from matplotlib.figure import Figure
    from PIL import Image

    tree = ast.parse(source, f"cell {number}")
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    value = None
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, f"<cell {number}>", "exec"), namespace)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), f"<cell {number}>", "eval"), namespace)
    outputs: list[dict[str, Any]] = []
    if printed.getvalue():
        outputs.append({"output_type": "stream", "name": "stdout", "text": lines(printed.getvalue())})
    figures: list[Any] = [plt.figure(n) for n in plt.get_fignums()]
    if isinstance(value, Figure | Image.Image):
        figures.append(value)
    elif value is not None:
        data = {"text/plain": lines(repr(value))}
        outputs.append({"output_type": "execute_result", "execution_count": number, "metadata": {}, "data": data})
    for figure in figures:
        data = {"image/png": base64.b64encode(small_png(figure)).decode() + "\n"}
        outputs.append({"output_type": "display_data", "metadata": {}, "data": data})
    plt.close("all")
    return outputs


def lines(text: str) -> list[str]:
    """Return text as notebooks keep it: a list of lines with their ends."""
    return text.splitlines(keepends=True)


def small_png(figure: Any) -> bytes:
    """Return a figure as a PNG with a palette."""
    from PIL import Image

    full, small = io.BytesIO(), io.BytesIO()
    if isinstance(figure, Image.Image):
        figure.save(full, format="png")
    else:
        figure.savefig(full, format="png", dpi=DPI, bbox_inches="tight")
    full.seek(0)
    with Image.open(full) as picture:
        picture.convert("RGB").quantize(COLORS, dither=Image.Dither.NONE).save(small, format="png", optimize=True)
    return small.getvalue()


def read_notebook(path: str | Path) -> dict[str, Any]:
    """Read a notebook."""
    notebook: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
    return notebook


def write_notebook(path: str | Path, notebook: dict[str, Any]) -> None:
    """Write a notebook as Jupyter does: one space of indent, a newline at the end."""
    Path(path).write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def main(arguments: list[str]) -> None:
    """Execute the notebooks named, each in a folder of its own."""
    for name in arguments:
        with tempfile.TemporaryDirectory() as folder:
            executed, _ = execute(read_notebook(name), folder)
        write_notebook(name, executed)
        sys.stdout.write(f"{name}: {Path(name).stat().st_size / 1000:.0f} kB\n")


if __name__ == "__main__":
    main(sys.argv[1:])
