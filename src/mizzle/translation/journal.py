"""The incumbents' log files, by their names: scripts read lines of them."""

from __future__ import annotations

import datetime
from pathlib import Path

from mizzle._version import __version__
from mizzle.io.atomic import write_text


class Journal:
    """Lines of one call, appended to a log file when it ends, whether it succeeded or not.

    Parameters
    ----------
    task : str
        The call.
    path : str
        Name of the log; ``""`` writes none. ``.log`` is added where it is missing.
    """

    def __init__(self, task: str, path: str) -> None:
        name = path.strip()
        self._path = Path(name if name.endswith((".log", ".txt")) else f"{name}.log") if name else None
        self._task = task
        self._lines: list[str] = []

    def __enter__(self) -> Journal:
        self.say(f"***** {self._task} started on {_now()}", f"      mizzle {__version__}")
        return self

    def __exit__(self, kind: object, value: BaseException | None, trace: object) -> None:
        if value is not None:
            self.say(f"ERROR: {value}")
        self.say(f"***** {self._task} ended on {_now()}", "")
        if self._path is not None:
            before = self._path.read_text(encoding="utf-8", errors="replace") if self._path.is_file() else ""
            write_text(self._path, before + "\n".join(self._lines) + "\n")

    def say(self, *lines: str) -> None:
        """Add lines."""
        self._lines += lines


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(sep=" ", timespec="seconds")
