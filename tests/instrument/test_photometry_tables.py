"""Encircled energies and Vega's magnitudes are what STScI's pages say, within their accuracy."""

from __future__ import annotations

import pytest

from mizzle.instrument.photometry import TYPICAL_SHARE, _encircled, ab_minus_vega, encircled_energy


@pytest.mark.parametrize(
    ("camera", "band", "share"),
    [
        ("ACS/WFC", "F435W", 0.908),
        ("ACS/WFC", "F606W", 0.915),
        ("WFC3/UVIS", "F275W", 0.888),
        ("WFC3/IR", "F160W", 0.852),
    ],
)
def test_half_an_arcsecond_holds_the_published_share(camera, band, share):
    assert encircled_energy(camera, band, 0.5) == pytest.approx(share, abs=0.002)


def test_shares_grow_with_the_radius_and_stay_below_one():
    shares = [encircled_energy("ACS/WFC", "F814W", radius) for radius in (0.1, 0.2, 0.35, 0.5, 1.0, 2.0)]
    assert shares == sorted(shares)
    assert 0.3 < shares[0] < shares[-1] < 1.0


def test_what_is_not_in_the_tables_is_not_made_up():
    assert encircled_energy("ACS/HRC", "F606W", 0.5) is None
    assert encircled_energy("ACS/WFC", "F814W", 9.0) is None
    assert ab_minus_vega("WFC3/UVIS", "F999X") is None


def test_vega_is_brighter_than_ab_zero_in_the_red_only():
    assert ab_minus_vega("ACS/WFC", "F814W") == pytest.approx(0.433, abs=0.01)
    assert ab_minus_vega("ACS/WFC", "F435W") == pytest.approx(-0.115, abs=0.01)


def test_a_filter_that_no_table_has_is_taken_for_a_usual_one():
    radii, shares = _encircled()
    within = [row[radii.index(0.5)] for row in shares.values()]
    assert min(within) < TYPICAL_SHARE < max(within)
    assert abs(TYPICAL_SHARE - sorted(within)[len(within) // 2]) < 0.03
