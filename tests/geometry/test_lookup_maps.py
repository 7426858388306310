"""Maps of chips with lookup tables: astropy is the oracle, both ways, and pixels keep their area."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from lookup_scene import made_frame, real_frame
from mizzle.errors import DataError
from mizzle.geometry.grid import common_grid
from mizzle.geometry.mapping import back_map, chip_map, pixel_area
from mizzle.kernel import Accumulator, accumulate
from mizzle.model.lookup import LookupTable, LookupTables
from mizzle.settings.combine import CombineSettings


def places(shape, count=20_000):
    """Random places, the outermost edges, and both sides of every border of 64 columns."""
    rng = np.random.default_rng(3)
    ny, nx = shape
    x, y = rng.uniform(-0.5, nx - 0.5, count), rng.uniform(-0.5, ny - 0.5, count)
    x[:300], x[300:600], y[600:900], y[900:1200] = -0.5, nx - 0.5, -0.5, ny - 0.5
    x[1200:3000] = 64 * rng.integers(0, nx // 64 + 1, 1800) + rng.choice([-1.0, -0.5, 0.0, 0.5], 1800)
    return np.clip(x, -0.5, nx - 0.5), y


def grid_of(frame, scale=None):
    return common_grid([frame], CombineSettings(scale=scale or frame.scale))


def errors(frame, grid):
    """Largest error of the map [product pixel] and of the map backward [chip pixel] beside astropy."""
    x, y = places(frame.shape)
    gx, gy = grid.wcs.all_world2pix(*frame.wcs.all_pix2world(x, y, 0), 0)
    forward = chip_map(frame, grid)
    mx, my = forward(x, y)
    back, corner = back_map(frame, grid, forward)
    bx, by = back(gx - corner[1], gy - corner[0])
    return np.hypot(mx - gx, my - gy).max(), np.hypot(bx - x, by - y).max()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("first", [0.0, 1.0])
def test_maps_are_astropys(seed, first):
    frame = made_frame((700, 1100), seed, crpix=(first, first), crval=(first, first))
    ahead, behind = errors(frame, grid_of(frame))
    assert ahead < 1e-4
    assert behind < 8e-3


@pytest.mark.parametrize("kept", [("d2im_x",), ("npol_y",), ("npol_x", "npol_y")])
def test_some_tables_are_enough(kept):
    frame = made_frame((500, 600), 5)
    frame = replace(frame, tables=LookupTables(**{name: getattr(frame.tables, name) for name in kept}))
    assert errors(frame, grid_of(frame))[0] < 1e-4


def test_a_table_of_one_row():
    """ACS before 2015: a shift of each column."""
    frame = made_frame((400, 500), 6)
    columns = (0.003 * np.sin(2 * np.pi * np.arange(500) / 68)).astype(np.float32)[None, :]
    frame = replace(frame, tables=LookupTables(d2im_x=LookupTable(columns, (1.0, 1.0), (1.0, 1.0), (1.0, 1.0))))
    assert errors(frame, grid_of(frame))[0] < 1e-4


def test_subarrays_at_any_phase():
    whole = made_frame((700, 1100), 8)
    for ltv in ((-150.0, -40.0), (-403.0, -333.0)):
        tables = LookupTables(
            **{
                name: replace(getattr(whole.tables, name), crval=ltv)
                for name in ("d2im_x", "d2im_y", "npol_x", "npol_y")
            }
        )
        piece = replace(whole, crpix=whole.crpix + ltv, shape=(300, 333), row_edges=np.zeros(301), tables=tables)
        assert errors(piece, grid_of(piece))[0] < 1e-4


def test_tables_that_do_not_meet_are_refused():
    frame = made_frame((700, 1100), 9)
    shifted = replace(frame.tables.npol_x, crval=(31.0, 31.0))
    with pytest.raises(DataError, match="is off by"):
        chip_map(replace(frame, tables=replace(frame.tables, npol_x=shifted)), grid_of(frame))


def test_pixel_areas_are_those_of_their_corners():
    frame = made_frame((300, 420), 10, step=32.0)
    y, x = np.mgrid[:301, :421] - 0.5
    xi, eta = frame.pixel_to_plane(x, y)
    across = (xi[1:, 1:] - xi[:-1, :-1]) * (eta[1:, :-1] - eta[:-1, 1:])
    along = (xi[1:, :-1] - xi[:-1, 1:]) * (eta[1:, 1:] - eta[:-1, :-1])
    area = np.abs(across - along) / 2 / abs(np.linalg.det(frame.cd))
    difference = pixel_area(frame) - area
    # NPOL is read 0.1 pixel aside: at its nodes that moves a kink into the neighboring pixel.
    assert np.quantile(np.abs(difference), 0.9) < 1e-5
    assert np.abs(difference).max() < 4e-4
    assert abs(difference.mean()) < 1e-6


def test_a_flat_sky_stays_flat_and_whole():
    """Each drop weighed by its own area, cells inside the chip hold exactly one: no slit, no overlap at any border."""
    frame = made_frame((150, 290), 11)
    grid = grid_of(frame, scale=0.07)
    forward = chip_map(frame, grid)
    rows, columns = np.arange(150), np.arange(290.0)
    corners = [forward.lines(rows, f, columns + dx) for f, dx in ((0, -0.5), (0, 0.5), (1, 0.5), (1, -0.5))]
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = corners
    areas = np.abs((x2 - x0) * (y3 - y1) - (x3 - x1) * (y2 - y0)) / 2
    acc = Accumulator(grid.shape)
    accumulate(acc, np.full(frame.shape, 7.0), forward, relative_weight=areas)
    assert acc.weight.sum() == pytest.approx(areas.sum(), rel=1e-12)
    assert acc.weight.max() < 1 + 1e-9
    cy, cx = np.mgrid[: grid.shape[0], : grid.shape[1]]
    x, y = frame.sky_to_pixel(*grid.pixel_to_sky(cx, cy))
    inside = (x > 1.5) & (x < 287.5) & (y > 1.5) & (y < 147.5)
    assert inside.sum() > 15_000
    np.testing.assert_allclose(acc.weight[inside], 1.0, rtol=0, atol=1e-9)
    np.testing.assert_allclose(acc.mean()[inside], 7.0, rtol=1e-12)


@pytest.mark.data
@pytest.mark.parametrize("reading", ["astropy", "design"])
def test_real_chips(data_dir, reading):
    """ACS/WFC in two filters, WFC3/UVIS, WFC3/IR, ACS/HRC: 1e-4 product pixel, 8e-3 backward."""
    for entry in json.loads((data_dir / "cameras" / "wcs_vectors.json").read_text())["chips"]:
        frame = real_frame(data_dir / "cameras", entry, reading)
        ahead, behind = errors(frame, grid_of(frame))
        assert ahead < 1e-4, entry["file"]
        assert behind < 8e-3, entry["file"]
