"""Whatever is handed to the kernel's front, right or nonsense: an answer, or one message that names the argument."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest

from mizzle.errors import SettingsError
from mizzle.kernel import Drizzle, blot, drizzle
from mizzle.kernel.drop import Accumulator

SIDE = 5
Y, X = np.mgrid[:SIDE, :SIDE]
PIXMAP = np.dstack([X, Y]).astype(float)
IMAGE = np.arange(25.0).reshape(SIDE, SIDE)

NUMBERS = ("1", None, [], [1.0, 2.0], {}, np.nan, np.inf, 1j, object(), np.zeros(3), b"1", 10**400)
ARRAYS = (
    None, "pixels", {}, [[1, 2], [3]], object(), np.array([["a"] * SIDE] * SIDE), IMAGE.astype(object), IMAGE + 1j,
    np.zeros(0), np.zeros((SIDE, SIDE + 1)), np.zeros((SIDE, SIDE, SIDE, 2)), 3.0, np.zeros((0, 0)),
    np.zeros((SIDE, SIDE), "M8[s]"), [None] * SIDE,
)  # fmt: skip
SHAPES = (
    None,
    "55",
    5,
    (5,),
    (5, 5, 5),
    (-1, 5),
    (0, 5),
    (5.5, 5),
    ("a", 5),
    (None, 5),
    (10**9, 10**9),
    [[5, 5]],
    {5: 5},
)
WHOLES = ("1", 1.5, -1, None, [], np.nan, 10**30)
WORDS = ("magic", None, 3, ["square"], b"square", "", "square" * 50)

DRIZZLE = {
    "sci": ARRAYS, "weight": ARRAYS, "pixmap": ARRAYS, "shape": SHAPES, "pixfrac": (*NUMBERS, -0.1, 1.1),
    "pixel_scale_ratio": (*NUMBERS, 0.0, -1.0), "kernel": WORDS, "variance": ARRAYS[1:],
    "context": WHOLES[:3] + WHOLES[4:], "threads": (*WHOLES[:3], *WHOLES[4:], 0),
    "into": (3, "acc", IMAGE, Accumulator((3, 3))),
}  # fmt: skip
BLOT = {"image": ARRAYS[:8] + ARRAYS[10:], "pixmap": ARRAYS, "interp": WORDS, "threads": (*WHOLES[:3], 0)}
CLASS = {
    "kernel": WORDS, "exptime": NUMBERS, "out_shape": SHAPES[1:], "begin_ctx_id": WHOLES[:3] + WHOLES[4:6],
    "out_img": ARRAYS[1:9], "out_wht": ARRAYS[1:9], "out_ctx": ARRAYS[1:9], "fillval": ("blank", [1], {}, object()),
    "out_img2": ("x", {}, 3.0, object()), "max_ctx_id": ("3", 1.5, [], np.nan),
}  # fmt: skip
ADD = {
    "data": ARRAYS, "pixmap": ARRAYS, "weight_map": ARRAYS[1:], "exptime": (*NUMBERS, 0.0, -1.0),
    "pixfrac": (*NUMBERS, 2.0), "pixel_scale_ratio": (*NUMBERS, 0.0), "iscale": NUMBERS, "wht_scale": NUMBERS,
    "in_units": ("electrons", None, 3), "xmin": WHOLES[:2] + WHOLES[4:], "data2": ("x", {}, 3.0, IMAGE.astype(object)),
}  # fmt: skip


def cases(table: dict[str, tuple[object, ...]]) -> list[tuple[str, object]]:
    return [(name, value) for name, values in table.items() for value in values]


def refused(action, name: str) -> None:
    """One message, which a program may catch as a `ValueError`, that says which argument is wrong."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(SettingsError) as caught:
            action()
    said = str(caught.value)
    assert said.isprintable()
    assert len(said) < 400
    spoken = {"pixel_scale_ratio": "scale ratio", "begin_ctx_id": "ID", "exptime": "xp"}
    words = {
        "fillval": "fill value|to float",
        "out_img2": "variances|out_img2",
        "data2": "variances|data2",
        "max_ctx_id": "max_ctx_id|ID",
    }
    assert re.search(words.get(name, re.escape(spoken.get(name, name))), said, re.IGNORECASE), said


@pytest.mark.parametrize(("name", "value"), cases(DRIZZLE))
def test_drizzle(name: str, value: object) -> None:
    good = {"sci": IMAGE, "weight": np.ones_like(IMAGE), "pixmap": PIXMAP, "shape": IMAGE.shape}
    refused(lambda: drizzle(**good | {name: value}), name)


@pytest.mark.parametrize(("name", "value"), cases(BLOT))
def test_blot(name: str, value: object) -> None:
    refused(lambda: blot(**{"image": IMAGE, "pixmap": PIXMAP} | {name: value}), name)


@pytest.mark.parametrize(("name", "value"), cases(CLASS))
def test_the_class_is_made(name: str, value: object) -> None:
    refused(lambda: Drizzle(**{name: value}), name)


@pytest.mark.parametrize(("name", "value"), cases(ADD))
def test_the_class_is_given_an_image_and_keeps_its_sums(name: str, value: object) -> None:
    driz = Drizzle()
    driz.add_image(IMAGE, 1.0, PIXMAP)
    before = [driz.out_img.copy(), driz.out_wht.copy(), driz.out_ctx.copy(), driz.total_exptime, driz.ctx_id]
    good = {"data": IMAGE, "exptime": 1.0, "pixmap": PIXMAP}
    refused(lambda: driz.add_image(**good | {name: value}), name)
    after = [driz.out_img, driz.out_wht, driz.out_ctx, driz.total_exptime, driz.ctx_id]
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300, -1e300, 2.0**62])
def test_places_that_are_nowhere_are_no_error(value: float) -> None:
    nowhere = np.full_like(PIXMAP, value)
    for kernel in ("square", "point", "turbo", "gaussian", "lanczos3"):
        made = drizzle(IMAGE, np.ones_like(IMAGE), nowhere, IMAGE.shape, kernel=kernel)
        assert not made.weight.any()
    assert np.isnan(blot(IMAGE, nowhere)).all()
    with pytest.raises(SettingsError, match="out_shape"):
        Drizzle().add_image(IMAGE, 1.0, nowhere)


def test_masked_pixels_and_lists_are_what_they_say() -> None:
    weight = np.ones_like(IMAGE)
    masked = np.ma.masked_greater(IMAGE, 20.0)
    made = drizzle(masked, weight, PIXMAP, IMAGE.shape, kernel="point")
    np.testing.assert_array_equal(np.isnan(made.mean), IMAGE > 20.0)
    listed = drizzle(IMAGE.tolist(), weight.tolist(), PIXMAP.tolist(), [SIDE, SIDE], kernel="point")
    np.testing.assert_array_equal(listed.mean, IMAGE)
