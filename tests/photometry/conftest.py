"""One simulated visit with true solutions, for all tests of stars."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from mizzle.geometry.grid import common_grid
from mizzle.model import Alignment, CosmicRays, Serial
from mizzle.settings import Settings
from mizzle.simulate import make_plan, visit
from mizzle.steps.combine import combine
from mizzle.steps.equalize import equalize
from mizzle.steps.sky import measure_sky


def solved_visit(*, mosaic=True, effects=None, settings=None, **plan):
    """Simulate a visit and give every step the true answer: what is left is photometry alone."""
    settings = settings or Settings()
    effects = {"pointing_error": 0.0, "roll_error": 0.0, **(effects or {})}
    made = visit(make_plan(effects=effects, **plan))
    exposures = made.exposures
    alignment = Alignment.identity(exposures)
    scales = equalize(exposures, settings)
    sky = measure_sky(exposures, alignment, scales, settings=settings, runner=Serial())
    packed = {e.root: {n: np.packbits(made.truth.cosmic_rays(e.root, n)) for n in e.chips} for e in exposures}
    rays = CosmicRays(packed, {}, {e.root: "truth" for e in exposures})
    solutions = {"alignment": alignment, "scales": scales, "sky": sky, "cosmic_rays": rays}
    product = None
    if mosaic:
        grid = common_grid([alignment.frame(e, n) for e in exposures for n in e.chips], settings.combine)
        product = combine(exposures, **solutions, grid=grid, settings=settings, runner=Serial())
    return SimpleNamespace(
        visit=made, truth=made.truth, exposures=exposures, solutions=solutions, mosaic=product, scales=scales
    )


@pytest.fixture(scope="session")
def scene():
    """Six exposures through F814W, transfer losses included."""
    return solved_visit(seed=11, effects={"cte": True}, min_separation=1.2)
