"""Looks at processes that a test started, through /proc."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from subprocess import Popen


def await_handlers(process: Popen[str]) -> None:
    """Wait until a program has taken over SIGHUP, the last of the signals that end it, or has ended.

    A signal that comes before meets Python alone, which has words and exit codes of its own; on a busy machine that
    takes seconds.
    """
    deadline = time.monotonic() + 300
    while process.poll() is None and not _catches(process.pid, signal.SIGHUP):
        assert time.monotonic() < deadline, "the program takes over no signals"
        time.sleep(0.002)


def _catches(pid: int, number: signal.Signals) -> bool:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return False
    (mask,) = [int(line.split()[1], 16) for line in lines if line.startswith("SigCgt:")] or [0]
    return bool(mask >> (number - 1) & 1)


def running(group: int) -> list[str]:
    """Return the processes of a group that still run; a zombie whom nobody waits for does not."""
    numbers = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, own = stat.read_text().rsplit(")", 1)[1].split()[:3]
        except OSError:
            continue
        if int(own) == group and state != "Z":
            numbers.append(stat.parent.name)
    return numbers
