"""The sky around pixels that may be too low."""

from __future__ import annotations

import numpy as np
import pytest

from mizzle.steps.reject.patches import PATCH, PATCH_STEP, patch_medians


@pytest.mark.parametrize("shape", [(100, 150), (133, 127), (50, 50), (7, 3)])
def test_medians_are_those_of_each_patch_by_itself(shape):
    rng = np.random.default_rng(1)
    sci, bad = rng.normal(0, 9, shape).astype(np.float32), rng.random(shape) < 0.2
    bad[:60, :60] = shape[0] > 60
    found = patch_medians(sci, bad, 7.0)
    for row, column in np.ndindex(found.shape):
        patch = np.s_[row * PATCH : (row + 1) * PATCH : PATCH_STEP, column * PATCH : (column + 1) * PATCH]
        good = sci[patch][~bad[patch]]
        assert found[row, column] == (np.median(good) if good.size else 7.0)


def test_a_patch_knows_its_sky_far_better_than_a_pixel_and_follows_a_slope():
    """What is held against a patch is a pixel too low by several sigma: the patch's own error is a sixteenth of one."""
    rng = np.random.default_rng(2)
    shape, sigma, slope = (800, 800), 5.0, 0.012
    ramp = np.broadcast_to(slope * np.arange(shape[1]), shape)
    sky = patch_medians((ramp + rng.normal(0, sigma, shape)).astype(np.float32), np.zeros(shape, bool), 0.0)
    everywhere = np.repeat(np.repeat(sky, PATCH, axis=0), PATCH, axis=1)[: shape[0], : shape[1]]
    centers = ramp[0, PATCH // 2 :: PATCH]
    assert np.std(sky[:, : centers.size] - centers) < 0.06 * sigma
    assert np.abs(everywhere - ramp).mean(axis=0).max() < 0.12 * sigma
