"""`mizzle.kernel.Drizzle`: laws of co-adding, and the tests of the package whose class it stands for."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

import mizzle
from kernel.twins import TWINS, using
from mizzle.kernel import Drizzle
from mizzle.kernel.coadd_sums import Planes, Sums

SHAPE = (12, 14)


def pixmap(dx=0.0, dy=0.0):
    y, x = np.indices(SHAPE, dtype=np.float64)
    return np.dstack([x + dx, y + dy])


@pytest.fixture
def images():
    rng = np.random.default_rng(3)
    return [(rng.normal(5, 1, SHAPE), rng.uniform(0.5, 2.0, SHAPE), pixmap(dx)) for dx in (0.0, 0.3, 0.6)]


def added(images, **options):
    driz = Drizzle(out_shape=SHAPE, **options)
    for data, weight, where in images:
        driz.add_image(data, exptime=2.0, pixmap=where, weight_map=weight, data2=np.ones(SHAPE))
    return driz


def test_the_order_of_images_does_not_matter(images):
    one, two = added(images), added(images[::-1])
    np.testing.assert_allclose(one.out_img, two.out_img, rtol=1e-6)
    np.testing.assert_allclose(one.out_img2[0], two.out_img2[0], rtol=1e-6)
    assert one.total_exptime == two.total_exptime == 6.0


def test_a_flat_image_stays_flat_and_its_variance_falls(images):
    driz = added([(np.full(SHAPE, 7.0), np.ones(SHAPE), where) for _, _, where in images])
    inside = driz.out_wht > 2.5
    assert inside.any()
    np.testing.assert_allclose(driz.out_img[inside], 7.0, rtol=1e-6)
    assert np.all(driz.out_img2[0][inside] <= 1 / 3 + 1e-6)


def test_every_image_has_its_bit(images):
    driz = added(images)
    assert driz.ctx_id == 3
    assert int(driz.out_ctx[0, 5, 5]) == 0b111
    assert np.array_equal(np.any(driz.out_ctx, axis=0), driz.out_wht > 0)


def test_earlier_results_are_gone_on_with(images):
    whole, first = added(images), added(images[:2])
    rest = Drizzle(
        out_img=first.out_img, out_wht=first.out_wht, out_ctx=first.out_ctx, exptime=4.0, begin_ctx_id=2
    )  # fmt: skip
    data, weight, where = images[2]
    rest.add_image(data, exptime=2.0, pixmap=where, weight_map=weight)
    np.testing.assert_allclose(rest.out_img, whole.out_img, rtol=1e-6)
    np.testing.assert_array_equal(rest.out_ctx, whole.out_ctx)


@pytest.mark.parametrize("planes", [1, 2, 3])
@pytest.mark.parametrize("variances", [0, 1, 2])
@pytest.mark.parametrize("step", [1, 2])
def test_sums_begin_with_what_earlier_images_stand_for(planes, variances, step):
    """Mean times weight, weight, variance times squared weight: to the bit, by both twins and from any strides."""
    rng = np.random.default_rng(planes + 3 * variances)
    shape = (9 * step, 7 * step)
    weight = np.where(rng.random(shape) < 0.3, 0.0, rng.uniform(0.5, 2.0, shape)).astype(np.float32)
    mean = np.where(weight == 0, np.nan, rng.normal(5, 1, shape)).astype(np.float32)
    squares = [np.where(weight == 0, np.nan, rng.uniform(1, 2, shape)).astype(np.float32) for _ in range(variances)]
    words = rng.integers(-(2**31), 2**31, (planes, *shape)).astype(np.int32)
    some = (slice(None, None, step), slice(None, None, step))
    before = Planes(mean[some], weight[some], tuple(one[some] for one in squares), words[(slice(None), *some)])
    made = []
    for twin in TWINS:
        with using(twin):
            made.append(Sums(before).accumulators)
    seen, total = before.weight != 0, before.weight.astype(np.float64)
    for sums in made:
        np.testing.assert_array_equal(sums[0].weight, total)
        np.testing.assert_array_equal(sums[0].sums[..., 0][seen], before.mean[seen] * total[seen])
        assert not sums[0].sums[..., 0][~seen].any()
        np.testing.assert_array_equal(sums[0].context[:planes], before.context)
        for acc, variance in zip(sums, before.variances, strict=False):
            np.testing.assert_array_equal(acc.variance_sum[seen], variance[seen] * total[seen] ** 2)
            assert not acc.variance_sum[~seen].any()


def test_only_the_box_takes_part():
    driz = Drizzle(out_shape=SHAPE, fillval=-1.0)
    driz.add_image(np.ones(SHAPE), exptime=1.0, pixmap=pixmap(), xmin=2, xmax=4, ymin=3, ymax=3)
    filled = driz.out_wht > 0
    assert filled.sum() == 3
    assert np.all(driz.out_img[~filled] == -1.0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kernel": "magic"}, "Kernel 'magic' is not supported."),
        ({"exptime": -1.0}, "Exposure time must be non-negative."),
        ({"begin_ctx_id": -1}, "Invalid context image ID"),
        ({"out_img": np.zeros((3, 3)), "out_wht": np.zeros((3, 4))}, "Inconsistent data shapes"),
    ],
)
def test_errors_are_value_errors_with_the_packages_words(options, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        Drizzle(**options)


PLUGIN = """
import sys
sys.path.append({source!r})
import drizzle.resample
from mizzle.kernel import Drizzle
drizzle.resample.Drizzle = Drizzle
"""


@pytest.mark.oracle
def test_the_packages_own_tests(oracle_python, tmp_path):
    """Every test that the package passes by itself passes with the class in its place."""
    source = str(Path(mizzle.__file__).parents[1])
    (tmp_path / "mizzle_in_place.py").write_text(PLUGIN.format(source=source))

    def outcomes(*more):
        command = [oracle_python, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", *more]
        command += ["--pyargs", "drizzle.tests.test_resample"]
        run = subprocess.run(
            command, cwd=tmp_path, env={"PYTHONPATH": str(tmp_path), "PATH": "/usr/bin"}, capture_output=True, text=True
        )  # fmt: skip
        return {line.split(" ")[1] for line in run.stdout.splitlines() if line.startswith("PASSED")}

    expected, found = outcomes(), outcomes("-p", "mizzle_in_place")
    assert len(expected) > 100
    assert not expected - found


def test_flags_go_where_their_pixels_go(images):
    """A cell of `out_dq` has the flags of the pixels with weight that share it, and no others."""
    flags = np.zeros(SHAPE, np.int16)
    flags[4, 5], flags[7, 8] = 1 << 3, -(1 << 15)
    driz = Drizzle(out_shape=SHAPE)
    data, weight, where = images[1]
    weight[7, 8] = 0.0
    driz.add_image(data, exptime=1.0, pixmap=where, weight_map=weight, dq=flags)
    assert driz.out_dq.dtype == np.uint32
    alone = Drizzle(out_shape=SHAPE)
    alone.add_image(data, exptime=1.0, pixmap=where, weight_map=np.where(flags == 1 << 3, weight, 0.0))
    np.testing.assert_array_equal(driz.out_dq == 1 << 3, alone.out_wht > 0)
    assert set(np.unique(driz.out_dq)) == {0, 1 << 3}

    # An image without flags changes none; one with others adds them.
    before = driz.out_dq.copy()
    driz.add_image(data, exptime=1.0, pixmap=where)
    np.testing.assert_array_equal(driz.out_dq, before)
    driz.add_image(data, exptime=1.0, pixmap=where, dq=np.full(SHAPE, 1 << 31, np.uint32))
    np.testing.assert_array_equal(driz.out_dq & (1 << 3), before)
    assert (driz.out_dq >> 31 & 1).sum() == SHAPE[0] * (SHAPE[1])


@pytest.mark.parametrize("kind", [np.uint64, np.float32, np.bool_])
def test_flags_of_another_type_are_refused(kind):
    with pytest.raises(TypeError, match="'out_dq' must be"):
        Drizzle(out_dq=np.zeros(SHAPE, kind))
    with pytest.raises(TypeError, match="'dq' must be"):
        Drizzle().add_image(np.ones(SHAPE), exptime=1.0, pixmap=pixmap(), dq=np.zeros(SHAPE, kind))
