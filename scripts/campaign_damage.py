"""Exposures of `scripts/campaign`, in every form that is read, and what is damaged in them."""

from __future__ import annotations

import gzip
import random
import re
import sys
from pathlib import Path

BLOCK = 2880


def forms(work: Path, whole: Path) -> dict[Path, str]:
    """Write a small exposure in other forms beside a whole one; return the name of each one's form."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
    from astropy.io import fits  # noqa: TID251

    from tiny_files import tiled, waiver, write_pair

    small = write_pair(work / "small")
    summed = write_pair(work / "sums")
    for path in summed.parent.glob("*.fits"):
        with fits.open(path) as hdus:
            hdus.writeto(path.with_suffix(".new"), checksum=True)
        path.with_suffix(".new").replace(path)
    packed = write_pair(work / "packed", ending=".fits.gz")
    return {
        whole: "plain", summed: "sums", packed: "gzip", tiled(small, work / "tiles"): "tiles",
        waiver(small, work / "old"): "waivered",
    }  # fmt: skip


def damaged(content: bytes, form: str, rng: random.Random) -> tuple[str, bytes]:
    """Return the name of a damage, and the damaged bytes of a file."""
    if form == "gzip":
        if rng.random() < 0.5:
            kind, inner = _damaged(gzip.decompress(content), rng)
            return f"inside, {kind}", gzip.compress(inner, 1, mtime=0)
        at = rng.randrange(len(content))
        return f"packed byte at {at}", content[:at] + rng.randbytes(1) + content[at + 1 :]
    if form == "sums" and rng.random() < 0.5:
        return _damaged_data(content, rng)
    return _damaged(content, rng)


def _damaged_data(content: bytes, rng: random.Random) -> tuple[str, bytes]:
    """Change data that sums tell of, and nothing else."""
    places = [
        start
        for start in range(BLOCK, len(content), BLOCK)
        if content[start : start + BLOCK].translate(None, bytes(range(32, 127)))
    ]
    a, b = sorted(rng.sample(places, 2))
    one, two = content[a : a + BLOCK], content[b : b + BLOCK]
    # Blocks of one image that change places keep its sum: nothing in the file tells, so that is not tried.
    if rng.random() < 0.5 or _unit(content, a) == _unit(content, b):
        at = a + rng.randrange(BLOCK)
        flipped = bytes([content[at] ^ (1 << rng.randrange(8))])
        return f"pixel bit at {at}", content[:at] + flipped + content[at + 1 :]
    return f"data blocks {a} and {b}", content[:a] + two + content[a + BLOCK : b] + one + content[b + BLOCK :]


def _unit(content: bytes, place: int) -> int:
    """Return where the header above a place begins."""
    return max(content.rfind(b"XTENSION= ", 0, place), 0)


def _damaged(content: bytes, rng: random.Random) -> tuple[str, bytes]:
    """Return the name of a damage, and the damaged bytes of a FITS file."""
    blocks = len(content) // BLOCK
    at = rng.randrange(blocks) * BLOCK
    ends = [m.start() for m in re.finditer(rb"END {77}", content) if m.start() % 80 == 0]
    heads = [
        start for start in range(0, len(content), BLOCK) if content[start : start + 8] in (b"SIMPLE  ", b"XTENSION")
    ]
    kind = rng.choice(["insert", "delete", "cut", "end", "junk head", "flip head", "swap", "append", "zero head"])
    if kind == "insert":
        return f"{kind} at {at}", content[:at] + bytes(BLOCK) + content[at:]
    if kind == "delete":
        return f"{kind} at {at}", content[:at] + content[at + BLOCK :]
    if kind == "cut":
        size = rng.randrange(len(content))
        return f"{kind} at {size}", content[:size]
    if kind == "end":
        place = rng.choice(ends)
        return f"{kind} at {place}", content[:place] + b"   " + content[place + 3 :]
    if kind == "append":
        return kind, content + rng.randbytes(rng.choice([1, 80, BLOCK]))
    head = rng.choice(heads)
    if kind == "swap":
        other = rng.randrange(blocks) * BLOCK
        a, b = sorted((head, other))
        return f"{kind} {a} {b}", (
            content[:a]
            + content[b : b + BLOCK]
            + content[a + BLOCK : b]
            + content[a : a + BLOCK]
            + content[b + BLOCK :]
            if a != b
            else content
        )
    if kind == "zero head":
        return f"{kind} {head}", content[:head] + bytes(BLOCK) + content[head + BLOCK :]
    place = head + rng.randrange(BLOCK)
    width = 1 if kind == "flip head" else 80
    junk = bytes([content[place] ^ (1 << rng.randrange(8))]) if width == 1 else rng.randbytes(80)
    return f"{kind} at {place}", content[:place] + junk + content[place + width :]
