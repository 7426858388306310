"""Reading a text file a user named."""

from __future__ import annotations

from pathlib import Path

from mizzle.errors import SettingsError


def read_text(path: str | Path) -> str:
    """Return the text of a UTF-8 file.

    Raises
    ------
    SettingsError
        It cannot be read, or is not text.
    """
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as problem:
        raise SettingsError(f"{path}: cannot be read: {problem.strerror}", file=str(path)) from problem
    except UnicodeDecodeError as problem:
        raise SettingsError(f"{path}: not UTF-8 text", file=str(path)) from problem
