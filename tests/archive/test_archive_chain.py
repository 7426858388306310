"""From the services to the product: reference files, headerlets and Gaia stars through whole runs."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

import mizzle
from mizzle.cli import main
from mizzle.errors import InputError
from mizzle.geometry.keywords import frame_cards, row_lookup
from mizzle.instrument.tables import embedded_tables
from mizzle.instrument.wfpc2 import CHIP_NUMBERS
from mizzle.model import Result
from mizzle.settings import ArchiveSettings, Settings, build_settings
from mizzle.simulate import Effects, make_plan, visit, write_visit

ROW = np.arange(20.0, 800.0, 190.0)
X, Y = (grid.ravel() for grid in np.meshgrid(ROW, ROW))


@pytest.fixture(scope="module")
def made() -> Any:
    """Two quiet exposures of a sparse field, whose headers point 30 mas wrong."""
    effects = Effects.none(pointing_error=30.0, roll_error=0.002)
    return visit(make_plan(n=2, seed=7, density=80.0, effects=effects))


@pytest.fixture(scope="module")
def files(made, tmp_path_factory) -> list[Path]:
    return write_visit(made, tmp_path_factory.mktemp("chain"))


@pytest.fixture(scope="module")
def plain(files) -> Result:
    """The run that asks nobody."""
    return mizzle.run(files)


def with_archive(
    archive: ArchiveSettings, folder: Path, more: dict[str, Any] | None = None, **changes: Any
) -> Settings:
    """Settings of a run that knows the local server only, and keeps files in `folder`."""
    values = {**archive.model_dump(), "cache": str(folder), **changes}
    return build_settings({"archive": values, **(more or {})})


def command(capsys, *arguments: object) -> tuple[int, list[str]]:
    """Run the command line in this process; return its exit code and the lines on stderr."""
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in ("run", *arguments, "-q")])
    return int(stop.value.code or 0), capsys.readouterr().err.splitlines()


def assignments(**values: object) -> list[str]:
    """Options of the command line for a run without page and pictures."""
    texts = ["report.page=false", "output.image=false", *(f"{key.replace('__', '.')}={v}" for key, v in values.items())]
    return [word for text in texts for word in ("--set", text)]


def offsets(frame: Any, other: Any) -> np.ndarray:
    """Return where `other` puts pixels, seen from `frame`: east, north [mas], shape (2, n)."""
    (ra, dec), (ra2, dec2) = frame.pixel_to_sky(X, Y), other.pixel_to_sky(X, Y)
    return 3.6e6 * np.stack([(ra2 - ra) * np.cos(np.deg2rad(dec)), dec2 - dec])


# Reference files ------------------------------------------------------------------------------------------------------

PC_MOVED = 0.75  # V2 of PC in the served OFFTAB, beyond the embedded one [arcsec]


def as_table(columns: dict[str, np.ndarray]) -> bytes:
    """Return a FITS file with one table, as CRDS has it."""
    kinds = {"f": "E", "i": "I"}
    made = [
        fits.Column(name=name, format="12A" if v.dtype.kind == "U" else kinds[v.dtype.kind], array=v)
        for name, v in columns.items()
    ]
    stream = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(made)]).writeto(stream)
    return stream.getvalue()


def serve_changed_tables(service) -> None:
    """Serve the embedded tables with a tenth more cubic distortion, PC moved, and the row term doubled."""
    tables = embedded_tables()
    cubic = [name for name in tables.idctab if name[:2] in ("CX", "CY") and name[2] == "3"]
    idctab = {**tables.idctab, **{name: tables.idctab[name] * np.float32(1.1) for name in cubic}}
    offtab = dict(tables.offtab)
    offtab["V2REF"] = np.where(offtab["DETCHIP"] == 1, offtab["V2REF"] + PC_MOVED, offtab["V2REF"]).astype(np.float32)
    images: list[Any] = [fits.PrimaryHDU()]
    for chip, profile in tables.row_shift.items():
        wide = np.repeat(2 * profile[:, None], 8, axis=1).astype(np.float32)
        images += [fits.ImageHDU(0 * wide, name="DX", ver=chip), fits.ImageHDU(wide, name="DY", ver=chip)]
    stream = io.BytesIO()
    fits.HDUList(images).writeto(stream)
    service.references["ta81040lu_idc.fits"] = as_table(idctab)
    service.references["s9518396u_off.fits"] = as_table(offtab)
    service.references["s8f1222cu_dxy.fits"] = stream.getvalue()


def check_changed_tables(result: Result, plain: Result) -> None:
    """Find all three changes in the frames of every exposure."""
    for ours, theirs in zip(plain.exposures, result.exposures, strict=True):
        for name in ours.chips:
            before, after = ours.chips[name].frame, theirs.chips[name].frame
            assert after.name == "IDC_ta81040lu"
            np.testing.assert_allclose(after.row_edges, 2 * before.row_edges, atol=1e-6)
            for old, new in ((before.sip_a, after.sip_a), (before.sip_b, after.sip_b)):
                order = np.add.outer(*map(np.arange, old.shape))
                np.testing.assert_allclose(new[order == 3], 1.1 * old[order == 3], rtol=1e-5)
                np.testing.assert_allclose(new[order == 2], old[order == 2], rtol=1e-5)
            moved = 3600 * np.hypot(*((after.crval - before.crval) * (np.cos(np.deg2rad(before.crval[1])), 1.0)))
            assert moved == pytest.approx(PC_MOVED if name == "PC" else 0.0, abs=0.01)


def test_the_best_references_shape_the_frames_and_serve_again_offline(
    service, settings, files, plain, closed, tmp_path, capsys
):
    serve_changed_tables(service)
    result = mizzle.run(files, settings=with_archive(settings, tmp_path, references="best"))
    check_changed_tables(result, plain)
    asked = [path for _, path, _, _ in service.requests if path.endswith(("_idc.fits", "_off.fits", "_dxy.fits"))]
    assert len(asked) == 3
    again = mizzle.run(files, settings=with_archive(settings, tmp_path, references="best", crds_url=closed))
    check_changed_tables(again, plain)
    np.testing.assert_array_equal(again.mosaics["F814W"].sci, result.mosaics["F814W"].sci)


def test_a_table_the_user_named_stays(service, settings, files, tmp_path):
    serve_changed_tables(service)
    own = tmp_path / "own_idc.fits"
    own.write_bytes(as_table(embedded_tables().idctab))
    geometry = {"geometry": {"idctab": str(own)}}
    result = mizzle.run(files, settings=with_archive(settings, tmp_path, geometry, references="best"))
    assert result.exposures[0].chips["WF3"].frame.name == "IDC_own"


def test_without_crds_the_embedded_tables_serve_at_once(files, plain, closed, tmp_path, capsys):
    options = assignments(
        archive__references='"best"', archive__crds_url=f'"{closed}"', archive__connect_timeout="30.0"
    )
    code, lines = command(capsys, *files, "-o", tmp_path, "--name", "m2", *options)
    assert code == 0
    (line,) = lines
    assert "cannot be reached" in line  # refused, not waited for
    assert line.startswith("mizzle: CRDS: ")
    assert line.endswith("the embedded tables serve")
    with fits.open(tmp_path / "m2_drz.fits") as hdus:
        np.testing.assert_array_equal(hdus["SCI"].data, plain.mosaics["F814W"].sci)


@pytest.mark.parametrize("asked", [{"references": "best"}, {"astrometry": True}])
@pytest.mark.parametrize("wrong", ["broken", "another camera"])
def test_a_wrong_file_is_dropped_when_the_archive_is_asked_too(service, settings, files, tmp_path, asked, wrong):
    serve_changed_tables(service)
    bad = tmp_path / "ua060509m_c0m.fits"
    with fits.open(files[0]) as hdus:
        hdus[0].header["INSTRUME"] = "ACS"
        hdus[0].header["ROOTNAME"] = "ua060509m"
        hdus.writeto(bad)
    if wrong == "broken":
        bad.write_bytes(bad.read_bytes()[:1000])
    (tmp_path / "ua060509m_c1m.fits").write_bytes(files[0].with_name(f"{files[0].name[:9]}_c1m.fits").read_bytes())
    request = with_archive(settings, tmp_path / "kept", **asked)
    with pytest.raises(InputError, match="ua060509m"):
        mizzle.run([*files, bad], settings=request)
    result = mizzle.run([*files, bad], settings=request, keep_going=True)
    assert list(result.dropped) == [str(bad)]
    assert len(result.exposures) == 2
    name = "IDC_ta81040lu" if "references" in asked else "IDC_sad1946fu"
    assert result.exposures[0].chips["WF3"].frame.name == name


# Headerlets -----------------------------------------------------------------------------------------------------------

EAST, NORTH = 812.0, -540.0  # what the database's solution adds [mas]
SOLUTION = "IDC_sad1946fu-FIT_REL_GAIAeDR3"


def make_solution(exposure: Any) -> bytes:
    """Return a headerlet of the exposure's frames, moved by EAST and NORTH, as the database sends it."""
    primary = fits.PrimaryHDU()
    facts = {"DESTIM": exposure.root, "HDRNAME": f"{exposure.root}_flt_{SOLUTION}-hlet", "WCSNAME": SOLUTION}
    for keyword, value in facts.items():
        primary.header[keyword] = value
    units: list[Any] = [primary]
    for name, chip in exposure.chips.items():
        step = np.array([EAST / np.cos(np.deg2rad(chip.frame.crval[1])), NORTH]) / 3.6e6
        frame = replace(chip.frame, crval=chip.frame.crval + step, name=SOLUTION)
        unit = fits.ImageHDU(name="SIPWCS", ver=CHIP_NUMBERS[name])
        for card in frame_cards(frame, lookup_version=CHIP_NUMBERS[name]):
            unit.header.append(card)
        unit.header["TG_ENAME"], unit.header["TG_EVER"] = "SCI", CHIP_NUMBERS[name]
        lookup = row_lookup(frame)
        assert lookup is not None
        rows = fits.ImageHDU(lookup.data, name="D2IMARR", ver=CHIP_NUMBERS[name])
        for key, pair in (("CRPIX", lookup.crpix), ("CRVAL", lookup.crval), ("CDELT", lookup.cdelt)):
            rows.header[f"{key}1"], rows.header[f"{key}2"] = pair
        units += [unit, rows]
    stream = io.BytesIO()
    fits.HDUList(units).writeto(stream)
    return stream.getvalue()


