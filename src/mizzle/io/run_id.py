"""RUNID: the word that all files of one run share, whatever their format."""

from __future__ import annotations

import datetime
import re
import secrets
from pathlib import Path

#: Keyword of FITS headers and `.head` files, field of the JSON report, name of the metadata elsewhere.
KEYWORD = "RUNID"

_PATTERN = re.compile(rb"RUNID[^\n]{0,24}?(\d{8}T\d{6}Z-[0-9a-f]{8})")

#: It stands near the start of every file [byte].
_REACH = 65536


def make_run_id() -> str:
    """Return a new identifier: the time in UTC, and a random word."""
    now = datetime.datetime.now(datetime.UTC)
    return f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"


def run_id_of(path: str | Path) -> str | None:
    """Return the identifier of the run that wrote a file; None where it has none, or cannot be read.

    Parameters
    ----------
    path : str or Path
        FITS, JSON, HTML, TOML, ECSV, PNG or ``.head``, as a run writes them.
    """
    path = Path(path)
    try:
        if not path.is_file():
            return None
        with path.open("rb") as stream:
            match = _PATTERN.search(stream.read(_REACH))
    except OSError:
        return None
    return match[1].decode("ascii") if match else None
