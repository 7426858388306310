"""Chips read at the places of a frame's cells: the twins agree, and both obey the laws."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mizzle import kernel
from mizzle.kernel import ChipMap, native
from mizzle.kernel.resample import ChipSource, numpy_twin, padded, read_means
from mizzle.steps.reject.reference import rows_needed

F32 = np.float32


@pytest.fixture(params=["native", "reference"])
def twin(request, monkeypatch):
    if request.param == "reference":
        monkeypatch.setattr(native, "library", lambda: None)
    elif native.library() is None:
        pytest.skip("no compiled kernel")
    return request.param


def source(
    image, bad=None, *, matrix=((1.0, 0.0), (0.0, 1.0)), place=(0.0, 0.0), box=(12, 15), corner=(0, 0), shift=None
):
    """A chip whose pixel ``matrix @ (column, row) + place`` each cell of the box reads."""
    image = np.asarray(image, F32)
    bad = np.zeros(image.shape, np.bool_) if bad is None else bad
    shift = np.zeros(image.shape[0], F32) if shift is None else np.asarray(shift, F32)
    return ChipSource(ChipMap.affine(box, matrix, place), corner, shift, padded(image, bad, 1.0, 0.0))


def read(sources, shape=(12, 15), *, top=0, least=0.5):
    out = np.empty(shape, F32)
    read_means(sources, top, least, out)
    return out


def test_identity_returns_the_chip_and_nothing_beyond(twin):
    image = np.random.default_rng(1).normal(5, 1, (8, 10))
    out = read([source(image)])
    np.testing.assert_allclose(out[:8, :10], image, rtol=1e-6)
    assert np.isnan(out[8:]).all()
    assert np.isnan(out[:, 10:]).all()


def test_a_flat_chip_stays_flat_under_any_map(twin):
    bad = np.random.default_rng(2).random((30, 30)) < 0.2
    out = read([source(np.full((30, 30), 7.0), bad, matrix=((1.01, -0.06), (0.05, 0.98)), place=(4.3, 5.2))], least=0.1)
    assert np.isfinite(out).mean() > 0.9
    np.testing.assert_allclose(out[np.isfinite(out)], 7.0, rtol=1e-6)


def test_bad_pixels_are_invisible_whatever_they_hold(twin):
    rng = np.random.default_rng(3)
    image, bad = rng.normal(5, 1, (20, 20)).astype(F32), rng.random((20, 20)) < 0.2
    spoilt = np.where(bad, rng.choice(np.array([np.nan, np.inf, 1e30], F32), (20, 20)), image)
    how = {"matrix": ((1.0, 0.03), (-0.03, 1.0)), "place": (1.4, 2.6)}
    np.testing.assert_array_equal(read([source(image, bad, **how)]), read([source(spoilt, bad, **how)]))


@pytest.mark.parametrize("turn", [0, 1, 2, 3])
def test_it_is_the_square_drop_where_pixels_lie_straight_on_cells(twin, turn):
    rng = np.random.default_rng(4)
    image, bad = rng.normal(5, 1, (16, 16)).astype(F32), rng.random((16, 16)) < 0.1
    matrix = np.array([[[1, 0], [0, 1]], [[0, -1], [1, 0]], [[-1, 0], [0, -1]], [[0, 1], [-1, 0]]][turn], float)
    # The cell of the frame's middle reads near the chip's middle.
    place = np.array([7.5, 7.5]) - matrix @ np.array([10.0, 10.0]) + np.array([0.37, -0.22])
    out = read([source(image, bad, matrix=matrix, place=place, box=(20, 20))], (20, 20), least=0.3)
    there = np.linalg.inv(matrix)
    forward = ChipMap.affine((16, 16), there, -there @ place)
    total = kernel.Accumulator((20, 20))
    kernel.accumulate(total, image, forward, mask=bad.view(np.uint8), pixfrac=1.0, kernel="square")
    enough = total.weight >= 0.3
    wanted = np.where(enough, total.sums[..., 0] / np.where(enough, total.weight, 1.0), np.nan)
    np.testing.assert_allclose(out, wanted, rtol=2e-5)


def test_the_row_term_moves_what_is_read(twin):
    image = np.repeat(np.arange(12.0)[:, None], 15, axis=1)
    shift = np.where(np.arange(12) < 6, 0.0, 0.25)
    out = read([source(image, shift=shift)])
    np.testing.assert_allclose(out[:5, 3], np.arange(5.0), atol=1e-6)
    np.testing.assert_allclose(out[7:11, 3], np.arange(7.0, 11.0) - 0.25, atol=1e-6)


def test_bands_and_the_order_of_chips_do_not_matter(twin):
    rng = np.random.default_rng(5)
    chips = [
        source(rng.normal(5, 1, (9, 9)), matrix=((1.0, 0.02), (-0.02, 1.0)), place=(0.3, -0.4), box=(9, 10)),
        source(rng.normal(5, 1, (9, 9)), matrix=((0.0, 1.0), (-1.0, 0.0)), place=(0.2, 8.3), box=(9, 9), corner=(3, 6)),
    ]
    whole = read(chips)
    bands = np.concatenate([read(chips, (5, 15)), read(chips, (7, 15), top=5)])
    np.testing.assert_array_equal(whole, bands)
    np.testing.assert_allclose(whole, read(chips[::-1]), rtol=1e-6)


def test_the_rows_that_a_band_needs_are_enough(twin):
    """Whatever else the chip holds, to the bit."""
    rng = np.random.default_rng(7)
    image, bad = rng.normal(5, 1, (60, 40)), rng.random((60, 40)) < 0.05
    how = {"matrix": ((1.01, -0.06), (0.05, 0.98)), "place": (-1.3, 2.2), "box": (58, 42), "corner": (3, 1)}
    whole = source(image, bad, shift=rng.uniform(-0.1, 0.1, 60), **how)
    wanted = read([whole], (66, 44))
    for top in range(0, 66, 11):
        rows = rows_needed(whole.back, whole.corner, top, rows=11, ny=60)
        part = replace(whole, padded=padded(image[rows].astype(F32), bad[rows], 1.0, 0.0), first=rows.start)
        np.testing.assert_array_equal(read([part], (11, 44), top=top), wanted[top : top + 11])
        assert top in (0, 55) or rows.stop - rows.start < 40
    nothing = rows_needed(whole.back, whole.corner, 200, rows=11, ny=60)
    assert nothing.start >= nothing.stop


def test_a_box_beyond_the_frame_is_refused(twin):
    with pytest.raises(ValueError, match="leaves the frame"):
        read([source(np.ones((9, 9)), corner=(0, 1))])


@pytest.mark.skipif(native.library() is None, reason="no compiled kernel")
@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.integers(1, 140), st.integers(0, 12))
def test_twins_read_alike(seed, ny, nx, top):
    rng = np.random.default_rng(seed)
    image, bad = rng.normal(100, 30, (ny, nx)).astype(F32), rng.random((ny, nx)) < 0.15
    angle = rng.uniform(0, 2 * np.pi)
    matrix = rng.uniform(0.3, 2.0) * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    where = source(
        image, bad, matrix=matrix, place=rng.uniform(-20, 20, 2), box=(12, 90), corner=(int(rng.integers(9)), 7),
        shift=rng.uniform(-0.05, 0.05, ny),
    )  # fmt: skip
    wanted = np.empty((11, 100), F32)
    numpy_twin.read_means([where], top, 0.4, wanted)
    out = read([where], (11, 100), top=top, least=0.4)
    clear = np.isfinite(out) & np.isfinite(wanted)
    # Where the weights sum to just the least, either may be right.
    assert np.count_nonzero(np.isfinite(out) != np.isfinite(wanted)) <= 2
    np.testing.assert_allclose(out[clear], wanted[clear], rtol=2e-4, atol=1e-3)
