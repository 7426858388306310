"""A product on the grid of another image has its shape and its WCS, to the last digit."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from mizzle.errors import DataError, InputError
from mizzle.geometry.grid import check_overlap, common_grid
from mizzle.geometry.mapping import chip_map
from mizzle.io.grid_image import read_grid
from mizzle.io.header_cards import grid_cards, make_header
from mizzle.model import Serial
from mizzle.settings import load_settings
from mizzle.settings.combine import CombineSettings
from mizzle.steps.combine import combine
from tiny_visit import CENTER, exposure, frame, no_rays, solutions

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
        ({"CTYPE1": "RA---XXX", "CTYPE2": "DEC--XXX"}, "RA---XXX DEC--XXX"),
        ({"CTYPE1": "RA---SIN", "CTYPE2": "DEC--TAN"}, "none that astropy understands"),
        ({"CTYPE1": "FREQ", "CTYPE2": "STOKES"}, "not on the sky"),
        ({"CTYPE1": "RA---AIT", "CTYPE2": "DEC--AIT", "CRPIX1": 2e7}, "at no place of the sky"),
        ({"D2IMDIS1": "LOOKUP"}, "lookup tables"),
        ({"CTYPE1": "", "CTYPE2": ""}, "no two-dimensional image"),
        ({"CD1_1": 0.0, "CD2_2": 0.0, "CD1_2": 0.0}, "arcsec wide"),
        ({"CRVAL1": "north"}, "CRVAL1 is 'north'"),
    ],
)
def test_what_no_product_can_have_is_refused(changes: dict[str, float | str], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        read_grid(write(tmp_path / "a.fits", WHOLE | FORMS["CD"] | changes))


SIP = {"A_ORDER": 3, "B_ORDER": 2, "A_2_0": 2e-5, "A_1_1": 3e-5, "A_0_3": 1e-7, "B_0_2": -4e-5, "B_1_1": 1e-5}
#: Projections whose reference point is in the field, or far from it.
PROJECTIONS: dict[str, dict[str, float | str]] = {
    "SIN": {}, "ARC": {}, "STG": {}, "ZEA": {}, "TAN turned": {"LONPOLE": 150.0},
    "SIN slant": {"PV2_1": 0.01, "PV2_2": -0.02}, "ZPN": {"PV2_1": 1.0, "PV2_3": 20.0},
    "CAR": {}, "CAR far": {"CRVAL2": 0.0, "CRPIX2": -2900.0}, "CEA far": {"CRVAL2": 0.0, "CRPIX2": -2900.0},
    "SFL": {"CRVAL1": 150.1, "CRVAL2": 0.0, "CRPIX2": -2900.0}, "AIT": {"CRVAL2": 0.0, "CRPIX2": -2900.0},
    "TAN-SIP": SIP, "SIN-SIP": SIP, "TPV": {"PV1_0": 0.0, "PV1_1": 1.0, "PV1_4": 3.0, "PV2_1": 1.0, "PV2_5": -2.0},
    "TAN of 1950": {"RADESYS": "FK4", "EQUINOX": 1950.0, "CRVAL1": 149.358, "CRVAL2": 2.2408},
    "TAN galactic": {"CRVAL1": 236.8107, "CRVAL2": 42.1195},
}  # fmt: skip


def projected(name: str) -> dict[str, float | str]:
    """Return the cards of a projection; numbers have more digits than astropy writes."""
    tail = name.split()[0]
    sky = ("GLON", "GLAT") if "galactic" in name else ("RA--", "DEC-")
    cards = WHOLE | FORMS["CD"] | {"CRPIX1": 30.0, "CRPIX2": 20.0}
    axes = {f"CTYPE{i}": f"{axis}-{tail}" for i, axis in enumerate(sky, start=1)}
    return {**cards, **axes, **PROJECTIONS[name]}


@pytest.mark.parametrize("name", PROJECTIONS)
def test_any_projection_that_astropy_knows_will_do(name: str, tmp_path: Path) -> None:
    """The grid is where astropy puts the image, and a chip's fitted map agrees with that to a thousandth of a pixel."""
    cards = projected(name)
    grid = read_grid(write(tmp_path / "a.fits", cards))
    wcs = WCS(fits.Header(cards))
    x, y = np.array([0.0, 59.0, 12.3, 30.0]), np.array([0.0, 39.0, -7.0, 20.0])
    there = wcs.pixel_to_world(x, y).icrs
    ra, dec = grid.pixel_to_sky(x, y)
    np.testing.assert_allclose(ra, there.ra.deg, atol=1e-9)
    np.testing.assert_allclose(dec, there.dec.deg, atol=1e-9)
    back = grid.sky_to_pixel(ra, dec)
    np.testing.assert_allclose(back, (x, y), atol=2e-4)  # wcslib near a pole
    assert grid.scale == pytest.approx(3600 * np.sqrt(wcs.proj_plane_pixel_area().value), rel=0.05)
    chip = replace(frame("WF3", (60, 60), roll=20.0), crval=np.array(grid.center))
    fitted = chip_map(chip, grid)
    px, py = np.random.default_rng(1).uniform(0.0, 59.0, (2, 50))
    np.testing.assert_allclose(fitted.at(px, py), grid.sky_to_pixel(*chip.pixel_to_sky(px, py)), atol=1e-3)
    assert pickle.loads(pickle.dumps(grid)) == grid


