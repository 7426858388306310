"""Star lists with known truth: what the detection would give, without pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mizzle.model import Serial
from mizzle.settings import build_settings
from mizzle.steps.align import SourceList, align_lists
from mizzle.steps.align.match import rotation

#: Chip footprints on the plane [arcsec]: PC small, three WF: the L of WFPC2, roughly.
CHIPS = {
    1: (0.0, 0.0, 36.0, 0.0455),
    2: (-80.0, 0.0, 80.0, 0.0996),
    3: (-80.0, -80.0, 80.0, 0.0996),
    4: (0.0, -80.0, 80.0, 0.0996),
}


@dataclass
class Scene:
    """Lists and the true corrections: frame = rotation(roll) @ p + shift."""

    lists: list[SourceList]
    shifts: np.ndarray
    rolls: np.ndarray


def chips_of(p):
    chip = np.zeros(len(p), dtype=np.int64)
    pixel = np.zeros(len(p))
    for number, (x0, y0, side, scale) in CHIPS.items():
        inside = (p[:, 0] >= x0) & (p[:, 0] < x0 + side) & (p[:, 1] >= y0) & (p[:, 1] < y0 + side)
        chip[inside], pixel[inside] = number, scale
    return chip, pixel


def scene(
    seed,
    *,
    n_stars=60,
    n_spurious=40,
    n_exposures=6,
    pointing=0.05,
    roll_deg=0.0,
    error=(0.002, 0.01),
    dither=0.5,
    stars=None,
    motion=0.0,
    epochs=None,
):
    """Draw a field, look at it several times with wrong pointings, and add spurious sources.

    Returns
    -------
    Scene
        `pointing` is the 1-sigma error of the headers [arcsec] (or an (E, 2) array of errors), `error` the range of
        centroid errors [arcsec].
    """
    rng = np.random.default_rng(seed)
    if stars is None:
        stars = rng.uniform(-82, 82, (n_stars, 2))
        stars = stars[chips_of(stars)[0] > 0] if n_stars > 30 else _inside(rng, n_stars)
    mags = rng.uniform(17, 23, len(stars))
    drift = rng.normal(0, motion, stars.shape)
    lists, shifts, rolls = [], [], []
    wrong = np.asarray(pointing) if np.ndim(pointing) else rng.normal(0, pointing, (n_exposures, 2))
    for e in range(n_exposures):
        epoch = 1997.0 if epochs is None else epochs[e]
        roll = np.deg2rad(rng.uniform(-roll_deg, roll_deg)) if np.ndim(roll_deg) == 0 else np.deg2rad(roll_deg[e])
        step = rng.uniform(-dither, dither, 2)
        sigma = np.exp(rng.uniform(np.log(error[0]), np.log(error[1]), len(stars)))
        true = stars + drift * (epoch - 1997.0)
        seen = chips_of(true - step)[0] > 0
        measured = (true + rng.normal(0, 1, stars.shape) * sigma[:, None])[seen]
        fake = rng.uniform(-80, 80, (n_spurious, 2))
        position = np.concatenate([measured, fake])
        sigma = np.concatenate([sigma[seen], np.full(n_spurious, 0.01)])
        mag = np.concatenate([mags[seen] + rng.normal(0, 0.05, seen.sum()), rng.uniform(17, 23, n_spurious)])
        # frame = R p + t  =>  p = R^T (frame - t)
        position = (position - wrong[e]) @ rotation(roll)
        order = np.argsort(mag)
        chip, pixel = chips_of(position - step)
        pixel[pixel == 0] = 0.0996
        lists.append(
            SourceList(
                root=f"u{e:08d}",
                position=position[order],
                error=sigma[order],
                pixel=pixel[order],
                mag=mag[order],
                x=position[order, 0],
                y=position[order, 1],
                chip=np.maximum(chip[order], 2),
                band="F555W",
                epoch=epoch,
                center=np.zeros(2),
                chips=("PC", "WF2", "WF3", "WF4"),
            )
        )
        shifts.append(wrong[e])
        rolls.append(roll)
    return Scene(lists, np.array(shifts), np.array(rolls))


def _inside(rng, n):
    found = np.zeros((0, 2))
    while len(found) < n:
        p = rng.uniform(-78, 78, (1, 2))
        if chips_of(p)[0][0] > 0 and chips_of(p - 1)[0][0] and chips_of(p + 1)[0][0]:
            found = np.concatenate([found, p])
    return found


def solve(lists, catalog=None, order=None, **settings):
    choice = build_settings({"align": settings}).align
    return align_lists(
        sorted(lists, key=lambda s: s.root),
        choice,
        Serial(),
        pivot=(200.0, -47.0),
        order=order or [s.root for s in lists],
        catalog=catalog,
    )


def errors(alignment, scene, points=None):
    """Return errors [mas] of the aligned frames, (E, points, 2), after the common shift is removed."""
    if points is None:
        points = np.array([[-40, -40], [40, -40], [-40, 40], [10, 10]], dtype=float)
    out = []
    for e, entry in enumerate(alignment.exposures[s.root] for s in scene.lists):
        p = (points - scene.shifts[e]) @ rotation(scene.rolls[e])
        out.append(p @ entry.matrix.T + entry.shift - points)
    out = np.array(out) * 1000
    return out - out.mean(axis=(0, 1)) if len(out) > 1 else out
