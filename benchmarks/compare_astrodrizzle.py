"""mizzle beside AstroDrizzle on the same four simulated exposures of ACS/WFC: star by star, and what both cost.

    python benchmarks/compare_astrodrizzle.py --oracle PYTHON [--folder DIR] [--runs 3] [--camera acs-wfc] [--seed 1]

`--oracle` names the interpreter that has drizzlepac. The exposures stand where their headers say, for AstroDrizzle
does not align. Three of its products are compared with mizzle's, on one grid: with its own search for cosmic rays; with
mizzle's cosmic rays given as bad pixels in place of a search; and both without cosmic rays in the sky. Light is summed
within 4 pixels of stars that have no other within 1.2 arcsec, less the median of a ring. A picture shows the cores of
stars that differ most. Then both run in turn, `--runs` times: wall and processor time, and peak memory.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from measuring import run
from numpy.typing import NDArray

import mizzle
from mizzle.simulate.cameras import CameraVisit, camera_visit, write_exposures

HERE = Path(__file__).parent
#: AstroDrizzle without its search.
PLAIN = tuple(f"{step}=False" for step in ("static", "driz_separate", "median", "blot", "driz_cr"))
SCALES = {"acs-wfc": "0.05", "acs-hrc": "0.025", "wfc3-uvis": "0.04", "wfc3-ir": "0.128"}
BITS = {"acs-wfc": "80", "acs-hrc": "64", "wfc3-uvis": "80", "wfc3-ir": "528"}
REACH, RING, APERTURE, ALONE = 22, (12.0, 21.0), 4.0, 1.2

FloatArray = NDArray[np.float64]


class Product(NamedTuple):
    """An image and its weights."""

    image: FloatArray
    weight: FloatArray
    wcs: WCS


class Stars(NamedTuple):
    """What an image shows of stars: light in the aperture, offsets from the truth [pixel], least weight in the core."""

    light: FloatArray
    dx: FloatArray
    dy: FloatArray
    weight: FloatArray


def load(path: Path) -> Product:
    """Read a product of either."""
    with fits.open(path) as units:
        wht = units["WHT"].data.astype(float)
        return Product(units["SCI"].data.astype(float), wht, WCS(units["SCI"].header))


def measure(product: Product, ra: FloatArray, dec: FloatArray) -> Stars:
    """Measure stars at known places."""
    rows = [_star(product, x, y) for x, y in zip(*product.wcs.all_world2pix(ra, dec, 0), strict=True)]
    return Stars(*np.array(rows).T)


def _star(product: Product, x: float, y: float) -> tuple[float, float, float, float]:
    i, j = round(x), round(y)
    ny, nx = product.image.shape
    if not (REACH <= i < nx - REACH and REACH <= j < ny - REACH):
        return (np.nan,) * 4
    part = np.s_[j - REACH : j + REACH + 1, i - REACH : i + REACH + 1]
    stamp, weight = product.image[part], product.weight[part]
    gy, gx = np.mgrid[-REACH : REACH + 1, -REACH : REACH + 1]
    far = np.hypot(gx - (x - i), gy - (y - j))
    ring = stamp[(far > RING[0]) & (far < RING[1])]
    light = stamp - (np.nanmedian(ring) if np.isfinite(ring).any() else np.nan)
    cx, cy = x - i, y - j
    for _ in range(15):
        near = np.exp(-((gx - cx) ** 2 + (gy - cy) ** 2) / 2.88) * (np.hypot(gx - cx, gy - cy) < 5)
        moments = [np.nansum(near * light * by) for by in (1.0, gx - cx, gy - cy)]
        dx, dy = (moment / (moments[0] or np.nan) for moment in moments[1:])
        cx, cy = cx + 2 * np.clip(dx, -0.2, 0.2), cy + 2 * np.clip(dy, -0.2, 0.2)
    around = max(float(np.nanmedian(weight[(far > 5) & (far < 10)])), 1e-9)
    return light[far < APERTURE].sum(), i + cx - x, j + cy - y, weight[far < 1.2].min() / around


def compare(name: str, ours: Stars, theirs: Stars, truth: FloatArray, good: NDArray[np.bool_]) -> None:
    """Print ratios and offsets."""
    ratio = ours.light / theirs.light
    low, mid, high = np.percentile(ratio[good], [5, 50, 95])
    scatter = [1.4826 * np.median(np.abs((a - b)[good])) for a, b in ((ours.dx, theirs.dx), (ours.dy, theirs.dy))]
    off = np.median(ours.dx[good] - theirs.dx[good]), np.median(ours.dy[good] - theirs.dy[good])
    within = (np.abs(ratio[good] - 1.0) <= 0.005).mean()
    print(f"{name}: {good.sum()} stars")
    print(f"    light, ours over theirs   {mid:.4f} (5 to 95 %: {low:.4f} to {high:.4f}); within .5 %: {within:.0%}")
    for who, one in (("ours", ours), ("theirs", theirs)):
        shares = np.percentile((one.light / truth)[good], [5, 50, 95])
        eaten = (one.weight[good] < 0.8).mean()
        print(f"    {who:6s} over truth         {shares[1]:.4f} ({shares[0]:.4f} to {shares[2]:.4f}); cores with a"
              f" pixel of less than .8 of the weight around: {eaten:.0%}")  # fmt: skip
    print(f"    positions                 {off[0]:+.4f} {off[1]:+.4f}, scatter {scatter[0]:.4f} {scatter[1]:.4f} pixel",
          flush=True)  # fmt: skip


def picture(path: Path, products: dict[str, Product], stars: list[tuple[float, float, str]]) -> None:
    """Draw the cores of stars, a row for each product and its weights."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1.5 * len(stars), 3.2 * len(products)))
    axes = figure.subplots(2 * len(products), len(stars), squeeze=False)
    for row, (name, product) in enumerate(products.items()):
        for column, (ra, dec, words) in enumerate(stars):
            x, y = (round(float(v)) for v in product.wcs.all_world2pix(ra, dec, 0))
            part = np.s_[y - 7 : y + 8, x - 7 : x + 8]
            top = np.nanmax(next(iter(products.values())).image[part])
            axes[2 * row, column].imshow(product.image[part], origin="lower", vmin=-0.02 * top, vmax=top)
            axes[2 * row + 1, column].imshow(product.weight[part], origin="lower", vmin=0, cmap="gray")
            axes[2 * row, column].set_title(words if row == 0 else name if column == 0 else "", fontsize=7)
    for one in axes.ravel():
        one.set_axis_off()
    figure.savefig(path, dpi=80)