def test_the_solution_of_the_database_moves_the_product(service, settings, files, plain, tmp_path):
    for exposure in plain.exposures:
        service.solutions[exposure.root] = {"OPUS": b"", SOLUTION: make_solution(exposure)}
    result = mizzle.run(files, settings=with_archive(settings, tmp_path, astrometry=True))
    for ours, theirs in zip(plain.exposures, result.exposures, strict=True):
        for name in ours.chips:
            assert theirs.chips[name].frame.name == SOLUTION
            moved = offsets(ours.chips[name].frame, theirs.chips[name].frame)
            np.testing.assert_allclose(moved, np.repeat([[EAST], [NORTH]], X.size, axis=1), atol=0.1)
            aligned = offsets(plain.alignment.frame(ours, name), result.alignment.frame(theirs, name))
            np.testing.assert_allclose(aligned.mean(axis=1), [EAST, NORTH], atol=1.0)


def test_an_exposure_without_solution_keeps_the_model(service, settings, files, plain, tmp_path):
    with_one = plain.exposures[0]
    service.solutions[with_one.root] = {"OPUS": b"", SOLUTION: make_solution(with_one)}
    part = {"align": {"method": "header"}}
    result = mizzle.run(files, settings=with_archive(settings, tmp_path, part, astrometry=True))
    names = [exposure.chips["WF3"].frame.name for exposure in result.exposures]
    assert names == [SOLUTION, plain.exposures[1].chips["WF3"].frame.name]


