"""Helpers of the kernel's tests: both twins, random scenes, and geometry worked out another way."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import numpy as np
import pytest

from mizzle.kernel import ChipMap, native
from mizzle.kernel.maps import OffsetGrid

TWINS = ("native", "reference")
"""Names to parametrize a test with."""


@contextmanager
def using(twin: str) -> Iterator[None]:
    """Run the block with one of the twins; skip where the C twin is missing and not required."""
    if twin == "reference":
        with mock.patch.object(native, "library", return_value=None):
            yield
        return
    if native.library() is None:
        if "kernel" in os.environ.get("MIZZLE_REQUIRE", "").split(","):
            pytest.fail("required by MIZZLE_REQUIRE: the compiled kernel is not there")
        pytest.skip("the compiled kernel is not there")
    yield


def positions(shape: tuple[int, int], matrix: np.ndarray, bend: float) -> np.ndarray:
    """Pixel map of a linear map and a cubic distortion that moves corners by about `bend` pixels; starts at (4, 4)."""
    ny, nx = shape
    y, x = np.mgrid[:ny, :nx].astype(float)
    u, v = 2 * x / max(nx - 1, 1) - 1, 2 * y / max(ny - 1, 1) - 1
    x, y = x + bend * u * (u * u + 0.3 * v), y + bend * v * (0.5 * u + v * v)
    out = np.stack([matrix[0, 0] * x + matrix[0, 1] * y, matrix[1, 0] * x + matrix[1, 1] * y], axis=-1)
    return out - out.reshape(-1, 2).min(axis=0) + 4.0 + 3.0 * np.abs(matrix).sum()


def frame_of(pixmap: np.ndarray, room: float) -> tuple[int, int]:
    """Output shape that no drop of the map leaves."""
    high = pixmap.reshape(-1, 2).max(axis=0)
    return int(high[1] + 5 + room), int(high[0] + 5 + room)


def linear(angle: float, scale: float, mirror: bool = False) -> np.ndarray:
    """Rotation times scale, mirrored in x before."""
    c, s = np.cos(angle), np.sin(angle)
    return scale * np.array([[c, -s], [s, c]]) @ np.diag([-1.0 if mirror else 1.0, 1.0])


def bent_chip(shape: tuple[int, int], angle: float, scale: float, seed: int, size: float = 0.1) -> ChipMap:
    """Chip map with cubic distortion and a row term, well inside positive coordinates; odd seeds have offsets too."""
    rng = np.random.default_rng(seed)
    ny = shape[0]
    plain = ChipMap.affine(shape, linear(angle, scale), [0.0, 0.0])
    cx, cy = np.zeros((4, 4)), np.zeros((4, 4))
    cx[:2, :2], cy[:2, :2] = plain.cx, plain.cy
    grade = np.add.outer(np.arange(4), np.arange(4))
    cx[(grade == 2) | (grade == 3)] += size * scale * rng.normal(size=7)
    cy[(grade == 2) | (grade == 3)] += size * scale * rng.normal(size=7)
    reach = max(np.abs(c).sum() - abs(c[0, 0]) for c in (cx, cy)) + 5
    cx[0, 0] = cy[0, 0] = reach
    rows = 0.02 * (np.arange(ny + 1) / 7.3 % 1.0)
    return ChipMap(cx, cy, rows, shape, offsets_of(shape, scale, rng) if seed % 2 else None)


def offsets_of(shape: tuple[int, int], scale: float, rng: np.random.Generator) -> OffsetGrid:
    """Offsets as lookup tables make them: nodes at any phase, every 5 to 80 pixels; some beyond the chip."""
    step = np.where(rng.random() < 0.3, 64.0, rng.uniform(5.0, 80.0, 2))
    first = np.where(rng.random() < 0.3, rng.integers(-1, 1) * step, -0.5 - step * rng.random(2))
    nx, ny = (int(np.ceil((n - 0.5 - f) / s)) + 1 for n, f, s in zip(shape[::-1], first, step, strict=True))
    size = 0.002 * scale * step.min()
    return OffsetGrid(rng.normal(0, size, (max(ny, 2), max(nx, 2), 2)), tuple(first), tuple(step))


def frame_of_chip(chip_map: ChipMap) -> tuple[int, int]:
    """Output shape that no drop of `bent_chip` leaves."""
    return tuple(int(2 * abs(c[0, 0]) + 5) for c in (chip_map.cy, chip_map.cx))  # type: ignore[return-value]


def clip_area(corners: np.ndarray, x: int, y: int) -> float:
    """Area of a convex polygon within the cell centered at ``(x, y)``, by cutting with one side after another."""
    points = [tuple(p) for p in corners]
    for axis, bound, sign in ((0, x - 0.5, 1), (0, x + 0.5, -1), (1, y - 0.5, 1), (1, y + 0.5, -1)):
        kept: list[tuple[float, float]] = []
        for k, b in enumerate(points):
            a = points[k - 1]
            da, db = sign * (a[axis] - bound), sign * (b[axis] - bound)
            if da * db < 0:
                t = da / (da - db)
                kept.append((a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])))
            if db >= 0:
                kept.append(b)
        points = kept
    if len(points) < 3:
        return 0.0
    px, py = np.array(points).T
    return abs(float(0.5 * np.sum(px * np.roll(py, -1) - py * np.roll(px, -1))))
