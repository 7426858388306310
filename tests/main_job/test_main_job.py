"""The main job, end to end, on simulated files: what the outside relies on."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from PIL import Image

import mizzle
from folders import entries_now
from mizzle.cli import main
from mizzle.io.atomic import write_text
from mizzle.io.run_id import run_id_of
from mizzle.kernel import backend
from mizzle.simulate import visit, write_visit
from mizzle.simulate.plan import make_plan

FAST = ["--set", "report.page=false", "--set", "output.image=false"]


def digests(folder: Path) -> dict[str, str]:
    """Hash every file of a folder."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def command(*arguments: object) -> int:
    """Run the command line in this process; return its exit code."""
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    return int(stop.value.code or 0)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three exposures of one field."""
    folder = tmp_path_factory.mktemp("visit")
    write_visit(visit(make_plan(n=3, seed=11)), folder)
    return folder


@pytest.fixture(scope="module")
def products(files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The full product set of these exposures; the inputs are proven untouched."""
    folder = tmp_path_factory.mktemp("out")
    before = digests(files)
    assert command("run", files, "-o", folder, "--name", "m2", "-q", "--set", "output.exposures=true") == 0
    assert digests(files) == before
    return folder


@pytest.mark.skipif(backend() == "reference", reason="what is imported is the same, and a run takes a minute")
def test_a_run_imports_no_library_that_it_can_do_without(files: Path, tmp_path: Path) -> None:
    """A quarter of a second each: astropy reads what is odd, and compresses; others only look at what was made."""
    code = f"import sys, mizzle\nmizzle.run([{str(files)!r}], {str(tmp_path / 'out')!r}, workers=4)\n"
    code += "print(*{'astropy', 'scipy', 'matplotlib', 'dask', 'httpx', 'jinja2', 'PIL'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, [], "")


def test_products_are_as_astropy_would_write_them(products: Path, tmp_path: Path) -> None:
    """Header by header, byte by byte, comments included; built anew, for astropy copies what it has not touched."""
    path = products / "m2_drz.fits"
    with fits.open(path) as hdus:
        hdus.verify("exception")
        made = [fits.PrimaryHDU(header=hdus[0].header)]
        made += [fits.ImageHDU(hdu.data, hdu.header) for hdu in hdus[1:5]]
        fits.HDUList([*made, fits.BinTableHDU(hdus[5].data, hdus[5].header)]).writeto(tmp_path / "again.fits")
    assert (tmp_path / "again.fits").read_bytes() == path.read_bytes()


def test_the_product_set_is_complete(products: Path) -> None:
    names = {str(path.relative_to(products)) for path in products.rglob("*") if path.is_file()}
    roots = {"ua060502m", "ua060504m", "ua060506m"}
    assert {name for name in names if name.startswith("m2")} == {
        f"m2{ending}" for ending in ("_drz.fits", "_cat.ecsv", ".png", "_report.html", "_report.json", "_settings.toml")
    }
    assert {name for name in names if name.startswith("exposures")} == {
        f"exposures/{root}_flt.{ending}" for root in roots for ending in ("fits", "head")
    }
    assert len(names) == 12


def test_every_file_carries_the_word_of_its_run(products: Path, files: Path, tmp_path: Path) -> None:
    report = json.loads((products / "m2_report.json").read_text())
    written = [path for path in products.rglob("*") if path.is_file()]
    assert {run_id_of(path) for path in written} == {report["RUNID"]}
    assert set(report["files"]) == {str(path.relative_to(products)) for path in written}
    assert fits.getheader(products / "m2_drz.fits")["RUNID"] == report["RUNID"]
    assert Table.read(products / "m2_cat.ecsv").meta["RUNID"] == report["RUNID"]
    assert Image.open(products / "m2.png").text["RUNID"] == report["RUNID"]
    assert report["RUNID"] in (products / "m2_report.html").read_text()


