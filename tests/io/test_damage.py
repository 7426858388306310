"""Damage is refused: a file whose structure was hurt never becomes pixels, whatever else is right about it."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from mizzle.errors import InputError
from mizzle.io.exposures import read_exposure
from tiny_files import SIDE, write_pair

BLOCK = 2880


@dataclass(frozen=True)
class Whole:
    """A pair of files, and where the parts of the c0m are, as astropy sees them."""

    science: Path
    content: bytes
    headers: tuple[int, ...]
    data: tuple[int, ...]
    ends: tuple[int, ...]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    path = write_pair(tmp_path_factory.mktemp("whole"))
    with fits.open(path) as hdus:
        places = [hdu.fileinfo() for hdu in hdus]
    return Whole(
        path,
        path.read_bytes(),
        tuple(place["hdrLoc"] for place in places),
        tuple(place["datLoc"] for place in places),
        tuple(place["datLoc"] + place["datSpan"] for place in places),
    )


def refused(whole: Whole, content: bytes, *, packed: bool = False) -> None:
    """The damaged content under the same name, beside the same c1m, is refused with a message that names the file."""
    name = whole.science.name + (".gz" if packed else "")
    damaged = whole.science.parent / "damaged" / name
    damaged.parent.mkdir(exist_ok=True)
    quality = whole.science.name.replace("c0m", "c1m")
    (damaged.parent / quality).write_bytes((whole.science.parent / quality).read_bytes())
    damaged.write_bytes(gzip.compress(content, compresslevel=1) if packed else content)
    with pytest.raises(InputError) as problem:
        read_exposure(damaged)
    assert name in str(problem.value)
    assert "\n" not in str(problem.value)


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("unit", range(5))
def test_a_header_without_its_end_is_refused(whole: Whole, unit: int, packed: bool) -> None:
    """The three letters of END blanked: the chip must not take the next one's pixels."""
    place = whole.content.rfind(b"END" + b" " * 77, whole.headers[unit], whole.data[unit])
    refused(whole, whole.content[:place] + b"   " + whole.content[place + 3 :], packed=packed)


@settings(max_examples=60)
@given(place=st.integers(0, 10**9), blocks=st.integers(1, 3), byte=st.sampled_from([0, 32, 255]))
def test_blocks_put_in_anywhere_are_refused_or_change_nothing(whole: Whole, place: int, blocks: int, byte: int) -> None:
    """Only blank blocks inside a header, before its END, are harmless: they are blank cards."""
    place = BLOCK * (place % (len(whole.content) // BLOCK + 1))
    inside = any(start < place < data for start, data in zip(whole.headers, whole.data, strict=True))
    content = whole.content[:place] + bytes([byte]) * (BLOCK * blocks) + whole.content[place:]
    if not (inside and byte == 32):
        refused(whole, content)


@settings(max_examples=60)
@given(place=st.integers(0, 10**9), length=st.integers(1, 200_000))
def test_bytes_cut_out_anywhere_are_refused(whole: Whole, place: int, length: int) -> None:
    place %= len(whole.content)
    refused(whole, whole.content[:place] + whole.content[place + length :])


@settings(max_examples=60)
@given(length=st.integers(0, 10**9))
def test_a_file_cut_off_anywhere_is_refused(whole: Whole, length: int) -> None:
    refused(whole, whole.content[: length % len(whole.content)])


# NEXTEND is absent here, but the c1m has all four chips.
@pytest.mark.parametrize("unit", range(4))
def test_a_file_cut_off_where_a_chip_ends_is_refused(whole: Whole, unit: int) -> None:
    refused(whole, whole.content[: whole.ends[unit]])


@pytest.mark.parametrize("kept", [1, 2, 3])
def test_extensions_missing_at_the_end_are_refused_by_nextend(kept: int, tmp_path: Path) -> None:
    path = write_pair(tmp_path, primary_changes={"NEXTEND": 4})
    with fits.open(path) as hdus:
        end = hdus[kept].fileinfo()["datLoc"] + hdus[kept].fileinfo()["datSpan"]
    path.write_bytes(path.read_bytes()[:end])
    with pytest.raises(InputError, match=rf"NEXTEND says 4 extensions, {kept} are there"):
        read_exposure(path)


def test_chips_left_out_on_purpose_are_said(tmp_path: Path) -> None:
    """Both files hold the same chips: nobody cuts two files of different length at the same chip."""
    exposure = read_exposure(write_pair(tmp_path, numbers=(1,), primary_changes={"NEXTEND": 4}))
    assert list(exposure.chips) == ["PC"]
    assert any("holds PC only" in note for note in exposure.notes)


@settings(max_examples=40)
@given(chip=st.integers(1, 4), place=st.integers(0, SIDE * SIDE * 4 - 1), bit=st.integers(0, 7))
def test_a_flipped_bit_of_a_chip_with_a_data_sum_is_refused(
    summed: tuple[Path, bytes], chip: int, place: int, bit: int
) -> None:
    path, content = summed
    with fits.open(path) as hdus:
        start = hdus[chip].fileinfo()["datLoc"]
    damaged = bytearray(content)
    damaged[start + place] ^= 1 << bit
    other = path.parent / "damaged" / path.name
    other.write_bytes(damaged)
    with pytest.raises(InputError, match="DATASUM"):
        _ = read_exposure(other).chips


@pytest.fixture(scope="module")
def summed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    path = write_pair(tmp_path_factory.mktemp("summed"))
    with fits.open(path) as hdus:
        hdus.writeto(path.parent / "summed.fits", checksum=True)
    (path.parent / "summed.fits").replace(path)
    (path.parent / "damaged").mkdir()
    quality = path.name.replace("c0m", "c1m")
    (path.parent / "damaged" / quality).write_bytes((path.parent / quality).read_bytes())
    return path, path.read_bytes()


def test_a_right_data_sum_is_no_obstacle(summed: tuple[Path, bytes]) -> None:
    assert np.isfinite(read_exposure(summed[0]).chips["WF3"].sci).all()
