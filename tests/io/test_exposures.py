"""Reading: what is in the files is what comes out, checked and frozen."""

from __future__ import annotations

import gzip
import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

import mizzle
from mizzle.errors import InputError
from mizzle.io.exposures import read_exposure
from mizzle.io.inputs import find_inputs
from mizzle.io.pixels import PixelCache, bytes_to_keep
from mizzle.model import ArrayPixels
from mizzle.model.altered import AlteredPixels
from tiny_files import PHOTFLAM, SIDE, chip, primary, sky, write_pair


def test_chips_hold_what_the_file_holds(tmp_path: Path) -> None:
    exposure = read_exposure(write_pair(tmp_path))
    assert list(exposure.chips) == ["PC", "WF2", "WF3", "WF4"]
    assert (exposure.root, exposure.filter, exposure.exptime) == ("ua060502m", "F814W", 500.0)
    for name, part in exposure.chips.items():
        np.testing.assert_array_equal(part.sci, sky(part.number))
        assert part.photflam == PHOTFLAM[part.number]
        assert (part.gain, part.read_noise) == (
            {"PC": 7.12, "WF2": 7.12, "WF3": 6.90, "WF4": 7.10}[name],
            {"PC": 5.24, "WF2": 5.51, "WF3": 5.22, "WF4": 5.19}[name],
        )


def test_nothing_of_an_exposure_can_be_written(tmp_path: Path) -> None:
    part = read_exposure(write_pair(tmp_path)).chips["WF3"]
    for array in (part.sci, part.dq):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 1
    with pytest.raises(AttributeError):
        part.gain = 3.0  # type: ignore[misc]
    with pytest.raises(TypeError):
        part.header["CRVAL1"] = 0.0  # type: ignore[index]


@pytest.mark.parametrize("name", ["SCI", "SDQ"])
def test_the_c1m_may_call_its_extensions_sci_or_sdq(name: str, tmp_path: Path) -> None:
    exposure = read_exposure(write_pair(tmp_path, quality_name=name))
    assert exposure.chips["PC"].dq.dtype == np.uint16


@pytest.mark.parametrize("numbers", [(3,), (4, 2), (4, 3, 2, 1)])
def test_any_chips_in_any_order(numbers: tuple[int, ...], tmp_path: Path) -> None:
    exposure = read_exposure(write_pair(tmp_path, numbers=numbers))
    assert [part.number for part in exposure.chips.values()] == sorted(numbers)
    for part in exposure.chips.values():
        np.testing.assert_array_equal(part.sci, sky(part.number))


def test_compressed_files_read_the_same(tmp_path: Path) -> None:
    plain = read_exposure(write_pair(tmp_path / "plain"))
    zipped = read_exposure(write_pair(tmp_path / "zipped", ending=".fits.gz"))
    for name in plain.chips:
        np.testing.assert_array_equal(plain.chips[name].sci, zipped.chips[name].sci)
        np.testing.assert_array_equal(plain.chips[name].dq, zipped.chips[name].dq)


def test_a_plain_c0m_finds_a_compressed_c1m(tmp_path: Path) -> None:
    path = write_pair(tmp_path)
    quality = tmp_path / "ua060502m_c1m.fits"
    (tmp_path / "ua060502m_c1m.fits.gz").write_bytes(gzip.compress(quality.read_bytes()))
    quality.unlink()
    assert read_exposure(path).chips["WF2"].dq.shape == (SIDE, SIDE)


def test_an_flt_holds_its_own_quality_and_errors(tmp_path: Path) -> None:
    hdus = fits.HDUList([primary()])
    for n in (1, 2, 3, 4):
        hdus.append(chip(n, sky(n)))
    for n in (1, 2, 3, 4):
        hdus.append(chip(n, np.where(np.arange(SIDE) < 40, 0, np.full((SIDE, SIDE), n)).astype(np.int16), "DQ"))
        hdus.append(chip(n, np.full((SIDE, SIDE), n, dtype=np.float32), "ERR"))
    hdus.writeto(tmp_path / "ua060502m_flt.fits")
    exposure = read_exposure(tmp_path / "ua060502m_flt.fits")
    for part in exposure.chips.values():
        assert part.err is not None
        np.testing.assert_array_equal(part.dq[:, 40:], part.number)
        np.testing.assert_array_equal(part.dq[:, :40], 0)
        np.testing.assert_array_equal(part.err, part.number)


def test_pixels_that_are_not_finite_are_marked_missing(tmp_path: Path) -> None:
    path = write_pair(tmp_path)
    with fits.open(path, mode="update") as hdus:
        hdus[2].data[5, 7] = np.nan
        hdus[2].data[6, 8] = np.inf
    dq = read_exposure(path).chips["WF2"].dq
    assert dq[5, 7] == dq[6, 8] == 16
    assert np.count_nonzero(dq) == 2


def test_photflam_may_stand_in_the_primary(tmp_path: Path) -> None:
    path = write_pair(tmp_path, primary_changes={"PHOTFLAM": 3e-18}, chip_changes={"PHOTFLAM": None})
    assert {part.photflam for part in read_exposure(path).chips.values()} == {3e-18}


