"""Whatever a header holds, building frames ends in frames of finite numbers or in an error of ours."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mizzle.errors import InputError, MizzleError
from mizzle.geometry.header import rows_from_lookup
from mizzle.geometry.keywords import alternate_cards, frame_cards, wcs_names
from mizzle.instrument.wfpc2.frames import build_frames, frames_for_pointing
from mizzle.model.lookup import LookupTable
from mizzle.settings.geometry import GeometrySettings

PRIMARY = {"FILTNAM1": "F555W", "FILTNAM2": "", "DATE-OBS": "1997-06-13", "PA_V3": 10.0, "MODE": "FULL"}
FRAMES = frames_for_pointing(10.0, 5.0, 0.0, date_obs="1997-06-13", filters="F555W")
CHIPS = {name: {k: v for k, v, _ in frame_cards(frame)} for name, frame in FRAMES.items()}
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.floats(),
    st.integers(-(10**40), 10**40),
    st.text(max_size=12),
    st.sampled_from(["RA---TAN", "GLON-CAR", "AREA", "F814W", "2000-01-01", 0, -1, 1e308, 90.0, 800]),
)
MORE = {"LTV1", "LTV2", "LONPOLE", "WCSNAMEO", "CTYPE1O", "CRVAL1O", "RADESYS", "REFFRAME"}
KEYS = st.sampled_from(sorted({*PRIMARY, *CHIPS["PC"], *MORE}))


@given(changes=st.dictionaries(KEYS, VALUES, min_size=1, max_size=4), chip=st.sampled_from(["PC", "WF3"]))
@settings(max_examples=150, deadline=None)
@pytest.mark.parametrize("wcs", ["model", "header"])
def test_any_header(wcs, changes, chip) -> None:
    primary = {**PRIMARY, **{k: v for k, v in changes.items() if k in PRIMARY}}
    changed = {k: v for k, v in changes.items() if k not in PRIMARY}
    headers = {name: {**header, **(changed if name == chip else {})} for name, header in CHIPS.items()}
    wcs_names(headers[chip])
    alternate_cards(headers[chip])
    shapes = dict.fromkeys(headers, (400, 400) if primary["MODE"] == "AREA" else (800, 800))
    try:
        frames, notes = build_frames(primary, headers, shapes, settings=GeometrySettings(wcs=wcs))
    except MizzleError:
        return
    assert list(frames) == list(CHIPS)
    assert all(isinstance(note, str) for note in notes)
    for frame in frames.values():
        for array in (frame.crval, frame.crpix, frame.cd, frame.sip_a, frame.sip_b, frame.row_edges):
            assert np.all(np.isfinite(array))


@pytest.mark.parametrize(
    "table",
    [
        LookupTable(np.zeros((3, 4), dtype=np.float32), (1, 1), (1, 1)),
        LookupTable(np.full((5, 1), np.nan, dtype=np.float32), (1, 1), (1, 1)),
        LookupTable(np.full((5, 1), 40.0, dtype=np.float32), (1, 1), (1, 1)),
        LookupTable(np.zeros((5, 1), dtype=np.float32), (1, 1), (1, 1), (1, 0)),
        LookupTable(np.zeros((5, 1), dtype=np.float32), (1, np.nan), (1, 1)),
    ],
)
def test_lookup_tables_that_make_no_sense(table) -> None:
    with pytest.raises(InputError, match="lookup table"):
        rows_from_lookup(table, (800, 800), "PC")


@pytest.mark.parametrize(("order", "known"), [(9, True), (10, False)])
def test_the_orders_that_sip_defines_are_read(order, known):
    """Shupe et al. 2005: coefficients have one digit for each power."""
    headers = {name: {**header, "A_ORDER": order, "B_ORDER": order} for name, header in CHIPS.items()}
    arguments = (PRIMARY, headers, dict.fromkeys(headers, (800, 800)))
    if known:
        frames, _ = build_frames(*arguments, settings=GeometrySettings(wcs="header"))
        assert frames["PC"].sip_a.shape == (order + 1, order + 1)
    else:
        with pytest.raises(InputError, match="SIP order"):
            build_frames(*arguments, settings=GeometrySettings(wcs="header"))


@pytest.mark.parametrize(("shift", "known"), [(1.0, True), (3.0, False)])
def test_a_row_is_not_shifted_onto_another(shift, known):
    """A whole pixel is odd, and may be somebody's experiment; three are no defect of a detector."""
    table = LookupTable(np.full((5, 1), shift, dtype=np.float32), (1, 1), (1, 1), (1, 1))
    if known:
        np.testing.assert_allclose(rows_from_lookup(table, (5, 8), chip="PC").edges, shift)
    else:
        with pytest.raises(InputError, match="lookup table"):
            rows_from_lookup(table, (5, 8), chip="PC")


@pytest.mark.parametrize(("speed", "known"), [(37.9, True), (-37.9, True), (100.0, False)])
def test_a_telescope_in_orbit_moves_no_faster_than_earth_and_it_together(speed, known):
    """30.3 and 7.6 km/s at most."""
    headers = {name: {**header, "VAFACTOR": 1.0 + speed / 299792.458} for name, header in CHIPS.items()}
    arguments = (PRIMARY, headers, dict.fromkeys(headers, (800, 800)))
    if known:
        assert list(build_frames(*arguments)[0]) == list(CHIPS)
    else:
        with pytest.raises(InputError, match="VAFACTOR"):
            build_frames(*arguments)
