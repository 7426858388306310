"""Other people's programs on the real exposure: SExtractor and reproject place its stars where the model does."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from mizzle.errors import DataError
from mizzle.geometry.grid import common_grid
from mizzle.geometry.keywords import frame_cards, row_lookup, table_cards
from mizzle.geometry.tpv import head_text, tpv_cards
from mizzle.instrument.wfpc2.frames import frames_for_pointing
from mizzle.io.exposures import read_exposure


@pytest.fixture(scope="module")
def chips(data_dir):
    return read_exposure(data_dir / "exposures" / "u40x010hm_c0m.fits.gz").chips


def written(chip, path: Path) -> Path:
    hdus = fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(np.array(chip.sci), name="SCI", ver=1)])
    for card in frame_cards(chip.frame):
        hdus[1].header.append(card)
    table = row_lookup(chip.frame)
    hdus.append(fits.ImageHDU(table.data))
    hdus[2].header.update(table_cards(table, 1))
    hdus.writeto(path)
    return path


@pytest.mark.parametrize("name", ["PC", "WF3"])
def test_tpv_is_the_same_polynomial(name) -> None:
    frame = frames_for_pointing(201.8, -47.5, 244.7, date_obs="1997-06-13", filters="F555W")[name]
    header = fits.Header()
    for card in tpv_cards(frame):
        header.append(card)
    x, y = np.meshgrid(np.arange(0.0, 800.0, 50.0), np.arange(0.0, 800.0, 50.0))
    plain = replace(frame, row_edges=np.zeros(801))
    theirs, ours = WCS(header).all_pix2world(x, y, 0), plain.pixel_to_sky(x, y)
    for a, b in zip(theirs, ours, strict=True):
        assert np.abs(a - b).max() * 3600 / frame.scale < 1e-8
    high = replace(frame, sip_a=np.pad(frame.sip_a, (0, 6)) + np.eye(10) * 1e-30, sip_b=np.zeros((10, 10)))
    with pytest.raises(DataError, match="no TPV form"):
        tpv_cards(high)


@pytest.mark.oracle
@pytest.mark.parametrize("name", ["PC", "WF3"])
def test_sextractor_places_stars_alike(chips, name, tmp_path) -> None:
    program = shutil.which("source-extractor") or shutil.which("sex")
    if program is None:
        pytest.skip("SExtractor is not installed")
    path = written(chips[name], tmp_path / "chip.fits")
    with fits.open(path) as hdus:
        fits.PrimaryHDU(hdus[1].data, hdus[1].header).writeto(tmp_path / "sci.fits")
    (tmp_path / "sci.head").write_text(head_text([chips[name].frame]))
    (tmp_path / "want.param").write_text("X_IMAGE\nY_IMAGE\nALPHA_J2000\nDELTA_J2000\n")
    options = {"PARAMETERS_NAME": "want.param", "CATALOG_NAME": "out.cat", "FILTER": "N", "DETECT_THRESH": "20"}
    command = [program, "sci.fits", *(word for k, v in options.items() for word in (f"-{k}", v))]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    x, y, ra, dec = np.loadtxt(tmp_path / "out.cat", usecols=(0, 1, 2, 3)).T
    assert x.size > 300
    frame = chips[name].frame
    ours = frame.pixel_to_sky(x - 1, y - 1)
    distance = np.hypot((ra - ours[0]) * np.cos(np.deg2rad(dec)), dec - ours[1]) * 3600 / frame.scale
    assert distance.max() < 0.02  # the row term, and the catalog's rounding


@pytest.mark.oracle
@pytest.mark.parametrize("name", ["PC", "WF3"])
def test_reproject_places_stars_alike(chips, name, tmp_path) -> None:
    reproject = pytest.importorskip("reproject")
    ndimage = pytest.importorskip("scipy.ndimage")
    chip = chips[name]
    frame = chip.frame
    grid = common_grid([frame])
    smooth = ndimage.gaussian_filter(np.where(chip.dq & 2, 0.0, np.clip(chip.sci, -10, 3000)), 2.0)
    with fits.open(written(chip, tmp_path / "chip.fits")) as hdus:
        wcs = WCS(hdus[1].header, fobj=hdus)
        image, _ = reproject.reproject_interp((smooth, wcs), grid.wcs, shape_out=grid.shape, order="bicubic")
    x, y = peaks(ndimage, smooth)
    assert x.size > 50
    want_x, want_y = grid.sky_to_pixel(*frame.pixel_to_sky(x, y))
    found = np.array([centroid(image, a, b) for a, b in zip(want_x, want_y, strict=True)])
    offset = np.median(found - np.array([want_x, want_y]).T, axis=0)
    assert np.abs(offset).max() < 0.01


def peaks(ndimage, image):
    """Centroids of isolated bright stars."""
    top = (image == ndimage.maximum_filter(image, 25)) & (image > 60) & (image < 800)
    top[:90], top[-20:], top[:, :90], top[:, -20:] = False, False, False, False
    return np.array([centroid(image, x, y) for y, x in np.argwhere(top)]).T


def centroid(image, x: float, y: float):
    """Vertex of a parabola through the brightest pixel near a place, in x and in y."""
    i, j = int(np.rint(y)), int(np.rint(x))
    box = image[i - 2 : i + 3, j - 2 : j + 3]
    di, dj = np.unravel_index(np.nanargmax(box), box.shape)
    i, j = i + di - 2, j + dj - 2

    def vertex(left: float, middle: float, right: float) -> float:
        return 0.5 * (left - right) / (left - 2 * middle + right)

    return j + vertex(*image[i, j - 1 : j + 2]), i + vertex(*image[i - 1 : i + 2, j])
