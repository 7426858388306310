"""Lookup tables: pixel to sky as astropy has it, back again, and read from headers."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from hypothesis import given, settings
from hypothesis import strategies as st

from lookup_scene import made_frame, made_table, real_frame
from mizzle.errors import InputError
from mizzle.geometry.header import frame_from_header
from mizzle.geometry.keywords import frame_cards, table_cards, table_extensions
from mizzle.geometry.tables import TableArray, TablePlacement, has_tables, tables_from_header
from mizzle.model.lookup import LookupTable, LookupTables


def points(shape, seed=0, count=4000):
    """Random places of a chip, its outermost edges, and its corners."""
    rng = np.random.default_rng(seed)
    ny, nx = shape
    x, y = rng.uniform(-0.5, nx - 0.5, count), rng.uniform(-0.5, ny - 0.5, count)
    x[:100], y[100:200] = -0.5, ny - 0.5
    x[-4:], y[-4:] = [-0.5, nx - 0.5, -0.5, nx - 0.5], [-0.5, -0.5, ny - 0.5, ny - 0.5]
    return x, y


def arcsec(frame, one, other):
    """Largest distance between two lists of sky positions."""
    cos = np.cos(np.deg2rad(frame.crval[1]))
    return 3600 * max(np.abs((one[0] - other[0]) * cos).max(), np.abs(one[1] - other[1]).max())


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 1000),
    which=st.sampled_from(["all", "d2im", "npol", "one axis"]),
    grid=st.sampled_from([((0.0, 0.0), (0.0, 0.0)), ((1.0, 1.0), (1.0, 1.0)), ((0.0, 0.0), (-37.0, 22.5))]),
)
def test_the_sky_is_astropys(seed, which, grid):
    frame = made_frame((300, 420), seed, step=32.0, crpix=grid[0], crval=grid[1])
    kept = {"d2im": ("d2im_x", "d2im_y"), "npol": ("npol_x", "npol_y"), "one axis": ("npol_x", "d2im_y")}.get(which)
    if kept:
        frame = replace(frame, tables=LookupTables(**{name: getattr(frame.tables, name) for name in kept}))
    x, y = points(frame.shape, seed)
    assert arcsec(frame, frame.pixel_to_sky(x, y), frame.wcs.all_pix2world(x, y, 0)) < 1e-7


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000))
def test_there_and_back(seed):
    frame = made_frame((300, 420), seed, step=32.0)
    x, y = points(frame.shape, seed)
    back = frame.sky_to_pixel(*frame.pixel_to_sky(x, y))
    assert max(np.abs(back[0] - x).max(), np.abs(back[1] - y).max()) < 1e-7


def test_npol_stands_beside_the_polynomial():
    """Were it inside, the polynomial's slope times the table would show."""
    frame = made_frame((1000, 1200), 4, step=64.0)
    x, y = points(frame.shape)
    ix, iy = frame.tables.to_image(x, y)
    dx, dy = frame.tables.npol(ix, iy)
    inside = replace(frame, tables=LookupTables()).pixel_to_sky(ix + dx, iy + dy)
    apart = arcsec(frame, inside, frame.pixel_to_sky(x, y)) / 0.05
    assert 5e-5 < apart < 1e-2


@pytest.mark.parametrize(("shape", "step"), [((1, 5), 3.0), ((4, 1), 2.0), ((1, 1), 1.0), ((3, 4), 16.0)])
def test_a_table_holds_beyond_its_nodes(shape, step):
    table = LookupTable(np.random.default_rng(1).normal(0, 1, shape).astype(np.float32), (1, 1), (1, 1), (step, step))
    x, y = table.nodes(0), table.nodes(1)
    np.testing.assert_array_equal(table.at(x[None, :], y[:, None]), table.data)
    np.testing.assert_array_equal(
        table.at(x[None, :] - 1e6 * (x == x[0]), y[:, None] + 1e6 * (y[:, None] == y[-1])), table.data
    )
    assert not table.data.flags.writeable


def headers():
    """A SCI header with four tables, and their extensions in another order than their numbers."""
    frame = made_frame((300, 420), 7, step=32.0, crpix=(0.0, 0.0), crval=(0.0, 0.0))
    header = fits.Header({"CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP", "WCSNAME": "IDC_made", "RADESYS": "ICRS"})
    for i in (0, 1):
        header[f"CRVAL{i + 1}"], header[f"CRPIX{i + 1}"] = frame.crval[i], frame.crpix[i]
        for j in (0, 1):
            header[f"CD{i + 1}_{j + 1}"] = frame.cd[i, j]
    for letter, table in (("A", frame.sip_a), ("B", frame.sip_b)):
        header[f"{letter}_ORDER"] = table.shape[0] - 1
        for p, q in zip(*np.nonzero(table), strict=True):
            header[f"{letter}_{p}_{q}"] = table[p, q]
    for axis in (1, 2):
        for word, record in (("D2IMDIS", "D2IM"), ("CPDIS", "DP")):
            header[f"{word}{axis}"] = "Lookup"
            for field, value in (("EXTVER", 2 + axis), ("NAXES", 2), ("AXIS.1", 1), ("AXIS.2", 2)):
                header[f"{record}{axis}.{field}"] = float(value)
    tables = frame.tables
    arrays = {
        ("WCSDVARR", 4): tables.npol_y, ("D2IMARR", 4): tables.d2im_y, ("D2IMARR", 3): tables.d2im_x,
        ("WCSDVARR", 3): tables.npol_x,
    }  # fmt: skip
    return (
        frame,
        header,
        {key: TableArray(table.data, {"CDELT1": 32.0, "CDELT2": 32.0}) for key, table in arrays.items()},
    )


