"""The reference: cells that read a chip show what its dropped pixels would have made."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mizzle.geometry.mapping import chip_map
from mizzle.model import Alignment, Serial
from mizzle.settings import load_settings
from mizzle.settings.reject import RejectSettings
from mizzle.steps.equalize import equalize
from mizzle.steps.reject import reference
from mizzle.steps.reject.compared_chip import compared_chips
from mizzle.steps.reject.reference import build_reference, class_grid
from ray_scores import simulated, true_sky


@pytest.fixture(scope="module")
def chips():
    made = simulated(n=3, seed=52, effects=(("cosmic_rays", 0.0),))
    settings = load_settings("")
    scales = equalize(made.exposures, settings)
    return compared_chips(
        made.exposures, Alignment.identity(made.exposures), scales, sky=true_sky(made, scales), settings=settings
    )


@pytest.mark.parametrize("kind", ["PC", "WF"])
def test_read_and_dropped_references_agree(chips, kind):
    some = [compared for compared in chips if compared.view.chip_class.name == kind]
    read = build_reference(some, RejectSettings(), Serial()).picture.image
    dropped = build_reference(some, RejectSettings(kernel="square"), Serial()).picture.image
    both = np.isfinite(read) & np.isfinite(dropped)
    assert np.count_nonzero(both) > 0.998 * max(np.isfinite(read).sum(), np.isfinite(dropped).sum())
    off = np.abs(read - dropped)[both]
    noise = 1.4826 * np.median(np.abs(dropped[both] - np.median(dropped[both])))
    assert np.quantile(off, 0.99) < 0.1 * noise
    bright = dropped[both] > 30 * noise
    assert np.quantile(off[bright] / dropped[both][bright], 0.99) < 0.02


@pytest.mark.parametrize(
    ("turn", "scale", "kernel", "pixfrac", "reads"),
    [(0.0, 1.0, "linear", 1.0, True), (3.0, 1.0, "linear", 1.0, True), (90.0, 1.0, "linear", 1.0, True),
     (30.0, 1.0, "linear", 1.0, False), (0.0, 2.0, "linear", 1.0, False), (0.0, 1.0, "square", 1.0, False),
     (0.0, 1.0, "linear", 0.8, False)],
)  # fmt: skip
def test_only_chips_like_the_cells_are_read(chips, turn, scale, kernel, pixfrac, reads):
    wide = [compared for compared in chips if compared.view.chip_class.name == "WF"]
    grid = class_grid(wide)
    first = wide[0].view.frame
    angle = np.deg2rad(turn)
    spin = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    compared = replace(wide[0], view=replace(wide[0].view, frame=first.moved(tuple(first.crval), spin, np.zeros(2))))
    settings = RejectSettings(kernel=kernel, pixfrac=pixfrac)
    back = reference._back(compared, chip_map(compared.view.frame, grid), grid, settings=settings)
    assert (back is not None) == reads


@pytest.mark.parametrize(
    ("times", "counting"),
    [
        ((500.0, 500.0, 500.0), (True, True, True)),
        ((500.0, 400.0, 300.0), (True, True, True)),
        ((1000.0, 2.0), (True, True)),  # one exposure alone is no reference
        ((1000.0, 900.0, 60.0, 60.0), (False, False, True, True)),
        ((1000.0, 60.0, 2.0, 2.0), (False, False, True, True)),
        ((1000.0, 60.0, 50.0, 2.0), (False, True, True, True)),
        ((208.0, 200.0, 49.0, 0.4), (True, True, True, True)),  # half a second knows nothing beside 49
        ((660.0, 190.0, 3.5), (True, True, True)),
    ],
)
def test_full_pixels_count_only_where_no_two_shorter_exposures_know_better(chips, times, counting):
    """The core of a star that is full in long exposures is a plateau there, and a star in the short ones."""
    exposure = chips[0].view.exposure
    seen = [
        replace(chips[0], index=k, view=replace(chips[0].view, exposure=replace(exposure, exptime=time)))
        for k, time in enumerate(times)
    ]
    least = reference.least_full_rate(seen)
    assert tuple(chip.full_rate >= least for chip in seen) == counting
