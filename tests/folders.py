"""Looks at folders in which another thread or process writes and removes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path


def entries_now(folder: Path) -> Iterator[Path]:
    """Yield all that stands below a folder; what vanishes while we look is passed over, unlike by ``Path.rglob``."""
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            yield Path(parent, name)