def test_the_product_has_the_cards_to_the_last_digit(tmp_path: Path) -> None:
    header = fits.Header(projected("TAN-SIP"))
    long = "CD1_1   = -2.2345678901234567890E-05 / more digits than a double".ljust(80)
    header["CD1_1"] = 0.0
    text = header.tostring().replace(header.cards["CD1_1"].image, long)
    path = tmp_path / "a.fits"
    fits.PrimaryHDU(np.zeros((40, 60), np.float32), fits.Header.fromstring(text)).writeto(path)
    made = make_header(grid_cards(read_grid(path)))
    wanted = list(fits.Header.fromstring(text).cards)
    assert [made.cards[card.keyword].image for card in wanted] == [card.image for card in wanted]
    assert made.cards["CD1_1"].image == long


@pytest.mark.parametrize("name", ["TAN-SIP", "CAR far", "SIN"])
def test_the_sum_over_a_star_is_its_flux_wherever_it_lies(name: str, tmp_path: Path) -> None:
    """Pixels of a distorted image differ in area, by 4 per cent here: what lies on them must not."""
    grid = read_grid(write(tmp_path / "a.fits", projected(name), shape=(150, 150)))
    fluxes, offsets = [], []
    for place in ((20.0, 25.0), (75.0, 80.0), (125.0, 120.0)):
        ra, dec = (float(v) for v in grid.pixel_to_sky(*place))
        chip = replace(frame("WF3", (61, 61)), crval=np.array([ra, dec]))
        y, x = np.mgrid[:61, :61]
        star = 1e4 * np.exp(-((x - 30.0) ** 2 + (y - 30.0) ** 2) / 2 / 1.5**2)
        exposures = [exposure(0, {"WF3": (star.astype(np.float32), np.zeros((61, 61), int), chip)})]
        alignment, scales, sky = solutions(exposures)
        mosaic = combine(
            exposures,
            alignment,
            scales,
            sky=sky,
            cosmic_rays=no_rays(),
            grid=grid,
            settings=load_settings(),
            runner=Serial(),
        )
        sci = np.nan_to_num(mosaic.sci)
        fluxes.append(sci.sum() * 500.0 / star.sum())
        rows, columns = np.indices(sci.shape)
        offsets.append(((sci * columns).sum() / sci.sum() - place[0], (sci * rows).sum() / sci.sum() - place[1]))
    np.testing.assert_allclose(fluxes, 1.0, atol=2e-3)
    np.testing.assert_allclose(offsets, 0.0, atol=0.02)


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
