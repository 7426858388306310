"""Bad input: one clear message, exit code 2 to 4, nothing lost, nothing half-written."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from mizzle.cli import main
from tiny_files import SIDE, chip, primary, sky, write_pair

Arguments = list[str]
Case = Callable[[Path], Arguments]


def edit(path: Path, change: Callable[[fits.HDUList], None]) -> None:
    """Change a file of this test's own."""
    with fits.open(path, mode="update") as hdus:
        change(hdus)


def with_primary(**changes: object) -> Case:
    return lambda folder: [str(write_pair(folder, primary_changes=changes))]


def with_chip(**changes: object) -> Case:
    return lambda folder: [str(write_pair(folder, chip_changes=changes))]


def truncated(folder: Path) -> Arguments:
    path = write_pair(folder)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2 + 2000])
    return [str(path)]


def truncated_in_header(folder: Path) -> Arguments:
    path = write_pair(folder)
    path.write_bytes(path.read_bytes()[:1000])
    return [str(path)]


def truncated_quality(folder: Path) -> Arguments:
    path = write_pair(folder)
    quality = path.with_name(path.name.replace("c0m", "c1m"))
    quality.write_bytes(quality.read_bytes()[: quality.stat().st_size - SIDE * SIDE * 2 - 4000])
    return [str(path)]


def not_fits(folder: Path) -> Arguments:
    path = write_pair(folder)
    path.write_text("hello, this is not FITS\n" * 300)
    return [str(path)]


def empty_file(folder: Path) -> Arguments:
    path = write_pair(folder)
    path.write_bytes(b"")
    return [str(path)]


def damaged_gzip(folder: Path) -> Arguments:
    path = write_pair(folder, ending=".fits.gz")
    path.write_bytes(path.read_bytes()[:5000])
    return [str(path)]


def packed_otherwise(pack: Callable[[bytes], bytes]) -> Case:
    def case(folder: Path) -> Arguments:
        path = write_pair(folder)
        path.write_bytes(pack(path.read_bytes()))
        return [str(path)]

    return case


def missing_quality(folder: Path) -> Arguments:
    path = write_pair(folder)
    path.with_name(path.name.replace("c0m", "c1m")).unlink()
    return [str(path)]


def missing_file(folder: Path) -> Arguments:
    return [str(folder / "ua0699zzm_c0m.fits")]


def empty_list(folder: Path) -> Arguments:
    return []


def empty_folder(folder: Path) -> Arguments:
    (folder / "nothing").mkdir(parents=True)
    return [str(folder / "nothing")]


def wildcard_without_match(folder: Path) -> Arguments:
    return [str(folder / "*_c0m.fits")]


def only_quality(folder: Path) -> Arguments:
    path = write_pair(folder)
    return [str(path.with_name(path.name.replace("c0m", "c1m")))]


def no_exposure(folder: Path) -> Arguments:
    folder.mkdir(parents=True, exist_ok=True)
    fits.HDUList([primary(), fits.ImageHDU(np.zeros((SIDE, SIDE)), name="MAP")]).writeto(folder / "image.fits")
    return [str(folder / "image.fits")]


def pipe(folder: Path) -> Arguments:
    path = write_pair(folder)
    path.unlink()
    os.mkfifo(path)
    return [str(path)]


def device(folder: Path) -> Arguments:
    path = write_pair(folder)
    path.unlink()
    path.symlink_to("/dev/zero")
    return [str(path)]


def link_to_itself(folder: Path) -> Arguments:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "ua060502m_c0m.fits"
    path.symlink_to(path)
    return [str(path)]


def sparse_giant(folder: Path) -> Arguments:
    path = write_pair(folder)
    os.truncate(path, 50_000_000_000)
    return [str(path)]


def bomb(folder: Path) -> Arguments:
    """A small file that unpacks to a header which announces more than any exposure has."""
    path = write_pair(folder, ending=".fits.gz")
    plain = gzip.decompress(path.read_bytes())
    plain = plain.replace(b"NAXIS1  =                   96", b"NAXIS1  =            999999999", 1)
    path.write_bytes(gzip.compress(plain + bytes(20_000_000), compresslevel=1))
    return [str(path)]


