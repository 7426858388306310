"""One exposure in every form that the archive and its users keep it in: the same headers, the same pixels."""

from __future__ import annotations

import bz2
import gzip
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

import mizzle
from mizzle.errors import InputError, SettingsError
from mizzle.io.exposures import read_exposure
from mizzle.io.inputs import find_inputs
from mizzle.model import Exposure, Verdict
from tiny_files import tiled, waiver, write_pair


def same(one: Exposure, other: Exposure) -> None:
    """The same chips, pixels, flags, zeropoints and pointings."""
    assert list(one.chips) == list(other.chips)
    assert (one.root, one.filter, one.exptime, one.mjd_start) == (
        other.root,
        other.filter,
        other.exptime,
        other.mjd_start,
    )
    for name, chip in one.chips.items():
        twin = other.chips[name]
        np.testing.assert_array_equal(chip.sci, twin.sci)
        np.testing.assert_array_equal(chip.dq, twin.dq)
        assert chip.photflam == twin.photflam
        np.testing.assert_array_equal(chip.frame.crval, twin.frame.crval)
        np.testing.assert_array_equal(chip.frame.cd, twin.frame.cd)


def test_the_older_form_is_the_same_exposure(tmp_path: Path) -> None:
    path = write_pair(tmp_path / "new")
    same(read_exposure(path), read_exposure(waiver(path, tmp_path / "old")))


def test_an_older_form_without_a_row_for_each_group_is_refused(tmp_path: Path) -> None:
    path = waiver(write_pair(tmp_path / "new"), tmp_path / "old")
    with fits.open(path) as hdus:
        hdus[1].data = hdus[1].data[:3]
        hdus.writeto(tmp_path / "old" / "short.fits")
    (tmp_path / "old" / "short.fits").replace(path)
    with pytest.raises(InputError, match="4 groups, and a table with 3 rows"):
        read_exposure(path)


@pytest.mark.parametrize("ending", [".fits.fz", ".fits"])
def test_tile_compressed_files_are_read(ending: str, tmp_path: Path) -> None:
    path = write_pair(tmp_path / "plain")
    same(read_exposure(path), read_exposure(tiled(path, tmp_path / "tiles", ending)))


def test_pixels_rounded_by_compression_are_said(tmp_path: Path) -> None:
    path = write_pair(tmp_path)
    with fits.open(path) as hdus:
        packed = [fits.CompImageHDU(hdu.data, hdu.header, compression_type="RICE_1") for hdu in hdus[1:]]
        fits.HDUList([fits.PrimaryHDU(header=hdus[0].header), *packed]).writeto(tmp_path / "packed.fits")
    (tmp_path / "packed.fits").replace(path)
    assert any("rounded" in note for note in read_exposure(path).notes)


def test_a_name_does_not_matter(tmp_path: Path) -> None:
    """The c1m is found by the ROOTNAME."""
    path = write_pair(tmp_path)
    shutil.copy(path, tmp_path / "simulation.fits")
    same(read_exposure(path), read_exposure(tmp_path / "simulation.fits"))


def test_an_exposure_of_another_name_may_have_no_data_quality(tmp_path: Path) -> None:
    path = write_pair(tmp_path)
    (tmp_path / "alone").mkdir()
    shutil.copy(path, tmp_path / "alone" / "simulation.fits")
    exposure = read_exposure(tmp_path / "alone" / "simulation.fits")
    assert exposure.verdict is Verdict.WARN
    assert any("no data quality" in note for note in exposure.notes)
    assert not any(chip.dq.any() for chip in exposure.chips.values())


def test_data_quality_may_be_named(tmp_path: Path) -> None:
    path = write_pair(tmp_path)
    (tmp_path / "alone").mkdir()
    (tmp_path / "flags").mkdir()
    science = shutil.copy(path, tmp_path / "alone" / "simulation.fits")
    quality = shutil.copy(path.with_name(path.name.replace("c0m", "c1m")), tmp_path / "flags" / "mine.fits")
    odd = shutil.copy(quality, tmp_path / "flags" / "a=b.fits")
    for named in (str(quality), f"ua060502m={quality}", str(odd), f"ua060502m={odd}"):
        (entry,) = find_inputs([science], quality=[named])
        assert entry.quality == Path(named.removeprefix("ua060502m="))
    with pytest.raises(SettingsError, match=r"ua0699zzm.*not among the inputs"):
        find_inputs([science, path], quality=[f"ua0699zzm={quality}"])


