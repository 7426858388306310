"""Cosmic rays against the truth of simulated visits."""

from __future__ import annotations

from functools import cache

import numpy as np

from mizzle.execution import make_runner
from mizzle.instrument.dq import bad_mask
from mizzle.kernel.pixels import grow
from mizzle.model import Alignment, SkyLevels
from mizzle.settings import load_settings
from mizzle.simulate import visit
from mizzle.steps.equalize import equalize
from mizzle.steps.reject import find_cosmic_rays

#: Alignment and sky have their own tests: here both are known.
STILL = {"pointing_error": 0.0, "roll_error": 0.0}


@cache
def simulated(**plan):
    """A visit; `effects` as a tuple of pairs, so that it can be remembered."""
    effects = {**STILL, **dict(plan.pop("effects", ()))}
    return visit(effects=effects, **plan)


def true_sky(made, scales):
    levels = {
        e.root: {n: float(made.truth.chip(e.root, n).sky_dn * scales.factors[e.root][n]) for n in e.chips}
        for e in made.exposures
    }
    zero = {e.root: dict.fromkeys(e.chips, 0.0) for e in made.exposures}
    return SkyLevels(levels, levels, zero, zero)


def found(made, assignments=(), *, workers=2, exposures=None):
    """The masks of a visit."""
    settings = load_settings("", assignments)
    exposures = made.exposures if exposures is None else exposures
    scales = equalize(exposures, settings)
    sky = true_sky(made, equalize(made.exposures, settings))
    return find_cosmic_rays(
        exposures, Alignment.identity(exposures), scales, sky=sky, settings=settings, runner=make_runner(workers)
    )


def counts(made, rays, *, border=0):
    """Pixels flagged and pixels there are: rayed by more than 30 and 150 electrons, sky by chip, stars by chip.

    Sky and stars (light above 10 DN) are good pixels that no ray reached.
    """
    dq = load_settings().dq
    told = {}
    for e in made.exposures:
        for name, chip in e.chips.items():
            mask = rays.mask(e.root, name, chip.shape)
            good = ~bad_mask(chip, dq)
            if border:
                edge = np.zeros_like(good)
                edge[border:-border, border:-border] = True
                good &= edge
            charge = made.truth.chip(e.root, name).cosmic_rays.electrons()
            light = made.truth.starlight(e.root, name)
            clean = good & ~grow(charge > 1e-3, 1)
            for key, which in {
                "30": good & (charge > 30),
                "150": good & (charge > 150),
                f"star {name}": clean & (light > 10),
                f"sky {name}": clean & (light <= 10),
            }.items():
                flagged, every = told.get(key, (0, 0))
                told[key] = (flagged + int((which & mask).sum()), every + int(which.sum()))
    return told


def added(told, start):
    """Sum of the pairs whose names begin with `start`."""
    return tuple(int(n) for n in np.sum([pair for key, pair in told.items() if key.startswith(start)], axis=0))


def share(pair):
    """Part of a pair."""
    return pair[0] / max(pair[1], 1)


def scores(made, rays, *, border=0):
    """Completeness above 30 and 150 electrons, false alarms on sky by chip and on stars, as shares of `counts`."""
    told = counts(made, rays, border=border)
    return {
        "found30": share(told["30"]), "found150": share(told["150"]), "star": share(added(told, "star")),
        "sky": {key[4:]: share(pair) for key, pair in told.items() if key.startswith("sky")},
    }  # fmt: skip


def star_peaks_flagged(made, rays, least=100.0):
    """Share of flagged star peaks above `least` DN, and their number, by chip; stars that a ray hit do not count."""
    dq = load_settings().dq
    result = {}
    for e in made.exposures:
        for name, chip in e.chips.items():
            light = made.truth.starlight(e.root, name)
            around = np.max([np.roll(light, (dy, dx), (0, 1)) for dy in (-1, 0, 1) for dx in (-1, 0, 1)], axis=0)
            charge = made.truth.chip(e.root, name).cosmic_rays.electrons()
            peak = (light >= around) & (light > least) & ~bad_mask(chip, dq) & (charge < 2)
            pair = result.setdefault(name, [0, 0])
            pair[0] += int((peak & rays.mask(e.root, name, chip.shape)).sum())
            pair[1] += int(peak.sum())
    return result
