"""A written catalog reads back as it was, by the library everybody uses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.table import Table
from hypothesis import given
from hypothesis import strategies as st

from mizzle.io.catalog_file import ecsv_text, write_catalog
from mizzle.model import Catalog

UNITS = {"ra": "deg", "flux": "ct / s", "x": "pixel", "n": "", "name": ""}


def columns(n: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(n)
    return {
        "ra": rng.uniform(0, 360, n),
        "flux": rng.normal(0, 1e-3, n).astype(np.float32),
        "x": np.where(np.arange(n) % 3 == 1, np.nan, rng.normal(0, 1e5, n)),
        "n": np.arange(n, dtype=np.int32),
        "name": np.array(["PC", "WF2", "two words", ""] * n)[:n].astype(str),
        "good": np.arange(n) % 2 == 0,
    }


@pytest.mark.parametrize("n", [0, 1, 7])
def test_it_reads_back_the_same(n: int, tmp_path: Path) -> None:
    meta = {"aperture": 0.5, "flags": {1: "saturated: yes", 2: 'a "quoted" #word'}, "ring": (1.5, 2.5), "none": np.nan}
    table = Table.read(write_catalog(tmp_path / "x_cat.ecsv", Catalog(columns(n), UNITS, meta)))
    assert table.colnames == list(columns(n))
    assert len(table) == n
    for name, values in columns(n).items():
        assert table[name].dtype.kind == values.dtype.kind or n == 0
        if values.dtype.kind in "US":
            assert np.ma.filled(np.ma.asarray(table[name]), "").tolist() == values.tolist()
        else:
            np.testing.assert_array_equal(np.asarray(table[name]), values)
    assert table["flux"].unit == u.ct / u.s
    assert table["x"].unit == u.pixel
    assert table.meta["aperture"] == 0.5
    assert table.meta["flags"] == {"1": "saturated: yes", "2": 'a "quoted" #word'}
    assert table.meta["none"] is None


@given(st.lists(st.floats(allow_nan=False, width=64), min_size=1), st.text())
def test_any_number_and_word_survives(numbers: list[float], word: str) -> None:
    text = ecsv_text({"a": np.array(numbers)}, {}, {"word": word})
    table = Table.read(text, format="ascii.ecsv")
    np.testing.assert_array_equal(table["a"], numbers)
    assert table.meta["word"] == word
