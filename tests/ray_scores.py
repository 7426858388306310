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


def scores(made, rays, *, border=0):
    """Completeness above 30 and 150 electrons, false alarms on sky by chip and on stars (light above 10 DN)."""
    dq = load_settings().dq
    hit = {30: [0, 0], 150: [0, 0]}
    star, sky = [0, 0], {}
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
            for least, (_, _) in hit.items():
                rayed = good & (charge > least)
                hit[least][0] += int((rayed & mask).sum())
                hit[least][1] += int(rayed.sum())
            clean = good & ~grow(charge > 1e-3, 1)
            star[0] += int((clean & (light > 10) & mask).sum())
            star[1] += int((clean & (light > 10)).sum())
            counts = sky.setdefault(name, [0, 0])
            counts[0] += int((clean & (light <= 10) & mask).sum())
            counts[1] += int((clean & (light <= 10)).sum())

    def share(pair):
        return pair[0] / max(pair[1], 1)

    return {
        "found30": share(hit[30]), "found150": share(hit[150]), "star": share(star),
        "sky": {name: share(pair) for name, pair in sky.items()},
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
