"""What is written: units, separate files, a catalog alone, and runs that stop after a step."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from combine_tools import blank_stack, drizzled
from mizzle.errors import SettingsError
from mizzle.io.product_names import product_files
from mizzle.io.products import write_mosaic, write_separate
from mizzle.io.saved import read_planes
from mizzle.model import Zeropoint
from mizzle.pipeline import run
from mizzle.report import rebuild
from mizzle.settings import load_settings
from mizzle.simulate import make_plan, visit, write_visit


@pytest.fixture(scope="module")
def made():
    exposures = blank_stack("WF3", (40, 44))
    return exposures, drizzled(exposures)


class TestUnits:
    def write(self, made, folder, units):
        exposures, mosaic = made
        path = folder / f"{units}.fits"
        return write_mosaic(path, mosaic, exposures, zeropoint=Zeropoint(mosaic.reference, {}), units=units)

    @pytest.mark.parametrize("units", ["rate", "counts", "electrons"])
    def test_flux_density_is_the_same_in_any_unit(self, made, tmp_path, units):
        _, mosaic = made
        with fits.open(self.write(made, tmp_path, units)) as hdus:
            header, first = hdus["SCI"].header, hdus[0].header
            unit = {"rate": "COUNTS/S", "counts": "COUNTS", "electrons": "ELECTRONS"}[units]
            assert {first["BUNIT"], header["BUNIT"], hdus["ERR"].header["BUNIT"]} == {unit}
            seconds = 1.0 if units == "rate" else first["EXPTIME"]
            density = hdus["SCI"].data * (header["PHOTFLAM"] / seconds)
            np.testing.assert_allclose(density, mosaic.sci * mosaic.photflam, rtol=1e-6)
            electrons = hdus["SCI"].data * first["GAIN"]
            np.testing.assert_allclose(electrons, mosaic.sci * mosaic.exptime * mosaic.reference.gain, rtol=1e-6)
            np.testing.assert_allclose(hdus["ERR"].data / hdus["SCI"].data, mosaic.err / mosaic.sci, rtol=1e-5)
            np.testing.assert_array_equal(hdus["WHT"].data, mosaic.wht)
            assert first["ZPFLAM"] == mosaic.photflam

    @pytest.mark.parametrize("units", ["rate", "counts", "electrons"])
    def test_a_page_drawn_again_shows_rates(self, made, tmp_path, units):
        planes = read_planes(self.write(made, tmp_path, units))
        np.testing.assert_allclose(planes["sci"], made[1].sci, rtol=1e-6)


def test_separate_files_hold_what_the_product_holds(made, tmp_path):
    exposures, mosaic = made
    proof = Zeropoint(mosaic.reference, {})
    whole = write_mosaic(tmp_path / "a_drz.fits", mosaic, exposures, zeropoint=proof, units="counts")
    paths = write_separate(tmp_path, "a", mosaic, exposures=exposures, zeropoint=proof, units="counts")
    assert [path.name for path in paths] == [f"a_drz_{name}.fits" for name in ("sci", "err", "wht", "ctx")]
    with fits.open(whole) as hdus:
        for path, name in zip(paths, ("SCI", "ERR", "WHT", "CTX"), strict=True):
            with fits.open(path) as single:
                single.verify("exception")
                assert len(single) == 1
                np.testing.assert_array_equal(single[0].data, hdus[name].data)
                assert single[0].header.get("BUNIT") == hdus[name].header.get("BUNIT")
                for key in ("EXPTIME", "GAIN", "ZPREF"):
                    assert single[0].header[key] == hdus[0].header[key]
                assert single[0].header["CRVAL1"] == hdus[name].header["CRVAL1"]


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("in")
    write_visit(visit(make_plan(n=1, density=20.0, seed=6)), folder)
    return folder


QUIET = ("report.page=false", "output.image=false")


def go(files: Path, out: Path, *assignments: str):
    settings = load_settings("", [*QUIET, *assignments])
    return run([files], out, name="x", settings=settings, workers=2), settings


@pytest.mark.parametrize("step", ["align", "equalize", "sky", "reject", "combine"])
def test_a_run_stops_where_it_is_told(files, tmp_path, step):
    _, settings = go(files, tmp_path, f"output.until={step}", "output.exposures=true")
    names = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert names == set(product_files("x", ["F814W"], ["ua060502m"], settings=settings))
    assert ("x_drz.fits" in names) == (step == "combine")
    steps = ["align", "equalize", "sky", "reject", "combine", "catalog", "verify"]
    report = json.loads((tmp_path / "x_report.json").read_text())
    done = set(report["timing"]) & set(steps)
    if step == "align":
        done.discard("equalize")  # headers alone; its factors are not used
    assert done == set(steps[: steps.index(step) + 1])
    assert report["alignment"]["exposures"]["ua060502m"]["verdict"] == "NONE"
    assert "zeropoint" not in report["parts"]
    assert (report["cosmic_rays"] != {}) == (step in ("reject", "combine"))
    with fits.open(tmp_path / "exposures" / "ua060502m_flt.fits") as hdus:
        factors = [hdus["SCI", k].header["FLUXSCAL"] for k in (1, 2, 3, 4)]
        assert (factors == [1.0] * 4) == (step == "align")
        assert ("MDRIZSKY" in hdus["SCI", 3].header) == (step not in ("align", "equalize"))
        assert bool((hdus["DQ", 3].data & 4096).any()) == (step in ("reject", "combine"))
    with pytest.raises(SettingsError, match=r"output\.until"):
        rebuild(tmp_path)


def test_a_step_that_is_none_is_refused():
    with pytest.raises(SettingsError, match=r"output\.until"):
        load_settings("", ["output.until=polish"])


def test_a_catalog_alone(files, tmp_path):
    result, _ = go(files, tmp_path, "output.mosaic=false")
    assert {path.name for path in tmp_path.iterdir()} == {"x_cat.ecsv", "x_report.json", "x_settings.toml"}
    assert len(result.catalogs["F814W"]) > 0
    with pytest.raises(SettingsError, match=r"output\.mosaic"):
        rebuild(tmp_path)


def test_separate_files_of_a_run(files, tmp_path):
    result, settings = go(files, tmp_path, "output.separate=true", "output.units=electrons", "output.catalog=false")
    names = {path.name for path in tmp_path.iterdir()}
    assert names == set(product_files("x", ["F814W"], ["ua060502m"], settings=settings))
    assert "x_drz_wht.fits" in names
    assert set(map(str, (Path(f).name for f in result.files))) == names