def test_a_header_gives_the_frame_back():
    frame, header, arrays = headers()
    tables = tables_from_header(header, arrays, TablePlacement(), chip="SCI,1")
    again = frame_from_header(header, frame.shape, chip="SCI,1", tables=tables)
    x, y = points(frame.shape)
    assert has_tables(header)
    assert arcsec(frame, again.pixel_to_sky(x, y), frame.pixel_to_sky(x, y)) < 1e-9


def test_records_may_be_plain_text():
    frame, header, arrays = headers()
    plain = {key: value for key, value in header.items() if "." not in key}
    plain |= {"D2IM1": "EXTVER: 3", "D2IM2": "EXTVER: 4", "DP1": "EXTVER: 3", "DP2": "EXTVER: 4.0"}
    tables = tables_from_header(plain, arrays, TablePlacement(), chip="SCI,1")
    np.testing.assert_array_equal(tables.npol_y.data, frame.tables.npol_y.data)


def test_as_designed_the_first_node_is_the_first_pixel():
    _, header, arrays = headers()
    tables = tables_from_header(header, arrays, TablePlacement("design"), chip="SCI,1")
    assert tables.d2im_x.nodes(0)[:2].tolist() == [0.0, 32.0]
    tables = tables_from_header(header, arrays, TablePlacement(), chip="SCI,1")
    assert tables.d2im_x.nodes(1)[:2].tolist() == [31.0, 63.0]


@pytest.mark.parametrize("reading", ["astropy", "design"])
def test_a_subarray_is_a_piece_of_the_full_frame(reading):
    """Whatever CRVAL its tables state: files have the wrong sign there."""
    frame, header, arrays = headers()
    whole = frame_from_header(
        header, frame.shape, chip="SCI,1",
        tables=tables_from_header(header, arrays, TablePlacement(reading), chip="SCI,1"),
    )  # fmt: skip
    ltv = (-150.0, -40.0)
    cut = header.copy()
    cut["CRPIX1"] += ltv[0]
    cut["CRPIX2"] += ltv[1]
    wrong = {
        key: TableArray(array.data, {**array.header, "CRVAL1": -ltv[0], "CRVAL2": -ltv[1]})
        for key, array in arrays.items()
    }
    tables = tables_from_header(cut, wrong, TablePlacement(reading, ltv), chip="SCI,1")
    piece = frame_from_header(cut, (128, 128), chip="SCI,1", tables=tables)
    x, y = points((128, 128))
    assert arcsec(frame, piece.pixel_to_sky(x, y), whole.pixel_to_sky(x - ltv[0], y - ltv[1])) < 1e-9


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"D2IMDIS1": "Polynomial"}, "Lookup"),
        ({"DP2.AXIS.1": 2.0}, "axes"),
        ({"DP2.NAXES": 3.0}, "Lookup"),
        ({"D2IM2.EXTVER": 9.0}, "D2IMARR,9"),
    ],
)
def test_what_would_be_misread_is_refused(change, says):
    _, header, arrays = headers()
    header.update(change)
    with pytest.raises(InputError, match=says):
        tables_from_header(header, arrays, TablePlacement(), chip="SCI,1")


@pytest.mark.parametrize(
    ("data", "head"),
    [
        (np.full((4, 4), np.nan, np.float32), {}),
        (np.full((4, 4), 9.0, np.float32), {}),
        (np.zeros((2, 4, 4), np.float32), {}),
        (np.zeros((4, 4), np.int16), {}),
        (np.zeros((0, 4), np.float32), {}),
        (np.zeros((4, 4), np.float32), {"CDELT1": 0.0}),
        (np.zeros((4, 4), np.float32), {"CDELT1": -64.0}),
        (np.zeros((4, 4), np.float32), {"CRPIX1": float("nan")}),
        (np.zeros((4, 4), np.float32), {"CRVAL2": "none"}),
    ],
)
def test_damaged_tables_are_refused(data, head):
    _, header, arrays = headers()
    arrays["WCSDVARR", 3] = TableArray(data, head)
    with pytest.raises(InputError):
        tables_from_header(header, arrays, TablePlacement(), chip="SCI,1")


