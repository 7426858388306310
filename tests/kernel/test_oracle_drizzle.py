"""Against the `drizzle` package on affine maps: 1e-5 in weight, 1e-4 in flux, for every kernel; and blot."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from kernel.twins import TWINS, frame_of, linear, positions, using
from mizzle.kernel import blot, drizzle

SHAPE = (44, 60)
SETUPS = [
    (0.0, 1.0, 1.0, False),
    (0.3, 1.0, 0.8, False),
    (0.7, 0.5, 0.8, False),
    (1.9, 2.19, 1.0, True),
    (4.2, 1.0, 0.3, True),
]
KERNELS = ("square", "turbo", "point", "gaussian", "lanczos2", "lanczos3")
INTERPOLATIONS = ("nearest", "linear", "poly3", "poly5", "lanczos3", "lanczos5")

pytestmark = pytest.mark.oracle


def _drop_cases() -> dict[str, dict]:
    rng = np.random.default_rng(3)
    cases = {}
    for kernel in KERNELS:
        for n, (angle, ratio, pixfrac, mirror) in enumerate(SETUPS):
            pixmap = positions(SHAPE, linear(angle, 1 / ratio, mirror), 0.0) + np.array([0.31, 0.61])
            cases[f"{kernel}-{n}"] = {
                "sci": rng.normal(10, 3, SHAPE).astype(np.float32),
                "weight": rng.uniform(0.5, 2, SHAPE).astype(np.float32),
                "pixmap": pixmap,
                "shape": frame_of(pixmap, 4 / ratio),
                "pixfrac": pixfrac,
                "kernel": kernel,
                "ratio": ratio,
            }
    # Distorted: the square kernel alone knows no scale.
    pixmap = positions(SHAPE, linear(0.5, 1.0), 1.5)
    cases["bent"] = cases["square-0"] | {"pixmap": pixmap, "shape": frame_of(pixmap, 4), "pixfrac": 0.8}
    return cases


def _blot_cases() -> dict[str, dict]:
    y, x = np.mgrid[:70, :80]
    image = (5 + np.sin(x / 2.1) * np.cos(y / 2.7) + 0.01 * x).astype(np.float32)
    cases = {}
    for interp in INTERPOLATIONS:
        pixmap = positions((30, 40), linear(0.4, 0.9), 0.3) + 8.0
        cases[f"blot-{interp}"] = {"image": image, "pixmap": pixmap, "interp": interp}
    return cases


@pytest.fixture(scope="module")
def oracle(oracle_python: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    folder = tmp_path_factory.mktemp("oracle")
    cases = _drop_cases() | _blot_cases()
    np.savez(folder / "cases.npz", **{f"{a}/{b}": value for a, case in cases.items() for b, value in case.items()})
    script = Path(__file__).with_name("oracle_drizzle.py")
    subprocess.run(
        [oracle_python, "-W", "ignore", str(script), str(folder / "cases.npz"), str(folder / "answers.npz")],
        check=True,
        timeout=1800,
    )
    with np.load(folder / "answers.npz") as answers:
        return dict(answers)


@pytest.mark.parametrize("twin", TWINS)
@pytest.mark.parametrize("name", _drop_cases())
def test_drizzle_agrees(twin, name, oracle):
    case = dict(_drop_cases()[name])
    kernel, ratio = case.pop("kernel"), case.pop("ratio")
    with using(twin):
        mean, total = drizzle(**case, kernel=kernel, pixel_scale_ratio=ratio)
    expected, weight = oracle[f"{name}/mean"], oracle[f"{name}/weight"]
    np.testing.assert_allclose(total, weight, rtol=0, atol=1e-5 * weight.max())
    # The oracle sums in 32 bits: a cell of next to no weight (a Lanczos zero) says nothing about its mean.
    seen = np.abs(weight) > 1e-3 * weight.max() * (30 if kernel.startswith("lanczos") else 1)
    np.testing.assert_allclose(mean[seen] * total[seen], (expected * weight)[seen], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(mean[seen], expected[seen], rtol=1e-4)


@pytest.mark.parametrize("twin", TWINS)
@pytest.mark.parametrize("interp", INTERPOLATIONS)
def test_blot_agrees(twin, interp, oracle):
    case = _blot_cases()[f"blot-{interp}"]
    with using(twin):
        value = blot(case["image"], case["pixmap"], interp=interp)
    # The oracle's Lanczos weights do not add up to 1: a flat image comes out uneven there, by up to 1 %.
    tolerance = 2e-2 if interp.startswith("lanczos") else 3e-6
    np.testing.assert_allclose(value, oracle[f"blot-{interp}/value"], rtol=tolerance)
