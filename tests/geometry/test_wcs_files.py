"""WCS out and in: cards and tables written to FITS, read by plain astropy, by mizzle, and by stwcs's own files."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from mizzle.errors import InputError
from mizzle.geometry.header import frame_from_header
from mizzle.geometry.keywords import (
    LookupTable,
    alternate_cards,
    frame_cards,
    is_wcs_keyword,
    row_lookup,
    table_cards,
    wcs_names,
)
from mizzle.instrument.wfpc2 import CHIP_NAMES
from mizzle.instrument.wfpc2.frames import build_frames, frames_for_pointing
from mizzle.io.exposures import read_exposure
from mizzle.io.headers import FrozenHeader
from mizzle.io.reference_tables import (
    load_tables,
    read_dgeofile,
    read_headerlet,
    read_lookups,
    resolve_reference,
)
from mizzle.settings import Settings, build_settings
from mizzle.settings.geometry import GeometrySettings

HERE = Path(__file__).parent
FULL = dict.fromkeys(CHIP_NAMES, (800, 800))
PRIMARY = {"FILTNAM1": "F555W", "DATE-OBS": "1997-06-13", "PA_V3": 10.0, "MODE": "FULL", "INSTRUME": "WFPC2"}


def write(frames, path: Path, headers=None) -> Path:
    """Write frames as an exposure's extensions, as a stranger would: astropy and the cards."""
    hdus = fits.HDUList([fits.PrimaryHDU()])
    tables = []
    for number, (name, frame) in enumerate(frames.items(), start=1):
        hdu = fits.ImageHDU(np.zeros((1, 1), dtype=np.float32), name="SCI", ver=number)
        for card in alternate_cards(headers[name]) if headers else ():
            hdu.header.append(card)
        for card in frame_cards(frame, lookup_version=number):
            hdu.header.append(card)
        hdus.append(hdu)
        table = row_lookup(frame)
        if table is not None:
            extension = fits.ImageHDU(table.data)
            extension.header.update(table_cards(table, number))
            tables.append(extension)
    hdus.extend(tables)
    hdus.writeto(path, overwrite=True)
    return path


def worst_pixel(frame, sky, x, y) -> float:
    """Largest difference from the frame's own sky [pixel of the chip]."""
    ra, dec = frame.pixel_to_sky(x, y)
    d_ra = ((np.asarray(sky[0]) - ra + 180) % 360 - 180) * np.cos(np.deg2rad(dec))
    return float(np.hypot(d_ra, sky[1] - dec).max() * 3600 / frame.scale)


def positions(shape=(800, 800)):
    """Every row, at pixel centers of some columns."""
    ny, nx = shape
    x, y = np.meshgrid(np.linspace(0, nx - 1, 8).round(), np.arange(float(ny)))
    return x.ravel(), y.ravel()


@pytest.mark.parametrize("mode", ["on", "off", "incumbent"])
@pytest.mark.parametrize("binning", [1, 2])
def test_astropy_reads_what_we_write(tmp_path, mode, binning) -> None:
    frames = frames_for_pointing(
        201.7,
        -47.5,
        244.7,
        date_obs="1997-06-13",
        filters="F555W",
        binning=binning,
        settings=GeometrySettings(row_term=mode),
    )
    path = write(frames, tmp_path / "written.fits")
    with fits.open(path) as hdus:
        hdus.verify("exception")
        for number, frame in enumerate(frames.values(), start=1):
            wcs = WCS(hdus["SCI", number].header, fobj=hdus)
            x, y = positions(frame.shape)
            assert worst_pixel(frame, wcs.all_pix2world(x, y, 0), x, y) < 1e-6
            # Between the centers, across the narrow rows, too.
            x, y = x + 0.3, y + 0.37
            inside = (x < frame.shape[1] - 1) & (y < frame.shape[0] - 1)
            assert worst_pixel(frame, wcs.all_pix2world(x[inside], y[inside], 0), x[inside], y[inside]) < 1e-6