def folder_as_file(folder: Path) -> Arguments:
    path = write_pair(folder)
    path.unlink()
    path.mkdir()
    return [str(path)]


def simple_f(folder: Path) -> Arguments:
    path = write_pair(folder)
    path.write_bytes(path.read_bytes().replace(b"SIMPLE  =                    T", b"SIMPLE  =                    F", 1))
    return [str(path)]


def strange_extension(folder: Path) -> Arguments:
    path = write_pair(folder)
    path.write_bytes(path.read_bytes().replace(b"XTENSION= 'IMAGE   '", b"XTENSION= 'IMAGF   '", 1))
    return [str(path)]


def newline_in_name(folder: Path) -> Arguments:
    return [str(write_pair(folder / "a\nb", primary_changes={"EXPTIME": -1.0}))]


def network(folder: Path) -> Arguments:
    return ["https://example.org/u40x010hm_c0m.fits"]


def nan_chips(folder: Path) -> Arguments:
    path = write_pair(folder)
    edit(path, lambda hdus: [hdu.data.fill(np.nan) for hdu in hdus[1:]])
    return [str(path)]


def wrong_shape(folder: Path) -> Arguments:
    path = write_pair(folder)
    hdus = fits.HDUList([primary(), *(chip(n, sky(n, 50 if n == 2 else SIDE)) for n in (1, 2, 3, 4))])
    hdus.writeto(path, overwrite=True)
    return [str(path)]


def cube(folder: Path) -> Arguments:
    path = write_pair(folder)
    fits.HDUList([primary(), chip(3, np.zeros((2, SIDE, SIDE), dtype=np.float32))]).writeto(path, overwrite=True)
    return [str(path)]


def giant(folder: Path) -> Arguments:
    path = write_pair(folder)
    fits.HDUList([primary(), chip(3, np.zeros((40, 2000), dtype=np.float32))]).writeto(path, overwrite=True)
    return [str(path)]


def absurd_axis(folder: Path) -> Arguments:
    path = write_pair(folder)
    path.write_bytes(path.read_bytes().replace(b"NAXIS1  =                   96", b"NAXIS1  =            999999999"))
    return [str(path)]


def no_science(folder: Path) -> Arguments:
    path = write_pair(folder)
    fits.HDUList([primary()]).writeto(path, overwrite=True)
    return [str(path)]


def chip_twice(folder: Path) -> Arguments:
    path = write_pair(folder)
    edit(path, lambda hdus: hdus[2].header.set("DETECTOR", 1))
    return [str(path)]


def unknown_chip(folder: Path) -> Arguments:
    path = write_pair(folder)
    edit(path, lambda hdus: hdus[2].header.set("DETECTOR", 9))
    return [str(path)]


def quality_lacks_chip(folder: Path) -> Arguments:
    path = write_pair(folder)
    hdus = fits.HDUList([primary(), chip(1, np.zeros((SIDE, SIDE), dtype=np.int16), "SDQ")])
    hdus.writeto(path.with_name(path.name.replace("c0m", "c1m")), overwrite=True)
    return [str(path)]


def same_root_twice(folder: Path) -> Arguments:
    one = write_pair(folder / "a")
    two = write_pair(folder / "b")
    return [str(one), str(two)]


def far_apart(folder: Path) -> Arguments:
    one = write_pair(folder, "ua060502m")
    two = write_pair(folder, "ua060504m", chip_changes={"CRVAL1": 10.0, "CRVAL2": 60.0})
    return [str(one), str(two)]