def test_without_the_database_the_model_serves_at_once(files, plain, closed, tmp_path, capsys):
    options = assignments(archive__astrometry="true", archive__astrometry_url=f'"{closed}"')
    code, lines = command(capsys, *files, "-o", tmp_path, "--name", "m2", *options)
    assert code == 0
    (line,) = lines
    assert "cannot be reached" in line  # refused, not waited for
    assert line.startswith("mizzle: astrometry database: ")
    assert line.endswith("the WCS of the model serves")
    with fits.open(tmp_path / "m2_drz.fits") as hdus:
        np.testing.assert_array_equal(hdus["SCI"].data, plain.mosaics["F814W"].sci)


# Gaia -----------------------------------------------------------------------------------------------------------------

MOTION = np.array([14.0, -9.0])  # proper motion of every served star [mas / yr]
BEYOND = np.array([320.0, -210.0])  # where Gaia has the stars at the time of the exposures, from the truth [mas]


def serve_gaia(service, made) -> None:
    """Serve the brightest stars as of 2016: moved by BEYOND, and by their motion since the exposures."""
    stars = made.truth.stars
    rows = np.argsort(-stars.flux)[:300]
    epoch = 2000.0 + (made.exposures[0].mjd_start - 51544.5) / 365.25
    east, north = (BEYOND + MOTION * (2016.0 - epoch)) / 3.6e6
    ra = stars.ra[rows] + east / np.cos(np.deg2rad(stars.dec[rows]))
    dec = stars.dec[rows] + north
    lines = ["ra,dec,ra_error,dec_error,pmra,pmdec,pmra_error,pmdec_error,phot_g_mean_mag,ref_epoch"]
    for a, d, mag in zip(ra, dec, stars.mag_st[rows], strict=True):
        lines.append(f"{a:.12f},{d:.12f},0.1,0.1,{MOTION[0]},{MOTION[1]},0.02,0.02,{mag:.3f},2016.0")
    service.stars = "\n".join(lines) + "\n"


