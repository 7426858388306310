"""Where a sky becomes remarkable: numbers of the field, from both sides of each limit."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mizzle.model import SkyLevels
from mizzle.steps.sky import sky_findings
from mizzle.steps.sky.findings import brightest_blank
from tiny_visit import FACTORS, SCALES, exposure, frame, solutions

SHAPE = (8, 8)
PHOTFLAM = 2.4e-18


def said(dn, own=None, *, exptime=500.0):
    """Sentences about exposures with so many DN of sky on WF3, and `own` more [DN] on (exposure, chip)."""
    made, table = [], {}
    for number, level in enumerate(dn):
        chips = {n: (np.zeros(SHAPE, np.float32), np.zeros(SHAPE, int), frame(n, SHAPE)) for n in SCALES}
        made.append(exposure(number + 1, chips, exptime=exptime))
        table[made[-1].root] = {
            name: level * (side / SCALES["WF3"]) ** 2 + (own or {}).get((number, name), 0.0) * FACTORS[name]
            for name, side in SCALES.items()
        }
    _, scales, _ = solutions(made)
    bright = {root: {n: v / (exptime * SCALES[n] ** 2) for n, v in row.items()} for root, row in table.items()}
    zero = {root: dict.fromkeys(row, 0.0) for root, row in table.items()}
    sky = SkyLevels(table, bright, zero, zero, matched=table)
    return [finding.sentence for finding in sky_findings(made, scales, sky)]


def solar(wavelength):
    """The Sun's spectrum per Angstrom over that at 5500 A, as a black body's of 5772 K."""
    radiance = [x**-5 / math.expm1(1.43878e8 / (x * 5772.0)) for x in (wavelength, 5500.0)]
    return radiance[0] / radiance[1]


@pytest.mark.parametrize("wavelength", [4500.0, 5000.0, 5500.0, 6000.0, 6750.0, 8000.0, 9000.0, 10000.0])
def test_blank_sky_is_sunlight(wavelength):
    shape = brightest_blank(wavelength) / brightest_blank(5500.0)
    assert shape == pytest.approx(solar(wavelength), rel=0.15)


@pytest.mark.parametrize(
    ("wavelength", "least", "most"),
    [(3500.0, 0.6, 0.9), (3000.0, 0.5, 0.8), (2500.0, 0.15, 0.45), (2000.0, 0.2, 0.5)],
)
def test_lines_of_metals_take_light_from_the_blue_sky(wavelength, least, most):
    """Below 4000 A the Sun falls short of a black body: by a third at first, by three quarters at 2500 A."""
    shape = brightest_blank(wavelength) / brightest_blank(5500.0)
    assert least < shape / solar(wavelength) < most


@pytest.mark.parametrize(("magnitude", "blank"), [(22.1, True), (20.9, False)])
def test_zodiacal_light_is_blank_sky_and_a_nebula_is_not(magnitude, blank):
    """At the ecliptic the sky has 22.1 mag per square arcsec in V (WFPC2 Instrument Handbook, 6.4), a long time."""
    exptime = 5000.0
    rate = 10.0 ** (-0.4 * (magnitude + 21.1)) * brightest_blank(7996.0) / brightest_blank(5500.0) / PHOTFLAM
    sentences = said([rate * exptime * SCALES["WF3"] ** 2], exptime=exptime)
    assert any("no blank sky" in s for s in sentences) is not blank


@pytest.mark.parametrize(("dn", "blank"), [(0.7, True), (1.9, False)])
def test_what_bias_leaves_on_a_short_exposure_is_no_light(dn, blank):
    rate = brightest_blank(7996.0) / PHOTFLAM
    own = {(0, name): dn for name in SCALES}
    sentences = said([rate * 10.0 * SCALES["WF3"] ** 2], own, exptime=10.0)
    assert any("no blank sky" in s for s in sentences) is not blank


@pytest.mark.parametrize(
    ("level", "dn", "apart"), [(2.0, 0.7, False), (2.0, 1.9, True), (60.0, 3.2, False), (60.0, 6.5, True)]
)
def test_a_chip_may_change_by_a_dn_and_by_what_flats_change(level, dn, apart):
    """Bias and dark leave less than 1 DN; on a bright sky stray light and flats change a chip by a few per cent."""
    sentences = said([level] * 3, {(1, "WF4"): dn})
    assert any("sky of WF4 is" in s and "other exposures" in s for s in sentences) is apart


@pytest.mark.parametrize(("dn", "apart"), [(1.5, False), (4.0, True)])
def test_a_chip_that_is_always_apart_by_more_than_dark_and_bias_leave_is_said(dn, apart):
    sentences = said([2.0] * 3, {(k, "WF4"): dn for k in range(3)})
    assert any("the sky of WF4" in s and "of the other chips" in s for s in sentences) is apart


@pytest.mark.parametrize(
    ("usual", "level", "apart"), [(3.0, 7.0, False), (3.0, 13.0, True), (0.3, 1.7, False), (0.3, 3.5, True)]
)
def test_an_orbit_doubles_a_sky_and_does_not_make_it_four_times_as_bright(usual, level, apart):
    """Where the sky is almost none, a DN or two of dark are no matter."""
    assert any("its sky" in s for s in said([usual, usual, level])) is apart