def drizzle(oracle: str, camera: str, folder: Path, *more: str) -> list[str]:
    """Return the command of AstroDrizzle."""
    script = str(HERE / "incumbent_drizzle.py")
    return [oracle, script, str(folder), SCALES[camera], BITS[camera], *more]


def flagged_copy(result: Any, made: CameraVisit, source: Path, target: Path) -> Path:
    """Copy exposures, with the cosmic rays of a result as bit 4096."""
    shutil.copytree(source, target)
    camera = result.exposures[0].camera
    for path in target.glob("*_fl?.fits"):
        with fits.open(path, mode="update") as units:
            for version in range(1, len(made.headers.science) + 1):
                number = units["SCI", version].header.get("CCDCHIP", 1)
                name = camera.chip_named(str(number)) or camera.reference
                mask = result.cosmic_rays.mask(units[0].header["ROOTNAME"], name, units["DQ", version].shape)
                units["DQ", version].data[mask] |= 4096
    return target


def simulate(folder: Path, options: argparse.Namespace, **changes: Any) -> CameraVisit:
    """Make a visit whose headers are true, and its files."""
    still = {"pointing_error": 0.0, "roll_error": 0.0}
    made = camera_visit(options.camera, seed=options.seed, **still, **changes)
    write_exposures(made, folder)
    return made


