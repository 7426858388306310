"""The pyramid's shadow: its polynomials against the real data-quality map, and the soft edge."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits

from mizzle.instrument.shadow import lit_share, shadow_edges
from mizzle.instrument.wfpc2 import CHIP_NAMES, SHADOW_X, SHADOW_Y


@pytest.mark.data
def test_shaded_pixels_are_flagged_in_the_real_exposure(data_dir) -> None:
    missed = {}
    with fits.open(data_dir / "exposures" / "u40x010hm_c1m.fits.gz") as hdus:
        for number, name in enumerate(CHIP_NAMES, start=1):
            lowest_y, lowest_x = shadow_edges(name, (800, 800))
            x, y = np.arange(1, 801)[None, :], np.arange(1, 801)[:, None]
            shaded = (y <= lowest_y[None, :]) | (x <= lowest_x[:, None])
            missed[name] = int(np.sum(shaded & ((hdus[number].data & 2) == 0)))
    assert missed["PC"] <= 12
    assert {missed[name] for name in CHIP_NAMES[1:]} == {0}


@pytest.mark.parametrize("name", CHIP_NAMES)
def test_edge_is_soft_over_one_pixel(name) -> None:
    lit = lit_share(name, (800, 800))
    a, b = SHADOW_X[name], SHADOW_Y[name]
    x, y = np.arange(1, 801), np.arange(1, 801)
    ax, ay = np.polyval(a[::-1], x), np.polyval(b[::-1], y)
    # Far from the corner each column's lit length is what lies above the curve, to rounding of the share.
    columns = slice(200, 800)
    np.testing.assert_allclose(lit[:, columns].sum(axis=0), 800.5 - ax[columns], atol=1e-3)
    np.testing.assert_allclose(lit[columns].sum(axis=1), 800.5 - ay[columns], atol=1e-3)
    assert lit.dtype == np.float32
    assert lit.min() == 0
    assert lit.max() == 1


@pytest.mark.parametrize("name", CHIP_NAMES)
def test_binned_shadow_is_the_binned_full_shadow(name) -> None:
    full = lit_share(name, (800, 800)).reshape(400, 2, 400, 2).mean(axis=(1, 3))
    half = lit_share(name, (400, 400), binning=2)
    assert np.abs(full - half).max() < 0.3  # in the corner two soft edges multiply
    assert abs(full.sum() - half.sum()) < 2.0
