"""The product grid, and the fast map of a chip to it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from astropy.wcs import WCS
from hypothesis import given, settings
from hypothesis import strategies as st

from mizzle.errors import DataError, SettingsError
from mizzle.geometry.grid import common_grid, outline
from mizzle.geometry.mapping import back_map, chip_map, exact_map, pixel_area
from mizzle.instrument.wfpc2.frames import frames_for_pointing
from mizzle.model.frame import ChipFrame
from mizzle.settings.combine import CombineSettings
from mizzle.settings.geometry import GeometrySettings

VISIT = [
    frames_for_pointing(323.36 + dx, -0.82 + dy, 33.9, date_obs="2007-10-01", filters="F814W")
    for dx, dy in ((0.0, 0.0), (0.0003, 0.0002), (-0.0002, 0.0004))
]
FRAMES = [frame for exposure in VISIT for frame in exposure.values()]


def test_grid_is_tight_and_covers_everything() -> None:
    grid = common_grid(FRAMES)
    x, y = (np.concatenate(p) for p in zip(*(grid.sky_to_pixel(*outline(f, 33)) for f in FRAMES), strict=True))
    ny, nx = grid.shape
    assert -0.5 - 1e-3 <= x.min() < 0.6
    assert nx - 1.6 < x.max() <= nx - 0.5 + 1e-3
    assert -0.5 - 1e-3 <= y.min() < 0.6
    assert ny - 1.6 < y.max() <= ny - 0.5 + 1e-3


def test_grid_is_north_up_at_the_asked_scale() -> None:
    grid = common_grid(FRAMES, CombineSettings(scale=0.05))
    assert grid.scale == pytest.approx(0.05, rel=1e-12)
    assert grid.orientation() == 0.0
    assert grid.cd[0, 0] < 0 < grid.cd[1, 1]
    np.testing.assert_array_equal(grid.crpix, [(grid.shape[1] + 1) / 2, (grid.shape[0] + 1) / 2])


def test_grid_along_the_first_exposure_or_any_angle() -> None:
    wf3 = VISIT[0]["WF3"].orientation()
    assert common_grid(FRAMES, CombineSettings(orientation="exposure"), lead="WF3").orientation() == pytest.approx(wf3)
    assert common_grid(FRAMES, CombineSettings(rotation=-33.0)).orientation() == pytest.approx(-33.0)


def test_grid_equals_astropy() -> None:
    grid = common_grid(FRAMES, CombineSettings(rotation=71.0))
    x, y = np.array([0.0, 100.5, 1500.0]), np.array([3.0, -20.0, 900.25])
    assert isinstance(grid.wcs, WCS)
    np.testing.assert_allclose(grid.pixel_to_sky(x, y), grid.wcs.all_pix2world(x, y, 0), atol=1e-12)
    np.testing.assert_allclose(grid.sky_to_pixel(*grid.pixel_to_sky(x, y)), [x, y], atol=1e-7)


def test_explicit_center_and_size() -> None:
    grid = common_grid(FRAMES, CombineSettings(ra=323.3601, dec=-0.8201, nx=300, ny=200))
    assert grid.shape == (200, 300)
    assert grid.center == (323.3601, -0.8201)
    assert grid.sky_to_pixel(323.3601, -0.8201) == (pytest.approx(149.5), pytest.approx(99.5))


@pytest.mark.parametrize("half", [{"ra": 10.0}, {"dec": 10.0}, {"nx": 100}, {"ny": 100}])
def test_half_a_pair_is_refused(half) -> None:
    with pytest.raises(SettingsError, match="set both or none"):
        common_grid(FRAMES, CombineSettings(**half))


def test_fields_far_apart_are_refused() -> None:
    far = list(frames_for_pointing(325.0, -0.82, 33.9, date_obs="2007-10-01", filters="F814W").values())
    with pytest.raises(DataError, match="run fields apart"):
        common_grid(FRAMES + far)
    opposite = list(frames_for_pointing(143.36, 0.82, 33.9, date_obs="2007-10-01", filters="F814W").values())
    with pytest.raises(DataError):
        common_grid(FRAMES + opposite)
    with pytest.raises(DataError, match="90 degrees"):
        common_grid(FRAMES, CombineSettings(ra=143.0, dec=1.0))
    with pytest.raises(DataError, match="no exposure"):
        common_grid([])


def test_order_of_frames_does_not_move_the_grid() -> None:
    one, two = common_grid(FRAMES), common_grid(FRAMES[::-1])
    assert one.shape == two.shape
    np.testing.assert_allclose(one.crval, two.crval, atol=1e-12)


def evaluate(found, x, y):
    """A ChipMap in plain numpy: row term, then Chebyshev."""
    ny, nx = found.shape
    shifted = y + np.interp(y, np.arange(ny + 1) - 0.5, found.row_edges)
    u, v = (2 * x - (nx - 1)) / nx, (2 * shifted - (ny - 1)) / ny
    return (np.polynomial.chebyshev.chebval2d(u, v, c) for c in (found.cx, found.cy))


@given(
    ra=st.floats(0, 360),
    dec=st.floats(-85, 85),
    roll=st.floats(0, 360),
    scale=st.sampled_from([0.02, 0.0996, 0.3]),
    offset=st.floats(-0.01, 0.01),
)
@settings(max_examples=20, deadline=None)
def test_map_is_exact_to_1e_4_pixel(ra, dec, roll, scale, offset) -> None:
    exposure = frames_for_pointing(ra, dec, roll, date_obs="1998-01-01", filters="F555W")
    grid = common_grid(exposure.values(), CombineSettings(scale=scale, rotation=roll / 3 - 50))
    rng = np.random.default_rng(7)
    x, y = rng.uniform(-0.5, 799.5, (2, 300))
    for frame in exposure.values():
        moved = frame.moved(grid.center, np.eye(2), np.array([offset, -offset]))
        want = exact_map(moved, grid, x=x, y=y)
        got = evaluate(chip_map(moved, grid), x, y)
        assert np.hypot(*(a - b for a, b in zip(got, want, strict=True))).max() < 1e-4


def test_map_keeps_the_row_term_exactly() -> None:
    frame, grid = VISIT[0]["PC"], common_grid(FRAMES)
    np.testing.assert_array_equal(chip_map(frame, grid).row_edges, frame.row_edges)


@pytest.mark.parametrize("name", ["PC", "WF2", "WF3", "WF4"])
@pytest.mark.parametrize("rotation", [0.0, 3.0])
def test_the_map_backward_undoes_the_map(name: str, rotation: float) -> None:
    frame = VISIT[0][name]
    grid = common_grid(FRAMES, CombineSettings(scale=frame.scale, rotation=VISIT[0]["WF2"].orientation() + rotation))
    forward = chip_map(frame, grid)
    found = back_map(frame, grid, forward)
    assert found is not None
    back, (j0, i0) = found
    x, y = (a.ravel() for a in np.meshgrid(np.linspace(0, 799, 60), np.linspace(0, 799, 60)))
    gx, gy = forward.at(x, y)
    assert (gx > i0).all()
    assert (gy > j0).all()
    assert (gx < i0 + back.shape[1] - 1).all()
    assert (gy < j0 + back.shape[0] - 1).all()
    bx, by = back.at(gx - i0, gy - j0)
    assert np.hypot(bx - x, by - y).max() < 0.005  # what docs/architecture.md promises


def test_there_is_no_map_backward_from_cells_that_see_nothing_of_a_chip() -> None:
    frame = VISIT[0]["PC"]
    away = common_grid([frames_for_pointing(323.41, -0.82, 33.9, date_obs="2007-10-01", filters="F814W")["WF3"]])
    assert back_map(frame, away, chip_map(frame, away)) is None


def test_a_map_that_cannot_be_fitted_is_refused() -> None:
    frame, grid = VISIT[0]["WF2"], common_grid(FRAMES)
    wild = np.array(frame.sip_a)
    wild[2, 0] = 2e-3
    folded = ChipFrame(frame.crval, frame.crpix, frame.cd, wild, frame.sip_b, (800, 800), frame.row_edges, 0.0996)
    elsewhere = frames_for_pointing(143.0, 1.0, 0.0, date_obs="2000-01-01", filters="F555W")["WF3"]
    for bad in (folded, elsewhere):
        with pytest.raises(DataError, match="its map to the product"):
            chip_map(bad, grid)


@pytest.mark.parametrize("binning", [1, 2])
def test_pixel_area_is_the_area_on_the_sky(binning: int) -> None:
    exposure = frames_for_pointing(150.0, 30.0, 10.0, date_obs="2001-01-01", filters="F814W", binning=binning)
    for frame in exposure.values():
        area = pixel_area(frame)
        rows = np.array([0, 7, 33, 34, 64, 65, 199, 371 % frame.shape[0], frame.shape[0] - 1])
        columns = np.array([0, 3, 120, 200, 250, 300, 380, 390, frame.shape[1] - 1])
        corners_x = columns + np.array([[-0.5], [0.5], [0.5], [-0.5]])
        corners_y = rows + np.array([[-0.5], [-0.5], [0.5], [0.5]])
        xi, eta = frame.pixel_to_plane(corners_x, corners_y)
        polygon = 0.5 * np.abs(np.sum(xi * np.roll(eta, -1, 0) - np.roll(xi, -1, 0) * eta, axis=0))
        relative = polygon / abs(np.linalg.det(frame.cd))
        np.testing.assert_allclose(area[rows, columns], relative, atol=2e-6)
        assert area.dtype == np.float32
        assert area.shape == frame.shape


def test_pixel_area_at_the_corners() -> None:
    flat = frames_for_pointing(
        0.0, 0.0, 0.0, date_obs="2000-01-01", filters="F555W", settings=GeometrySettings(row_term="off")
    )
    corners = [pixel_area(f)[i, j] for f in flat.values() for i in (0, -1) for j in (0, -1)]
    assert min(corners) > 0.92
    assert all(0.953 <= pixel_area(f)[-1, -1] <= 0.962 for f in flat.values())
    assert all(pixel_area(f)[424, 424] == pytest.approx(1.0, abs=1e-6) for f in flat.values())


@pytest.mark.parametrize("away", [79.0, 81.0, 82.5, 85.0, 88.0])
def test_a_map_is_as_good_as_promised_however_far_the_tangent_point(away):
    """Chips that the lowest degrees follow no longer: what is promised is the error, not the degree."""
    frame = frames_for_pointing(10.0, -20.0, 100.0, date_obs="1999-01-01", filters=("F555W", ""))["WF3"]
    frame = replace(frame, row_edges=np.zeros_like(frame.row_edges))
    grid = common_grid([frame])
    far = replace(grid, crval=grid.crval + np.array([0.0, away]))
    x, y = np.meshgrid(*(np.linspace(-0.5, n - 0.5, 60) for n in frame.shape[::-1]))
    exact, fitted = exact_map(frame, far, x=x, y=y), chip_map(frame, far)(x, y)
    assert np.hypot(fitted[0] - exact[0], fitted[1] - exact[1]).max() < 1e-4


@pytest.mark.parametrize("bend", [1.0, 2.1, 2.3, 2.5])
def test_the_map_backward_is_as_good_as_promised_of_bent_chips(bend):
    """The row term aside, which it leaves out: cells only need to know which pixels are near."""
    frame = frames_for_pointing(10.0, -20.0, 100.0, date_obs="1999-01-01", filters=("F555W", ""))["PC"]
    flat = np.zeros_like(frame.row_edges)
    frame = replace(frame, row_edges=flat, sip_a=bend * frame.sip_a, sip_b=bend * frame.sip_b)
    grid = common_grid([frame])
    forward = chip_map(frame, grid)
    back, (top, left) = back_map(frame, grid, forward)
    x, y = np.meshgrid(*(np.linspace(-0.5, n - 0.5, 90) for n in frame.shape[::-1]))
    gx, gy = forward(x, y)
    bx, by = back(gx - left, gy - top)
    assert np.hypot(bx - x, by - y).max() < 5.1e-3


@pytest.mark.parametrize(("apart", "fits"), [(0.2, True), (0.4, False)])
def test_a_product_of_two_targets_is_refused(apart, fits):
    """Two corners of a mosaic leave some of it empty; of two targets nearly all is."""
    frames = [
        frame
        for step in (0.0, apart)
        for frame in frames_for_pointing(10.0, step, 0.0, date_obs="1999-01-01", filters=("F555W", "")).values()
    ]
    frames += [replace(frame, crval=frame.crval + np.array([apart, 0.0])) for frame in frames[:4]]
    coarse = CombineSettings(scale=1.0)
    if fits:
        assert common_grid(frames, coarse).shape[0] > apart * 3600
    else:
        with pytest.raises(DataError, match="times the chips' area"):
            common_grid(frames, coarse)