@pytest.mark.parametrize("mode", ["on", "off", "incumbent"])
def test_our_files_come_back_as_the_same_frames(tmp_path, mode) -> None:
    frames = frames_for_pointing(
        0.003,
        12.0,
        80.0,
        date_obs="2003-06-13",
        filters="F814W",
        vafactor=1.00003,
        settings=GeometrySettings(row_term=mode),
    )
    with fits.open(write(frames, tmp_path / "written.fits")) as hdus:
        headers = {name: FrozenHeader(hdus[i + 1].header, name) for i, name in enumerate(CHIP_NAMES)}
        lookups = read_lookups(hdus, headers)
    built, notes = build_frames(
        PRIMARY, headers, FULL, settings=GeometrySettings(wcs="header", row_term=mode), lookups=lookups
    )
    assert all(f"{name}: WCS IDC_sad1946fu of the header trusted" in notes for name in CHIP_NAMES)
    x, y = positions()
    for name, frame in frames.items():
        assert worst_pixel(built[name], frame.pixel_to_sky(x, y), x, y) < 1e-7
        np.testing.assert_allclose(built[name].row_edges, frame.row_edges, atol=2e-9)
        np.testing.assert_allclose(built[name].columns, frame.columns, atol=2e-9)
        assert built[name].name == frame.name
        assert built[name].scale == frame.scale
        for key in ("IDCTHETA", "OCX10", "VAFACTOR", "IDCXREF"):
            assert built[name].facts[key] == pytest.approx(frame.facts[key], rel=1e-14)


def test_header_rows_are_replaced_where_they_run_along_x() -> None:
    frames = frames_for_pointing(10.0, 12.0, 80.0, date_obs="2003-06-13", filters="F814W")
    header = {k: v for k, v, _ in frame_cards(frames["PC"])}
    table = LookupTable(np.linspace(-1, 1, 800, dtype=np.float32)[None, :], (0.0, 0.0), (0.0, 0.0))
    built, notes = build_frames(
        PRIMARY, {"PC": header}, FULL, settings=GeometrySettings(wcs="header"), lookups={"PC": table}
    )
    np.testing.assert_array_equal(built["PC"].row_edges, frames["PC"].row_edges)
    assert any("runs along x" in note for note in notes)
    kept, _ = build_frames(
        PRIMARY,
        {"PC": header},
        FULL,
        settings=GeometrySettings(wcs="header", row_term="incumbent"),
        lookups={"PC": table},
    )
    np.testing.assert_allclose(kept["PC"].columns, np.linspace(-1, 1, 800), atol=1e-7)


def test_a_lookup_sampled_at_row_centers_gives_narrow_rows_back() -> None:
    frames = frames_for_pointing(10.0, 12.0, 80.0, date_obs="2003-06-13", filters="F814W")
    edges = frames["WF2"].row_edges
    centers = ((edges[1:] + edges[:-1]) / 2).astype(np.float32)
    header = {k: v for k, v, _ in frame_cards(frames["WF2"])}
    table = LookupTable(centers[:, None], (1.0, 1.0), (1.0, 1.0))
    built, _ = build_frames(
        PRIMARY, {"WF2": header}, FULL, settings=GeometrySettings(wcs="header"), lookups={"WF2": table}
    )
    np.testing.assert_allclose(built["WF2"].row_edges, edges, atol=3e-5)


def test_alternates_are_kept_and_named(tmp_path) -> None:
    first = {
        "CTYPE1": "RA---TAN-SIP",
        "CTYPE2": "DEC--TAN-SIP",
        "CRVAL1": 10.0,
        "CRVAL2": 5.0,
        "CRPIX1": 425.0,
        "CRPIX2": 425.0,
        "CD1_1": -2e-5,
        "CD2_2": 2e-5,
        "WCSNAME": "TWEAK",
        "A_ORDER": 2,
        "CTYPE1O": "RA---TAN",
        "CTYPE2O": "DEC--TAN",
        "CRVAL1O": 10.1,
        "CRVAL2O": 5.0,
        "CRPIX1O": 425.0,
        "CRPIX2O": 425.0,
        "WCSNAMEO": "OPUS",
    }
    assert wcs_names(first) == ["TWEAK", "O:OPUS"]
    cards = {k: v for k, v, _ in alternate_cards(first)}
    assert cards["CRVAL1O"] == 10.1
    assert cards["WCSNAMEZ"] == "TWEAK"
    assert cards["CTYPE1Z"] == "RA---TAN"
    frames = frames_for_pointing(10.0, 5.0, 0.0, date_obs="2000-01-01", filters="F555W")
    path = write(frames, tmp_path / "x.fits", dict.fromkeys(CHIP_NAMES, first))
    with fits.open(path) as hdus:
        assert wcs_names(dict(hdus[1].header)) == ["IDC_sad1946fu", "O:OPUS", "Z:TWEAK"]
        assert WCS(hdus[1].header, fobj=hdus, key="O").wcs.crval[0] == 10.1
    plain = {k: v for k, v in first.items() if not k.endswith("O") and k != "WCSNAME"}
    assert {k: v for k, v, _ in alternate_cards(plain)}["WCSNAMEO"] == "OPUS"
    assert alternate_cards(plain, archive_primary=False) == []