def test_alignment_lands_on_gaia_at_the_epoch_of_the_exposures(service, settings, made, files, plain, tmp_path):
    serve_gaia(service, made)
    result = mizzle.run(files, settings=with_archive(settings, tmp_path, {"align": {"catalog": "gaia"}}))
    assert "Gaia" in result.alignment.reference
    stars = made.truth.stars
    for run, expected in ((result, BEYOND), (plain, None)):
        found = []
        for exposure in run.exposures:
            for name, chip in made.truth.exposures[exposure.root].chips.items():
                ra, dec = run.alignment.frame(exposure, name).pixel_to_sky(chip.x, chip.y)
                inside = (np.minimum(chip.x, chip.y) > 60) & (np.maximum(chip.x, chip.y) < 790)
                east = (ra - stars.ra[chip.star]) * np.cos(np.deg2rad(dec))
                found.append(3.6e6 * np.stack([east, dec - stars.dec[chip.star]])[:, inside].mean(axis=1))
        if expected is None:  # what the headers say, on average of the two exposures
            assert np.hypot(*np.mean(found, axis=0)) < 150
        else:
            np.testing.assert_allclose(found, np.tile(expected, (len(found), 1)), atol=2.0)


def test_without_gaia_the_run_stops_with_one_line(files, closed, tmp_path, capsys):
    """Who asks for a catalog does not want another: nothing stands in for it."""
    options = assignments(align__catalog='"gaia"', archive__gaia_url=f'"{closed}/tap"', archive__connect_timeout="30.0")
    code, lines = command(capsys, *files, "-o", tmp_path, "--name", "m2", *options)
    assert code == 3
    (line,) = lines
    assert "cannot be reached" in line
    assert closed.removeprefix("http://") in line
    assert not list(tmp_path.glob("*.fits"))
