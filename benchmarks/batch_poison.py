"""Ten poisoned visits among good ones, on a scheduler and two workers of their own: each ends with its message.

    python benchmarks/batch_poison.py FOLDER

Among them a file whose disk hangs (a library that lets `read` wait for ever on names with ``hang`` in them, put before
the C library of every process; needs a C compiler), headers that announce gigabytes, a small file that unpacks to
gigabytes, a pipe, another camera, a chip of NaN. The same command is given again: nothing whole is redone. Then the
files are mended, and the same command finishes.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from astropy.io import fits
from batch_faults import Grid, dates

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

HANGING = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
static int hangs(int fd) {
    char name[64], path[4096];
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(name, path, sizeof path - 1);
    if (n <= 0) return 0;
    path[n] = 0;
    return strstr(path, "hang") && strstr(path, ".fits");
}
ssize_t read(int fd, void *into, size_t n) {
    static ssize_t (*next)(int, void *, size_t);
    if (!next) next = dlsym(RTLD_NEXT, "read");
    while (hangs(fd)) sleep(1);
    return next(fd, into, n);
}
"""


def poison(folder: Path) -> dict[str, str]:
    """Spoil ten visits; return, by the start of the visit's code, what its message must say."""

    def science(visit: int, exposure: int = 1) -> Path:
        return folder / f"u2lx{visit:02d}" / f"u2lx{visit:02d}0{exposure}t_c0m.fits"

    path = science(0)
    path.write_bytes(path.read_bytes()[:-9000])
    science(1).with_name("u2lx0101t_c1m.fits").unlink()
    science(2).unlink()
    os.mkfifo(science(2))
    with fits.open(science(3), mode="update") as hdus:
        hdus[0].header["INSTRUME"] = "FOC"
    with fits.open(science(4), mode="update") as hdus:
        hdus["SCI", 3].data[:] = np.nan
    with fits.open(science(5), mode="update") as hdus:
        hdus[0].header["EXPTIME"] = 0.0
    _announce(science(6))
    path = science(7)
    path.write_bytes(gzip.compress(path.read_bytes() + bytes(2_000_000_000), 1))
    for path in (science(8, 2), science(9, 1)):  # the second: data quality, which only the worker reads
        path = path if path == science(8, 2) else path.with_name(path.name.replace("c0m", "c1m"))
        hidden = path.with_name(f"hang_{path.name}.data.fits")
        path.rename(hidden)
        path.symlink_to(hidden.name)
    return {
        "00": "truncated", "01": "c1m", "02": "regular file", "03": "FOC", "04": "finite", "05": "EXPTIME",
        "06": "of memory", "07": "whole FITS file", "08": "does not answer", "09": "did not end within",
    }  # fmt: skip


def _announce(path: Path) -> None:
    """Let a header announce an image of 40 gigabytes, and the file have a hole of as many."""
    content = bytearray(path.read_bytes())
    for name in (b"NAXIS1", b"NAXIS2"):
        at = content.index(name + b"  =", 2880)
        content[at : at + 30] = name + b"  = " + b"100000".rjust(20)
    path.write_bytes(content)
    os.truncate(path, 40_000_000_000)


def messages(out: Path) -> dict[str, str]:
    """Return what batch.json says of everything that is not done, by the visit's number."""
    rows = [row for row in json.loads((out / "batch.json").read_text())["visits"] if row["state"] != "done"]
    found: dict[str, str] = {}
    for row in rows:
        number = str(row["files"][0]).rsplit("u2lx", 1)[1][:2]
        found[number] = f"{found.get(number, '')} {row['state']}: {row['message']}"
    return found


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True)
    from visits.batch_tools import ALIGN, write_visits

    write_visits(folder / "in", 14)
    good = {path: path.read_bytes() for path in (folder / "in").rglob("*.fits")}
    wanted = poison(folder / "in")
    stub = folder / "stub.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", stub, "-xc", "-", "-ldl"], input=HANGING.encode(), check=True)
    os.environ["LD_PRELOAD"] = str(stub)
    grid, out = Grid(folder), folder / "out"
    command = [sys.executable, "-P", "-m", "mizzle", "batch", str(folder / "in"), "-o", str(out), "-q", "--set", ALIGN]
    command += ["--scheduler", grid.address, "--time-limit", "45"]
    try:
        begin = time.monotonic()
        first = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
        said, before = messages(out), dates(out)
        for number, word in wanted.items():
            text = said.get(number, "missing")
            print(f"{'ok ' if word in text else 'BAD'} {number}: {text.strip()[:170]}")
        assert first.returncode == 0, first.stderr[-500:]
        assert "Traceback" not in first.stderr
        print(f"{len(before)} done; {time.monotonic() - begin:.0f} s")
        again = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
        same = sum(dates(out)[name] == date for name, date in before.items())
        print(f"again: exit {again.returncode}, {same} of {len(before)} kept")
        shutil.rmtree(folder / "in")
        for path, content in good.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        last = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
        print(f"mended: exit {last.returncode}, {len(dates(out))} done, not done: {messages(out)}")
        print("parts left:", [str(path) for path in out.rglob("*.part")])
    finally:
        grid.stop()


if __name__ == "__main__":
    main()
