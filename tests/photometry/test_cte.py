"""CTE formulas against the keywords the archive wrote, and against themselves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mizzle.instrument import cte

#: The real exposure's own keywords (chip center; 100, 1000 and 10000 electrons), with its backgrounds.
KEYWORDS = {
    "PC": (10.8742, 0.1675361, 0.06746103, 0.03285813),
    "WF2": (25.0707, 0.1225764, 0.0487139, 0.02337242),
    "WF3": (20.1091, 0.1347939, 0.05369405, 0.02581033),
    "WF4": (28.7285, 0.1150381, 0.045663, 0.02189324),
}
MJD = 50612.47932870  # 1997-06-13 11:30:14


@pytest.mark.parametrize("chip", KEYWORDS)
def test_dolphin_2004_reproduces_the_archive(chip):
    background, *expected = KEYWORDS[chip]
    found = cte.dolphin_2004(399.0, 399.0, np.array([1e2, 1e3, 1e4]), background=background, mjd=MJD)
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6)


def test_background_of_a_negative_mode_is_the_gain():
    np.testing.assert_allclose(cte.background_2004([-3.0, 0.0, 1.0], 7), [7.0, 7.0, 7.0 * np.sqrt(2.0)])


def test_dolphin_2009_by_hand():
    # One star worked out step by step from the published formula.
    x = y = 400.0
    sky, counts, mjd = 10.0, 1000.0, 54000.0
    yr = (mjd - 49461.854754) / 365.25
    lbg = np.log(np.sqrt(1 + sky**2)) - 1
    dm = 0.007730 * np.exp(-0.504911 * lbg) * (1 + 0.099582 * yr) * x / 800
    lct = np.log(np.sqrt(1 + counts**2)) - 7 + 0.92103404 * dm
    cm1 = max(0.153099, 1 - 0.200904 * lbg + 0.039005 * lbg * lct + 0.002108 * lct)
    cm2 = 0.957704 * (yr - 0.025474 * yr**2) * np.exp(-0.449956 * lct)
    total = dm + 2.412981 * np.log(np.exp(0.022389 * cm1 * y / 800) * (1 + cm2) - cm2)
    assert cte.dolphin_2009(x - 1, y - 1, counts, sky=sky, mjd=mjd) == pytest.approx(total, abs=1e-14)


positions = st.floats(0, 799)
times = st.floats(49400, 54960)


@given(x=positions, y=positions, electrons=st.floats(20, 1e5), sky=st.floats(0.5, 500), mjd=times)
def test_dolphin_2009_grows_along_the_column_and_with_faintness(x, y, electrons, sky, mjd):
    low, high = cte.dolphin_2009(x, np.array([0.0, 799.0]), electrons, sky=sky, mjd=mjd)
    assert high > low
    if mjd > 52000 and sky < 10:  # on bright skies the formula is no longer monotonic
        faint = cte.dolphin_2009(x, y, electrons / 2, sky=sky, mjd=mjd)
        assert faint >= cte.dolphin_2009(x, y, electrons, sky=sky, mjd=mjd) - 5e-3
    assert np.isfinite(high)


@given(x=positions, y=positions, electrons=st.floats(100, 1e5), sky=st.floats(0.5, 500), mjd=times)
def test_observed_electrons_inverts_the_correction(x, y, electrons, sky, mjd):
    observed = cte.observed_electrons(x, y, electrons, sky=sky, mjd=mjd)
    back = observed * 10 ** (0.4 * cte.dolphin_2009(x, y, observed, sky=sky, mjd=mjd))
    # Half steps converge slowly where a star all but drowns in its loss.
    assert back == pytest.approx(electrons, rel=1e-8 if electrons > 500 else 1e-3)


def test_arrays_broadcast():
    x, y = np.arange(5.0), np.arange(5.0)
    assert cte.dolphin_2009(x, y, 1e3, sky=10.0, mjd=MJD).shape == (5,)
    assert cte.dolphin_2009(x[:, None], y, np.full((5, 5), 1e3), sky=10.0, mjd=MJD).shape == (5, 5)


def test_less_than_an_electron_loses_what_one_loses():
    """The formula of 2004 takes a logarithm."""
    lost = cte.dolphin_2004(399.0, 399.0, np.array([-5.0, 0.0, 0.5, 1.0, 2.0]), background=10.0, mjd=MJD)
    np.testing.assert_array_equal(lost[:3], lost[3])
    assert lost[4] < lost[3]
