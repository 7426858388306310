"""What a result hands to notebooks and to the rest of astropy."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest

import mizzle
from mizzle.cli.summary import summary
from mizzle.model import Finding, Verdict
from mizzle.progress import Progress


@pytest.fixture(scope="module")
def result(archive):
    settings = mizzle.load_settings(assignments=["combine.scale=0.3", 'reject.method="none"'])
    return mizzle.run([archive / "ua060502m_c0m.fits"], settings=settings)


@pytest.fixture(scope="module")
def doubtful(result):
    """The same with a remark about its sky that somebody else wrote."""
    remark = Finding("sky", Verdict.WARN, "a sky of <b>nobody</b>")
    report = {**result.report, "reasons": [asdict(remark)]}
    return replace(result, findings=(remark,), verdict=Verdict.WARN, report=report)


def test_ccddata_has_errors_mask_and_wcs(result):
    data = result.to_ccddata()
    mosaic = result.mosaics["F814W"]
    np.testing.assert_array_equal(data.data, mosaic.sci)
    np.testing.assert_array_equal(data.uncertainty.array, mosaic.err)
    np.testing.assert_array_equal(data.mask, mosaic.wht == 0)
    assert data.wcs.wcs.compare(mosaic.wcs.wcs)
    assert str(data.unit) == "ct / s"


def test_a_catalog_is_a_table_with_units(result):
    table = result.catalogs["F814W"].to_table()
    assert len(table) == len(result.catalogs["F814W"])
    assert str(table["ra"].unit) == "deg"


def test_a_notebook_shows_verdicts_and_no_markup_of_others(result):
    shown = replace(result, name="<script>", files=("m.png", "m_report.html"))._repr_html_()
    assert "&lt;script&gt;" in shown
    assert "<script>" not in shown
    assert 'src="m.png"' in shown
    assert 'href="m_report.html"' in shown
    assert str(result.verdict) in shown


def test_a_notebook_shows_why_a_verdict_is_not_pass(doubtful):
    assert "WARN sky: a sky of &lt;b&gt;nobody&lt;/b&gt;" in doubtful._repr_html_()


def test_what_a_run_prints_begins_with_the_verdict_and_its_reasons(result, doubtful):
    """A word alone sent people to the page to learn what it was about."""
    head = summary(doubtful, Progress()).split("\n\n", 1)[0].splitlines()
    assert head[:2] == ["verdict: WARN", "  WARN sky: a sky of <b>nobody</b>"]
    unproven = summary(result, Progress()).split("\n\n", 1)[0].splitlines()
    assert unproven[0] == "verdict: NONE (not proven)"
    assert any(
        line.startswith("  NONE zeropoint: One PHOTFLAM everywhere, but it could not be proven") for line in unproven
    )
