"""A bias that moves while a chip is read is noticed; skies that slope, and nebulae, are not taken for it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from mizzle.io.pixel_checks import pixel_findings
from mizzle.io.readout_checks import bias_jump, stripes
from tiny_visit import exposure, frame, noisy

SHAPE = (400, 400)
Y, X = np.mgrid[: SHAPE[0], : SHAPE[1]]


def seen(number=1, *, sky=4.0, light=0.0, after=0.0, atodgain=7, stars=60):
    """A WF3 of sky, stars and more `light`, in whole DN, and of `after`, which calibration left."""
    rng = np.random.default_rng(number)
    points = np.zeros(SHAPE)
    np.add.at(points, tuple(rng.integers(10, 390, (2, stars))), 4.0 * 10 ** rng.uniform(1, 3, stars))
    total = sky + light + gaussian_filter(points, 0.8)
    sci = noisy(rng, SHAPE, total, "WF3", atodgain, 500.0) + after
    dq = np.zeros(SHAPE, int)
    dq[:40] |= 2
    return exposure(number, {"WF3": (sci, dq, frame("WF3", SHAPE))}, exptime=500.0, atodgain=atodgain)


@pytest.mark.parametrize("atodgain", [7, 15])
@pytest.mark.parametrize("height", [1.0, -1.0, 6.0])
@pytest.mark.parametrize("row", [150, 203, 310])
def test_a_jump_is_found_with_its_row_and_height(row, height, atodgain):
    """WFPC2's bias jumps by a DN or so (ISR WFPC2 97-04)."""
    for number in range(3):
        made = seen(number, after=np.where(row <= Y, height, 0.0), atodgain=atodgain)
        jump = bias_jump(made.chips["WF3"])
        assert jump is not None
        assert abs(jump.row - row) < 24
        assert jump.counts == pytest.approx(height, abs=0.3)
        (finding,) = [f for f in pixel_findings(made) if "jump" in f.sentence]
        assert finding.chips == ("WF3",)


@pytest.mark.parametrize(
    "light",
    [
        0.0,
        Y / 20.0,
        8.0 * np.exp(-0.5 * ((Y - 200) / 30.0) ** 2),
        8.0 / (1.0 + np.exp(-(Y + X - 400) / 6.0)),
        6.0 * np.exp(-0.5 * (((Y - 200) / 60.0) ** 2 + ((X - 180) / 60.0) ** 2)),
        4.0 * ((Y > 200) & (X < 250)),
    ],
    ids=["flat", "slope", "band", "edge of a nebula", "galaxy", "edge that ends"],
)
def test_the_sky_does_not_jump(light):
    for number in range(4):
        for atodgain in (7, 15):
            assert bias_jump(seen(number, light=light, atodgain=atodgain).chips["WF3"]) is None


def test_columns_that_alternate_are_found_with_their_height():
    """Calibration until May 1994 took one level for odd and even columns (Data Handbook, 4.1)."""
    for number in range(4):
        made = seen(number, after=np.where(X % 2 == 1, 0.4, 0.0))
        assert stripes(made.chips["WF3"]) == pytest.approx(0.4, abs=0.1)
        assert [f.chips for f in pixel_findings(made) if "odd and even" in f.sentence] == [("WF3",)]


@pytest.mark.parametrize(("stars", "sky"), [(60, 4.0), (3000, 4.0), (60, 0.2), (0, 20.0)])
def test_crowds_and_faint_skies_have_no_stripes(stars, sky):
    """Between stars a pixel is below its neighbors more often than above: in odd and even columns alike."""
    for number in range(4):
        for atodgain in (7, 15):
            assert stripes(seen(number, stars=stars, sky=sky, atodgain=atodgain).chips["WF3"]) == 0.0


@pytest.mark.parametrize("lost", [0.0, np.nan])
def test_a_chip_without_a_good_pixel_has_no_jump(lost):
    """As an empty median it made Python warn on standard error."""
    sci = np.full(SHAPE, lost)
    dq = np.zeros(SHAPE, int) if np.isnan(lost) else np.full(SHAPE, 2)
    assert bias_jump(exposure(1, {"WF3": (sci, dq, frame("WF3", SHAPE))}).chips["WF3"]) is None
