"""The structural check agrees with astropy on what a FITS file is, and finds every kind of damage."""

from __future__ import annotations

import gzip
import io

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from mizzle.errors import InputError
from mizzle.io.structure import check_fits, data_sum, primary_header


def write(*units):
    stream = io.BytesIO()
    fits.HDUList(list(units)).writeto(stream, checksum=True)
    return stream.getvalue()


@pytest.fixture(scope="module")
def whole():
    image = fits.ImageHDU(np.arange(6000, dtype=np.float32).reshape(60, 100), name="SCI")
    table = fits.BinTableHDU.from_columns([fits.Column(name="A", format="PJ()", array=[np.arange(3), np.arange(5)])])
    primary = fits.PrimaryHDU()
    primary.header["TARGNAME"] = "O'NEILL / X"
    primary.header["COMMENT"] = "ROOTNAME= 'not a keyword'"
    return write(primary, image, table)


def test_a_whole_file_passes_and_its_keywords_come(whole):
    header = check_fits(whole, "x.fits")
    assert header["SIMPLE"] is True
    assert header["TARGNAME"] == "O'NEILL / X"
    assert "ROOTNAME" not in header


@pytest.mark.parametrize(
    "unit",
    [
        fits.PrimaryHDU(np.zeros((3, 4, 5), np.int16)),
        fits.PrimaryHDU(np.zeros(0, np.uint8)),
        fits.PrimaryHDU(np.zeros((7, 1), np.float64)),
        fits.GroupsHDU(fits.GroupData(np.zeros((10, 4, 4), np.float32), parnames=["A"], pardata=[np.arange(10.0)])),
    ],
    ids=["cube", "empty", "double", "random groups"],
)
def test_all_kinds_of_data_have_the_right_length(unit, tmp_path):
    path = tmp_path / "x.fits"
    fits.HDUList([unit, fits.ImageHDU(np.ones(5, np.int64))]).writeto(path, checksum=True)
    check_fits(path, "x.fits")


def test_a_compressed_file_passes(whole):
    check_fits(gzip.compress(whole), "x.fits.gz")


def test_real_files_pass(data_dir):
    for path in sorted(data_dir.rglob("*.fits*")):
        assert check_fits(path, path.name)["SIMPLE"] is True
        assert primary_header(path)["SIMPLE"] is True


@settings(max_examples=60, deadline=None)
@given(st.floats(0, 1, exclude_max=True))
def test_any_truncation_is_found(whole, part):
    cut = int(part * len(whole))
    ends = [0]
    with fits.open(io.BytesIO(whole)) as units:
        ends += [unit.fileinfo()["datLoc"] + unit.fileinfo()["datSpan"] for unit in units]
    if cut in ends[1:]:
        return  # a shorter, but whole file: its size tells
    with pytest.raises(InputError, match="not a whole FITS file"):
        check_fits(whole[:cut], "x.fits")


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 23_999), st.integers(0, 7))
def test_any_flipped_bit_of_an_image_is_found(whole, place, bit):
    with fits.open(io.BytesIO(whole)) as units:
        start = units[1].fileinfo()["datLoc"]
    damaged = bytearray(whole)
    damaged[start + place] ^= 1 << bit
    with pytest.raises(InputError, match="data sum"):
        check_fits(bytes(damaged), "x.fits")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>Please log in</html>" * 200,
        b"\x1f\x8b" + b"garbage" * 100,
        gzip.compress(b"SIMPLE  =" + b" " * 5000)[:-20],
        b"SIMPLE  =                    T" + b" " * 50,
        (
            b"SIMPLE  =                    T".ljust(80) + b"BITPIX  =                   99".ljust(80) + b"END".ljust(80)
        ).ljust(2880),
        (b"SIMPLE  =                    F".ljust(80) + b"END".ljust(80)).ljust(2880),
    ],
    ids=["empty", "web page", "not gzip", "cut gzip", "short", "BITPIX 99", "SIMPLE F"],
)
def test_what_is_not_fits_is_refused(content):
    with pytest.raises(InputError, match="fetch it again"):
        check_fits(content, "x.fits")


def test_absurd_sizes_do_not_make_it_read_forever():
    cards = ["SIMPLE  =                    T", "BITPIX  =                   64", "NAXIS   =                    2"]
    cards += ["NAXIS1  =        1099511627776", "NAXIS2  =        1099511627776", "END"]
    with pytest.raises(InputError, match="truncated"):
        check_fits("".join(card.ljust(80) for card in cards).ljust(2880).encode(), "x.fits")


def test_something_behind_the_last_unit_is_found(whole):
    with pytest.raises(InputError, match="after unit 3"):
        check_fits(whole + b"x" * 2880, "x.fits")


@given(st.binary(max_size=400).filter(lambda data: len(data) % 4 == 0))
def test_the_data_sum_is_the_remainder_of_the_words(data):
    """Ones' complement addition is addition modulo 2^32 - 1."""
    words = sum(int.from_bytes(data[i : i + 4], "big") for i in range(0, len(data), 4))
    assert data_sum(data) % 0xFFFFFFFF == words % 0xFFFFFFFF
    half = len(data) // 8 * 4
    assert data_sum(data[half:], data_sum(data[:half])) == data_sum(data)


@given(st.binary(max_size=6000))
def test_no_bytes_make_it_crash(content):
    with pytest.raises(InputError):
        check_fits(content, "x.fits")
