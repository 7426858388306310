"""The smaller calls beside the incumbent's, on the same file: frames, corrections, alternates, drops."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

import oracle_names
from mizzle.drizzlepac import adrizzle, updatehdr, wcs_functions
from mizzle.drizzlepac.astrodrizzle import AstroDrizzle
from mizzle.drizzlepac.drizzle_parameters import TASK
from mizzle.drizzlepac.drizzle_settings import grid_of
from mizzle.model import Alignment
from mizzle.settings import Settings
from mizzle.stwcs.distortion.utils import output_wcs
from mizzle.stwcs.updatewcs import updatewcs
from mizzle.stwcs.wcsutil import HSTWCS, altwcs
from mizzle.translation.exposures import read_exposures, with_values
from mizzle.translation.grid import frames_of

pytestmark = pytest.mark.oracle

SHIFTS = {
    "turned": {"xsh": 5.0, "ysh": 3.0, "rot": 0.1, "scale": 1.001},
    "fitted": {"xsh": 5.0, "ysh": 3.0, "fit": [[1.001, 0.002], [-0.003, 0.999]]},
}
#: The incumbent's ways to a grid, by the parameters that are given.
GRIDS = {
    "scale": {"final_scale": 0.3},
    "turned": {"final_rot": 30.0, "final_scale": 0.3},
    "odd": {"final_rot": 0.0, "final_scale": 0.0881589},
    "sized": {"final_rot": 0.0, "final_scale": 0.2, "final_outnx": 500, "final_outny": 451},
    "placed": {"final_rot": 12.0, "final_scale": 0.2, "final_ra": 323.36, "final_dec": -0.83},
}


@pytest.fixture(scope="module")
def folder(archive, oracle_python, tmp_path_factory):
    """What the incumbent's calls made of one exposure."""
    folder = tmp_path_factory.mktemp("names")
    for kind in ("c0m", "c1m"):
        shutil.copy(archive / f"ua060502m_{kind}.fits", folder / f"a_{kind}.fits")
    before = Path.cwd()
    os.chdir(folder)
    try:
        updatewcs("a_c0m.fits", use_db=False)
        AstroDrizzle(
            "a_c0m.fits", output="frame.fits", final_wcs=True, final_scale=0.2, final_rot=20.0, skysub=False,
            driz_separate=False, driz_cr=False, final_bits="8,1024", runfile="",
        )  # fmt: skip
        os.rename("frame_sci.fits", "frame.fits")
        rng = np.random.default_rng(1)
        images = {"sci": rng.normal(10, 1, (50, 50)), "wht": rng.uniform(0.5, 1.5, (50, 50))}
        np.savez("image.npz", **{name: image.astype(np.float32) for name, image in images.items()})
        (folder / "shifts.json").write_text(json.dumps(SHIFTS))
        (folder / "grids.json").write_text(json.dumps(GRIDS))
        script = Path(oracle_names.__file__)
        subprocess.run(
            [oracle_python, "-W", "ignore", str(script), str(folder)], check=True, capture_output=True, timeout=1800
        )
    finally:
        os.chdir(before)
    return folder


def test_frames_have_the_same_size_and_corners(folder, monkeypatch):
    monkeypatch.chdir(folder)
    told = json.loads((folder / "names.json").read_text())
    with fits.open("a_c0m.fits") as hdus:
        chips = [HSTWCS(hdus, ext=number) for number in range(1, 5)]
    ours = {
        "all": output_wcs(chips),
        "two": output_wcs(chips[2:]),
        "of": output_wcs(chips, ref_wcs=chips[2]),
        "mosaic": wcs_functions.make_mosaic_wcs(["a_c0m.fits"]),
    }
    for name, wcs in ours.items():
        assert told[name][:2] == list(wcs.pixel_shape), name
        apart = (np.array(oracle_names.corners(wcs)) - told[name][2:]) * 3600.0 / wcs.pscale
        assert np.abs(apart).max() < 5e-4, name
    assert told["alternates"] == [altwcs.wcsnames("a_c0m.fits", ext=1), altwcs.next_wcskey("a_c0m.fits", 1)]


@pytest.mark.parametrize("name", GRIDS)
def test_grids_are_the_same_by_name_and_place(folder, name):
    told = json.loads((folder / "names.json").read_text())[name]
    exposures = read_exposures([folder / "a_c0m.fits"], with_values(Settings(), geometry={"wcs": "header"}))
    frames = frames_of(exposures, Alignment.identity(exposures))
    grid = grid_of(TASK.values({"final_wcs": True, **GRIDS[name]}), "final", frames)
    assert told[:2] == [grid.shape[1], grid.shape[0]]
    np.testing.assert_allclose(told[2:4], grid.crpix, atol=3e-4)
    np.testing.assert_allclose(told[4:6], grid.crval, atol=2e-8)
    assert told[6] == pytest.approx(grid.orientation(), abs=1e-5)


@pytest.mark.parametrize("name", SHIFTS)
def test_a_correction_puts_the_pixels_where_the_incumbent_puts_them(folder, name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    shutil.copy(folder / "a_c0m.fits", "mine_c0m.fits")
    shutil.copy(folder / "a_c1m.fits", "mine_c1m.fits")
    updatehdr.updatewcs_with_shift("mine_c0m.fits", folder / "frame.fits", wcsname="X", **SHIFTS[name])
    frame = HSTWCS(str(folder / "frame.fits"))
    for number in range(1, 5):
        x, y = np.array([1.0, 400.0, 800.0, 100.0]), np.array([1.0, 400.0, 100.0, 800.0])
        mine, theirs = (
            np.array(frame.all_world2pix(*HSTWCS(f"{path}[{number}]").all_pix2world(x, y, 1), 1))
            for path in ("mine_c0m.fits", folder / f"{name}_c0m.fits")
        )
        np.testing.assert_allclose(mine, theirs, atol=2e-6)


@pytest.mark.filterwarnings("ignore:Kernel 'gaussian'")
def test_images_dropped_from_memory_are_the_same(folder):
    images, theirs = np.load(folder / "image.npz"), np.load(folder / "dropped.npz")
    header = fits.getheader(folder / "frame.fits")
    for kernel in ("square", "point", "turbo", "gaussian"):
        sci, wht, ctx = (np.zeros((90, 90), kind) for kind in (np.float32, np.float32, np.int32))
        for number, factor in enumerate((1, 2), 1):
            source, target = (oracle_names.plain(header, side, n) for side, n in ((0.1, 50), (0.06, 90)))
            adrizzle.do_driz(
                images["sci"] * np.float32(factor), source, images["wht"], target, sci, wht, ctx, 1.0, "cps",
                float(number), wcslin_pscale=0.1, uniqid=number, pixfrac=0.8, kernel=kernel, fillval="-1",
            )  # fmt: skip
        for name, image, tolerance in (("sci", sci, 5e-6), ("wht", wht, 2e-6), ("ctx", ctx, 0)):
            np.testing.assert_allclose(image, theirs[f"{kernel} {name}"], atol=tolerance, err_msg=f"{kernel} {name}")