def test_every_card_we_write_counts_as_a_wcs_keyword() -> None:
    frames = frames_for_pointing(10.0, 5.0, 0.0, date_obs="2000-01-01", filters="F555W")
    assert all(is_wcs_keyword(keyword) for keyword, _, _ in frame_cards(frames["PC"]))
    assert not any(is_wcs_keyword(k) for k in ("EXPTIME", "PHOTFLAM", "DETECTOR", "CRVAL1O", "BUNIT", "LTV1"))


GOOD = {
    k: v for k, v, _ in frame_cards(frames_for_pointing(10.0, 5.0, 0.0, date_obs="2000-01-01", filters="F555W")["WF2"])
}


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"CTYPE1": "GLON-TAN", "CTYPE2": "GLAT-TAN"}, "CTYPE"),
        ({"CTYPE1": "RA---ZPN"}, "CTYPE"),
        ({"CPDIS1": "LOOKUP"}, "CPDIS1"),
        ({"LONPOLE": 90.0}, "LONPOLE"),
        ({"CD1_1": 0.0, "CD1_2": 0.0}, "arcsec wide"),
        ({"CD1_1": 1.0}, "arcsec wide"),
        ({"CRVAL2": 95.0}, "no declination"),
        ({"CRVAL1": float("nan")}, "CRVAL1"),
        ({"A_ORDER": 99}, "SIP order"),
        ({"A_2_0": "x"}, "A_2_0"),
        ({"CRVAL1": None, "CTYPE1": None}, "no WCS"),
    ],
)
def test_headers_that_would_be_misread_are_refused(changes, match) -> None:
    header = {k: v for k, v in {**GOOD, **changes}.items() if v is not None}
    with pytest.raises(InputError, match=match):
        frame_from_header(header, (800, 800), chip="WF2")


def test_wcs_by_name_or_letter() -> None:
    header = {**GOOD, **{f"{k}B": v for k, v in GOOD.items() if len(k) < 8}, "WCSNAMEB": "GAIA", "CRVAL1B": 10.001}
    for name in ("GAIA", "gaia", "B"):
        assert frame_from_header(header, (800, 800), chip="WF2", name=name).crval[0] == 10.001
    with pytest.raises(InputError, match="it has: IDC_sad1946fu, B:GAIA"):
        frame_from_header(header, (800, 800), chip="WF2", name="TWEAK")


def test_a_linear_header_says_what_it_misses() -> None:
    linear = {**GOOD, "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN"}
    _, notes = build_frames(PRIMARY, {"WF2": linear}, FULL, settings=GeometrySettings(wcs="header"))
    assert any("no distortion polynomial" in note for note in notes)


def test_model_starts_from_the_first_pointing() -> None:
    fitted = {**GOOD, "CRVAL1": 11.0, "WCSNAME": "TWEAK", "WCSNAMEO": "OPUS", "CRVAL1O": 10.0, "CRVAL2O": 5.0}
    built, notes = build_frames(PRIMARY, {"WF2": fitted}, FULL)
    assert built["WF2"].crval[0] == 10.0
    assert any("pointing of OPUS taken, not of TWEAK" in note for note in notes)


# Reference files ----------------------------------------------------------------------------------------------------