def test_a_header_that_names_tables_is_refused_without_them():
    frame, header, arrays = headers()
    with pytest.raises(InputError, match="CPDIS1"):
        frame_from_header(header, frame.shape, chip="SCI,1")
    header["CTYPE1"], header["CTYPE2"] = "RA---TAN", "DEC--TAN"
    tables = tables_from_header(header, arrays, TablePlacement(), chip="SCI,1")
    with pytest.raises(InputError, match="plain TAN"):
        frame_from_header(header, frame.shape, chip="SCI,1", tables=tables)


def test_written_tables_are_read_alike():
    """By astropy from the file, and by mizzle."""
    frame = made_frame((300, 420), 5, step=32.0, crpix=(1.0, 1.0), crval=(1.0, 1.0))
    header = fits.Header()
    for card in frame_cards(frame, lookup_version=2):
        header.append(card)
    hdus = fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(np.zeros(frame.shape, np.float32), header, "SCI", ver=2)])
    for extension in table_extensions(frame, 2):
        hdu = fits.ImageHDU(np.array(extension.table.data))
        hdu.header.update(table_cards(extension.table, extension.version, extension.name))
        hdus.append(hdu)
    header = hdus["SCI", 2].header
    assert [(hdu.name, hdu.ver) for hdu in hdus[2:]] == [(n, v) for n in ("D2IMARR", "WCSDVARR") for v in (3, 4)]
    arrays = {(hdu.name, hdu.ver): TableArray(hdu.data, hdu.header) for hdu in hdus[2:]}
    tables = tables_from_header(header, arrays, TablePlacement(), chip="SCI,2")
    again = frame_from_header(header, frame.shape, chip="SCI,2", tables=tables)
    x, y = points(frame.shape)
    sky = frame.pixel_to_sky(x, y)
    assert arcsec(frame, again.pixel_to_sky(x, y), sky) < 1e-9
    assert arcsec(frame, WCS(header, fobj=hdus).all_pix2world(x, y, 0), sky) < 1e-7


@pytest.mark.data
@pytest.mark.parametrize("reading", ["astropy", "design"])
def test_real_headers_say_what_astropy_says(data_dir, reading):
    """Vectors that astropy made of real headers: 1e-6 pixel and 1e-9 degree."""
    for entry in json.loads((data_dir / "cameras" / "wcs_vectors.json").read_text())["chips"]:
        expected = entry if reading == "astropy" else entry.get("design", entry)
        frame = real_frame(data_dir / "cameras", entry, reading)
        x, y = np.array(entry["pixel"]).T - 1.0
        image = np.array(frame.tables.to_image(x, y)).T + 1.0
        np.testing.assert_allclose(image, expected["d2im"], rtol=0, atol=1e-6)
        sky = np.array(frame.pixel_to_sky(x, y)).T
        np.testing.assert_allclose(sky, expected["sky"], rtol=0, atol=1e-9)
        # The vectors' focal points are astropy's pix2foc of the image pixels: D2IM comes in a second time.
        plane = np.array(frame.pixel_to_plane(*(np.array(expected["d2im"]).T - 1.0)))
        focal = np.linalg.inv(frame.cd) @ plane + frame.crpix[:, None]
        np.testing.assert_allclose(focal.T, expected["foc"], rtol=0, atol=1e-6)
        back = frame.sky_to_pixel(*sky.T)
        np.testing.assert_allclose(np.array(back), [x, y], rtol=0, atol=1e-6)
        np.testing.assert_allclose(np.array(frame.wcs.all_pix2world(x, y, 0)).T, expected["sky"], rtol=0, atol=1e-9)


def test_made_tables_have_the_size_of_real_ones():
    """So that what holds on them says something."""
    table = made_table((32, 64), 3, 0.02)
    assert 0.02 < np.abs(table).max() < 0.2
    assert 3e-4 < np.abs(np.diff(table, axis=1)).max() / 64 < 5e-3


@pytest.mark.data
def test_npol_beside_and_inside_differ_on_real_chips(data_dir):
    """Evaluating the polynomial where NPOL has moved a pixel would be off by several 1e-4 pixel on ACS and UVIS."""
    apart = []
    for entry in json.loads((data_dir / "cameras" / "wcs_vectors.json").read_text())["chips"]:
        frame = real_frame(data_dir / "cameras", entry, "astropy")
        if frame.tables is None or frame.tables.npol_x is None:
            continue
        x, y = points(frame.shape)
        ix, iy = frame.tables.to_image(x, y)
        dx, dy = frame.tables.npol(ix, iy)
        inside = replace(frame, tables=LookupTables()).pixel_to_sky(ix + dx, iy + dy)
        apart.append(arcsec(frame, inside, frame.pixel_to_sky(x, y)) / frame.scale)
    assert len(apart) == 6
    assert all(1e-4 < value < 2e-3 for value in apart)
