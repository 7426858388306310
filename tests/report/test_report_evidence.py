"""What the figures show, against what is known."""

from __future__ import annotations

from base64 import b64decode

import numpy as np
import pytest

from mizzle.model import Context
from mizzle.report import maps, psf
from mizzle.report.charts import Axis, Chart, log_ticks, round_ticks
from mizzle.report.evidence import gather
from mizzle.report.skyfigures import magnitude_errors, match, seam_map
from mizzle.report.stretch import decode
from report.report_scene import Scene, make_result


@pytest.mark.parametrize("sigma", [0.45, 0.7, 1.0, 1.8, 2.6])
def test_widths_are_those_of_the_stars(sigma):
    rng = np.random.default_rng(1)
    y, x = np.mgrid[-5:6, -5:6]
    centers = rng.uniform(-0.5, 0.5, (60, 2))
    stars = np.array([np.exp(-0.5 * ((x - a) ** 2 + (y - b) ** 2) / sigma**2) for a, b in centers])
    stars = 100 * stars + rng.normal(7, 0.5, stars.shape)
    fwhm = psf.widths(stars)
    # Templates lie 0.2 pixel apart: a centroid 0.1 pixel off widens the sharpest stars by 2 %.
    assert np.median(fwhm) == pytest.approx(2.3548 * sigma, rel=0.025 if sigma < 0.6 else 0.01)


def test_no_width_without_a_star():
    rng = np.random.default_rng(2)
    noise = rng.normal(size=(20, 11, 11))
    hole = np.full((1, 11, 11), np.nan)
    flat = np.ones((1, 11, 11))
    assert np.isnan(psf.widths(np.concatenate([noise, hole, flat]))).all()
    assert psf.widths(np.zeros((0, 11, 11))).size == 0


@pytest.fixture(scope="module")
def scene():
    result = make_result(Scene(n_exposures=3, side=200, n_stars=300))
    return result, gather(result)


def test_star_widths_in_and_out(scene):
    result, evidence = scene
    wide = 2.3548 * result.mosaics["F814W"].grid.scale  # the scene's stars: sigma one pixel, chip and product alike
    for row in evidence["widths"]["products"]["F814W"].values():
        assert row["fwhm_arcsec"] == pytest.approx(wide, rel=0.02)
    for root, chips in evidence["widths"]["exposures"].items():
        for chip, row in chips.items():
            scale = next(e for e in result.exposures if e.root == root).chips[chip].frame.scale
            assert row["fwhm_arcsec"] == pytest.approx(2.3548 * scale, rel=0.03), (root, chip)


def test_stamps_hold_the_pixels_of_the_exposure(scene):
    result, evidence = scene
    assert [s["chip"] for s in evidence["stamps"]] == ["PC", "WF2", "WF3", "WF4"]
    for stamp in evidence["stamps"]:
        exposure = next(e for e in result.exposures if e.root == stamp["root"])
        chip = exposure.chips[stamp["chip"]]
        size = stamp["size"]
        window = np.s_[stamp["y0"] : stamp["y0"] + size, stamp["x0"] : stamp["x0"] + size]
        codes = np.frombuffer(b64decode(stamp["before"]), np.uint8).reshape(size, size)
        factor = result.flux_scales.factors[exposure.root][chip.name]
        rate = (chip.sci[window] * factor - 3.0) / exposure.exptime
        near = np.abs(rate) < 2 * stamp["scale"]["sigma"]
        assert np.abs(decode(codes, stamp["scale"]) - rate)[near].max() < 0.2 * stamp["scale"]["sigma"]
        mask = result.cosmic_rays.mask(exposure.root, chip.name, chip.shape)[window]
        assert stamp["hits"] == mask.sum() > 0
        bits = np.unpackbits(np.frombuffer(b64decode(stamp["mask"]), np.uint8), count=size * size)
        np.testing.assert_array_equal(bits.reshape(size, size).astype(bool), mask)


def test_stars_stay_and_rays_go_from_before_to_after(scene):
    """Where the exposure shows a bright star, so does the product on the same pixels; where a ray, it does not."""
    result, evidence = scene
    stamp = next(s for s in evidence["stamps"] if s["chip"] == "WF3")
    size = stamp["size"]
    before, after = (
        decode(np.frombuffer(b64decode(stamp[k]), np.uint8).reshape(size, size), stamp["scale"])
        for k in ("before", "after")
    )
    exposure = next(e for e in result.exposures if e.root == stamp["root"])
    mask = result.cosmic_rays.mask(exposure.root, "WF3", exposure.chips["WF3"].shape)
    mask = mask[stamp["y0"] : stamp["y0"] + size, stamp["x0"] : stamp["x0"] + size]
    bright = before > 40 * stamp["scale"]["sigma"]
    seen = np.isfinite(after)
    stars, rays = bright & ~mask & seen, bright & mask & seen
    assert stars.sum() > 10
    assert rays.sum() > 10
    assert np.median(after[stars] / before[stars]) == pytest.approx(1.0, abs=0.1)
    assert np.median(after[rays] / before[rays]) < 0.2


def test_dithers_are_the_commanded_ones(scene):
    _, evidence = scene
    places = np.array(list(evidence["dithers"].values()))
    steps = np.hypot(*np.diff(places, axis=0).T)
    expected = [np.hypot(2.6, 0.0), np.hypot(2.4, 2.5)]
    np.testing.assert_allclose(steps, expected, atol=0.2)  # the scene's shifts scatter by 0.03 arcsec per axis


