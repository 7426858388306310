"""Commands in fresh processes: wall and processor time, and the memory of the process and of its whole tree."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

#: Every so many seconds the memory of the tree is looked at.
LOOK = 0.02


class Cost(NamedTuple):
    """Seconds, and MB; ``tree`` counts memory that processes share once for each."""

    wall: float
    user: float
    system: float
    peak: float
    tree: float

    @property
    def cpu(self) -> float:
        """Processor time [s]."""
        return self.user + self.system


def run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Cost:
    """Run a command to its end; stop with its words where it fails."""
    begin = time.perf_counter()
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment} if environment else None,
    )
    most, over = [0.0], threading.Event()
    watch = threading.Thread(target=_watch, args=(process.pid, most, over), daemon=True)
    watch.start()
    assert process.stderr is not None
    words = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - begin
    over.set()
    watch.join()
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stderr.close()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed: {words[-2000:]}")
    return Cost(wall, usage.ru_utime, usage.ru_stime, usage.ru_maxrss / 1024, most[0])


def _watch(root: int, most: list[float], over: threading.Event) -> None:
    """Note the greatest memory of a process and its children; only where there is a /proc."""
    while not over.wait(LOOK):
        most[0] = max(most[0], sum(_resident(one) for one in (root, *_children(root))))


def _resident(process: int) -> float:
    try:
        fields = Path(f"/proc/{process}/status").read_text().split("VmRSS:")
        return float(fields[1].split()[0]) / 1024 if len(fields) > 1 else 0.0
    except OSError:
        return 0.0


def _children(process: int) -> list[int]:
    found: list[int] = []
    for file in Path(f"/proc/{process}/task").glob("*/children"):
        try:
            found += [int(word) for word in file.read_text().split()]
        except OSError:
            continue
    return found + [grandchild for child in found for grandchild in _children(child)]