def star_by_star(folder: Path, options: argparse.Namespace) -> None:
    """Compare products."""
    made = simulate(folder / "in", options)
    shutil.copytree(folder / "in", folder / "searched")
    run(drizzle(options.oracle, options.camera, folder / "searched"))
    theirs = {"their search": folder / "searched" / "theirs_drz.fits"}
    like = mizzle.Settings(combine={"like": str(theirs["their search"])})
    result = mizzle.run([folder / "in"], folder / "ours", settings=like)
    flagged_copy(result, made, folder / "in", folder / "flagged")
    run(drizzle(options.oracle, options.camera, folder / "flagged", *PLAIN, "resetbits=0"))
    theirs["our cosmic rays as bad pixels"] = folder / "flagged" / "theirs_drz.fits"
    east = made.ra * np.cos(np.deg2rad(made.dec.mean()))
    apart = 3600 * np.hypot(np.subtract.outer(east, east), np.subtract.outer(made.dec, made.dec))
    alone = np.partition(apart, 1, axis=1)[:, 1] > ALONE
    ours = load(next((folder / "ours").glob("*_drz.fits")))
    mine = measure(ours, made.ra, made.dec)
    bright = alone & (made.rate > 25) & (made.rate < 0.8 * 77_400 / 0.21 / made.plan.exptime)
    seen = {name: load(path) for name, path in theirs.items()}
    for name, product in seen.items():
        other = measure(product, made.ra, made.dec)
        good = bright & np.isfinite(mine.light) & np.isfinite(other.light)
        compare(name, mine, other, made.rate, good)
        if name == "their search":
            worst = np.flatnonzero(good)[np.argsort(-np.abs(mine.light / other.light - 1.0)[good])[:10]]
            shown = [(made.ra[k], made.dec[k], f"{mine.light[k] / other.light[k]:.3f}") for k in worst]
    picture(folder / "cores.png", {"ours": ours, **seen}, shown)
    print(f"    cores: {folder / 'cores.png'}")
    made = simulate(folder / "clean", options, rays=False)
    run(drizzle(options.oracle, options.camera, folder / "clean", *PLAIN))
    plain = mizzle.Settings(combine={"like": str(folder / "clean" / "theirs_drz.fits")}, reject={"method": "none"})
    inputs = sorted((folder / "clean").glob("*_fl?.fits"))
    mizzle.run(inputs, folder / "ours_clean", settings=plain)
    mine = measure(load(next((folder / "ours_clean").glob("*_drz.fits"))), made.ra, made.dec)
    other = measure(load(folder / "clean" / "theirs_drz.fits"), made.ra, made.dec)
    good = bright & np.isfinite(mine.light) & np.isfinite(other.light)
    compare("no cosmic rays in the sky", mine, other, made.rate, good)


def costs(folder: Path, options: argparse.Namespace) -> None:
    """Run both in turn."""
    ours, theirs = [], []
    for number in range(options.runs):
        copy = folder / f"again{number}"
        shutil.copytree(folder / "in", copy)
        program = [sys.executable, "-c", "from mizzle.cli import main; main()", "run", "-q"]
        ours.append(run([*program, "-o", str(folder / "timed"), str(folder / "in")]))
        theirs.append(run(drizzle(options.oracle, options.camera, copy)))
        shutil.rmtree(copy)
        print(f"    ours {ours[-1].wall:.1f} s wall, {ours[-1].cpu:.1f} s cpu, {ours[-1].tree:.0f} MB;"
              f" theirs {theirs[-1].wall:.1f}, {theirs[-1].cpu:.1f}, {theirs[-1].tree:.0f} MB", flush=True)  # fmt: skip
    for key in ("wall", "cpu", "tree") if ours else ():
        ratio = statistics.median(getattr(b, key) / getattr(a, key) for a, b in zip(ours, theirs, strict=True))
        print(f"theirs over ours, {key}: {ratio:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--oracle", required=True, help="interpreter that has drizzlepac")
    parser.add_argument("--folder", type=Path, help="an empty folder to keep the files in")
    parser.add_argument("--camera", default="acs-wfc", choices=list(SCALES))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--costs-only", action="store_true", help="time both, compare nothing")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as spare:
        folder = options.folder or Path(spare)
        if options.costs_only:
            simulate(folder / "in", options)
        else:
            star_by_star(folder, options)
        costs(folder, options)


if __name__ == "__main__":
    main()