def test_data_quality_may_lie_in_another_folder_of_the_request(tmp_path: Path) -> None:
    path = write_pair(tmp_path / "all")
    quality = path.with_name(path.name.replace("c0m", "c1m"))
    for part, file in (("c0m", path), ("c1m", quality)):
        (tmp_path / part).mkdir()
        shutil.move(file, tmp_path / part / file.name)
    (entry,) = find_inputs([tmp_path / "c0m", tmp_path / "c1m" / quality.name])
    assert entry.quality == tmp_path / "c1m" / quality.name


ROOTS = ("ua060502m", "ua060503m")


def test_the_layout_of_the_archive_a_list_commas_and_wildcards_mean_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [write_pair(tmp_path / "mastDownload" / "HST" / root, root) for root in ROOTS]
    (tmp_path / "files.txt").write_text("# mine\n" + "\n".join(os.path.relpath(p, tmp_path) for p in paths) + "\n\n")
    monkeypatch.chdir(tmp_path)
    for request in (
        ["mastDownload"],
        ["mastDownload/**/*_c0m.fits"],
        ["mastDownload/**"],
        ["@files.txt"],
        [",".join(map(str, paths))],
        "mastDownload",
        paths,
    ):
        found = find_inputs(request)
        assert [entry.science.name for entry in found] == [path.name for path in paths], request
        assert all(entry.quality is not None for entry in found)


def test_an_older_form_gives_way_to_the_newer(tmp_path: Path) -> None:
    path = write_pair(tmp_path)
    waiver(path, tmp_path)
    assert [entry.science for entry in find_inputs([tmp_path])] == [path]


def test_the_older_form_of_the_real_exposure_is_the_newer(data_dir: Path) -> None:
    new = mizzle.read_exposure(data_dir / "exposures" / "u40x010hm_c0m.fits.gz")
    same(new, mizzle.read_exposure(data_dir / "old_forms" / "u40x010hm_c0f.fits.gz"))


@pytest.mark.parametrize("packed", [False, True])
def test_integers_that_stand_for_no_value_are_none(packed: bool, tmp_path: Path) -> None:
    """Scaled integers with BLANK (FITS 4.0, section 5.3): the pixels are flagged as missing, the others as exposed."""
    path = write_pair(tmp_path)
    plain = read_exposure(path)
    with fits.open(path) as hdus:
        made = fits.HDUList([hdus[0].copy()])
        for hdu in hdus[1:]:
            stored = np.rint(hdu.data / 0.01).astype(np.int16)
            stored[20:30, 40:60] = -32768
            image = fits.ImageHDU(stored, hdu.header)
            image.header.update(BSCALE=0.01, BLANK=-32768)
            made.append(image)
        made.writeto(path, overwrite=True)
    if packed:
        packed_path = path.with_name(path.name + ".gz")
        packed_path.write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
        path = packed_path
    read = read_exposure(path)
    for name, chip in read.chips.items():
        lost = np.zeros(chip.shape, bool)
        lost[20:30, 40:60] = True
        np.testing.assert_array_equal(np.isnan(chip.sci), lost)
        assert np.all(chip.dq[lost] & 16)
        np.testing.assert_allclose(chip.sci[~lost], plain.chips[name].sci[~lost], atol=0.006)
    assert any("without a value" in note for note in read.notes)


@pytest.mark.parametrize("ending", ["bz2", "xz", "zip", "Z"])
def test_an_exposure_packed_in_a_way_that_is_not_read_is_not_left_out_unsaid(ending: str, tmp_path: Path) -> None:
    """In a folder with others it is still an exposure: its name is in the message."""
    write_pair(tmp_path)
    path = write_pair(tmp_path, root="ua060504m")
    packed = bz2.compress(path.read_bytes())
    path.unlink()
    path.with_name(f"{path.name}.{ending}").write_bytes(packed)
    entry = next(entry for entry in find_inputs([tmp_path]) if "04m" in entry.science.name)
    with pytest.raises(InputError, match=rf"ua060504m_c0m\.fits\.{ending}: .*packed with bzip2; unpack it"):
        read_exposure(entry)
