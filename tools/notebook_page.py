"""Show notebooks in the site: a hook of mkdocs that turns ``docs/*.ipynb`` into pages while it builds.

Nothing is executed: the page shows the outputs that the notebook holds (``tools/run_notebook.py`` stores them).
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any


def notebook_page(notebook: dict[str, Any], stem: str) -> tuple[str, dict[str, bytes]]:
    """Turn a notebook into Markdown and the pictures it shows.

    Parameters
    ----------
    notebook : dict
        As JSON holds it.
    stem : str
        Name of the page; its pictures lie in ``STEM_files``.

    Returns
    -------
    text : str
        Markdown.
    pictures : dict
        PNG bytes by path.
    """
    parts: list[str] = []
    pictures: dict[str, bytes] = {}
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
        elif cell["cell_type"] == "code":
            parts.append(fenced(source, "python"))
            caption = str(cell.get("metadata", {}).get("caption", ""))
            for output in cell["outputs"]:
                parts.append(_output(output, caption, stem, pictures))
    return "\n\n".join(parts) + "\n", pictures


def _output(output: dict[str, Any], caption: str, stem: str, pictures: dict[str, bytes]) -> str:
    """Return one output as Markdown; a picture joins `pictures`."""
    if output["output_type"] == "stream":
        return fenced("".join(output["text"]), "text")
    data = output["data"]
    if "image/png" in data:
        name = f"{stem}_files/figure{len(pictures) + 1}.png"
        pictures[name] = base64.b64decode("".join(data["image/png"]))
        return f"![{caption}]({name})" + (f"\n\n*{caption}*" if caption else "")
    return fenced("".join(data["text/plain"]), "text")


def fenced(text: str, language: str) -> str:
    """Return a code block whose fence is longer than any inside it."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def on_files(files: Any, config: Any) -> Any:
    """Add a page for each notebook among the documents (called by mkdocs)."""
    from mkdocs.structure.files import File

    for path in sorted(Path(config["docs_dir"]).glob("*.ipynb")):
        text, pictures = notebook_page(json.loads(path.read_text(encoding="utf-8")), path.stem)
        files.append(File.generated(config, f"{path.stem}.md", content=text))
        for name, picture in pictures.items():
            files.append(File.generated(config, name, content=picture))
    return files
