"""What the tests of the documentation share: pages, their code blocks, and the tools that make them."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import re
import shlex
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.glob("*.md")])

_BLOCK = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def load_tool(name: str) -> ModuleType:
    """Import ``tools/NAME.py``."""
    spec = importlib.util.spec_from_file_location(f"tool_{name}", ROOT / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def blocks(text: str) -> list[tuple[str, str]]:
    """Return language and text of each fenced block."""
    return [(match[1], match[2]) for match in _BLOCK.finditer(text)]


def without_blocks(text: str) -> str:
    """Return a page's running text."""
    return _BLOCK.sub("", text)


def commands(text: str) -> list[list[str]]:
    """Return the words of each ``mizzle`` command in a page's shell blocks, to the first pipe or redirection."""
    found = []
    for language, block in blocks(text):
        if language not in ("", "sh", "console", "bash"):
            continue
        for line in block.replace("\\\n", " ").splitlines():
            match = re.search(r"(?:^|&& |\s|/)mizzle (?P<rest>[a-z-].*)$", line)
            if match is None or line.lstrip().startswith(("#", "pip ", ".venv/bin/pip")):
                continue
            words = shlex.split(match["rest"], comments=True)
            ends = [i for i, word in enumerate(words) if word in (">", "|", ";", "&&")]
            found.append(words[: ends[0]] if ends else words)
    return found


def run_examples(text: str, namespace: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Run the Python blocks of a page; return source, promised and real output of those with a text block after."""
    results = []
    listed = blocks(text)
    for i, (language, source) in enumerate(listed):
        if language != "python":
            continue
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(source, f"<block {i}>", "exec"), namespace)
        following = listed[i + 1] if i + 1 < len(listed) else ("", "")
        if following[0] == "text":
            results.append((source, following[1].strip(), printed.getvalue().strip()))
    return results


def agrees(promised: str, real: str) -> bool:
    """Tell whether an output is as promised; ``...`` stands for anything on its line."""
    pattern = ".*".join(re.escape(part) for part in promised.split("..."))
    return re.fullmatch(pattern, real) is not None
