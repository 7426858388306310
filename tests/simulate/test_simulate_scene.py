"""Plans, fields, defects, pointings, and the files on disk."""

from __future__ import annotations

import json

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from scipy.spatial import cKDTree

from mizzle import simulate
from mizzle.errors import SettingsError
from mizzle.instrument.wfpc2 import CHIP_NAMES
from mizzle.io.exposures import read_exposure
from mizzle.model import project
from mizzle.simulate import Effects, StarList
from mizzle.simulate.pointing import base36, point


@pytest.fixture(scope="module")
def small():
    return simulate.visit(n=2, exptime=(100.0, 200.0), gain=(7, 15), seed=3, sky=0.02)


@pytest.fixture(scope="module")
def written(small, tmp_path_factory):
    folder = tmp_path_factory.mktemp("visit")
    return simulate.write_visit(small, folder)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"gain": 8}, "simulate.gain: Input should be 7 or 15"),
        ({"exptime": 0.0}, "simulate.exptime: 0.0 is not from"),
        ({"sky": -1.0}, "simulate.sky"),
        ({"dithers": ()}, "simulate.dithers"),
        ({"field": "list"}, "needs stars"),
        ({"fliter": "F814W"}, "did you mean 'filter'"),
        ({"exptime": (1.0, 2.0)}, "2 values for 6 exposures"),
        ({"n": 0}, "simulate.n"),
        ({"colour": 1}, "simulate.colour"),
        ({"filter": "F999W"}, "known: F170W"),
        ({"effects": {"cosmic_rays": 2.0}}, "simulate.cosmic_rays"),
        ({"faintest": 10.0}, "not fainter"),
        ({"sky": float("nan")}, "simulate.sky"),
        ({"root": "u/../x"}, "simulate.root"),
        ({"date": "yesterday"}, "simulate.date"),
        ({"date": "2030-01-01"}, "simulate.date"),
    ],
)
def test_a_wrong_plan_is_refused_in_words(changes, words):
    with pytest.raises(SettingsError, match=words):
        simulate.visit(**changes)


def test_a_wrong_star_list_is_refused():
    with pytest.raises(SettingsError, match="equally long"):
        StarList([1.0, 2.0], [1.0], [1.0])
    with pytest.raises(SettingsError, match="not negative"):
        StarList([1.0], [1.0], [-1.0])


def test_rootnames_are_the_visits():
    roots = [p.root for p in point(simulate.make_plan(n=6))]
    assert roots == ["ua060502m", "ua060504m", "ua060506m", "ua060508m", "ua06050am", "ua06050cm"]
    many = [f"{base36(2 * (i + 1))}" for i in range(600)]
    assert len(set(many)) == 600


def test_headers_carry_the_command_and_truth_the_deed():
    plan = simulate.make_plan(n=40, effects=Effects(pointing_error=30.0, roll_error=0.002))
    pointings = point(plan)
    shifts = np.array([p.shift for p in pointings])
    assert 0.02 < shifts.std() < 0.04
    rolls = np.array([p.roll for p in pointings])
    assert 0.0012 < rolls.std() < 0.003
    for p in pointings[:4]:
        told, was = p.commanded["WF3"], p.true["WF3"]
        xi, eta = project(*was.pixel_to_sky([424.0], [424.0]), told.pixel_to_sky(424.0, 424.0))
        assert (xi[0] * 3600, eta[0] * 3600) == (
            pytest.approx(p.shift[0], abs=2e-4),
            pytest.approx(p.shift[1], abs=2e-4),
        )
        turn = (was.orientation() - told.orientation() + 180) % 360 - 180
        assert turn == pytest.approx(p.roll, abs=1e-4)
        assert p.true["PC"].crval[0] != told.crval[0]


def test_dithers_move_along_the_chips_axes():
    first, second = point(simulate.make_plan(n=2, effects=Effects.none()))[:2]
    x, y = second.true["WF3"].sky_to_pixel(*first.true["WF3"].pixel_to_sky([424.0], [424.0]))
    moved = (424.0 - np.array([x[0], y[0]])) * 0.0996
    np.testing.assert_allclose(moved, simulate.make_plan().dithers[1], atol=0.01)