def test_no_input_and_no_named_file_is_written_over(
    products: Path, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stand = {path: path.read_bytes() for path in products.rglob("*") if path.is_file()}
    flt = products / "exposures" / "ua060502m_flt.fits"
    for arguments in (
        ("run", flt, "--name", "x", "--set", "output.exposures=true"),
        ("run", files, "--name", "m2", "-c", products / "m2_settings.toml"),
        ("run", files, "--name", "m2", "--set", f'align.image="{products / "m2_drz.fits"}"'),
        ("plan", files, "--name", "m2", "--set", f'align.catalog="{products / "m2_cat.ecsv"}"'),
        ("plan", files, "--name", "a/b"),
    ):
        assert command(*arguments, "-o", products) == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert len(said.err.splitlines()[-1]) < 1000
    assert {path: path.read_bytes() for path in products.rglob("*") if path.is_file()} == stand


def test_a_set_left_mixed_is_said_and_made_whole(
    files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["run", files, "-o", tmp_path, "--name", "x", "-q", "--strict", *FAST]
    assert command(*arguments) == 0
    write_text(tmp_path / "x_cat.ecsv", "# RUNID 20260101T000000Z-01234567\n")
    capsys.readouterr()
    assert command(*arguments) == 0
    assert "several runs stand side by side" in capsys.readouterr().err
    assert command(*arguments, "--set", "output.catalog=false") == 5  # the catalog that stands there is of another run
    assert "x_cat.ecsv: of another run" in capsys.readouterr().err
    assert command("report", tmp_path) == 3


def test_the_mosaic_says_what_it_is(products: Path) -> None:
    with fits.open(products / "m2_drz.fits") as hdus:
        hdus.verify("exception")
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "SCI", "ERR", "WHT", "CTX", "HDRTAB"]
        sci, err, wht, ctx = (hdus[name].data for name in ("SCI", "ERR", "WHT", "CTX"))
        assert (sci.dtype.kind, err.dtype.kind, wht.dtype.kind, ctx.dtype.kind) == ("f", "f", "f", "i")
        np.testing.assert_array_equal(np.isnan(sci), wht == 0)
        np.testing.assert_array_equal(np.isnan(err), wht == 0)
        np.testing.assert_array_equal(ctx == 0, wht == 0)
        primary, science = hdus[0].header, hdus["SCI"].header
        assert science["BUNIT"] == "COUNTS/S"
        assert science["PHOTFLAM"] == primary["ZPFLAM"] == 2.449067e-18
        assert primary["ZPREF"] == "WF3"
        assert primary["EXPTIME"] == primary["TEXPTIME"] == 1500.0
        assert primary["NDRIZIM"] == len(hdus["HDRTAB"].data) == 12
        assert primary["GAIN"] == pytest.approx(6.9 * 1500)
        for key in (
            "EXPSTART EXPEND DATE-OBS FILTNAM1 FILTNAM2 TELESCOP INSTRUME TARGNAME ROOTNAME RDNOISE ZPVERIF ERRCORR1"
        ).split():
            assert key in primary
        for key in ("DATA", "DEXP", "SCAL", "KERN", "PIXF", "WTSC"):
            assert f"D012{key}" in primary
        assert primary["CRRATE"] == pytest.approx(0.01)
        for name in ("ERR", "WHT", "CTX"):
            assert WCS(hdus[name].header).wcs.compare(WCS(science).wcs)
        assert science["CTYPE1"] == "RA---TAN"
        assert "ORIENTAT" in science
        full = wht[(ctx & (ctx - 1)) == 0]  # one chip alone
        assert np.median(full[full > 0]) == pytest.approx(500, rel=0.05)


def test_the_catalog_has_its_columns_and_units(products: Path) -> None:
    table = Table.read(products / "m2_cat.ecsv")
    wanted = "ra dec x y flux flux_err mag_st mag_ab mag_vega mag_err cte sky chip n_exp flags".split()
    assert [name for name in table.colnames if name in wanted] == wanted
    assert len(table) > 200
    with fits.open(products / "m2_drz.fits") as hdus:
        x, y = WCS(hdus["SCI"].header).all_world2pix(table["ra"], table["dec"], 1)
        sci = np.nan_to_num(hdus["SCI"].data)
    np.testing.assert_allclose(x, table["x"], atol=1e-3)
    np.testing.assert_allclose(y, table["y"], atol=1e-3)
    bright = np.argsort(table["mag_st"])[:50]
    i, j = np.round(table["y"][bright] - 1).astype(int), np.round(table["x"][bright] - 1).astype(int)
    assert (sci[i, j] > 20 * np.median(np.abs(sci))).all()


def test_the_report_holds_the_promised_numbers(products: Path) -> None:
    report = json.loads((products / "m2_report.json").read_text())
    assert report["name"] == "m2"
    assert report["version"] == mizzle.__version__
    for key in [
        "verdict",
        "inputs",
        "alignment",
        "zeropoint",
        "sky",
        "cosmic_rays",
        "product",
        "timing",
        "peak_rss_mb",
    ]:
        assert key in report
    for entry in report["inputs"]:
        assert {"file", "sha256", "root", "filter", "exptime", "verdict"} <= set(entry)
        assert entry["sha256"] == hashlib.sha256(Path(entry["file"]).read_bytes()).hexdigest()
    for entry in report["alignment"]["exposures"].values():
        assert {"n_matched", "rms_mas", "shift_arcsec", "roll_deg", "scale", "verdict"} <= set(entry)
        assert entry["verdict"] == "PASS"
    assert report["zeropoint"]["photflam"] == 2.449067e-18
    factors = report["zeropoint"]["factors"]["ua060502m"]
    assert factors["PC"] == pytest.approx(1.0240581413248393, rel=1e-12)
    for entry in report["zeropoint"]["proof"].values():
        assert {"ratio", "error", "n_pairs"} <= set(entry)
    assert {"shape", "scale_arcsec", "orientation_deg", "exptime"} <= set(report["product"])
    assert 0 < report["cosmic_rays"]["ua060502m"]["WF3"] < 0.05


def test_the_written_exposures_carry_the_final_wcs(products: Path, files: Path) -> None:
    result = mizzle.run([files])
    exposure = result.exposures[1]
    path = products / "exposures" / f"{exposure.root}_flt.fits"
    x, y = np.meshgrid(np.linspace(0, 799, 7), np.round(np.linspace(0, 799, 23)))
    with fits.open(path) as hdus:
        hdus.verify("exception")
        for name, chip in exposure.chips.items():
            sci, dq = hdus["SCI", chip.number], hdus["DQ", chip.number]
            frame = result.alignment.frame(exposure, name)
            assert sci.header["WCSNAME"] == frame.name == "MIZZLE-ALIGNED"
            wcs = WCS(sci.header, fobj=hdus)
            ra, dec = wcs.all_pix2world(x, y, 0)
            back_x, back_y = frame.sky_to_pixel(ra, dec)
            np.testing.assert_allclose(back_x, x, atol=2e-6)
            np.testing.assert_allclose(back_y, y, atol=2e-6)
            factor = result.flux_scales.factors[exposure.root][name]
            np.testing.assert_allclose(sci.data, chip.sci * factor, rtol=1e-6)
            rays = result.cosmic_rays.mask(exposure.root, name, chip.shape)
            np.testing.assert_array_equal((dq.data & 4096) != 0, rays)
            np.testing.assert_array_equal(dq.data & 4095, chip.dq & 4095)
            assert sci.header["PHOTFLAM"] == pytest.approx(2.449067e-18, rel=1e-12)
            assert (hdus["ERR", chip.number].data > 0).all()


def test_pixels_depend_on_neither_workers_nor_order(files: Path) -> None:
    paths = sorted(files.glob("*_c0m.fits"))
    one = mizzle.run(paths, workers=1).mosaics["F814W"]
    two = mizzle.run(paths[::-1], workers=3).mosaics["F814W"]
    for name in ("sci", "err", "wht", "ctx"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))


