"""Distortion tables against the published numbers: polynomial vectors, chip positions, the 34th row."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits

from mizzle.errors import InputError
from mizzle.geometry.rows import row_edges
from mizzle.instrument.tables import DistortionTables, embedded_tables, parse_ecsv
from mizzle.instrument.wfpc2 import CHIP_NAMES
from mizzle.instrument.wfpc2.distortion import (
    chip_model,
    chip_offset,
    clean_filter,
    day_number,
    select_filter,
)
from row_formula import ROW_AMPLITUDE, row_formula

TABLES = embedded_tables()

# Anderson & King 2003 in the IDCTAB's form: chip, SCALE in F555W and F814W, (1, 1) and (800, 800) through F555W.
VECTORS = [
    ("PC", 0.045532, 0.045549, (-419.8798, -420.2676), (370.1860, 370.5420)),
    ("WF2", 0.099590, 0.099626, (-420.2935, -420.2546), (370.3120, 370.4380)),
    ("WF3", 0.099570, 0.099606, (-419.6750, -419.7368), (370.7020, 370.4855)),
    ("WF4", 0.099618, 0.099654, (-419.8900, -420.0130), (370.3740, 370.5000)),
]
# The archive's DGEOFILE averages these rows (1-based) over the jump inside them.
AVERAGED = {65, 99, 133, 167, 338, 372, 406, 577, 611, 645, 679}


@pytest.mark.parametrize(("chip", "f555w", "f814w", "first", "last"), VECTORS)
def test_polynomial_vectors(chip, f555w, f814w, first, last) -> None:
    model = chip_model(TABLES, chip, "F555W", date="1997-06-13")
    assert model.scale == f555w
    assert chip_model(TABLES, chip, "F814W", date="1997-06-13").scale == f814w
    x, y = model.apply(np.array([1.0, 800.0]), np.array([1.0, 800.0]))
    np.testing.assert_allclose([x[0], y[0]], first, atol=1e-4)
    np.testing.assert_allclose([x[1], y[1]], last, atol=1e-4)


def test_filter_scales_follow_refraction() -> None:
    scale = {
        name: chip_model(TABLES, "WF3", name, date="1997-01-01").scale for name in ("F300W", "F439W", "F555W", "F814W")
    }
    for name, ratio in (("F300W", 0.99953), ("F439W", 0.99978), ("F814W", 1.00036)):
        assert scale[name] / scale["F555W"] == pytest.approx(ratio, abs=2.5e-5)


def test_chip_positions_at_the_date_of_the_real_exposure() -> None:
    expected = {1: (2.57076, -30.29991), 2: (-52.21881, -5.03053), 3: (0.87, 47.96), 4: (55.44185, -6.10814)}
    for number, position in expected.items():
        np.testing.assert_allclose(chip_offset(TABLES, number, "1997-06-13")[:2], position, atol=1e-5)


def test_chip_positions_hold_outside_the_table() -> None:
    assert chip_offset(TABLES, 1, "1993-12-01") == chip_offset(TABLES, 1, "1994-01-25")
    assert chip_offset(TABLES, 1, "2009-05-11") == chip_offset(TABLES, 1, "2007-08-17")
    further = chip_offset(TABLES, 1, "2009-05-11", end="extrapolate")
    assert abs(further[0] - 2.5697) == pytest.approx(0.0389, abs=1e-3)


def test_chip_positions_are_continuous_and_depend_on_whole_days() -> None:
    assert chip_offset(TABLES, 2, "1997-11-02") == pytest.approx((-52.2138, -5.0218, 314.352), abs=2e-5)
    assert chip_offset(TABLES, 2, "2001-03-04T23:59:59") == chip_offset(TABLES, 2, "2001-03-04")
    assert day_number("13/06/97") == day_number("1997-06-13")


@pytest.mark.parametrize("text", ["", "yesterday", "1997-13-01", "1/2", None, "1997"])
def test_a_date_that_is_none_is_refused(text) -> None:
    with pytest.raises(InputError, match="is no date"):
        day_number(text)


def test_all_filters_have_all_chips() -> None:
    assert len(TABLES.filters) == 70
    for name in TABLES.filters:
        for chip in CHIP_NAMES:
            model = chip_model(TABLES, chip, name, date="2000-01-01")
            assert 0.0454 < model.scale < 0.0997
            assert model.cx[1, 1] == 1.0


@pytest.mark.parametrize(
    ("names", "chosen", "word"),
    [
        (("F555W   ", "        "), "F555W", ""),
        (("", "f814w"), "F814W", ""),
        (("CLEAR1", "F336W"), "F336W", ""),
        (("POLQ", "F606W"), "F606W", "POLQ is also in the table"),
        (("F555W", "NOSUCH"), "F555W", "NOSUCH is not in the table"),
        (("F450W", "F702W"), "F450W", "two filters"),
    ],
)
def test_filter_choice(names, chosen, word) -> None:
    found, note = select_filter(TABLES, names)
    assert found == chosen
    assert word in note
    assert bool(note) == (len([n for n in names if clean_filter(n)]) == 2)


def test_unknown_filter_names_the_nearest() -> None:
    with pytest.raises(InputError, match=r"F817W is not in sad1946fu_idc\.fits; nearest: F814W") as caught:
        select_filter(TABLES, ("F817W", ""))
    assert "F814W" in caught.value.facts["nearest"]
    with pytest.raises(InputError, match="blank"):
        select_filter(TABLES, ("", None))


def test_row_term_reproduces_the_file_at_row_centers() -> None:
    centers = TABLES.row_shift[1]
    edges = row_edges(centers)
    difference = (edges[1:] + edges[:-1]) / 2 - centers
    rows = np.arange(1, 801)
    kept = ~np.isin(rows, list(AVERAGED))
    assert np.abs(difference[kept & ~jump_rows()]).max() < 1e-5
    # A jump row's center lies amid its edges, wherever in the row the file puts the jump.
    assert np.abs(difference).max() < 0.0155


def jump_rows() -> np.ndarray:
    """1-based rows in which the closed form jumps, as a mask."""
    edges = np.arange(801) + 0.5
    return np.diff(np.floor((edges - 30.68) / 34.1333)) > 0


def test_row_term_equals_the_closed_form_at_row_edges() -> None:
    assert np.abs(row_edges(TABLES.row_shift[3]) - row_formula(np.arange(801) + 0.5)).max() < 1e-4
    assert np.abs(TABLES.row_shift[3] - row_formula(np.arange(1, 801)))[~jump_rows()].max() < 1e-4


def test_every_34th_row_is_narrow_and_no_other() -> None:
    heights = 1.0 + np.diff(row_edges(TABLES.row_shift[2]))
    np.testing.assert_allclose(heights[jump_rows()], 1.0 - ROW_AMPLITUDE + ROW_AMPLITUDE / 34.1333, atol=1e-4)
    np.testing.assert_allclose(heights[~jump_rows()], 1.0 + ROW_AMPLITUDE / 34.1333, atol=1e-5)
    assert heights.sum() == pytest.approx(800.0, abs=0.031)


@pytest.mark.parametrize("phase", [0.0, 3.3, 17.7])
def test_row_edges_of_any_sawtooth(phase: float) -> None:
    y = np.arange(1, 801)
    edges = np.arange(801) + 0.5
    expected = row_formula(edges + phase)
    found = row_edges(row_formula(y + phase))
    wrong = np.abs(found - expected) > 1e-9
    # Where a jump falls between two centers, either row may be the narrow one: one edge at a jump may differ.
    assert wrong.sum() <= (0 if phase == 0.0 else 24)
    np.testing.assert_allclose(found[~wrong], expected[~wrong], atol=1e-9)


def test_no_row_term_stays_none() -> None:
    assert not np.any(row_edges(np.zeros(800)))


def test_binned_coefficients_describe_the_same_optics() -> None:
    full = chip_model(TABLES, "WF4", "F814W", date="2000-01-01")
    half = chip_model(TABLES, "WF4", "F814W", date="2000-01-01", binning=2)
    centers = np.array([1.0, 50.0, 200.0, 400.0])  # binned pixel X_b covers full pixels 2 X_b - 1 and 2 X_b
    x, y = full.apply(2 * centers - 0.5, 2 * centers[::-1] - 0.5)
    xb, yb = half.apply(centers, centers[::-1])
    np.testing.assert_allclose(np.array([xb, yb]) * half.scale, np.array([x, y]) * full.scale, atol=1e-10)


def test_sip_is_the_polynomial_after_its_linear_part() -> None:
    model = chip_model(TABLES, "PC", "F439W", date="2000-01-01")
    a, b = model.sip()
    u, v = np.array([-300.0, 20.0, 375.0]), np.array([111.0, -424.0, 375.0])
    x, y = model.apply(u + model.xref, v + model.yref)
    linear = np.array([[model.cx[1, 1], model.cx[1, 0]], [model.cy[1, 1], model.cy[1, 0]]])
    p = u + np.polynomial.polynomial.polyval2d(u, v, a)
    q = v + np.polynomial.polynomial.polyval2d(u, v, b)
    np.testing.assert_allclose(linear @ np.array([p, q]), [x, y], atol=1e-9)


@pytest.mark.data
def test_embedded_tables_equal_the_archive_files(data_dir) -> None:
    with fits.open(data_dir / "reference" / "sad1946fu_idc.fits") as hdus:
        for name, column in TABLES.idctab.items():
            theirs = hdus[1].data[name]
            stripped = [t.strip() if isinstance(t, str) else t for t in theirs]
            assert np.array_equal(stripped, column), name
    with fits.open(data_dir / "reference" / "s9518396u_off.fits") as hdus:
        for name in ("DETCHIP", "THETA", "V2REF", "V3REF"):
            assert np.array_equal(hdus[1].data[name], TABLES.offtab[name])
    with fits.open(data_dir / "reference" / "s8f1222cu_dxy.fits.gz") as hdus:
        for chip in (1, 2, 3, 4):
            assert np.array_equal(hdus["DY", chip].data, np.repeat(TABLES.row_shift[chip], 800).reshape(800, 800))


def test_a_table_without_its_columns_is_refused() -> None:
    with pytest.raises(InputError, match="no column SCALE"):
        DistortionTables(
            {k: v for k, v in TABLES.idctab.items() if k != "SCALE"}, TABLES.offtab, {}, "my_idc.fits", "off", "dxy"
        )
    broken = {**TABLES.idctab, "CX10": np.full(280, np.nan)}
    with pytest.raises(InputError, match="not all numbers are finite"):
        DistortionTables(broken, TABLES.offtab, {}, "my_idc.fits", "off", "dxy")


def test_ecsv_types() -> None:
    types = "# - {name: A, datatype: string}\n# - {name: B, datatype: float32}"
    text = f"# %ECSV 1.0\n# datatype:\n{types}\nA B\nx 0.1\ny 2\n"
    columns = parse_ecsv(text)
    assert columns["A"].tolist() == ["x", "y"]
    assert columns["B"].dtype == np.float32
