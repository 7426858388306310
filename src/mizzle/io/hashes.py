"""SHA-256 of the files of an exposure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mizzle.io.inputs import InputFile
from mizzle.io.regular import open_regular, reason, refusal
from mizzle.model import FrozenDict

#: Bytes of a file hashed at a time.
_PIECE = 4_000_000


class FileHashes(Mapping[str, str]):
    """SHA-256 by file, worked out when first asked for.

    Parameters
    ----------
    paths : tuple of Path
        The files.
    """

    def __init__(self, paths: tuple[Path, ...]) -> None:
        self._paths = {str(path): path for path in paths}
        self._known: dict[str, str] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        # What travels may arrive where the files are not.
        return FrozenDict, (dict(self),)

    def __getitem__(self, name: str) -> str:
        if name not in self._known:
            self._known[name] = _sha256(self._paths[name])
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)


def _sha256(path: Path) -> str:
    """Return a file's SHA-256, read in large pieces: between two of them a thread waits for the interpreter."""
    digest, piece = hashlib.sha256(), memoryview(bytearray(_PIECE))
    with open_regular(path) as stream:
        try:
            while length := stream.readinto(piece):  # type: ignore[attr-defined]
                digest.update(piece[:length])
        except OSError as problem:
            raise refusal(path, f"cannot be read: {reason(problem)}") from problem
    return digest.hexdigest()


def hashes_of(entry: InputFile) -> FileHashes:
    """Return the hashes of an exposure's files, not worked out yet."""
    return FileHashes(tuple(path for path in (entry.science, entry.quality) if path is not None))
