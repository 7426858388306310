"""Masks: the C twin against its definition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from mizzle.kernel import native, pixels

SHAPE = (7, 13)


@given(
    sci=npst.arrays(np.float32, SHAPE, elements=st.floats(width=32)),
    dq=npst.arrays(np.uint16, SHAPE),
    bits=st.integers(0, 0xFFFF),
)
def test_flagged_is_any_wanted_bit_or_no_number(sci, dq, bits):
    mask = pixels.flagged(sci, dq, bits)
    for y, x in np.ndindex(SHAPE):
        assert mask[y, x] == bool(int(dq[y, x]) & bits or not np.isfinite(sci[y, x]))


@given(
    sci=npst.arrays(np.float32, SHAPE, elements=st.floats(width=32)),
    dq=npst.arrays(np.uint16, SHAPE),
    columns=st.booleans(),
)
def test_both_twins_and_any_memory_order_agree(sci, dq, columns):
    if columns:
        sci, dq = np.asfortranarray(sci), np.asfortranarray(dq)
    compiled = pixels.flagged(sci, dq, 0x0102), pixels.all_finite(sci), pixels.has_bits(dq, 0x0102)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native, "library", lambda: None)
        assert pixels.all_finite(sci) == compiled[1] == bool(np.isfinite(sci).all())
        np.testing.assert_array_equal(pixels.flagged(sci, dq, 0x0102), compiled[0])
        np.testing.assert_array_equal(pixels.has_bits(dq, 0x0102), compiled[2])


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, 4095, 4096, 9999])
def test_one_odd_value_is_found_anywhere(odd, place):
    values = np.zeros(10_000, np.float32)
    assert pixels.all_finite(values)
    values[place] = odd
    assert not pixels.all_finite(values)
    assert pixels.flagged(values, np.zeros(10_000, np.uint16), 1).nonzero()[0].tolist() == [place]


@pytest.mark.parametrize("kind", ["i1", "i2", "u2", "i4", "f4", "f8", "i8"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_bytes_turned_around_hold_the_same_numbers(kind, order):
    values = np.random.default_rng(1).integers(-100, 100, (5, 67)).astype(kind)
    for patched in (False, True):
        given = values.astype(np.dtype(kind).newbyteorder(order))
        with pytest.MonkeyPatch.context() as patch:
            if patched:
                patch.setattr(native, "library", lambda: None)
            turned = pixels.to_native(given)
        assert turned.dtype.isnative
        assert np.shares_memory(turned, given)
        np.testing.assert_array_equal(turned, values)
