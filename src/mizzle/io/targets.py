"""No file that was read, or that the user named, is ever written over."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pydantic import BaseModel

from mizzle.errors import SettingsError


def refuse_targets(targets: Iterable[str | Path], protected: Iterable[str | Path]) -> None:
    """Compare every file to be written with every file to be kept, by what they are, not by how they are spelled.

    Parameters
    ----------
    targets : iterable of str or Path
        Files that are to be written; they need not exist.
    protected : iterable of str or Path
        Files that were read or named; names of none are passed over.

    Raises
    ------
    SettingsError
        A target is one of them (through links, too), or a folder or device stands in its place.
    """
    kept: dict[tuple[int, int], str] = {}
    for name in protected:
        identity = _identity(name)
        if identity is not None:
            kept.setdefault(identity, str(name))
    for target in targets:
        identity = _identity(target)
        if identity is None:
            continue
        if identity in kept:
            raise SettingsError(
                f"{target}: would be written over, but it is a file this run reads or was told of ({kept[identity]});"
                " choose another folder with -o, or another --name",
                file=str(target),
                protected=kept[identity],
            )
        if not Path(target).is_file():
            raise SettingsError(
                f"{target}: a product goes here, but something that is no regular file stands in its place; move it"
                " away, or choose another folder with -o",
                file=str(target),
            )


def refuse_folder(folder: Path) -> None:
    """Refuse an output folder that cannot be one, without making it.

    Raises
    ------
    SettingsError
        It, or what it would be made in, is no folder or cannot be written.
    """
    place = folder
    while not os.path.lexists(place) and place != place.parent:
        place = place.parent
    if not place.is_dir():
        raise SettingsError(f"{place}: is no folder; -o needs a folder", folder=str(folder))
    if not os.access(place, os.W_OK | os.X_OK):
        raise SettingsError(
            f"{place}: cannot be written: {os.strerror(errno.EACCES)}; choose another folder with -o",
            folder=str(folder),
        )


def _identity(name: str | Path) -> tuple[int, int] | None:
    """Return device and number of what a name leads to; None where it leads to nothing."""
    try:
        facts = os.stat(name)
    except (OSError, ValueError):
        return None
    return facts.st_dev, facts.st_ino


def named_in(settings: BaseModel) -> Iterator[str]:
    """Yield every text in the settings that could name a file: paths, ``uref$name``, ``ROOT=FILE``."""
    for text in _texts(settings.model_dump()):
        yield text
        if "=" in text:
            yield text.split("=", 1)[1]
        if "$" in text:
            variable, rest = text.split("$", 1)
            yield os.path.join(os.environ.get(variable, ""), rest)


def _texts(value: object) -> Iterator[str]:
    """Yield the texts inside nested values."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for entry in value.values():
            yield from _texts(entry)
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from _texts(entry)