@pytest.mark.data
def test_reference_files_give_the_embedded_geometry(data_dir, tmp_path, monkeypatch) -> None:
    reference = data_dir / "reference"
    names = {"idctab": "sad1946fu_idc.fits", "offtab": "s9518396u_off.fits", "dgeofile": "s8f1222cu_dxy.fits"}
    embedded = load_tables(GeometrySettings())
    monkeypatch.delenv("uref", raising=False)
    for values in (
        {"idctab": str(reference / names["idctab"])},
        {kind: f"uref${name}" for kind, name in names.items()},
    ):
        tables = load_tables(GeometrySettings(**values), [reference])
        assert tables is not embedded
        for name, column in embedded.idctab.items():
            np.testing.assert_array_equal(tables.idctab[name], column)
        for chip in (1, 2, 3, 4):
            np.testing.assert_array_equal(tables.row_shift[chip], embedded.row_shift[chip])
    with pytest.raises(InputError, match="no such reference file"):
        resolve_reference("uref$sad1946fu_idc.fits", [tmp_path])
    monkeypatch.setenv("uref", f"{reference}/")
    assert resolve_reference("uref$sad1946fu_idc.fits", [tmp_path]).parent == reference


def test_a_reference_name_cannot_leave_its_folder(tmp_path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "x_idc.fits").write_bytes(b"")
    with pytest.raises(InputError):
        resolve_reference("uref$../x_idc.fits", [tmp_path / "inner"])


@pytest.mark.parametrize("kind", ["idctab", "offtab", "dgeofile"])
def test_wrong_reference_files_are_refused(kind, tmp_path) -> None:
    text = tmp_path / "text.fits"
    text.write_text("not FITS")
    image = tmp_path / "image.fits"
    fits.PrimaryHDU(np.zeros((4, 4))).writeto(image)
    table = tmp_path / "table.fits"
    column = fits.Column(name="NOTHING", format="E", array=np.zeros(3))
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns([column])]).writeto(table)
    for path in (text, image, table, tmp_path / "absent.fits"):
        with pytest.raises(InputError):
            load_tables(GeometrySettings(**{kind: str(path)}))


def test_a_dgeofile_that_shifts_x_is_refused(tmp_path) -> None:
    path = tmp_path / "dxy.fits"
    hdus = [fits.PrimaryHDU()]
    hdus += [fits.ImageHDU(np.full((800, 800), 0.1 * (axis == "DX")), name=axis, ver=1) for axis in ("DX", "DY")]
    fits.HDUList(hdus).writeto(path)
    with pytest.raises(InputError, match="DX of chip 1 is not a function of the row"):
        read_dgeofile(path)


# The real exposure, and the incumbent's files -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def exposure(data_dir, tmp_path_factory):
    folder = tmp_path_factory.mktemp("real")
    for kind in ("c0m", "c1m"):
        with fits.open(data_dir / "exposures" / f"u40x010hm_{kind}.fits.gz") as hdus:
            hdus.writeto(folder / f"u40x010hm_{kind}.fits")
    return folder / "u40x010hm_c0m.fits"


@pytest.mark.data
def test_real_exposure_written_and_read_by_astropy(exposure, tmp_path) -> None:
    chips = read_exposure(exposure, headers_only=True).chips
    frames = {name: chip.frame for name, chip in chips.items()}
    path = write(frames, tmp_path / "out.fits", {name: chip.header for name, chip in chips.items()})
    x, y = positions()
    with fits.open(path) as hdus:
        for number, frame in enumerate(frames.values(), start=1):
            header = hdus["SCI", number].header
            sky = WCS(header, fobj=hdus).all_pix2world(x, y, 0)
            assert worst_pixel(frame, sky, x, y) < 1e-6
            assert wcs_names(dict(header)) == ["IDC_sad1946fu", "O:OPUS"]