def test_the_settings_file_repeats_the_run(files: Path, tmp_path: Path) -> None:
    chosen = ["--set", "combine.scale=0.12", "--set", "combine.pixfrac=0.8", *FAST]
    assert command("run", files, "-o", tmp_path / "a", "--name", "x", "-q", *chosen) == 0
    assert command("run", files, "-o", tmp_path / "b", "--name", "x", "-q", "-c", tmp_path / "a/x_settings.toml") == 0
    with fits.open(tmp_path / "a/x_drz.fits") as one, fits.open(tmp_path / "b/x_drz.fits") as two:
        assert one["SCI"].header["CD2_2"] == pytest.approx(0.12 / 3600)
        for name in ("SCI", "ERR", "WHT", "CTX"):
            assert one[name].data.tobytes() == two[name].data.tobytes()


def test_two_filters_share_one_grid(tmp_path: Path) -> None:
    first = visit(make_plan(n=2, seed=3, filter="F814W", root="ua0605"))
    write_visit(first, tmp_path / "in")
    # The same stars: a field drawn for another filter has others, and only hot pixels would tie the two.
    plan = make_plan(n=2, seed=4, filter="F555W", root="ua0606", field="list")
    write_visit(visit(plan, stars=first.truth.stars), tmp_path / "in")
    assert command("run", tmp_path / "in", "-o", tmp_path / "out", "-q", *FAST) == 0
    made = sorted(path.name for path in (tmp_path / "out").iterdir())
    stem = "ngc7089-simulated_wfpc2"
    assert made == sorted(
        [f"{stem}_{band}_{kind}" for band in ("f555w", "f814w") for kind in ("drz.fits", "cat.ecsv")]
        + [f"{stem}_report.json", f"{stem}_settings.toml"]
    )
    with (
        fits.open(tmp_path / "out" / f"{stem}_f555w_drz.fits") as v,
        fits.open(tmp_path / "out" / f"{stem}_f814w_drz.fits") as i,
    ):
        assert v["SCI"].shape == i["SCI"].shape
        assert WCS(v["SCI"].header).wcs.compare(WCS(i["SCI"].header).wcs)
        assert (v["SCI"].header["PHOTFLAM"], i["SCI"].header["PHOTFLAM"]) == (3.439046e-18, 2.449067e-18)
        assert (v[0].header["FILTNAM1"], i[0].header["FILTNAM1"]) == ("F555W", "F814W")


