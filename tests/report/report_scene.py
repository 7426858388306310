"""A plausible `Result` made with numpy alone: what the report's tests look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mizzle.instrument.cameras import WFPC2
from mizzle.instrument.wfpc2 import CHIP_NAMES, CHIP_NUMBERS, GAINS, READ_NOISES
from mizzle.model import (
    Alignment,
    ArrayPixels,
    Catalog,
    Chip,
    ChipFrame,
    ChipProof,
    Context,
    CosmicRays,
    Exposure,
    ExposureAlignment,
    FluxReference,
    FluxScales,
    Grid,
    InputChip,
    Mosaic,
    Result,
    SkyLevels,
    Verdict,
    Zeropoint,
    worst,
)

POINTING = (323.3625, -0.8233)
ANGLES = {"PC": 180.2, "WF2": 90.3, "WF3": 0.0, "WF4": -90.5}
PHOTFLAMS = {
    "F814W": {"PC": 2.508e-18, "WF2": 2.458e-18, "WF3": 2.449e-18, "WF4": 2.498e-18},
    "F555W": {"PC": 3.483e-18, "WF2": 3.396e-18, "WF3": 3.439e-18, "WF4": 3.507e-18},
    "F439W": {"PC": 2.945e-17, "WF2": 2.871e-17, "WF3": 2.908e-17, "WF4": 2.965e-17},
}
VISIT = {"F814W": "05", "F555W": "06", "F439W": "07"}
PIVOT = {"F814W": 7995.9, "F555W": 5439.0, "F439W": 4312.0}


@dataclass(frozen=True)
class Scene:
    """How the made-up visit looks; `side` pixels per chip keep it quick."""

    n_exposures: int = 6
    side: int = 200
    filters: tuple[str, ...] = ("F814W",)
    n_stars: int = 400
    seed: int = 1
    roll: float = 35.0
    target: str = "NGC7089"
    exptime: float = 500.0


def _rotation(degrees: float) -> np.ndarray:
    angle = np.deg2rad(degrees)
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def _frame(scene: Scene, chip: str, dither: np.ndarray) -> ChipFrame:
    """A chip of the L: WF3 at the lower left, its neighbors around the common corner."""
    width = 800 * 0.0996
    scale = (800 * 0.0455 if chip == "PC" else width) / scene.side
    half = 0.5 * scene.side * scale
    place = {"PC": (-1, 1), "WF2": (1, 1), "WF3": (1, -1), "WF4": (-1, -1)}[chip]
    center = np.array(place) * (half - 1.2) + dither
    turn = _rotation(scene.roll)
    xi, eta = turn @ center
    cd = turn @ _rotation(ANGLES[chip]) @ np.diag([-scale, scale]) / 3600.0
    crval = np.array([POINTING[0] + xi / 3600 / np.cos(np.deg2rad(POINTING[1])), POINTING[1] + eta / 3600])
    middle = np.full(2, scene.side / 2 + 0.5)
    zero = np.zeros((2, 2))
    return ChipFrame(crval, middle, cd, zero, zero, (scene.side,) * 2, np.zeros(scene.side + 1), scale)


def _stamp(image: np.ndarray, x: np.ndarray, y: np.ndarray, flux: np.ndarray, sigma: float) -> None:
    reach = int(np.ceil(4 * sigma)) + 1
    span = np.arange(-reach, reach + 1)
    for px, py, f in zip(x, y, flux, strict=True):
        ix, iy = round(px), round(py)
        if not (reach <= ix < image.shape[1] - reach and reach <= iy < image.shape[0] - reach):
            continue
        gx = np.exp(-0.5 * ((span + ix - px) / sigma) ** 2)
        gy = np.exp(-0.5 * ((span + iy - py) / sigma) ** 2)
        patch = np.outer(gy, gx)
        image[iy - reach : iy + reach + 1, ix - reach : ix + reach + 1] += f * patch / patch.sum()


def _chip(scene: Scene, name: str, filt: str, frame: ChipFrame, stars: Any, rng: np.random.Generator) -> Any:
    sky = 3.0 * (frame.scale / (800 * 0.0996 / scene.side)) ** 2
    sci = rng.normal(sky, 1.0, frame.shape)
    ra, dec, rate = stars
    x, y = frame.sky_to_pixel(ra, dec)
    _stamp(sci, x, y, rate * scene.exptime, 1.0)
    hit = rng.random(frame.shape) < 0.002
    for dx in range(4):
        hit |= np.roll(hit, (dx // 2, dx % 2 + dx // 2), (0, 1)) & (rng.random(frame.shape) < 0.5)
    sci[hit] += rng.exponential(120, int(hit.sum())) + 10
    dq = np.zeros(frame.shape, dtype=np.uint16)
    edge = max(scene.side // 17, 2)
    dq[:edge] |= 2
    dq[:, :edge] |= 2
    flam = PHOTFLAMS[filt][name]
    chip = Chip(
        name,
        CHIP_NUMBERS[name],
        ArrayPixels(sci, dq),
        {"DETECTOR": CHIP_NUMBERS[name]},
        GAINS[7][name],
        READ_NOISES[7][name],
        flam,
        frame,
        photplam=PIVOT[filt],
        photbw=700.0,
        photmode=f"WFPC2,{CHIP_NUMBERS[name]},A2D7,{filt},,CAL",
    )
    return chip, hit


def _mosaic(scene: Scene, filt: str, exposures: list[Exposure], stars: Any, grid: Grid) -> Mosaic:
    rng = np.random.default_rng(scene.seed + 77)
    ny, nx = grid.shape
    inputs, planes = [], []
    wht = np.zeros(grid.shape)
    yy, xx = np.mgrid[:ny, :nx].astype(float)
    for exposure in exposures:
        for chip in exposure.chips.values():
            low, high = max(scene.side // 17, 2), scene.side - 1
            corner = np.array([[low, high, high, low], [low, low, high, high]], dtype=float)
            px, py = grid.sky_to_pixel(*chip.frame.pixel_to_sky(*corner))
            inside = np.ones(grid.shape, dtype=bool)
            sign = np.sign((px[1] - px[0]) * (py[2] - py[1]) - (py[1] - py[0]) * (px[2] - px[1]))
            for i in range(4):
                j = (i + 1) % 4
                inside &= sign * ((px[j] - px[i]) * (yy - py[i]) - (py[j] - py[i]) * (xx - px[i])) >= 0
            inside &= rng.random(grid.shape) > 0.01
            wht += inside * exposure.exptime
            planes.append(inside)
            inputs.append(InputChip(exposure.root, chip.name, exposure.exptime, 1.0, 3.0, 500.0, chip.frame.scale))
    n_planes = -(-len(planes) // 32)
    ctx = np.zeros((n_planes, ny, nx), dtype=np.uint32)
    for i, inside in enumerate(planes):
        ctx[i // 32] |= inside.astype(np.uint32) << np.uint32(i % 32)
    sci = np.zeros(grid.shape)
    x, y = grid.sky_to_pixel(stars[0], stars[1])
    _stamp(sci, x, y, stars[2], 1.0)
    with np.errstate(divide="ignore"):
        err = np.where(wht > 0, 0.05 / np.sqrt(wht / scene.exptime), np.nan)
    sci = np.where(wht > 0, sci + rng.normal(size=grid.shape) * np.nan_to_num(err), np.nan)
    reference = FluxReference("WF3", PHOTFLAMS[filt]["WF3"], PIVOT[filt], 700.0, -21.1, "", 6.9, "WF3 of the first")
    return Mosaic(
        filt,
        sci.astype(np.float32),
        err.astype(np.float32),
        wht.astype(np.float32),
        Context.of(ctx.view(np.int32)),
        grid,
        reference,
        tuple(inputs),
        scene.exptime * len(exposures),
        1.0,
        "square",
        noise_correlation=dict(zip(CHIP_NAMES, (1.26, 1.5, 1.49, 1.51), strict=True)),
    )


def _catalog(mosaic: Mosaic, stars: Any, scene: Scene) -> Catalog:
    ra, dec, rate = stars
    x, y = mosaic.grid.sky_to_pixel(ra, dec)
    ny, nx = mosaic.grid.shape
    ix, iy = np.clip(np.rint(x).astype(int), 0, nx - 1), np.clip(np.rint(y).astype(int), 0, ny - 1)
    keep = (mosaic.wht[iy, ix] > 0) & (x > 0) & (y > 0) & (x < nx - 1) & (y < ny - 1) & (rate > 0.05)
    ra, dec, rate, x, y = ra[keep], dec[keep], rate[keep], x[keep], y[keep]
    rng = np.random.default_rng(scene.seed)
    error = np.sqrt(rate / 7 / mosaic.exptime + 0.01**2)
    flux = rate + rng.normal(size=rate.size) * error
    st = -21.1 - 2.5 * np.log10(np.maximum(flux, 1e-3) * mosaic.photflam)
    columns: dict[str, Any] = {
        "ra": ra, "dec": dec, "x": x + 1, "y": y + 1, "flux": flux, "flux_err": error,
        "mag_st": st, "mag_ab": st - 5 * np.log10(mosaic.reference.photplam) + 18.692,
        "mag_err": 1.0857 * error / rate, "cte": np.full(rate.size, 0.02), "sky": np.zeros(rate.size),
        "chip": rng.choice(CHIP_NAMES, rate.size), "n_exp": np.full(rate.size, scene.n_exposures),
        "flags": (rng.random(rate.size) < 0.05).astype(np.int32),
    }  # fmt: skip
    return Catalog(columns, dict.fromkeys(columns, ""), {"aperture_arcsec": 0.5})


def make_grid(frames: list[ChipFrame], scale: float) -> Grid:
    """A north-up grid around all frames."""
    cd = np.array([[-scale, 0], [0, scale]]) / 3600.0
    base = Grid(np.array(POINTING), np.array([0.5, 0.5]) + 0.5, cd, (1, 1))
    xs, ys = [], []
    for frame in frames:
        ny, nx = frame.shape
        x, y = base.sky_to_pixel(*frame.pixel_to_sky(np.array([0, nx, nx, 0.0]), np.array([0, 0, ny, ny * 1.0])))
        xs.append(x)
        ys.append(y)
    x0, y0 = np.floor(np.min(xs)) - 2, np.floor(np.min(ys)) - 2
    shape = (int(np.max(ys) - y0) + 3, int(np.max(xs) - x0) + 3)
    return Grid(np.array(POINTING), np.array([1.0 - x0, 1.0 - y0]), cd, shape)


def make_result(scene: Scene | None = None, *, header: dict[str, Any] | None = None) -> Result:
    """Return a whole made-up result."""
    scene = scene or Scene()
    rng = np.random.default_rng(scene.seed)
    radius = np.abs(rng.normal(0, 45, scene.n_stars)) / 3600
    angle = rng.random(scene.n_stars) * 2 * np.pi
    ra = POINTING[0] + radius * np.cos(angle)
    dec = POINTING[1] + radius * np.sin(angle)
    stars = {f: (ra, dec, 10 ** rng.uniform(-1.5, 1.8, scene.n_stars)) for f in scene.filters}
    exposures: list[Exposure] = []
    packed: dict[str, dict[str, np.ndarray]] = {}
    fractions: dict[str, dict[str, float]] = {}
    for filt in scene.filters:
        for i in range(scene.n_exposures):
            root = f"ua06{VISIT[filt]}{i:02d}m"
            dither = np.array([(i % 2) * 2.5 + i * 0.1, (i // 2 % 2) * 2.5])
            chips, hits = {}, {}
            for name in CHIP_NAMES:
                frame = _frame(scene, name, dither)
                chips[name], hits[name] = _chip(scene, name, filt, frame, stars[filt], rng)
            packed[root] = {n: np.packbits(h) for n, h in hits.items()}
            fractions[root] = {n: float(h.mean()) for n, h in hits.items()}
            files = {f"{root}_c0m.fits": f"{i:02x}" * 32, f"{root}_c1m.fits": f"{i + 16:02x}" * 32}
            keys: dict[str, Any] = {"PROPOSID": 11100, "PA_V3": 100.0 + scene.roll, **(header or {})}
            target = str(keys.get("TARGNAME", scene.target))
            mjd = 54000.5 + i * 0.01
            exposures.append(
                Exposure(
                    root, f"{root}_c0m.fits", filt, scene.exptime, scene.exptime, mjd,
                    mjd + scene.exptime / 86400, "2007-05-12", 7, target, keys, chips, files, camera=WFPC2,
                )
            )  # fmt: skip
    grid = make_grid([c.frame for e in exposures for c in e.chips.values()], 800 * 0.0996 / scene.side)
    mosaics = {f: _mosaic(scene, f, [e for e in exposures if e.filter == f], stars[f], grid) for f in scene.filters}
    catalogs = {f: _catalog(m, stars[f], scene) for f, m in mosaics.items()}
    return _assemble(exposures, mosaics, catalogs, packed, fractions, rng)


def _assemble(exposures: list[Exposure], mosaics: Any, catalogs: Any, packed: Any, fractions: Any, rng: Any) -> Result:
    entries, tables = {}, {}
    for i, exposure in enumerate(exposures):
        shift = rng.normal(0, 0.03, 2) * (i > 0)
        entries[exposure.root] = ExposureAlignment(
            exposure.root, POINTING, np.eye(2), shift, 300, 210 - i, 3.1 + 0.2 * i,
            np.diag([2e-4**2, 2e-4**2, 1e-12]), 1e-9, Verdict.PASS,
        )  # fmt: skip
        n, side = 200, next(iter(exposure.chips.values())).shape[0]
        mesh = rng.poisson(2.0, (61, 61))
        mesh[33, 27] += 90
        tables[exposure.root] = {
            "x": rng.uniform(0, side, n), "y": rng.uniform(0, side, n), "chip": rng.integers(1, 5, n),
            "dx": rng.normal(0, 3, n), "dy": rng.normal(0, 3, n), "mag": rng.uniform(-12, -5, n),
            "histogram": mesh, "histogram_extent": np.array([1.0]),
        }  # fmt: skip
    alignment = Alignment("mean", entries, "stars", tables)
    factors = {e.root: {n: c.photflam / PHOTFLAMS[e.filter]["WF3"] for n, c in e.chips.items()} for e in exposures}
    scales = FluxScales({f: m.reference for f, m in mosaics.items()}, factors)
    per_chip = {e.root: dict.fromkeys(e.chips, 3.0) for e in exposures}
    bright = {e.root: {n: 0.6 + rng.normal(0, 0.01) for n in e.chips} for e in exposures}
    sky = SkyLevels(per_chip, bright, {r: dict.fromkeys(c, 1.0) for r, c in per_chip.items()},
                    {r: dict.fromkeys(c, 0.01) for r, c in per_chip.items()})  # fmt: skip
    rays = CosmicRays(packed, fractions, {e.root: "median" for e in exposures})
    zeropoints = {}
    for f, mosaic in mosaics.items():
        proof = {
            "PC": ChipProof(1.004, 0.011, 22, Verdict.WARN, 1.02, 0.009, 0.003, 1.03, 0.08),
            "WF2": ChipProof(0.998, 0.006, 140, Verdict.PASS, 0.985, 0.003, 0.002, 1.01, 0.03),
            "WF3": ChipProof(1.0, 0.005, 160, Verdict.PASS, 1.0, 0.0, 0.0, 1.0, 0.03),
            "WF4": ChipProof(1.003, 0.006, 120, Verdict.PASS, 1.021, 0.003, 0.002, 0.98, 0.03),
        }
        zeropoints[f] = Zeropoint(mosaic.reference, proof)
    verdict = worst([alignment.verdict, *(z.verdict for z in zeropoints.values())])
    return Result(
        "m2", tuple(exposures), mosaics, catalogs, alignment, scales, sky, rays, zeropoints, verdict,
        dropped={},
    )  # fmt: skip
