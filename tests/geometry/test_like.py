"""A product on the grid of another image has its shape and its WCS, to the last digit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from mizzle.errors import DataError, InputError
from mizzle.geometry.grid import check_overlap, common_grid
from mizzle.io.grid_image import read_grid
from mizzle.settings.combine import CombineSettings
from tiny_visit import CENTER, frame

WHOLE = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 150.0123456789, "CRVAL2": 2.0001, "CRPIX1": 17.25,
         "CRPIX2": -3.5}  # fmt: skip
FORMS = {
    "CD": {"CD1_1": -2.2e-5, "CD1_2": 1.1e-6, "CD2_1": 1.1e-6, "CD2_2": 2.2e-5},
    "CDELT": {"CDELT1": -2.2e-5, "CDELT2": 2.2e-5},
    "PC": {"CDELT1": -2.2e-5, "CDELT2": 2.3e-5, "PC1_1": 0.8, "PC1_2": -0.6, "PC2_1": 0.6, "PC2_2": 0.8},
    "CROTA": {"CDELT1": -2.2e-5, "CDELT2": 2.3e-5, "CROTA2": 25.0},
}


def write(path: Path, cards: dict[str, float | str], shape: tuple[int, int] = (40, 60)) -> Path:
    hdu = fits.ImageHDU(np.zeros(shape, dtype=np.float32), name="SCI")
    hdu.header.update(cards)
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path)
    return path


@pytest.mark.parametrize("form", FORMS)
def test_the_grid_is_where_astropy_puts_the_image(form: str, tmp_path: Path) -> None:
    cards = WHOLE | FORMS[form]
    grid = read_grid(write(tmp_path / "a.fits", cards))
    assert grid.shape == (40, 60)
    x, y = np.array([0.0, 59.0, 12.3]), np.array([0.0, 39.0, -7.0])
    ra, dec = WCS(fits.Header(cards)).all_pix2world(x, y, 0)
    np.testing.assert_allclose(grid.pixel_to_sky(x, y), (ra, dec), atol=1e-10)
    assert tuple(grid.crval) == (cards["CRVAL1"], cards["CRVAL2"])
    assert tuple(grid.crpix) == (cards["CRPIX1"], cards["CRPIX2"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"CTYPE1": "RA---SIN", "CTYPE2": "DEC--SIN"}, "RA---SIN"),
        ({"CTYPE1": "GLON-TAN", "CTYPE2": "GLAT-TAN"}, "GLON-TAN"),
        ({"A_ORDER": 3}, "with distortion"),
        ({"CTYPE1": "", "CTYPE2": ""}, "no two-dimensional image"),
        ({"CD1_1": 0.0, "CD2_2": 0.0, "CD1_2": 0.0}, "arcsec wide"),
        ({"CRVAL1": "north"}, "CRVAL1 is 'north'"),
    ],
)
def test_what_no_product_can_have_is_refused(changes: dict[str, float | str], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        read_grid(write(tmp_path / "a.fits", WHOLE | FORMS["CD"] | changes))


def test_an_image_of_another_field_is_refused(tmp_path: Path) -> None:
    here = write(tmp_path / "a.fits", WHOLE | FORMS["CD"] | {"CRVAL1": CENTER[0], "CRVAL2": CENTER[1]})
    check_overlap(read_grid(here), [frame("WF3", (80, 80))], "a.fits")
    there = write(tmp_path / "b.fits", WHOLE | FORMS["CD"] | {"CRVAL1": CENTER[0] + 1})
    with pytest.raises(DataError, match=r"b.fits: no exposure touches this image \(the nearest chip is [56]\d\."):
        check_overlap(read_grid(there), [frame("WF3", (80, 80))], "b.fits")


def test_a_reference_pixel_may_be_given_literally() -> None:
    settings = CombineSettings(ra=150.0, dec=2.0, nx=50, ny=30, crpix1=10.5, crpix2=-3.25)
    grid = common_grid([frame("WF3", (80, 80))], settings)
    assert tuple(grid.crpix) == (10.5, -3.25)
    np.testing.assert_allclose(grid.sky_to_pixel(150.0, 2.0), (9.5, -4.25), atol=1e-9)


def test_the_first_chip_may_set_the_direction() -> None:
    frames = [frame("PC", (80, 80), roll=33.0), frame("WF3", (80, 80))]
    grid = common_grid(frames, CombineSettings(orientation="first_chip"))
    assert grid.orientation() == pytest.approx(frames[0].orientation())