def test_full_memory_changes_no_pixel(tmp_path: Path) -> None:
    path = write_pair(tmp_path)
    roomy, none = read_exposure(path, cache=PixelCache()), read_exposure(path, cache=PixelCache(limit=0))
    assert roomy.chips["PC"].sci is roomy.chips["PC"].sci
    first = none.chips["PC"].sci
    assert none.chips["PC"].sci is first  # asked for again at once
    assert none.chips["WF2"].sci is not first
    assert none.chips["PC"].sci is not first
    np.testing.assert_array_equal(roomy.chips["PC"].sci, none.chips["PC"].sci)


def test_pixels_of_a_file_that_changed_are_refused(tmp_path: Path) -> None:
    path = write_pair(tmp_path)
    kept, unread = (read_exposure(path, cache=PixelCache(), headers_only=only) for only in (False, True))
    before = {name: part.sci.copy() for name, part in kept.chips.items()}
    with fits.open(path) as hdus:  # the pixels of a longer header stand elsewhere
        hdus[0].header["COMMENT"] = "x" * 4000
        hdus.writeto(tmp_path / "new.fits")
    (tmp_path / "new.fits").replace(path)
    for name, part in kept.chips.items():
        np.testing.assert_array_equal(part.sci, before[name])
    with pytest.raises(InputError, match=r"ua060502m_c0m\.fits: was changed"):
        unread.chips["WF3"].sci  # noqa: B018
    again = read_exposure(path)
    np.testing.assert_array_equal(again.chips["WF3"].sci, before["WF3"])


def test_the_more_exposures_the_less_is_kept() -> None:
    kept = [bytes_to_keep(n) for n in (1, 6, 8, 24, 100, 400)]
    assert kept == sorted(kept, reverse=True)
    assert kept[0] == kept[2] > kept[3]
    assert kept[-1] > 0


@pytest.mark.parametrize("limit", [0, 10**9])
def test_some_rows_are_those_of_the_whole(tmp_path: Path, limit: int) -> None:
    chip = read_exposure(write_pair(tmp_path), cache=PixelCache(limit=limit)).chips["WF2"]
    bad = np.zeros(chip.shape, np.bool_)
    bad[3] = True
    for pixels in (chip.pixels, AlteredPixels(chip.pixels, clear=2, bad=bad), ArrayPixels(chip.sci, chip.dq)):
        rows = pixels.rows(2, 9)
        np.testing.assert_array_equal(rows.sci, pixels.sci[2:9])
        np.testing.assert_array_equal(rows.dq, pixels.dq[2:9])


def test_hashes_are_those_of_the_files(tmp_path: Path) -> None:
    exposure = read_exposure(write_pair(tmp_path))
    assert len(exposure.files) == 2
    for name, digest in exposure.files.items():
        assert digest == hashlib.sha256(Path(name).read_bytes()).hexdigest()


def test_a_folder_a_wildcard_and_names_mean_the_same(tmp_path: Path) -> None:
    paths = [write_pair(tmp_path, root) for root in ("ua060508m", "ua060502m", "ua06050am")]
    wanted = sorted(path.name for path in paths)
    for request in ([tmp_path], [str(tmp_path / "*_c0m.fits")], [str(tmp_path / "*.fits")], paths, paths[::-1]):
        assert [entry.science.name for entry in find_inputs(request)] == wanted
    assert [entry.science.name for entry in find_inputs([paths[0], tmp_path])] == wanted


def test_the_folder_prefers_the_c0m_to_the_flt_made_of_it(tmp_path: Path) -> None:
    path = write_pair(tmp_path)
    shutil.copy(path, tmp_path / "ua060502m_flt.fits")
    assert [entry.science for entry in find_inputs([tmp_path])] == [path]


def test_the_real_exposure(data_dir: Path) -> None:
    exposure = mizzle.read_exposure(data_dir / "exposures" / "u40x010hm_c0m.fits.gz")
    assert (exposure.root, exposure.filter, exposure.commanded_gain, exposure.exptime) == (
        "u40x010hm",
        "F555W",
        7,
        100.0,
    )
    assert [chip.photflam for chip in exposure.chips.values()] == [
        3.482944e-18,
        3.395806e-18,
        3.439046e-18,
        3.506729e-18,
    ]
    assert [int((chip.dq == 0).sum()) for chip in exposure.chips.values()] == [553837, 570410, 567964, 555171]
    for bit, counts in {
        2: (82488, 64053, 66656, 80008),
        8: (102, 885, 633, 1011),
        1024: (4662, 5784, 6228, 5113),
    }.items():
        assert tuple(int((chip.dq & bit != 0).sum()) for chip in exposure.chips.values()) == counts


@pytest.mark.parametrize(("side", "held"), [(24, True), (10, False)])
def test_a_chip_holds_a_star_and_its_sky(side, held, tmp_path) -> None:
    """The smallest window around a star and a ring of sky have twenty pixels or so; ten are a thumbnail, or junk."""
    science = write_pair(tmp_path)
    for path in (science, science.with_name(science.name.replace("_c0m", "_c1m"))):
        with fits.open(path, mode="update") as hdus:
            for hdu in hdus[1:]:
                hdu.data = hdu.data[:side, :side].copy()
    if held:
        assert read_exposure(science).chips["WF3"].shape == (side, side)
    else:
        with pytest.raises(InputError, match="needed a chip"):
            read_exposure(science)