def test_stars_cross_the_chip_borders():
    """The proof of the zeropoint needs the same stars on different chips, whole and out of the shadow."""
    made = simulate.visit(exptime=1.0, effects=Effects.none(shadow=True))
    seen: dict[int, set[str]] = {}
    for exposure in made.truth.exposures.values():
        for name, chip in exposure.chips.items():
            half = int(0.65 / chip.psf.scale) + 1
            lit = made.truth.lit[name]
            for star, x, y in zip(chip.star, np.rint(chip.x).astype(int), np.rint(chip.y).astype(int), strict=True):
                if not half <= min(x, y) <= max(x, y) < 800 - half:
                    continue
                if lit[y - half : y + half + 1, x - half : x + half + 1].min() >= 1:
                    seen.setdefault(int(star), set()).add(name)
    bright = made.stars.mag_st < 22.5
    crossing = [chips for star, chips in seen.items() if len(chips) > 1 and bright[star]]
    for name in CHIP_NAMES:
        assert sum(name in chips for chips in crossing) >= 5, name


def test_random_stars_keep_their_distance_and_luminosity_function():
    made = simulate.visit(n=1, exptime=1.0, min_separation=2.0, density=400.0, slope=0.3, effects=Effects.none())
    xi, eta = project(made.stars.ra, made.stars.dec, (323.36, -0.82))
    distance, _ = cKDTree(3600.0 * np.column_stack([xi, eta])).query(3600.0 * np.column_stack([xi, eta]), k=2)
    assert distance[:, 1].min() >= 2.0
    counts, _ = np.histogram(made.stars.mag_st, bins=[22.0, 23.0, 24.0, 25.0])
    assert counts[1] / counts[0] == pytest.approx(10**0.3, rel=0.25)
    assert made.stars.mag_st.min() >= 18.0
    assert made.stars.mag_st.max() <= 25.0


def test_a_king_cluster_is_dense_in_the_middle():
    made = simulate.visit(n=1, exptime=1.0, field="king", cluster_stars=3000, core_radius=15.0, effects=Effects.none())
    xi, eta = project(made.stars.ra, made.stars.dec, (323.3626, -0.8233))
    x, y = 3600 * xi, 3600 * eta
    radius = np.hypot(x - np.median(x), y - np.median(y))
    inner, outer = (radius < 15).sum() / 15**2, ((radius > 45) & (radius < 60)).sum() / (60**2 - 45**2)
    assert inner > 4 * outer > 0


def test_defects_are_flagged_and_stand_still(small):
    first, second = (e.chips["WF2"].dq for e in small.exposures)
    for bit, count in ((512, 300), (1024, 5000)):
        assert ((first & bit) > 0).sum() == count
        np.testing.assert_array_equal(first & bit, second & bit)
    columns = np.unique(np.nonzero(first & 256)[1])
    assert columns.size == 4
    x = columns[0]
    rows = np.nonzero(first[:, x] & 256)[0]
    assert rows[-1] == 799
    assert np.all(np.diff(rows) == 1)


def test_the_shadow_is_flagged_and_holds_garbage(small):
    exposure = small.exposures[0]
    for name, chip in exposure.chips.items():
        lit = small.truth.lit[name]
        shaded = (chip.dq & 2) > 0
        assert shaded[lit < 1].all()
        assert 50_000 < shaded.sum() < 90_000
        assert np.abs(chip.sci[lit == 0]).max() > 1000
        assert lit[400, 400] == 1


def test_warm_pixels_are_warm(small):
    exposure = small.exposures[1]
    chip = exposure.chips["WF3"]
    residual = (chip.sci - small.truth.expected(exposure.root, "WF3")) * chip.gain
    quiet = (chip.dq & 2) == 0
    warm, repaired = (np.median(residual[quiet & ((chip.dq & bit) > 0)]) for bit in (512, 1024))
    assert warm == pytest.approx(0.08 * 200, rel=0.5)
    assert abs(repaired) < 2.0


