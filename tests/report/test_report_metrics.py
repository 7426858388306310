"""The numbers: complete, JSON-safe, and said in words."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mizzle.io.json_values import plain
from mizzle.model import Alignment, CosmicRays, Verdict, Zeropoint
from mizzle.report.metrics import build_report, to_json
from report.report_scene import Scene, make_result

SMALL = Scene(n_exposures=3, side=100, n_stars=80)


def report_of(result, **more):
    return build_report(result, timing={"align": 0.5}, peak_rss_mb=1.0, version="1.2", **more)


@pytest.fixture(scope="module")
def result():
    return make_result(SMALL)


def test_the_promised_keys_are_there(result):
    report = report_of(result)
    for key in ("version", "name", "verdict", "inputs", "alignment", "zeropoint", "sky", "cosmic_rays", "product",
                "timing", "peak_rss_mb"):  # fmt: skip
        assert key in report
    root = result.exposures[0].root
    assert {"file", "sha256", "root", "filter", "exptime", "verdict"} <= set(report["inputs"][0])
    assert report["alignment"]["reference"] == "mean"
    entry = report["alignment"]["exposures"][root]
    assert {"n_matched", "rms_mas", "shift_arcsec", "roll_deg", "scale", "verdict"} <= set(entry)
    zeropoint = report["zeropoint"]
    assert {"reference", "photflam", "factors", "proof", "verdict"} <= set(zeropoint)
    assert {"ratio", "error", "n_pairs"} <= set(zeropoint["proof"]["PC"])
    assert zeropoint["factors"][root]["WF3"] == 1.0
    assert isinstance(report["cosmic_rays"][root]["PC"], float)
    assert {"shape", "scale_arcsec", "orientation_deg", "exptime"} <= set(report["product"])
    assert report["timing"] == {"align": 0.5}


def test_the_numbers_are_those_of_the_result(result):
    report = report_of(result)
    mosaic = result.mosaics["F814W"]
    assert report["product"]["shape"] == list(mosaic.sci.shape)
    assert report["product"]["scale_arcsec"] == pytest.approx(mosaic.grid.scale, rel=1e-12)
    for exposure in result.exposures:
        shift = report["alignment"]["exposures"][exposure.root]["shift_arcsec"]
        np.testing.assert_array_equal(shift, result.alignment.exposures[exposure.root].shift)
        assert report["cosmic_rays"][exposure.root] == result.cosmic_rays.fractions[exposure.root]


def test_json_holds_no_nan_and_comes_back_whole(result):
    lost = replace(
        result.alignment.exposures[result.exposures[0].root], rms_mas=math.nan, false_match=math.inf, note="\x00<b>"
    )
    alignment = Alignment("mean", {**result.alignment.exposures, lost.root: lost})
    report = report_of(replace(result, alignment=alignment))
    text = to_json(report)
    assert "NaN" not in text
    assert "Infinity" not in text
    back = json.loads(text)
    assert back == report
    assert back["alignment"]["exposures"][lost.root]["rms_mas"] is None
    assert back["alignment"]["exposures"][lost.root]["note"] == "\x00<b>"


values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text() | st.integers() | st.builds(np.float32, st.floats(width=32)),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=12,
)


@given(values)
def test_plain_is_always_json(value):
    json.dumps(plain(value), allow_nan=False)


def test_two_filters_are_joint_and_apart():
    report = report_of(make_result(replace(SMALL, filters=("F555W", "F814W"))))
    assert list(report["products"]) == ["F555W", "F814W"]
    assert report["product"] == report["products"]["F555W"]
    assert report["zeropoints"]["F814W"]["photflam"] == 2.449e-18
    assert [s["part"] for s in report["sentences"]].count("zeropoint") == 2


@pytest.mark.parametrize(("header", "share"), [({}, 2.0e-5 * 500), ({"CRRATE": 0.03}, 0.03), ({"CRRATE": "x"}, 0.01)])
def test_expected_cosmic_rays_come_from_time_or_from_the_simulation(header, share):
    report = report_of(make_result(SMALL, header=header))
    root = report["inputs"][0]["root"]
    assert report["cosmic_rays_expected"][root]["fraction"] == pytest.approx(share, rel=1e-12)


def sentence(report, part):
    return next(s for s in report["sentences"] if s["part"] == part)


def test_a_failed_exposure_is_named(result):
    root = result.exposures[1].root
    bad = replace(result.alignment.exposures[root], verdict=Verdict.FAIL)
    alignment = Alignment("mean", {**result.alignment.exposures, root: bad})
    told = sentence(report_of(replace(result, alignment=alignment, verdict=Verdict.FAIL)), "alignment")
    assert told["verdict"] == "FAIL"
    assert f"Not aligned: {root}" in told["text"]
    assert told["text"].startswith("2 of 3 exposures")


def test_a_failed_chip_is_named(result):
    zeropoint = result.zeropoints["F814W"]
    proof = dict(zeropoint.proof, WF4=replace(zeropoint.proof["WF4"], ratio=0.94, error=0.006, verdict=Verdict.FAIL))
    broken = Zeropoint(zeropoint.reference, proof)
    told = sentence(report_of(replace(result, zeropoints={"F814W": broken})), "zeropoint")
    assert "does not hold on WF4" in told["text"]
    assert "6.0 ± 0.6 % (farthest: WF4)" in told["text"]


def test_what_cannot_be_judged_is_not_praised(result):
    zeropoint = result.zeropoints["F814W"]
    none = {c: replace(p, verdict=Verdict.NONE, n_pairs=0, ratio=math.nan) for c, p in zeropoint.proof.items()}
    silent = replace(
        result,
        zeropoints={"F814W": Zeropoint(zeropoint.reference, none)},
        cosmic_rays=CosmicRays({}, {}, {}),
        dropped={"u1_c0m.fits": "truncated"},
    )
    report = report_of(silent)
    assert "no chip has enough stars" in sentence(report, "zeropoint")["text"]
    assert "u1_c0m.fits" in sentence(report, "inputs")["text"]
    assert sentence(report, "inputs")["verdict"] == "WARN"
    assert "No search" in sentence(report, "cosmic rays")["text"]
