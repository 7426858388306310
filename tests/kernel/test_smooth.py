"""Smooth light, and what chips saw of it: the two twins agree, and both obey the laws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.twins import TWINS, bent_chip, using
from mizzle.kernel import native
from mizzle.kernel.maps import InverseMap
from mizzle.kernel.pixels import pixels_with_bits
from mizzle.kernel.predict import (
    ChipSampler,
    GridPlaces,
    NeighborSamples,
    RecordedPixels,
    Samples,
    nearest_samples,
    numpy_twin,
    predict_light,
    sample_neighbors,
)

needs_both = pytest.mark.skipif(native.library() is None, reason="no compiled kernel")


@pytest.fixture(params=TWINS)
def twin(request):
    with using(request.param):
        yield request.param


def light(rng, count, most, amplitude=1000.0):
    """Samples of something smooth, some of them missing."""
    dx, dy = rng.uniform(-1.6, 1.6, (2, count, most))
    value = amplitude * np.exp(-(dx**2 + dy**2))
    noise = rng.uniform(3.0, 30.0, (count, most)) ** 2
    noise[rng.random((count, most)) < 0.3] = np.inf
    return Samples(dx, dy, value, noise), amplitude * rng.uniform(0.5, 2.0, count)


@needs_both
@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 30), st.integers(1, 32), st.floats(0.4, 1.5))
def test_twins_predict_alike(seed, count, most, length):
    samples, amplitude = light(np.random.default_rng(seed), count, most)
    samples.value[~np.isfinite(samples.variance)] = np.nan
    mean, variance = predict_light(samples, amplitude, length)
    expected = numpy_twin.predict_light(samples, amplitude, length)
    np.testing.assert_allclose(mean, expected[0], rtol=1e-9, atol=1e-9 * 1000.0)
    np.testing.assert_allclose(variance, expected[1], rtol=1e-9, atol=1e-9 * 1000.0**2)


def test_the_neighbors_in_a_block_change_nothing(twin):
    """To the last bit: whoever is predicted together."""
    samples, amplitude = light(np.random.default_rng(1), 37, 16)
    mean, variance = predict_light(samples, amplitude, 0.8)
    for some in (slice(0, 1), slice(3, 12), slice(36, 37)):
        part = predict_light(Samples(*(table[some] for table in samples)), amplitude[some], 0.8)
        if twin == "native":
            np.testing.assert_array_equal(part, (mean[some], variance[some]))
        else:
            np.testing.assert_allclose(part, (mean[some], variance[some]), rtol=1e-9)


@needs_both
def test_every_instruction_set_says_the_same():
    samples, amplitude = light(np.random.default_rng(2), 100, 16)
    tables = [native.pointer(np.ascontiguousarray(array)) for array in (*samples, amplitude)]
    answers = np.empty((3, 2, 100))
    library = native.library()
    predict_light(samples, amplitude, 0.8)  # declares the arguments
    for level, (mean, variance) in enumerate(answers):
        *given, bright = tables
        out = native.pointer(mean), native.pointer(variance)
        assert library.mz_predict(*given, 100, 16, bright, 0.8, *out, min(level, library.mz_level(-1))) == 0
    np.testing.assert_array_equal(answers[1], answers[0])
    np.testing.assert_array_equal(answers[2], answers[0])


def test_the_same_sample_twice_is_no_riddle(twin):
    """However good: the equations can be solved."""
    here = np.zeros((1, 8))
    mean, variance = predict_light(Samples(here, here, here + 7.0, here), np.full(1, 1e6), 1.0)
    np.testing.assert_allclose(mean, 7.0, rtol=1e-6)
    assert 0.0 <= variance[0] < 1e3


def test_many_samples_are_weighed_too(twin):
    samples, amplitude = light(np.random.default_rng(3), 5, 40)
    for one, other in zip(
        predict_light(samples, amplitude, 0.8), numpy_twin.predict_light(samples, amplitude, 0.8), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-6)


@needs_both
def test_tables_of_unequal_shape_are_refused():
    samples, amplitude = light(np.random.default_rng(3), 5, 8)
    with pytest.raises(ValueError, match="amplitudes"):
        predict_light(samples, amplitude[:3], 0.8)


def parts_of(rng, chips, places):
    """What some chips saw: distances that are all different."""
    parts = []
    for _ in range(chips):
        owner = np.sort(rng.integers(0, places, rng.integers(0, 5 * places)))
        parts.append(NeighborSamples(owner, rng.normal(0, 1, (owner.size, 4))))
    return parts


@needs_both
@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 6), st.integers(1, 40), st.integers(1, 20), st.data())
def test_twins_sort_alike(seed, chips, places, most, data):
    parts = parts_of(np.random.default_rng(seed), chips, places)
    first = data.draw(st.integers(0, places))
    some = slice(first, data.draw(st.integers(first, places)))
    np.testing.assert_array_equal(nearest_samples(parts, some, most), numpy_twin.nearest_samples(parts, some, most))


def test_the_nearest_come_first_and_equals_by_chip(twin):
    parts = [
        NeighborSamples(np.array([4, 5, 5]), np.array([[0.0, 1, 10, 1], [1, 0, 20, 1], [0, 2, 30, 1]])),
        NeighborSamples(np.array([5, 5]), np.array([[0.0, 1, 40, 1], [0.5, 0, 50, 1]])),
    ]
    told = nearest_samples(parts, slice(5, 7), 3)
    assert told.value.tolist() == [[50, 20, 40], [0, 0, 0]]
    assert np.isinf(told.variance[1]).all()


def scene(rng, ny=30, nx=41, places=200):
    """A bent chip, its pixels, and places on and around it."""
    own = bent_chip((ny, nx), 0.4, 0.9, int(rng.integers(100)), size=0.02)
    inverse = InverseMap(own)
    x, y = own(rng.uniform(-4, nx + 4, places), rng.uniform(-4, ny + 4, places))
    sci = rng.normal(30, 20, (ny, nx)).astype(np.float32)
    sci.flat[rng.integers(0, sci.size, 20)] = np.nan
    dq = rng.choice(np.array([0, 1, 2, 8], np.uint16), (ny, nx))
    hit = np.packbits(rng.random((ny, nx)) < 0.1)
    number = np.sort(rng.choice(10 * places, places, replace=False))
    sampler = ChipSampler(inverse, gain=7.0, sky=3.0, floor=40.0, unit=0.7, reach=1.7, bits=0xFFFF & ~8)
    return RecordedPixels(sci, dq, hit), GridPlaces(number, x, y), sampler


@needs_both
@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_twins_see_alike(seed):
    given = scene(np.random.default_rng(seed))
    one, other = sample_neighbors(*given), numpy_twin.sample_neighbors(*given)
    np.testing.assert_array_equal(one.owner, other.owner)
    np.testing.assert_allclose(one.samples, other.samples, rtol=1e-9, atol=1e-9)


def test_only_good_pixels_are_seen(twin):
    pixels, places, sampler = scene(np.random.default_rng(7))
    sci, dq = np.arange(pixels.sci.size, dtype=np.float32).reshape(pixels.sci.shape), np.zeros_like(pixels.dq)
    hit = np.zeros(pixels.sci.shape, np.bool_)
    whole = sample_neighbors(RecordedPixels(sci, dq, np.packbits(hit)), places, sampler)
    assert whole.owner.size > 500
    assert (np.hypot(*whole.samples[:, :2].T) < sampler.reach).all()
    spoilt = {}
    for what in (500, 600, 700):
        spoilt[what] = float((what - sampler.sky) * sampler.gain * sampler.unit)
    sci.flat[500], dq.flat[600], hit.flat[700] = np.inf, 1, True
    dq.flat[601] = 8
    told = sample_neighbors(RecordedPixels(sci, dq, np.packbits(hit)), places, sampler)
    kept = ~np.isin(whole.samples[:, 2].round(3), [round(value, 3) for value in spoilt.values()])
    assert not kept.all()
    np.testing.assert_array_equal(told.owner, whole.owner[kept])
    np.testing.assert_array_equal(told.samples, whole.samples[kept])


@pytest.mark.parametrize("wrong", ["sci", "dq", "hit"])
def test_pixels_of_another_shape_are_refused(wrong):
    with using("native"):
        pixels, places, sampler = scene(np.random.default_rng(7))
        with pytest.raises(ValueError, match="pixels"):
            sample_neighbors(pixels._replace(**{wrong: getattr(pixels, wrong)[:-1]}), places, sampler)


@given(st.integers(0, 2**32 - 1), st.integers(0, 60), st.integers(0, 255), st.sampled_from((0.0, 0.02, 1.0)))
def test_marks_are_found(seed, size, bits, share):
    rng = np.random.default_rng(seed)
    marks = np.where(rng.random(size) < share, rng.integers(0, 256, size), 0).astype(np.uint8)
    expected = [k for k in range(size) if marks[k] & bits]
    for name in TWINS if native.library() else TWINS[1:]:
        with using(name):
            assert pixels_with_bits(marks, bits).tolist() == expected


def test_many_marks_are_found(twin):
    marks = np.full((100, 101), 4, np.uint8)
    np.testing.assert_array_equal(pixels_with_bits(marks, 4), np.arange(10_100))
    np.testing.assert_array_equal(pixels_with_bits(marks, 3), [])
