"""Pieces of a mask, as a library that labels whole images finds them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import find_objects, label

from mizzle.stars.pieces import longest_piece


def by_labeling(mask):
    pieces = find_objects(label(mask, np.ones((3, 3)))[0])
    return max((math.hypot(*(part.stop - part.start for part in piece)) for piece in pieces), default=0.0)


@given(seed=st.integers(0, 10**6), ny=st.integers(1, 40), nx=st.integers(1, 40), share=st.floats(0.0, 1.0))
def test_any_mask(seed, ny, nx, share):
    mask = np.random.default_rng(seed).random((ny, nx)) < share
    assert longest_piece(mask) == pytest.approx(by_labeling(mask))


def test_lines_and_a_path_that_turns_at_every_end():
    line = np.eye(500, dtype=bool)
    for mask in (line, line[::-1], np.ones((1, 900), bool), np.ones((900, 1), bool)):
        assert longest_piece(mask) == pytest.approx(by_labeling(mask))
    path = np.zeros((61, 80), bool)
    path[::2] = True
    path[1::4, -1] = path[3::4, 0] = True
    assert longest_piece(path) == pytest.approx(math.hypot(61, 80))
    path[1, -1] = False
    assert longest_piece(path) == pytest.approx(by_labeling(path))