@pytest.mark.oracle
def test_stwcs_files_and_headerlets_are_read(exposure, data_dir, oracle_python, tmp_path) -> None:
    """An exposure that went through updatewcs, and a headerlet made from it, give the incumbent's own sky."""
    script = tmp_path / "make.py"
    script.write_text(HEADERLET_SCRIPT)
    path = tmp_path / exposure.name
    path.write_bytes(exposure.read_bytes())
    (tmp_path / "u40x010hm_c1m.fits").write_bytes(exposure.with_name("u40x010hm_c1m.fits").read_bytes())
    x, y = (np.linspace(3, 790, 30).round(), np.linspace(790, 3, 30).round())
    done = subprocess.run(
        [oracle_python, str(script), str(path), str(data_dir / "reference"), json.dumps([x.tolist(), y.tolist()])],
        capture_output=True,
        text=True,
        check=False,
        timeout=1800,
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    answer = json.loads(done.stdout.splitlines()[-1])
    # The incumbent's row term, rebuilt: PC alone, by column. stwcs rounds the chips' rotation to 3e-7.
    rebuilt = read_exposure(exposure, geometry(row_term="incumbent"), headers_only=True)
    ours = read_exposure(exposure, headers_only=True)
    for name, sky in answer["updated"].items():
        assert worst_pixel(rebuilt.chips[name].frame, np.array(sky).T, x, y) < 5e-4
        # What it loses is the row term, and nothing else (PC: and it gains a column term).
        frame = ours.chips[name].frame
        their_x, their_y = frame.sky_to_pixel(*np.array(sky).T)
        centers = (frame.row_edges[1:] + frame.row_edges[:-1]) / 2
        lost = centers[y.astype(int)]
        gained = centers[x.astype(int)] if name == "PC" else np.zeros_like(lost)
        np.testing.assert_allclose(their_x, x, atol=5e-4)
        jumps = np.abs(their_y - y - gained + lost) > 1e-3
        assert jumps.sum() <= 2  # the file averages the jump row
        np.testing.assert_allclose((their_y - y)[~jumps], (gained - lost)[~jumps], atol=6e-4)
    theirs = answer["tweaked"]
    fresh = read_exposure(path, headers_only=True)
    assert "OPUS" in " ".join(wcs_names(fresh.chips["PC"].header))
    trusted = read_exposure(path, geometry(wcs="header", row_term="incumbent"), headers_only=True)
    headerlet = read_exposure(
        exposure, geometry(headerlet=str(tmp_path / "test_hlet.fits"), row_term="incumbent"), headers_only=True
    )
    assert any("headerlet" in note for note in headerlet.notes)
    for name, sky in theirs.items():
        for read in (trusted, headerlet):
            frame = read.chips[name].frame
            assert worst_pixel(frame, np.array(sky).T, x, y) < 1e-6, (name, read.notes)
    other = read_headerlet(tmp_path / "test_hlet.fits", {"PC": 1}, "ua060502m")
    assert other is None


def geometry(**values) -> Settings:
    return build_settings({"geometry": values})


HEADERLET_SCRIPT = """
import json, os, sys, warnings
import numpy as np
from astropy.io import fits
warnings.simplefilter("ignore")
path, reference, points = sys.argv[1], sys.argv[2], np.array(json.loads(sys.argv[3]))
keep = os.dup(1)
os.dup2(2, 1)
from stwcs import updatewcs
from stwcs.wcsutil import HSTWCS, headerlet
with fits.open(path, mode="update") as hdus:
    hdus[0].header["IDCTAB"] = f"{reference}/sad1946fu_idc.fits"
    hdus[0].header["OFFTAB"] = f"{reference}/s9518396u_off.fits"
    import gzip
    with gzip.open(f"{reference}/s8f1222cu_dxy.fits.gz") as zipped:
        open("s8f1222cu_dxy.fits", "wb").write(zipped.read())
    hdus[0].header["DGEOFILE"] = os.path.abspath("s8f1222cu_dxy.fits")
updatewcs.updatewcs(path, use_db=False, checkfiles=False)
def positions():
    with fits.open(path) as hdus:
        return {n: HSTWCS(hdus, ext=i + 1).all_pix2world(points.T, 0).tolist() for i, n in enumerate(NAMES)}
NAMES = ["PC", "WF2", "WF3", "WF4"]
updated = positions()
with fits.open(path, mode="update") as hdus:
    for i in (1, 2, 3, 4):
        hdus[i].header["CRVAL1"] += 1e-4
        hdus[i].header["WCSNAME"] = "TWEAK"
headerlet.write_headerlet(path, "test_hlet", wcskey="PRIMARY", sciext="SCI", output="test_hlet.fits", clobber=True,
    author="x", descrip="x", attach=False)
answer = {"updated": updated, "tweaked": positions()}
sys.stdout.flush()
os.dup2(keep, 1)
sys.stdout.write(json.dumps(answer) + "\\n")
"""