def test_files_give_back_the_exposures(small, written):
    assert [p.name for p in written] == ["ua060502m_c0m.fits", "ua060504m_c0m.fits"]
    for path, made in zip(written, small.exposures, strict=True):
        read = read_exposure(path)
        for key in (
            "root",
            "filter",
            "exptime",
            "darktime",
            "mjd_start",
            "mjd_end",
            "date_obs",
            "commanded_gain",
            "target",
        ):
            assert getattr(read, key) == getattr(made, key), key
        assert dict(read.header).items() >= dict(made.header).items()
        assert read.header["CRRATE"] == pytest.approx(0.01 * made.exptime / 500)
        for name, chip in read.chips.items():
            wanted = made.chips[name]
            np.testing.assert_array_equal(chip.sci, wanted.sci)
            np.testing.assert_array_equal(chip.dq, wanted.dq)
            for key in ("number", "gain", "read_noise", "photflam", "photplam", "photbw", "photzpt", "photmode"):
                assert getattr(chip, key) == getattr(wanted, key), key
            corners = ([0.0, 799.0, 0.0, 799.0], [0.0, 0.0, 799.0, 799.0])
            there, here = chip.frame.pixel_to_sky(*corners), wanted.frame.pixel_to_sky(*corners)
            np.testing.assert_allclose(there, here, rtol=0, atol=1e-10)


def test_files_are_valid_fits(written):
    for path in written:
        for kind, file_type in (("c0m", "SCI"), ("c1m", "SDQ")):
            with fits.open(path.with_name(path.name.replace("c0m", kind))) as hdus:
                hdus.verify("exception")
                assert [hdu.header.get("DETECTOR") for hdu in hdus] == [None, 1, 2, 3, 4]
                assert hdus[0].header["FILETYPE"] == file_type
                assert all(hdu.header["EXTNAME"] == "SCI" for hdu in hdus[1:])
                assert all(hdu.data.dtype.str == (">f4" if kind == "c0m" else ">i2") for hdu in hdus[1:])
                assert all("BUNIT" not in hdu.header for hdu in hdus)
                assert all(hdu.header["CTYPE1"] == "RA---TAN" and "A_ORDER" not in hdu.header for hdu in hdus[1:])


def test_an_flt_gives_back_the_exposure(small, tmp_path):
    (path, _) = simulate.write_visit(small, tmp_path, form="flt")
    assert path.name == "ua060502m_flt.fits"
    read, made = read_exposure(path), small.exposures[0]
    for name, chip in read.chips.items():
        np.testing.assert_array_equal(chip.sci, made.chips[name].sci)
        np.testing.assert_array_equal(chip.dq, made.chips[name].dq)
        quiet = (chip.dq == 0) & ~small.truth.cosmic_rays(made.root, name, 1.0)
        pulls = ((chip.sci - small.truth.expected(made.root, name)) / chip.err)[quiet]
        assert pulls[np.abs(pulls) < 6].std() == pytest.approx(1.0, abs=0.03)


def test_truth_stands_beside_the_files(small, written):
    folder = written[0].parent
    stars = Table.read(folder / "truth_stars.ecsv")
    np.testing.assert_array_equal(stars["ra"], small.stars.ra)
    assert str(stars["flux"].unit) == str(Table.read(folder / "truth_stars.ecsv")["flux"].unit) != "None"
    positions = Table.read(folder / "truth_positions.ecsv")
    chip = small.truth.chip("ua060504m", "WF4")
    mine = positions[(positions["root"] == "ua060504m") & (positions["chip"] == "WF4")]
    inside = (chip.x > -0.5) & (chip.y > -0.5) & (chip.x < 799.5) & (chip.y < 799.5)
    np.testing.assert_allclose(mine["x"], chip.x[inside] + 1)
    np.testing.assert_array_equal(mine["id"], chip.star[inside] + 1)
    facts = json.loads((folder / "truth.json").read_text())
    assert facts["exposures"]["ua060504m"]["shift_arcsec"] == list(small.truth.exposures["ua060504m"].pointing.shift)
    with np.load(folder / "truth_cosmic_rays.npz") as arrays:
        np.testing.assert_array_equal(arrays["ua060504m_WF4_index"], chip.cosmic_rays.index)
    assert not [p for p in folder.iterdir() if p.name.startswith(".")]


