"""Reading a text file a user named."""

from __future__ import annotations

from pathlib import Path

from mizzle.errors import InputError, SettingsError
from mizzle.io.regular import TEXT_LIMIT, local_path, read_limited


def read_text(path: str | Path, limit: int = TEXT_LIMIT) -> str:
    """Return the text of a UTF-8 file; a byte-order mark is no part of it.

    Parameters
    ----------
    path : str or Path
        A regular file.
    limit : int
        Most bytes it may have.

    Raises
    ------
    SettingsError
        It cannot be read, or is not text.
    """
    try:
        return read_limited(local_path(path), limit).decode("utf-8-sig")
    except InputError as problem:
        raise SettingsError(str(problem), file=str(path)) from problem
    except UnicodeDecodeError as problem:
        raise SettingsError(f"{path}: not UTF-8 text", file=str(path)) from problem