CASES: list[tuple[str, Case, int, str]] = [
    ("truncated", truncated, 3, "truncated"),
    ("truncated in the header", truncated_in_header, 3, "FITS|SCI|header"),
    ("truncated c1m", truncated_quality, 3, "truncated|no data quality"),
    ("not FITS", not_fits, 3, "FITS"),
    ("empty file", empty_file, 3, "FITS|empty"),
    ("damaged gzip", damaged_gzip, 3, "compressed"),
    ("bzip2 under .fits", packed_otherwise(bz2.compress), 3, "bzip2.*unpack"),
    ("xz under .fits", packed_otherwise(lzma.compress), 3, "xz.*unpack"),
    ("web page under .fits", packed_otherwise(lambda _: b"<!DOCTYPE html><html>Log in</html>"), 3, "web page"),
    ("a pipe", pipe, 3, "pipe; only regular files"),
    ("a device", device, 3, "device; only regular files"),
    ("a link to itself", link_to_itself, 3, "cannot be read"),
    ("a sparse giant", sparse_giant, 3, "50000000000 bytes"),
    ("a small file of gigabytes", bomb, 3, "bytes announced"),
    ("a folder called c0m.fits", folder_as_file, 2, "no \\*_c0m"),
    ("SIMPLE = F", simple_f, 3, "SIMPLE is not T"),
    ("unknown XTENSION", strange_extension, 3, "XTENSION of unit 1 is 'IMAGF'"),
    ("newline in the name", newline_in_name, 3, "a b/ua060502m_c0m.fits: EXPTIME"),
    ("an address", network, 3, "not a file"),
    ("BSCALE a word", with_chip(BSCALE="one"), 3, "BSCALE is 'one'"),
    ("BZERO a word", with_chip(BZERO="nought"), 3, "BZERO is 'nought'"),
    ("wrong instrument", with_primary(INSTRUME="ACS"), 3, "INSTRUME.*'ACS'.*WFPC2"),
    ("no instrument", with_primary(INSTRUME=None), 3, "INSTRUME"),
    ("missing c1m", missing_quality, 3, "sought .*_c1m.fits"),
    ("missing file", missing_file, 3, "no such file"),
    ("empty list", empty_list, 2, "FILES|input"),
    ("empty folder", empty_folder, 2, "no \\*_c0m"),
    ("wildcard without match", wildcard_without_match, 2, "no file matches"),
    ("only a c1m", only_quality, 2, "c1m"),
    ("no exposure", no_exposure, 3, "extensions MAP; needed an exposure of WFPC2, ACS/WFC"),
    ("no PHOTFLAM", with_chip(PHOTFLAM=None), 3, "PHOTFLAM is missing"),
    ("zero PHOTFLAM", with_chip(PHOTFLAM=0.0), 3, "PHOTFLAM is '0.0'"),
    ("negative PHOTFLAM", with_chip(PHOTFLAM=-2e-18), 3, "PHOTFLAM"),
    ("PHOTFLAM a word", with_chip(PHOTFLAM="unknown"), 3, "PHOTFLAM"),
    ("unknown gain", with_primary(ATODGAIN=14.0), 3, "ATODGAIN.*7 or 15"),
    ("no gain", with_primary(ATODGAIN=None), 3, "ATODGAIN is missing"),
    ("zero exposure time", with_primary(EXPTIME=0.0), 3, "EXPTIME"),
    ("negative exposure time", with_primary(EXPTIME=-500.0), 3, "EXPTIME"),
    ("absurd exposure time", with_primary(EXPTIME=1e30), 3, "EXPTIME"),
    ("no exposure time", with_primary(EXPTIME=None), 3, "EXPTIME is missing"),
    ("no filter", with_primary(FILTNAM1=None), 3, "FILTNAM1 is missing"),
    ("blank filter", with_primary(FILTNAM1=" "), 3, "FILTNAM1"),
    ("unknown filter", with_primary(FILTNAM1="F815W"), 3, "F815W.*F814W"),
    ("no date", with_primary(**{"DATE-OBS": None}), 3, "DATE-OBS"),
    ("a date before the camera", with_primary(**{"DATE-OBS": "1971-01-01"}), 3, "DATE-OBS"),
    ("a date that is none", with_primary(**{"DATE-OBS": "yesterday"}), 3, "DATE-OBS"),
    ("no roll", with_primary(PA_V3=None), 3, "PA_V3"),
    ("absurd roll", with_primary(PA_V3=1e20), 3, "PA_V3"),
    ("no CRVAL", with_chip(CRVAL1=None), 3, "CRVAL1"),
    ("absurd CRVAL", with_chip(CRVAL2=5e9), 3, "CRVAL2"),
    ("singular CD", with_chip(CD1_1=0.0, CD1_2=0.0), 3, "CD"),
    ("chips of NaN", nan_chips, 3, "no pixel of PC, WF2, WF3, WF4 can be used.*--drop"),
    ("coordinates of 1950", with_primary(EQUINOX=1950.0), 3, "EQUINOX is 1950.0; needed coordinates of 2000"),
    ("galactic coordinates", with_chip(CTYPE1="GLON-TAN"), 3, "CTYPE1 is 'GLON-TAN'; needed right ascension"),
    ("coordinates of 1950 in a chip", with_chip(RADESYS="FK4"), 3, "RADESYS is 'FK4'"),
    ("wrong shape", wrong_shape, 3, "WF2.*96 x 96.*50 x 50"),
    ("cube", cube, 3, "96 x 96 x 2"),
    ("too large", giant, 3, "2000 x 40"),
    ("absurd NAXIS1", absurd_axis, 3, "999999999"),
    ("no SCI", no_science, 3, "no SCI"),
    ("chip twice", chip_twice, 3, "PC.*needed once"),
    ("unknown chip", unknown_chip, 3, "DETECTOR"),
    ("c1m lacks a chip", quality_lacks_chip, 3, "no data quality for chip WF2"),
    ("one ROOTNAME twice", same_root_twice, 3, "ROOTNAME"),
    ("fields far apart", far_apart, 4, "arcmin"),
]


