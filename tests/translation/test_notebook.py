"""The notebook, both editions, every call in order, on a simulated visit and local services."""

from __future__ import annotations

import os
import stat
import sys
import warnings

import numpy as np
import pytest
from astropy.io import fits

import mizzle
import notebook_cells as cells
from local_services import CRDS_COMMAND, Observations, serve
from mizzle.drizzlepac.drizzle_parameters import TASK
from mizzle.drizzlepac.drizzle_settings import settings_of
from mizzle.translation.parameters import TranslationWarning

CHIPS = ("PC", "WF2", "WF3", "WF4")


@pytest.fixture
def service(archive):
    with serve(archive) as url:
        yield url


@pytest.fixture
def command(tmp_path_factory, monkeypatch):
    """A crds command that asks the local service."""
    folder = tmp_path_factory.mktemp("bin")
    script = folder / "crds"
    script.write_text(f"#!{sys.executable}\n{CRDS_COMMAND}")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    for name in ("CRDS_SERVER_URL", "CRDS_PATH", "uref"):
        monkeypatch.setenv(name, "")


@pytest.mark.parametrize("edition", [2018, 2023])
def test_the_notebook_runs(edition, service, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASTROMETRY_STEP_CONTROL", "on")
    monkeypatch.setenv("ASTROMETRY_SERVICE_URL", service)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TranslationWarning)
        cells.download(Observations(service))
        originals = {path.name: path.read_bytes() for path in tmp_path.glob("ua*.fits")}
        cells.references(service, edition)
        cells.prepare()
        cells.align()
        cells.equalize()
        inputs = {path.name: path.read_bytes() for path in tmp_path.glob("ua*.fits")}
        result = cells.drizzle(edition)
        name = "final_drz_sci.fits" if edition == 2018 else "final_drw_sci.fits"
        assert cells.figure([name], -0.1, 0.5)
        cells.simulate(edition)
        plain, equalized = cells.drizzle_simulated()
        assert cells.figure(["nonequalized_sci.fits", "equalized_sci.fits"], 0.88, 1.08)

    # What was opened afterwards is there, and what was there before is kept.
    for path, content in originals.items():
        assert (tmp_path / "OrIg_files" / path).read_bytes() == content
    assert "REFERENCE 'PHOTFLAM' VALUE IS: " in (tmp_path / "photeq.log").read_text()

    # The mosaic is the one that mizzle makes of the same files with the same settings, to the last bit.
    other = tmp_path / "same"
    other.mkdir()
    for path, content in inputs.items():
        (other / path).write_bytes(content)
    given = {
        "driz_sep_bits": "8,1024", "combine_type": "median", "driz_cr_snr": "5.5 3.5", "driz_cr_scale": "2.0 1.5",
        "final_bits": "8,1024", "skysub": edition == 2018,
    }  # fmt: skip
    settings = settings_of(TASK.values(given))
    exposures = [mizzle.read_exposure(path, settings) for path in sorted(other.glob("ua*c0m.fits"))]
    grid = result.mosaics["F814W"].grid
    again = mizzle.process(exposures, settings, mizzle.pipeline.UserInputs(grid=grid)).mosaics["F814W"]
    np.testing.assert_array_equal(fits.getdata("final_drw_sci.fits"), again.sci)
    np.testing.assert_array_equal(fits.getdata("final_drw_wht.fits"), again.wht)

    # Blank sky: chips differ by their PHOTFLAM before, and not after.
    levels = [_chip_levels(mosaic) for mosaic in (plain.mosaics["F814W"], equalized.mosaics["F814W"])]
    spread = [(max(values) - min(values)) / np.mean(values) for values in levels]
    assert spread[0] > 0.015
    gains = [cells.WFPC2_GAINS[i][7][0] for i in (1, 2, 3, 4)]
    true = np.array(levels[1]) * gains  # the simulation divides by the gain once more, which it should not
    # The notebook's noise has no seed: a chip's level scatters by .0005, and the PC's by more. Before it is 1.5 %.
    assert np.ptp(true) / true.mean() < 4e-3


def _chip_levels(mosaic):
    """Median of the pixels that one chip alone filled."""
    return [float(np.median(mosaic.sci[(mosaic.ctx == 1 << bit) & (mosaic.wht > 0)])) for bit in range(4)]
