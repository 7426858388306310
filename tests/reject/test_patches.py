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