def digest(folder: Path) -> dict[str, str]:
    """Hash every file below a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.stat().st_size < 100_000_000
    }


@pytest.mark.parametrize(("case", "code", "message"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_bad_input_ends_with_one_message(
    case: Case, code: int, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = case(tmp_path / "in")
    (tmp_path / "in").mkdir(exist_ok=True)
    before = digest(tmp_path / "in")
    with pytest.raises(SystemExit) as stop:
        main(["run", *arguments, "-o", str(tmp_path / "out"), "-q"])
    said = capsys.readouterr()
    assert stop.value.code == code, said.err
    assert re.search(message, said.err, re.IGNORECASE), said.err
    assert "Traceback" not in said.err
    assert said.err.count("\n") == 1, said.err
    assert said.out == ""
    assert digest(tmp_path / "in") == before
    assert not (tmp_path / "out").exists() or not any((tmp_path / "out").iterdir())


SETTINGS_CASES = [
    (["--set", "combine.scalle=0.05"], "scalle.*did you mean 'scale'"),
    (["--set", "combin.scale=0.05"], "unknown section.*did you mean 'combine'"),
    (["--set", "combine.scale=-1"], "combine.scale"),
    (["--set", "combine.scale=nan"], "combine.scale"),
    (["--set", "combine.scale='big'"], "combine.scale"),
    (["--set", "combine.scale"], "TOML"),
    (["--set", "combine=3"], "section.key=value"),
    (["-c", "absent.toml"], "absent.toml.*cannot be read"),
    (["--name", "../evil"], "name"),
    (["--workers", "0"], "workers"),
    (["--no-such-option"], "no-such-option"),
]


@pytest.mark.parametrize(("options", "message"), SETTINGS_CASES, ids=[" ".join(c[0]) for c in SETTINGS_CASES])
def test_a_wrong_request_is_refused(
    options: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_pair(tmp_path / "in")
    with pytest.raises(SystemExit) as stop:
        main(["run", str(path), "-o", str(tmp_path / "out"), "-q", *options])
    said = capsys.readouterr()
    assert stop.value.code == 2, said.err
    assert re.search(message, said.err, re.IGNORECASE), said.err
    assert not (tmp_path / "out").exists() or not any((tmp_path / "out").iterdir())


def test_out_that_is_a_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_pair(tmp_path / "in")
    (tmp_path / "out").write_text("mine")
    with pytest.raises(SystemExit) as stop:
        main(["run", str(path), "-o", str(tmp_path / "out"), "-q"])
    assert stop.value.code == 2
    assert "is a file" in capsys.readouterr().err
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_out_that_cannot_be_written_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_pair(tmp_path / "in")
    (tmp_path / "out").mkdir(mode=0o500)
    with pytest.raises(SystemExit) as stop:
        main(["run", str(path), "-o", str(tmp_path / "out"), "-q"])
    assert stop.value.code == 2
    assert "cannot be written" in capsys.readouterr().err


def test_out_below_a_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_pair(tmp_path / "in")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(SystemExit) as stop:
        main(["run", str(path), "-o", str(tmp_path / "file" / "out"), "-q"])
    assert stop.value.code == 2
    assert "cannot be written" in capsys.readouterr().err
