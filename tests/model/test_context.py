"""A product's context, packed: every bit comes back, in little room, and equal images are equal."""

import pickle

import numpy as np
import pytest

from mizzle.errors import SettingsError
from mizzle.model import Context, PackedPlane, context

RNG = np.random.default_rng(5)


def footprints(shape=(60, 70), inputs=40):
    """Return the context of chips that overlap, with small holes."""
    ny, nx = shape
    ctx = np.zeros((-(-inputs // 32), ny, nx), np.uint32)
    for bit in range(inputs):
        y, x = RNG.integers(0, 12, 2)
        inside = np.zeros(shape, bool)
        inside[y : y + 45, x : x + 50] = True
        inside[RNG.random(shape) < 0.0005] = False
        ctx[bit // 32] |= inside.astype(np.uint32) << np.uint32(bit % 32)
    return ctx.view(np.int32)


IMAGES = {
    "footprints": footprints()[0],
    "empty": np.zeros((7, 9), np.int32),
    "all bits": np.full((7, 9), -1, np.int32),
    "noise": RNG.integers(-(2**31), 2**31, (23, 17)).astype(np.int32),
    "columns": np.tile(np.arange(6, dtype=np.int32), (5, 1)),
    "one pixel": np.array([[5]], np.int32),
    "one row": np.array([[1, 1, 2, 2, 2, 2, 2, 2, 0]], np.int32),
    "no columns": np.zeros((3, 0), np.int32),
}


@pytest.mark.parametrize("name", IMAGES)
@pytest.mark.parametrize("piece", [1, 4, 2**20])
def test_every_look_at_a_packed_plane_is_one_at_the_image(name, piece, monkeypatch):
    monkeypatch.setattr(context, "_PIECE", piece)
    image = IMAGES[name]
    ny, nx = image.shape
    packed = PackedPlane.of(image)
    assert packed.image.dtype == np.int32
    np.testing.assert_array_equal(packed.image, image)
    for first in range(ny + 1):
        for last in range(first, ny + 1):
            np.testing.assert_array_equal(packed.rows(first, last), image[first:last])
    places = RNG.integers(0, max(image.size, 1), (3, 8)) if image.size else np.zeros((3, 0), int)
    np.testing.assert_array_equal(packed.at(places), image.ravel()[places])
    for step in (1, 2, 3):
        np.testing.assert_array_equal(packed.sampled(step), image[step // 2 :: step, step // 2 :: step])
    corner = (max(1, ny - 1), max(1, nx - 2))
    np.testing.assert_array_equal(packed.sampled(2, corner), image[1 : corner[0] : 2, 1 : corner[1] : 2])


@pytest.mark.parametrize("name", IMAGES)
def test_bands_put_together_are_the_image_packed_whole(name):
    """However it was cut: what is equal is packed alike."""
    image = IMAGES[name]
    whole = PackedPlane.of(image)
    for cuts in ([1], [2, 3], list(range(1, image.shape[0]))):
        bands = [PackedPlane.of(band) for band in np.split(image, cuts) if len(band)]
        assert PackedPlane.joined(bands) == whole


def test_no_plane_takes_more_room_than_its_image():
    for image in IMAGES.values():
        packed = PackedPlane.of(image)
        size = packed.values.nbytes + (0 if packed.starts is None else packed.starts.nbytes)
        assert size <= image.nbytes
    large = footprints((600, 700))
    packed = Context.of(large)
    assert sum(plane.values.nbytes + plane.starts.nbytes for plane in packed.planes) < large.nbytes / 5


def test_a_context_is_its_planes():
    ctx = footprints()
    packed = Context.of(ctx)
    assert packed.shape == ctx.shape
    np.testing.assert_array_equal(packed.array, ctx)
    assert not packed.array.flags.writeable
    rows, columns = RNG.integers(0, 60, 50), RNG.integers(0, 70, 50)
    np.testing.assert_array_equal(packed.at(rows, columns), ctx[:, rows, columns])
    np.testing.assert_array_equal(packed.sampled(4), ctx[:, 2::4, 2::4])
    single = Context.of(ctx[0])
    assert single == Context.of(ctx[:1]) != packed
    assert single.array.shape == ctx.shape[1:]
    assert pickle.loads(pickle.dumps(packed)) == packed
    assert len(pickle.dumps(packed)) < ctx.nbytes / 2


@pytest.mark.parametrize("shape", [(4,), (0, 3, 3), (1, 1, 3, 3)])
def test_a_context_of_another_shape_is_refused(shape):
    with pytest.raises(SettingsError, match="needed"):
        Context.of(np.zeros(shape, np.int32))
