"""The notebook's calls beside the incumbent's, on the same files: grid, pixels, aligned WCS, star fluxes."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import warnings
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from mizzle.drizzlepac.astrodrizzle import AstroDrizzle
from mizzle.drizzlepac.photeq import photeq
from mizzle.drizzlepac.tweakreg import TweakReg
from mizzle.drizzlepac.wfpc2Data import WFPC2_GAINS
from mizzle.stwcs.updatewcs import updatewcs
from mizzle.translation.parameters import TranslationWarning

pytestmark = [
    pytest.mark.oracle,
    pytest.mark.data,
    pytest.mark.filterwarnings("ignore::astropy.wcs.FITSFixedWarning"),
]

GRID = {"final_ra": 323.359, "final_dec": -0.831, "final_outnx": 1600, "final_outny": 1600}
ROOTS = ("ua060502m", "ua060504m", "ua060506m")


@pytest.fixture(scope="module")
def both(archive, oracle_python, data_dir, tmp_path_factory):
    """Folders with what the incumbent and mizzle made of the same three exposures."""
    old, new, tables = (tmp_path_factory.mktemp(name) for name in ("old", "new", "tables"))
    for path in archive.glob("*.fits"):
        for folder in (old, new):
            shutil.copy(path, folder)
    for path in (data_dir / "reference").iterdir():
        if path.name.endswith(".fits.gz"):
            (tables / path.name[:-3]).write_bytes(gzip.decompress(path.read_bytes()))
        elif path.suffix == ".fits":
            shutil.copy(path, tables)
    script = Path(__file__).with_name("oracle_calls.py")
    subprocess.run(
        [oracle_python, "-W", "ignore", str(script), str(old), str(tables), json.dumps(GRID)],
        check=True, capture_output=True, timeout=1800,
    )  # fmt: skip
    before = Path.cwd()
    os.chdir(new)
    try:
        with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
            warnings.simplefilter("ignore", TranslationWarning)
            patch.setenv("ASTROMETRY_STEP_CONTROL", "off")
            patch.setenv("uref", f"{tables}/")
            updatewcs("ua*c0m.fits", use_db=False)
            TweakReg("ua*c0m.fits", updatehdr=True, reusename=True, clean=True, residplot="NO plot")
            photeq("ua*_c0m.fits", ref_phot_ext=3, readonly=False)
            AstroDrizzle(
                "ua*c0m.fits", output="both", clean=True, skysub=False, static=False, median=False, blot=False,
                driz_cr=False, driz_separate=False, final_bits="8,1024", final_wcs=True, final_scale=0.0996,
                final_rot=0.0, **GRID,
            )  # fmt: skip
    finally:
        os.chdir(before)
    return old, new


def test_the_grid_is_the_same(both):
    old, new = (WCS(fits.getheader(folder / "both_drw_sci.fits")) for folder in both)
    assert old.pixel_shape == new.pixel_shape
    x, y = np.meshgrid([0.0, 800.0, 1599.0], [0.0, 800.0, 1599.0])
    there = new.all_world2pix(*old.all_pix2world(x, y, 0), 0)
    assert np.abs(np.array(there) - [x, y]).max() < 1e-6


def test_equalized_pixels_are_the_same(both):
    for root in ROOTS:
        for chip in range(1, 5):
            old, new = (fits.getdata(folder / f"{root}_c0m.fits", chip) for folder in both)
            np.testing.assert_allclose(new, old, rtol=1e-6, atol=1e-6)


def places(path: Path) -> np.ndarray:
    """Sky of a grid of pixels of all chips, the row term left out: it differs on purpose [deg]."""
    found = []
    for chip in range(1, 5):
        header = fits.getheader(path, chip)
        for key in [key for key in header if key.startswith(("D2IM", "AXISCORR", "CPDIS", "CPERR", "D2IMERR"))]:
            header.remove(key, ignore_missing=True, remove_all=True)
        x, y = np.meshgrid(np.arange(60, 800, 100.0), np.arange(60, 800, 100.0))
        found.append(np.array(WCS(header).all_pix2world(x.ravel(), y.ravel(), 0)))
    return np.concatenate(found, axis=1)


def test_aligned_wcs_agree_after_one_shift(both):
    """One shift for all: which exposure stays where it is, is a choice. Then 1 mas."""
    apart = []
    for root in ROOTS:
        old, new = (places(folder / f"{root}_c0m.fits") for folder in both)
        apart.append((new - old) * 3.6e6 * np.array([[np.cos(np.deg2rad(old[1].mean()))], [1.0]]))
    common = np.mean([part.mean(axis=1) for part in apart], axis=0)
    for part in apart:
        rest = part - common[:, None]
        assert np.hypot(*rest).mean() < 1.0, rest.mean(axis=1)


def aperture(image: np.ndarray, x: float, y: float, radius: float = 5.0) -> float:
    """Sum within a radius, the median of a ring taken off; not a number where pixels are missing."""
    i, j = round(x), round(y)
    if not (20 < i < image.shape[1] - 20 and 20 < j < image.shape[0] - 20):
        return float("nan")
    part = image[j - 14 : j + 15, i - 14 : i + 15]
    away = np.hypot(*(np.mgrid[j - 14 : j + 15, i - 14 : i + 15] - np.array([[[y]], [[x]]])))
    near, ring = away <= radius, (away > 8) & (away < 14)
    return float(part[near].sum() - np.nanmedian(part[ring]) * near.sum())


def test_stars_on_wf2_and_wf4_agree_once_the_gain_fault_is_divided_out(both):
    """Flux here over flux there, its gain fault divided out, and its 500 s: 1 on all chips."""
    old, new = (fits.getdata(folder / "both_drw_sci.fits") for folder in both)
    context = fits.getdata(both[1] / "both_drw_ctx.fits")
    bright = np.argwhere(new[20:-20, 20:-20] > np.nanpercentile(new, 99.7)) + 20
    ratios: dict[int, list[float]] = {2: [], 3: [], 4: []}
    for j, i in bright:
        part = new[j - 6 : j + 7, i - 6 : i + 7]
        if new[j, i] < np.nanmax(part):
            continue
        chips = {bit % 4 + 1 for bit in range(12) if int(context[j, i]) >> bit & 1}
        weights = np.clip(np.nan_to_num(part), 0, None)
        dy, dx = (np.mgrid[-6:7, -6:7] * weights).sum(axis=(1, 2)) / weights.sum()
        here, there = (aperture(image, i + dx, j + dy) for image in (new, old))
        if len(chips) == 1 and (chip := chips.pop()) in ratios and np.isfinite(here / there):
            fault = WFPC2_GAINS[chip][7][0] / WFPC2_GAINS[4][7][0]
            ratios[chip].append(here / there * fault * 500.0)
    medians = {chip: float(np.median(values)) for chip, values in ratios.items()}
    assert min(len(values) for values in ratios.values()) > 20, {chip: len(v) for chip, v in ratios.items()}
    assert medians == pytest.approx({2: 1.0, 3: 1.0, 4: 1.0}, abs=0.005)