class TestKeepGoing:
    @pytest.fixture
    def broken(self, files: Path, tmp_path: Path) -> Path:
        """The visit, one file of it cut off."""
        folder = tmp_path / "broken"
        shutil.copytree(files, folder)
        path = folder / "ua060504m_c0m.fits"
        path.write_bytes(path.read_bytes()[:4_000_000])
        return folder

    def test_without_it_the_run_stops(self, broken: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert command("run", broken, "-o", tmp_path / "out", "-q") == 3
        assert "ua060504m_c0m.fits" in capsys.readouterr().err
        assert list((tmp_path / "out").iterdir()) == []

    def test_with_it_the_file_is_dropped_and_named(
        self, broken: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert command("run", broken, "-o", tmp_path / "out", "--name", "x", "-q", "--keep-going", *FAST) == 0
        assert "ua060504m_c0m.fits" in capsys.readouterr().err
        report = json.loads((tmp_path / "out/x_report.json").read_text())
        assert any("ua060504m" in name for name in report["dropped"])
        assert [entry["root"] for entry in report["inputs"]] == ["ua060502m", "ua060506m"]

    def test_strict_makes_it_5(self, broken: Path, tmp_path: Path) -> None:
        assert command("run", broken, "-o", tmp_path / "out", "-q", "--keep-going", "--strict", *FAST) == 5

    def test_nothing_left_is_4(self, tmp_path: Path) -> None:
        (tmp_path / "in").mkdir()
        (tmp_path / "in/ua060502m_c0m.fits").write_text("no FITS")
        (tmp_path / "in/ua060502m_c1m.fits").write_text("no FITS")
        assert command("run", tmp_path / "in", "-o", tmp_path / "out", "-q", "--keep-going") == 4


def test_exposures_that_cannot_be_matched_stop_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed, root in ((5, "ua0605"), (6, "ua0705")):  # two fields of stars at one place
        write_visit(visit(make_plan(n=1, density=40.0, seed=seed, root=root)), tmp_path / "in")
    assert command("run", tmp_path / "in", "-o", tmp_path / "out", "-q") == 4
    said = capsys.readouterr().err
    assert "cannot align" in said
    assert "align.method" in said
    assert list((tmp_path / "out").iterdir()) == []
    trusted = ["--set", 'align.method="header"', "--name", "x", *FAST]
    assert command("run", tmp_path / "in", "-o", tmp_path / "out", "-q", *trusted) == 0


def test_exposures_of_an_empty_field_are_placed_by_their_headers(tmp_path: Path) -> None:
    """What was found was rays, which match nowhere: the run was refused."""
    write_visit(visit(make_plan(n=2, field="blank", seed=5)), tmp_path / "in")
    assert command("run", tmp_path / "in", "-o", tmp_path / "out", "-q", "--name", "x", *FAST) == 0
    report = json.loads((tmp_path / "out/x_report.json").read_text())
    assert report["parts"]["alignment"] == "WARN"
    for entry in report["alignment"]["exposures"].values():
        assert entry["method"] == "header"
        assert "hardly one has the wings of a star" in entry["note"]
    assert len(Table.read(tmp_path / "out/x_cat.ecsv")) <= 25  # of 50 000 pixels hit, a few crumbs look like stars
    assert fits.getheader(tmp_path / "out/x_drz.fits")["ZPVERIF"] == "NONE"


def test_one_exposure_without_stars_gives_an_empty_catalog(tmp_path: Path) -> None:
    write_visit(visit(make_plan(n=1, field="blank", seed=5, effects={"cosmic_rays": 0.0})), tmp_path / "in")
    assert command("run", tmp_path / "in", "-o", tmp_path / "out", "--name", "x", "-q", *FAST) == 0
    assert fits.getheader(tmp_path / "out/x_drz.fits")["ZPVERIF"] == "NONE"
    table = Table.read(tmp_path / "out/x_cat.ecsv")
    assert len(table) == 0
    assert "flux_err" in table.colnames
    report = json.loads((tmp_path / "out/x_report.json").read_text())
    assert report["alignment"]["exposures"]["ua060502m"]["verdict"] == "NONE"


def test_a_killed_run_leaves_no_half_product_and_the_next_completes(files: Path, tmp_path: Path) -> None:
    """Killed while its parts are being written, and again some moments later: what tells of a set is there last."""
    arguments = ["run", str(files), "-o", str(tmp_path / "out"), "--name", "x", "-q", *FAST]
    code = f"from mizzle.cli import main; main({arguments!r})"
    expected = {"x_drz.fits", "x_cat.ecsv", "x_report.json", "x_settings.toml"}
    struck = 0
    for attempt, delay in enumerate((0.0, 0.02, 0.1, *[0.0] * 6)):
        if attempt >= 3 and struck:
            break  # more only where a busy machine let every run end before it was struck
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL)
        while process.poll() is None and not any(entries_now(tmp_path / "out")):
            time.sleep(0.002)
        time.sleep(delay)
        process.kill()
        struck += process.wait() != 0
        there = {path.name for path in (tmp_path / "out").glob("x_*")}
        assert there == expected if "x_report.json" in there else there < expected
        for path in (tmp_path / "out").glob("x_*.fits"):
            with fits.open(path) as hdus:
                hdus.verify("exception")
    assert struck, "every run had ended before it was struck"
    assert command(*arguments) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == expected


def test_home_may_be_unwritable(files: Path, tmp_path: Path) -> None:
    arguments = ["run", str(files), "-o", str(tmp_path / "out"), "--name", "x", "-q"]
    code = f"from mizzle.cli import main; main({arguments!r})"
    environment = {**os.environ, "HOME": "/nonexistent"}
    for key in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR"):
        environment.pop(key, None)
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = [line for line in done.stderr.splitlines() if "NumPy kernel serves" not in line]  # said once, without C
    assert told == []
    assert len(done.stderr.splitlines()) <= 1
    assert (tmp_path / "out/x_report.html").is_file()


def test_hostile_words_in_a_header_do_no_harm(files: Path, tmp_path: Path) -> None:
    shutil.copytree(files, tmp_path / "in")
    nasty = "../../<script>alert(1)</script>"
    for path in (tmp_path / "in").glob("*_c0m.fits"):
        with fits.open(path, mode="update") as hdus:
            hdus[0].header["TARGNAME"] = nasty
            hdus[0].header["ROOTNAME"] = "../" + path.name[:9]
    assert command("run", tmp_path / "in", "-o", tmp_path / "out", "-q", "--set", "output.exposures=true") == 0
    assert {path.name for path in tmp_path.iterdir()} == {"in", "out"}
    page = next((tmp_path / "out").glob("*_report.html")).read_text()
    assert "<script>alert" not in page


def test_several_workers_and_the_page_agree_with_the_api(files: Path) -> None:
    result = mizzle.run([str(files / "*_c0m.fits")])
    mosaic = result.mosaics["F814W"]
    assert mosaic.photflam == 2.449067e-18
    assert mosaic.wcs.pixel_to_world(100, 100).ra.deg == pytest.approx(mosaic.grid.pixel_to_sky(100, 100)[0])
    assert result.files == ()
    assert set(result.alignment.exposures) == {"ua060502m", "ua060504m", "ua060506m"}
    assert result.zeropoint.reference.chip == "WF3"
    assert result.exposures[0].chips["WF3"].wcs.has_distortion


def test_a_dry_run_only_reports(files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("run", files, "-o", tmp_path / "out", "--dry-run") == 0
    lines = capsys.readouterr().out.splitlines()
    assert "2.449067e-18" in lines[0]
    assert sum("DN are multiplied by 1.024058141" in line for line in lines) == 3
    assert not (tmp_path / "out").exists()


def test_the_page_is_drawn_beside_the_run(files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The helper draws, not the run after it: its failure would only show as a longer run."""
    monkeypatch.setattr("mizzle.report.draw.draw", lambda payload: pytest.fail("the helper did not draw"))
    mizzle.run([files], out=tmp_path, name="m2", workers=4)
    assert (tmp_path / "m2_report.html").stat().st_size > 100_000
    assert (tmp_path / "m2.png").exists()


def test_exposures_that_keep_all_threads_busy_leave_none_for_a_helper(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would take as much of the run's time as it saves, and a tenth more of the processor's."""
    monkeypatch.setattr("mizzle.report.worker.start_worker", lambda: pytest.fail("a helper was started"))
    mizzle.run([files], out=tmp_path, name="m2", workers=3)
    assert (tmp_path / "m2_report.html").stat().st_size > 100_000