@pytest.mark.data
@pytest.mark.parametrize("kind", ["c0m", "c1m"])
def test_headers_have_the_archives_cards_in_its_order(written, data_dir, kind):
    ours_only = {"SIMULATE", "CRRATE", "CTELOSS"}
    real_path = data_dir / "exposures" / f"u40x010hm_{kind}.fits.gz"
    with fits.open(real_path) as real, fits.open(written[0].with_name(f"ua060502m_{kind}.fits")) as ours:
        assert [(hdu.name, hdu.ver) for hdu in real] == [(hdu.name, hdu.ver) for hdu in ours]
        for theirs, mine in zip(real, ours, strict=True):
            wanted, found = ([c for c in hdu.header.cards if c.keyword != "HISTORY"] for hdu in (theirs, mine))
            assert [c.keyword for c in found if c.keyword not in ours_only] == [c.keyword for c in wanted]
            assert ("HISTORY" in mine.header) == ("HISTORY" in theirs.header)
            for card in wanted:
                if card.keyword in ("", "COMMENT"):
                    continue
                kinds = (type(card.value), type(mine.header[card.keyword]))
                assert kinds[0] is kinds[1] or set(kinds) <= {int, float}, card.keyword
                assert mine.header.comments[card.keyword] == card.comment


def test_a_quality_file_describes_its_own_pixels(written):
    with fits.open(written[0].with_name("ua060502m_c1m.fits")) as hdus:
        assert hdus[0].header["FLATFILE"] == ""
        for hdu in hdus[1:]:
            assert (hdu.header["DATAMIN"], hdu.header["DATAMAX"]) == (hdu.data.min(), hdu.data.max())
            assert hdu.header["CTE_1E2"] == 0
    with fits.open(written[0]) as hdus:
        assert "not from the telescope" in str(hdus[0].header["HISTORY"])
        assert hdus[1].header["DATAMAX"] == pytest.approx(hdus[1].data.max())


_ORACLE = """
import glob, os, sys, warnings
warnings.simplefilter("ignore")
import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from stwcs import updatewcs
from drizzlepac import astrodrizzle, photeq
files = sorted(glob.glob("*_c0m.fits"))
updatewcs.updatewcs(files, use_db=False)
photeq.photeq(files="*_c0m.fits", ref_phot_ext=3, readonly=False)
astrodrizzle.AstroDrizzle(files, output="final", preserve=False, build=False, context=False, static=False,
    skysub=False, median=False, blot=False, driz_cr=False, driz_separate=False, driz_combine=True,
    final_bits="8,1024", final_wcs=True, final_scale=0.0996, num_cores=1)
out = {}
for name in files:
    with fits.open(name) as h:
        for i in range(1, 5):
            h[i].header.pop("D2IM1.EXTVER", None)
            w = WCS(h[i].header, h)
            w.cpdis1 = w.cpdis2 = w.det2im1 = w.det2im2 = None
            out[f"{name[:9]}_{i}"] = np.array(w.all_pix2world([[0, 0], [799, 0], [400, 400], [799, 799]], 0))
        out[f"{name[:9]}_flam"] = np.array([h[i].header["PHOTFLAM"] for i in range(1, 5)])
sci = glob.glob("final_dr[wz]_sci.fits")[0]
out["sum"] = np.nansum(fits.getdata(sci))
np.savez("oracle.npz", **out)
"""


