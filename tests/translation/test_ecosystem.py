"""What a result hands to notebooks and to the rest of astropy."""

from __future__ import annotations

import numpy as np
import pytest

import mizzle


@pytest.fixture(scope="module")
def result(archive):
    settings = mizzle.load_settings(assignments=["combine.scale=0.3", 'reject.method="none"'])
    return mizzle.run([archive / "ua060502m_c0m.fits"], settings=settings)


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
    from dataclasses import replace

    shown = replace(result, name="<script>", files=("m.png", "m_report.html"))._repr_html_()
    assert "&lt;script&gt;" in shown
    assert "<script>" not in shown
    assert 'src="m.png"' in shown
    assert 'href="m_report.html"' in shown
    assert str(result.verdict) in shown