def test_residuals_fall_on_their_chips(scene):
    _, evidence = scene
    for root, table in evidence["residuals"].items():
        corners = np.array([p for box in evidence["footprints"][root].values() for p in box])
        assert min(table["xi"]) >= corners[:, 0].min() - 0.1
        assert max(table["eta"]) <= corners[:, 1].max() + 0.1
        assert np.std(table["dxi"]) == pytest.approx(3.0, rel=0.2)


def two_chips(step, shape=(400, 400)):
    rng = np.random.default_rng(5)
    sci = rng.normal(0.0, 0.02, shape).astype(np.float32)
    ctx = np.ones(shape, dtype=np.int32)
    ctx[:, shape[1] // 2 :] = 2
    sci[:, shape[1] // 2 :] += step
    sci[rng.random(shape) < 0.01] += 5
    return sci, ctx


@pytest.mark.parametrize("step", [0.0, 0.004])
def test_a_seam_is_measured(step):
    sci, ctx = two_chips(step)
    product = {
        "filter": "F814W", "scale_arcsec": 0.1, "shape": sci.shape, "n_exposures": 1,
        "context": [{"root": "a", "chip": "WF2", "exptime": 1}, {"root": "a", "chip": "WF3", "exptime": 1}],
    }  # fmt: skip
    _, rows = seam_map(product, {"sci": sci, "context": Context.of(ctx)}, sky=10.0, doubts={})
    (row,) = rows
    assert row["chips"] == ["WF2", "WF3"]
    assert abs(row["step"] - step / 0.01) < 4 * row["error"]
    assert row["error"] < 0.05
    assert row["percent"] == pytest.approx(10 * row["step"], rel=1e-9)
    if step:
        assert row["step"] > 8 * row["error"]


def test_exposures_are_counted_once_whatever_their_chips():
    ctx = np.array([[0b0001, 0b0011, 0b0101, 0b1111]], dtype=np.int32)
    context = [{"root": r, "chip": c} for r in "ab" for c in ("WF2", "WF3")]
    np.testing.assert_array_equal(maps.exposure_count(Context.of(ctx), context, 1), [[1, 1, 2, 2]])
    planes = np.stack([ctx, np.full_like(ctx, -(2**31))])
    context = [{"root": f"r{i // 2}", "chip": "WF2"} for i in range(64)]
    np.testing.assert_array_equal(maps.exposure_count(Context.of(planes), context, 1), [[2, 2, 3, 3]])


def test_background_is_blind_to_stars():
    sci, _ = two_chips(0.0)
    level = maps.background(sci, 10)
    assert np.abs(level).max() < 0.03
    sci[:100, :100] = np.nan
    assert np.isnan(maps.background(sci, 10)[:10, :10]).all()


def test_matching_is_mutual_and_within_reach():
    rng = np.random.default_rng(8)
    ra, dec = 359.9995 + rng.uniform(0, 0.001, 200), 40 + rng.uniform(0, 0.01, 200)
    one = {"ra": ra % 360, "dec": dec}
    order = rng.permutation(200)
    two = {"ra": (ra[order] + 1e-6) % 360, "dec": dec[order]}
    i, j = match(one, two)
    assert i.size > 150
    np.testing.assert_array_equal(order[j], i)
    far = {"ra": two["ra"], "dec": two["dec"] + 1.0}
    assert match(one, far)[0].size == 0


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-3, 118), (0.998, 1.003), (1e-5, 3e-5), (17.2, 26.9), (0, 2500)])
def test_ticks_are_round_inside_and_readable(low, high):
    ticks = round_ticks(low, high)
    assert 3 <= len(ticks) <= 8
    assert len({label for _, label in ticks}) == len(ticks)
    for value, label in ticks:
        assert low - 1e-9 <= value <= high + 1e-9
        assert float(label.replace("−", "-")) == pytest.approx(value, abs=1e-9 * max(1, abs(high)))


def test_counts_have_whole_ticks():
    for top, wanted in ((1, ["0", "1"]), (3, ["0", "1", "2", "3"]), (100, ["0", "50", "100"])):
        assert [t for _, t in round_ticks(0, top, 4, least=1.0)] == wanted


def test_log_ticks_cover_the_range():
    assert [t for _, t in log_ticks(0.09, 2.1)] == ["0.1", "0.2", "0.5", "1", "2"]
    assert [t for _, t in log_ticks(1e-3, 0.5)] == ["0.001", "0.003", "0.01", "0.03", "0.1", "0.3"]
    assert [t for _, t in log_ticks(1e-4, 10)] == ["0.0001", "0.001", "0.01", "0.1", "1", "10"]


def test_chart_text_is_escaped():
    chart = Chart(Axis("<b>&", 0, 1), Axis("y", 0, 1), "<script>")
    chart.marker(0.5, 0.5, "ink", title="</title><script>")
    chart.text(0.5, 0.5, "<i>")
    assert "<script" not in chart.svg()
    assert "<b>" not in chart.svg()
    assert "<i>" not in chart.svg()


def test_a_caption_says_why_stars_are_flagged():
    """In a cluster most have a neighbor's light in their apertures: a number alone looks like a failure."""
    flags = np.array([0] * 4 + [256] * 5 + [256 + 2] * 2)
    stars = {"mag_st": np.linspace(18, 22, 11), "mag_err": np.linspace(0.01, 0.1, 11), "flags": flags}
    caption = magnitude_errors("F555W", stars).caption
    assert "7 of them flagged" in caption
    assert "7 light in the aperture not spread as a star's: cosmic ray, neighbor or galaxy (bit 256)" in caption
    assert "2 part of the aperture has no data (bit 2)" in caption
    assert ":" not in magnitude_errors("F555W", {**stars, "flags": 0 * flags}).caption
