"""Compile the kernel's C library in place, for work with PYTHONPATH=src.

    python tools/build_kernel.py [extra compiler flags]

An installed mizzle does not need this: its wheel brings the library.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "mizzle" / "kernel"
FLAGS = ("-O3", "-std=gnu11", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math", "-fvisibility=hidden",
         "-Wall", "-Wextra", "-shared", "-fPIC")  # fmt: skip


def main(extra: list[str]) -> int:
    """Compile every source and put the library beside the package's Python files."""
    target = PACKAGE / "mizzle_kernel.so"
    fresh = target.with_suffix(f".{os.getpid()}.tmp")
    sources = sorted(str(path) for path in (PACKAGE / "src").glob("*.c"))
    command = [os.environ.get("CC", "cc"), *FLAGS, *extra, *sources, "-o", str(fresh), "-lm"]
    status = subprocess.run(command, check=False).returncode
    if status == 0:
        fresh.replace(target)  # a running program keeps the old file
        sys.stdout.write(f"{target}\n")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
