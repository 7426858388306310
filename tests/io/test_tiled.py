"""A context in compressed tiles: what astropy reads is what went in, and it is never unpacked as a whole."""

from __future__ import annotations

import io
import tracemalloc

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mizzle.io.tiled import write_tiled_context
from mizzle.model import Context

CARDS = [("BUNIT", "UNITLESS", "one bit per input chip"), ("CRVAL1", 12.25, "")]
SHAPES = st.one_of(
    st.tuples(st.integers(1, 9), st.integers(1, 50)), st.tuples(*[st.integers(1, 9)] * 2, st.integers(1, 50))
)


def written(context):
    """The file, as it would be in a product."""
    stream = io.BytesIO()
    fits.PrimaryHDU().writeto(stream)
    write_tiled_context(stream, context, CARDS, name="CTX")
    stream.seek(0)
    return stream


@given(hnp.arrays(np.int32, SHAPES, elements=st.sampled_from([0, 1, 3, 7, -(2**31), 2**31 - 1])))
def test_astropy_reads_what_went_in_and_finds_the_header_of_an_image(words):
    with fits.open(written(Context.of(words))) as hdus:
        hdus.verify("exception")
        context = hdus["CTX"]
        expected = words[0] if words.ndim == 3 and len(words) == 1 else words
        np.testing.assert_array_equal(context.data, expected)
        assert context.data.dtype.itemsize == 4
        assert (context.header["BUNIT"], context.header["CRVAL1"], context.ver) == ("UNITLESS", 12.25, 1)


def test_tiles_are_those_that_astropy_makes_of_the_whole():
    rng = np.random.default_rng(2)
    words = np.repeat(rng.integers(0, 2**20, (3, 40, 30)), 5, axis=2).astype(np.int32)
    whole = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(words, compression_type="RICE_1")]).writeto(whole)
    with (
        fits.open(written(Context.of(words)), disable_image_compression=True) as ours,
        fits.open(io.BytesIO(whole.getvalue()), disable_image_compression=True) as theirs,
    ):
        for mine, other in zip(ours[1].data["COMPRESSED_DATA"], theirs[1].data["COMPRESSED_DATA"], strict=True):
            assert bytes(mine) == bytes(other)
        keys = [key for key in theirs[1].header if key not in ("EXTNAME", "COMMENT", "")]
        assert {key: ours[1].header[key] for key in keys} == {key: theirs[1].header[key] for key in keys}


@pytest.mark.parametrize("planes", [3, 9])
def test_memory_does_not_follow_the_number_of_planes(planes):
    y, x = np.mgrid[:1500, :1200]
    context = Context.of(np.stack([(x // 300 + y // 400 + plane).astype(np.int32) for plane in range(planes)]))
    size = 4 * 1500 * 1200
    written(context)  # astropy is imported, and has its tables
    tracemalloc.start()
    written(context)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2.5 * size
