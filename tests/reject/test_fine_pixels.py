"""A single real exposure on fine pixels: ACS/HRC, 47 Tuc, 60 s, stars everywhere."""

from __future__ import annotations

import re

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

import mizzle
from mizzle.steps.reject.single import FINE_SIDE

KEPT = re.compile(r"(CRVAL|CRPIX|CD\d_|CTYPE|A_|B_|IDCSCALE|WCSNAME|RADESYS|LTV|LTM)")


@pytest.fixture(scope="module")
def real(data_dir, tmp_path_factory):
    """The exposure with the distortion that a later header of it has."""
    path = tmp_path_factory.mktemp("hrc") / "j8bt06nyq_flt.fits"
    folder = data_dir / "cameras"
    with fits.open(folder / "j8bt06nyq_flt.fits.gz") as units, fits.open(folder / "j8bt06nyq_sip_flt.fits") as later:
        for key, value in later["SCI", 1].header.items():
            if KEPT.match(key):
                units["SCI", 1].header[key] = value
        units.writeto(path)
    return path, mizzle.run([path], settings=mizzle.load_settings("", ["output.until=reject"]), workers=1)


def bright_stars(sci, bad):
    """Places of peaks that have the round core of a star: each neighbor holds .2 to .75 of the light."""
    ny, nx = sci.shape
    inner = sci[8:-8, 8:-8]
    around = [sci[8 + dy : ny - 8 + dy, 8 + dx : nx - 8 + dx] for dy in range(-4, 5) for dx in range(-4, 5) if dy or dx]
    top = (inner > 2000) & (inner < 60_000) & np.all([inner > other for other in around], axis=0)
    rows, columns = np.nonzero(top)
    rows, columns = rows + 8, columns + 8
    near = np.array(
        [sci[rows + dy, columns + dx] / sci[rows, columns] for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0))]
    )
    star = (near > 0.2).all(axis=0) & (near < 0.75).all(axis=0) & ~bad[rows, columns]
    return rows[star], columns[star]


@pytest.mark.data
def test_rays_are_as_many_as_the_time_explains_and_no_star_is_one(real):
    _, result = real
    (exposure,) = result.exposures
    chip = exposure.chips["HRC"]
    assert chip.frame.reference_side < FINE_SIDE
    mask = result.cosmic_rays.mask(exposure.root, "HRC", chip.shape)
    bad = (chip.dq & ~np.uint16(64)) != 0
    # 1.5 to 3 % of the pixels in 1000 s.
    assert 0.0005 < mask[~bad].mean() < 0.003
    rows, columns = bright_stars(np.asarray(chip.sci, float) - np.median(chip.sci), bad)
    assert len(rows) > 500
    assert mask[rows, columns].mean() < 0.005
    assert not [finding for finding in result.findings if "more than twice" in finding.sentence]


@pytest.mark.data
def test_its_pixels_stand_where_astropy_has_them(real):
    path, result = real
    frame = result.exposures[0].chips["HRC"].frame
    with fits.open(path) as units:
        wcs = WCS(units["SCI", 1].header, units)
    x, y = np.random.default_rng(0).uniform(-0.5, 1023.5, (2, 20_000))
    np.testing.assert_allclose(frame.sky_to_pixel(*wcs.all_pix2world(x, y, 0)), [x, y], rtol=0, atol=1e-6)
