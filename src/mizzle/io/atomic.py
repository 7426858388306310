"""Files appear whole or not at all: a temporary name in the same folder, then one rename."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from mizzle.errors import SettingsError

_LEFTOVER = re.compile(r"^\.(?P<name>.+)\.(?P<pid>\d+)\.part$")


@contextlib.contextmanager
def whole_file(path: str | Path) -> Iterator[BinaryIO]:
    """Open a file for writing that takes its name only when it is complete.

    Parameters
    ----------
    path : str or Path
        Final name; a file of that name is replaced in one step.

    Yields
    ------
    stream : binary file
        Write here. If the block raises, nothing is left.

    Raises
    ------
    SettingsError
        The folder cannot be written.
    """
    path = Path(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        stream = partial.open("wb")
    except OSError as problem:
        raise SettingsError(
            f"{path}: cannot be written: {problem.strerror}; choose another folder with -o", file=str(path)
        ) from problem
    try:
        with stream:
            yield stream
        os.replace(partial, path)
    except OSError as problem:
        raise SettingsError(f"{path}: cannot be written: {problem.strerror}", file=str(path)) from problem
    finally:
        with contextlib.suppress(FileNotFoundError):
            partial.unlink()


def write_bytes(path: str | Path, content: bytes) -> Path:
    """Write a whole file of bytes; return its path."""
    with whole_file(path) as stream:
        stream.write(content)
    return Path(path)


def write_text(path: str | Path, content: str) -> Path:
    """Write a whole file of UTF-8 text with plain line ends; return its path."""
    return write_bytes(path, content.encode("utf-8"))


def prepare_folder(folder: str | Path) -> Path:
    """Make `folder` if need be, prove that it can be written, and sweep what killed runs left.

    Raises
    ------
    SettingsError
        It is a file, or cannot be made or written.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except FileExistsError:
        raise SettingsError(f"{folder}: is a file; -o needs a folder", folder=str(folder)) from None
    except OSError as problem:
        raise SettingsError(
            f"{folder}: cannot be written: {problem.strerror}; choose another folder with -o",
            folder=str(folder),
        ) from problem
    for entry in folder.iterdir():
        match = _LEFTOVER.match(entry.name)
        if match and not _alive(int(match["pid"])):
            with contextlib.suppress(OSError):
                entry.unlink()
    return folder


def _alive(pid: int) -> bool:
    """Tell whether a process runs; where that cannot be asked safely, say yes."""
    if os.name != "posix":  # signal 0 is not harmless on Windows
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
