"""Frames of an exposure: against astropy, the archive's header, the sky, and odd headers."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from mizzle.errors import InputError
from mizzle.instrument.wfpc2 import CHIP_NAMES
from mizzle.instrument.wfpc2.frames import build_frames, frames_for_pointing
from mizzle.instrument.wfpc2.pointing import roll_at
from mizzle.settings.geometry import GeometrySettings

PRIMARY = {"FILTNAM1": "F814W", "FILTNAM2": "", "DATE-OBS": "2007-10-01", "PA_V3": 33.9, "MODE": "FULL"}
HEADER = {
    "CRVAL1": 323.36,
    "CRVAL2": -0.82,
    "CRPIX1": 425.0,
    "CRPIX2": 425.0,
    "CD1_1": -2.7e-5,
    "CD1_2": 0.0,
    "CD2_1": 0.0,
    "CD2_2": 2.7e-5,
    "VAFACTOR": 1.00002,
}
FULL = dict.fromkeys(CHIP_NAMES, (800, 800))


def headers(**changes) -> dict:
    return {name: {**HEADER, **changes} for name in CHIP_NAMES}


def frames(**options):
    return build_frames(PRIMARY, headers(), FULL, settings=GeometrySettings(**options))[0]


def distance(a, b) -> float:
    """Arcsec between two (ra, dec)."""
    chord = np.linalg.norm(vector(*map(float, a)) - vector(*map(float, b)))
    return float(np.rad2deg(2 * np.arcsin(chord / 2)) * 3600)


def separations(built, *, reference: float = 424.0) -> dict:
    sky = {n: tuple(float(v) for v in f.pixel_to_sky(reference, reference)) for n, f in built.items()}
    return {(a, b): distance(sky[a], sky[b]) for a in sky for b in sky}


@pytest.fixture(scope="module")
def real(data_dir):
    with fits.open(data_dir / "exposures" / "u40x010hm_c0m.fits.gz") as hdus:
        return dict(hdus[0].header), {name: dict(hdus[i + 1].header) for i, name in enumerate(CHIP_NAMES)}


@pytest.mark.data
def test_real_exposure_matches_the_archive_header(real) -> None:
    primary, chips = real
    built, _ = build_frames(primary, chips, FULL, settings=GeometrySettings(velocity_aberration="off"))
    for name, frame in built.items():
        head = chips[name]
        assert distance(frame.crval, (head["CRVAL1"], head["CRVAL2"])) * 1000 < 1e-3  # mas
        cd = [[head["CD1_1"], head["CD1_2"]], [head["CD2_1"], head["CD2_2"]]]
        np.testing.assert_allclose(frame.cd, cd, atol=3e-7 * np.abs(cd).max())


@pytest.mark.data
def test_real_exposure_chip_separations(real) -> None:
    built, _ = build_frames(*real, FULL, settings=GeometrySettings(velocity_aberration="off", row_term="off"))
    expected = {
        ("WF3", "WF2"): 75.00945,
        ("WF3", "WF4"): 76.82089,
        ("WF3", "PC"): 78.27838,
        ("PC", "WF2"): 60.33604,
        ("PC", "WF4"): 58.14287,
        ("WF2", "WF4"): 107.66604,
    }
    found = separations(built)
    for pair, arcsec in expected.items():
        assert found[pair] == pytest.approx(arcsec, abs=3e-5), pair


@pytest.mark.data
def test_velocity_aberration_of_the_real_exposure(real) -> None:
    with_it, notes = build_frames(*real, FULL, settings=GeometrySettings())
    without, _ = build_frames(*real, FULL, settings=GeometrySettings(velocity_aberration="off"))
    change = separations(with_it)["PC", "WF3"] / separations(without)["PC", "WF3"]
    assert change == pytest.approx(0.9999572, abs=1e-8)
    assert any("VAFACTOR 0.9999572 applied (3.4 mas" in note for note in notes)
    primary, chips = real
    bare = {n: {k: v for k, v in h.items() if k != "VAFACTOR"} for n, h in chips.items()}
    assert any("no VAFACTOR" in note for note in build_frames(primary, bare, FULL)[1])


def test_m2_separations_and_orientations() -> None:
    """Numbers of the executed M2 run, October 2007 (two decimals; arcsec and degrees)."""
    built = frames()
    found = separations(built)
    for pair, arcsec in {
        ("WF3", "WF2"): 74.96,
        ("WF3", "WF4"): 76.80,
        ("WF3", "PC"): 78.16,
        ("PC", "WF2"): 60.30,
    }.items():
        assert found[pair] == pytest.approx(arcsec, abs=0.01), pair
    turn = {n: (f.orientation() - built["WF3"].orientation() + 180) % 360 - 180 for n, f in built.items()}
    for name, degrees in {"PC": -179.82, "WF2": -90.32, "WF3": 0.0, "WF4": 90.55}.items():
        assert (turn[name] - degrees + 180) % 360 - 180 == pytest.approx(0.0, abs=0.01), name
    for name, arcsec in {"PC": 0.045549, "WF2": 0.099627, "WF3": 0.099607, "WF4": 0.099655}.items():
        x_scale = 3600 * float(np.hypot(*built[name].cd[:, 0]))
        assert x_scale == pytest.approx(arcsec, abs=3e-6), name


def test_pc_is_half_the_scale_of_wf() -> None:
    scales = {n: f.scale for n, f in frames().items()}
    assert scales["PC"] / scales["WF3"] == pytest.approx(0.4573, abs=1e-4)


@given(
    ra=st.floats(0, 360),
    dec=st.floats(-88, 88),
    roll=st.floats(0, 360),
    filter_name=st.sampled_from(["F555W", "F300W", "F1042M"]),
    mode=st.sampled_from(["on", "off", "incumbent"]),
)
@settings(max_examples=25, deadline=None)
def test_frame_equals_astropy_and_inverts(ra, dec, roll, filter_name, mode) -> None:
    built = frames_for_pointing(
        ra, dec, roll, date_obs="1999-01-01", filters=filter_name, settings=GeometrySettings(row_term=mode)
    )
    x, y = (a.ravel() for a in np.meshgrid(np.linspace(-0.49, 799.49, 7), np.linspace(-0.49, 799.49, 41)))
    for frame in built.values():
        sky = frame.pixel_to_sky(x, y)
        theirs = frame.wcs.all_pix2world(x, y, 0)
        if not frame.columns.size:  # beyond the outer columns' centers the two extrapolate alike, too
            pixel = 3600 / frame.scale
            assert np.abs((sky[1] - theirs[1]) * pixel).max() < 1e-8
            d_ra = (sky[0] - theirs[0] + 180) % 360 - 180
            assert np.abs(d_ra * np.cos(np.deg2rad(sky[1])) * pixel).max() < 1e-8
        back = frame.sky_to_pixel(*sky)
        np.testing.assert_allclose(back, [x, y], atol=2e-7 / np.cos(np.deg2rad(dec)))


def test_the_incumbents_row_term_moves_pc_alone_by_its_columns() -> None:
    plain, theirs = frames(row_term="off"), frames(row_term="incumbent")
    profile = frames(row_term="on")["PC"].row_edges
    x, y = np.meshgrid(np.arange(0.0, 800.0, 7.0), np.arange(0.0, 800.0, 97.0))
    for name in CHIP_NAMES:
        moved_x, moved_y = plain[name].sky_to_pixel(*theirs[name].pixel_to_sky(x, y))
        np.testing.assert_allclose(moved_x, x, atol=1e-6)
        if name != "PC":
            np.testing.assert_allclose(moved_y, y, atol=1e-6)
        else:
            assert 0.014 < np.abs(moved_y - y).max() < 0.0155
            np.testing.assert_allclose((moved_y - y) - (moved_y - y)[:1], 0.0, atol=1e-6)
            assert np.abs((moved_y - y)[0] - (profile[1:] + profile[:-1])[::7] / 2).max() < 0.016


def test_row_term_moves_all_chips_along_y() -> None:
    on, off = frames(), frames(row_term="off")
    y = np.arange(800.0)
    x = np.full(800, 300.0)
    shift = off["WF2"].row_edges * 0
    assert not np.any(shift)
    for name in CHIP_NAMES:
        moved_x, moved_y = off[name].sky_to_pixel(*on[name].pixel_to_sky(x, y))
        np.testing.assert_allclose(moved_x, x, atol=1e-6)
        expected = (on[name].row_edges[1:] + on[name].row_edges[:-1]) / 2
        np.testing.assert_allclose(moved_y - y, expected, atol=1e-6)
        assert np.ptp(moved_y - y) == pytest.approx(0.0295, abs=1e-3)


def test_pointing_and_header_agree() -> None:
    built, _ = build_frames(PRIMARY, headers(), FULL)
    pointed = frames_for_pointing(323.36, -0.82, 33.9, date_obs="2007-10-01", filters=("F814W", ""), vafactor=1.00002)
    for name in CHIP_NAMES:
        np.testing.assert_array_equal(built[name].crval, pointed[name].crval)
        np.testing.assert_array_equal(built[name].cd, pointed[name].cd)
        np.testing.assert_array_equal(built[name].row_edges, pointed[name].row_edges)


def test_roll_at_the_axis_is_the_roll() -> None:
    assert roll_at(123.0, 45.0, v2=0.0, v3=0.0) == 123.0
    assert roll_at(123.0, 45.0, v2=0.001, v3=0.001) == pytest.approx(123.0, abs=1e-3)


def test_binned_chips_cover_the_same_sky() -> None:
    """Binned pixel (0, 0) is the mean of four pixels around (0.5, 0.5); row term included."""
    full = frames_for_pointing(150.0, 30.0, 10.0, date_obs="2001-01-01", filters="F814W")
    reference = full["WF3"].pixel_to_sky(424.0, 424.0)
    half = frames_for_pointing(
        float(reference[0]), float(reference[1]), 10.0, date_obs="2001-01-01", filters="F814W", binning=2
    )
    shift = None
    for name in CHIP_NAMES:
        assert half[name].shape == (400, 400)
        assert half[name].scale == 2 * full[name].scale
        x, y = np.meshgrid(np.arange(0.0, 400.0, 57.0), np.arange(0.0, 400.0, 19.0))
        want = np.array(full[name].pixel_to_sky(2 * x + 0.5, 2 * y + 0.5))
        got = np.array(half[name].pixel_to_sky(x, y))
        # The pointing names WF3's reference pixel: row terms there make one common shift of the pointing.
        difference = (got - want) * 3600
        shift = difference.mean(axis=(1, 2)) if shift is None else shift
        assert np.abs(difference - shift[:, None, None]).max() < 2e-3


def test_subarray_is_cut_from_the_full_chip() -> None:
    full = frames()
    cut = headers(CRPIX1=425.0 - 100.0, CRPIX2=425.0 - 250.0, LTV1=-100.0, LTV2=-250.0)
    built, _ = build_frames(PRIMARY, cut, dict.fromkeys(CHIP_NAMES, (300, 200)))
    x, y = np.meshgrid(np.arange(0.0, 200.0, 13.0), np.arange(0.0, 300.0, 7.0))
    for name in CHIP_NAMES:
        assert built[name].row_edges.shape == (301,)
        want, got = full[name].pixel_to_sky(x + 100.0, y + 250.0), built[name].pixel_to_sky(x, y)
        assert np.abs(np.array(want) - np.array(got)).max() * 3600 < 1e-8


def test_ltv_of_a_full_chip_is_ignored() -> None:
    built, _ = build_frames(PRIMARY, headers(LTV1=-40.0), FULL)
    np.testing.assert_array_equal(built["PC"].crpix, frames()["PC"].crpix)


@pytest.mark.parametrize("present", [("WF2",), ("PC", "WF4"), ("WF4", "WF3"), ("WF2", "PC")])
def test_any_chips_in_any_order(present) -> None:
    built, _ = build_frames(PRIMARY, dict.fromkeys(present, HEADER), FULL)
    assert list(built) == [n for n in CHIP_NAMES if n in present]
    first = "WF3" if "WF3" in present else next(iter(built))
    assert distance(built[first].pixel_to_sky(424.0, 424.0), (323.36, -0.82)) < 2e-3


@pytest.mark.parametrize(
    ("where", "key", "value", "match"),
    [
        ("primary", "PA_V3", None, "PA_V3"),
        ("primary", "PA_V3", "north", "PA_V3"),
        ("primary", "PA_V3", float("nan"), "PA_V3"),
        ("primary", "DATE-OBS", None, "DATE-OBS"),
        ("primary", "FILTNAM1", None, "blank"),
        ("primary", "FILTNAM1", "F999Z", "not in sad1946fu"),
        ("chip", "CRVAL1", None, "CRVAL1"),
        ("chip", "CRVAL2", 123.0, "CRVAL"),
        ("chip", "CRVAL1", 1e30, "CRVAL"),
        ("chip", "CRPIX1", 1e9, "CRPIX"),
        ("chip", "CD1_1", 4.0, "CD matrix"),
        ("chip", "CD1_1", float("inf"), "CD1_1"),
        ("chip", "VAFACTOR", 3.0, "VAFACTOR"),
        ("chip", "VAFACTOR", float("nan"), "VAFACTOR"),
        ("chip", "VAFACTOR", True, "VAFACTOR"),
    ],
)
def test_absurd_headers_are_refused(where, key, value, match) -> None:
    primary = {**PRIMARY, key: value} if where == "primary" else PRIMARY
    chips = headers(**{key: value}) if where == "chip" else headers()
    if value is None:
        primary = {k: v for k, v in primary.items() if v is not None}
        chips = {n: {k: v for k, v in h.items() if v is not None} for n, h in chips.items()}
    with pytest.raises(InputError, match=match):
        build_frames(primary, chips, FULL)


def test_no_chip_is_refused() -> None:
    with pytest.raises(InputError, match="no chip"):
        build_frames(PRIMARY, {}, {})


def test_the_tables_are_read_once_for_all_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames take milliseconds, as long as no file is opened for them."""
    frames()

    def refuse(file, *_, **__):
        raise AssertionError(f"{file} is opened")

    monkeypatch.setattr("builtins.open", refuse)
    monkeypatch.setattr("io.open", refuse)
    frames()


def test_poles_are_places_too() -> None:
    for dec in (89.99, -89.999):
        built = frames_for_pointing(10.0, dec, 20.0, date_obs="2000-01-01", filters="F555W")
        found = {n: f.pixel_to_sky(424.0, 424.0) for n, f in built.items()}
        unit = {n: vector(*map(float, sky)) for n, sky in found.items()}
        arcsec = np.rad2deg(np.arccos(np.clip(unit["WF3"] @ unit["WF2"], -1, 1))) * 3600
        assert arcsec == pytest.approx(74.99, abs=0.1)


def vector(ra: float, dec: float) -> np.ndarray:
    a, d = np.deg2rad(ra), np.deg2rad(dec)
    return np.array([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)])