@pytest.mark.oracle
@pytest.mark.data
def test_the_incumbents_tools_read_the_files(small, written, tmp_path, data_dir, oracle_python):
    """Updatewcs, photeq and AstroDrizzle accept the files unmodified, and agree on the geometry."""
    import gzip
    import os
    import shutil
    import subprocess
    from dataclasses import replace

    for path in written:
        shutil.copy(path, tmp_path)
        shutil.copy(path.with_name(path.name.replace("c0m", "c1m")), tmp_path)
    reference = tmp_path / "uref"
    reference.mkdir()
    for path in (data_dir / "reference").iterdir():
        if path.suffix == ".gz":
            (reference / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
        else:
            shutil.copy(path, reference)
    environment = {
        **os.environ,
        "uref": f"{reference}{os.sep}",
        "HOME": str(tmp_path),
        "ASTROMETRY_STEP_CONTROL": "off",
    }
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        [oracle_python, "-c", _ORACLE], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=1800
    )
    assert done.returncode == 0, done.stderr[-3000:]
    with np.load(tmp_path / "oracle.npz") as theirs:
        for exposure in small.exposures:
            np.testing.assert_allclose(theirs[f"{exposure.root}_flam"], theirs[f"{small.exposures[0].root}_flam"][2])
            for name, chip in exposure.chips.items():
                plain = replace(chip.frame, row_edges=np.zeros_like(chip.frame.row_edges))
                ra, dec = plain.pixel_to_sky([0, 799, 400, 799], [0, 0, 400, 799])
                there = theirs[f"{exposure.root}_{chip.number}"]
                xi, eta = project(ra, dec, (float(there[2, 0]), float(there[2, 1])))
                ti, te = project(there[:, 0], there[:, 1], (float(there[2, 0]), float(there[2, 1])))
                assert 3600 * np.hypot(xi - ti, eta - te).max() < 0.001, name
        assert float(theirs["sum"]) > 0


@pytest.mark.parametrize("kind", ["ecsv", "csv"])
def test_a_star_list_is_read_and_simulated(tmp_path, kind):
    from mizzle.cli.simulate import _stars

    path = tmp_path / f"stars.{kind}"
    table = Table({"RA": [323.36, 323.37], "dec": [-0.82, -0.83], "mag_st": [20.0, 21.0]})
    table.write(path, format=f"ascii.{kind}")
    stars = _stars(path)
    np.testing.assert_allclose(stars.mag_st, [20.0, 21.0])
    made = simulate.visit(n=1, field="list", stars=stars, exptime=10.0, effects=Effects.none())
    assert len(made.stars) == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ra,dec\n1,2\n", "needed ra, dec"),
        ("ra,dec,flux\n1,2,abc\n", "must be numbers"),
        ("ra,dec,flux\n1,2,nan\n", "finite"),
        ("", "stars.csv"),
    ],
)
def test_a_wrong_star_list_file_is_named(tmp_path, text, words):
    from mizzle.errors import InputError
    from mizzle.io.simulated import read_stars

    path = tmp_path / "stars.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=words):
        read_stars(path)


def test_command_line_assignments_reach_the_plan():
    from mizzle.cli.simulate import merged

    changes = merged({"n": 2}, ["gain=[7, 15]", "effects.cosmic_rays=0.02", "effects.faults=[1.0, 1.0, 0.97, 1.0]"])
    plan = simulate.make_plan(**changes)
    assert plan.gain == (7, 15)
    assert plan.effects.cosmic_rays == 0.02
    assert plan.effects.faults[2] == 0.97
    assert merged({}, ["field=blank", "date=2007-06-04", "seed=3"])["field"] == "blank"
    with pytest.raises(SettingsError, match="not a TOML assignment"):
        merged({}, ["density="])


def test_the_documentation_names_every_setting():
    from pathlib import Path

    from mizzle.simulate.plan import Plan

    text = (Path(__file__).parents[2] / "docs" / "simulate.md").read_text(encoding="utf-8")
    for prefix, model in (("", Plan), ("effects.", Effects)):
        for name, field in model.model_fields.items():
            if name != "effects":
                assert f"| `{prefix}{name}` |" in text, name
                assert field.description in text, name
