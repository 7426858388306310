"""The page over many visits, in a real browser: what it shows and how much at once; nothing leaves the folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mizzle.report.overview import build_overview, page_data
from report.chromium import Browser, Page, find_chromium
from visits.overview_rows import made_rows

SEEN = "[...document.querySelectorAll('.row')].map(r => [...r.children].map(c => c.textContent))"
CLICK = "[...document.querySelectorAll('#head button')].find(b => b.dataset.key === '%s').click()"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if os.name != "posix":
        pytest.skip("the debugging pipe is driven as POSIX has it")
    program = find_chromium()
    if program is None:
        if "browser" in os.environ.get("MIZZLE_REQUIRE", ""):
            pytest.fail("required by MIZZLE_REQUIRE: no Chromium on the path")
        pytest.skip("no Chromium on the path")
    it = Browser(program, tmp_path_factory.mktemp("profile"))
    yield it
    it.close()


def shown(browser: Browser, folder: Path, rows: list[dict[str, Any]], **view: Any) -> Page:
    path = folder / "index.html"
    path.write_text(build_overview(rows, title="<i>all</i>", version="1", date="2026-11-28T19:00:00"))
    page = browser.page(width=1700, height=900, **view)
    page.open(path)
    return page


def test_ten_thousand_visits_open_sort_and_filter_at_once(browser: Browser, tmp_path: Path) -> None:
    rows = made_rows(10_000)
    for row in rows[:40]:
        (tmp_path / row["name"]).mkdir()
        for number in range(3):
            Image.fromarray(np.full((90, 90), 80 * number, np.uint8)).save(tmp_path / row["name"] / f"f_{number}.png")
    page = shown(browser, tmp_path, rows)
    assert (tmp_path / "index.html").stat().st_size < 3e6
    assert page.run("document.querySelectorAll('.row').length") < 60  # a page that is not virtual takes minutes
    assert page.run("document.querySelector('h1').textContent") == "<i>all</i>"

    # Thumbnails: those of the rows that are seen, from the visits' own folders.
    page.until("[...document.querySelectorAll('.pic img')].filter(i => i.naturalWidth === 90).length > 10")
    asked = [url for url in page.requests() if not url.endswith("index.html")]
    assert 10 < len(asked) < 60
    assert all(url.startswith(tmp_path.as_uri()) for url in asked)

    # Sorting: both ways, by numbers and words, what is unknown last.
    for key, column, up in (("align_rms", 8, False), ("align_rms", 8, True), ("name", 1, True)):
        page.run(CLICK % key)
        cells = [row[column] for row in page.run(SEEN)]
        values = cells if key == "name" else [float(cell) for cell in cells]
        assert values == sorted(values, reverse=not up)

    # Filters, search, outliers; the three faults stand out.
    page.run("document.getElementById('outliers').click()")
    odd = page.run("[...document.querySelectorAll('.odd')].map(c => c.textContent)")
    assert odd.count("1.2000") == 3
    page.run("document.getElementById('reset').click()")
    page.run("const f = document.getElementById('filter'); f.value = '2'; f.dispatchEvent(new Event('change'))")
    assert page.run("document.getElementById('count').textContent") == "2500 of 10000 rows"
    page.run("const q = document.getElementById('find'); q.value = 'TRUNC'; q.dispatchEvent(new Event('input'))")
    assert {row[-1] for row in page.run(SEEN)} == {"a.fits: <b>truncated</b>"}
    assert {row[4] for row in page.run(SEEN)} == {"failed"}
    page.run("document.getElementById('reset').click()")

    # A bar of a histogram chooses its visits; a click on a visit opens its page.
    page.run("document.querySelector('#charts .hit:nth-of-type(80)').dispatchEvent(new MouseEvent('click'))")
    assert " of 10000 rows" in page.run("document.getElementById('count').textContent")
    page.run("document.getElementById('reset').click()")
    assert page.run("document.querySelector('.row a').getAttribute('href')") == f"{rows[0]['name']}/f_0.html"
    assert page.run("document.querySelectorAll('#charts figure').length") == 6
    page.run("document.getElementById('table').scrollTop = 1e9")
    page.settle()
    assert page.run("document.querySelector('.row:last-child').getAttribute('aria-rowindex')") == "10001"
    assert not [text for text in page.complaints() if "FILE_NOT_FOUND" not in text]
    page.close()


def test_a_page_over_few_or_failed_visits_is_whole_too(browser: Browser, tmp_path: Path) -> None:
    rows = made_rows(97)[-1:]
    page = shown(browser, tmp_path, rows, dark=True)
    assert page.run("document.querySelectorAll('.row').length") == 1
    assert page.run("document.querySelectorAll('#charts figure').length") <= 1
    assert not page.complaints()
    page.close()
    page = shown(browser, tmp_path, [])
    assert page.run("document.getElementById('count').textContent") == "0 rows"
    assert not page.complaints()
    page.close()


def test_the_page_keeps_five_digits_and_every_word() -> None:
    rows = made_rows(30)
    data = page_data(rows)
    assert data["rows"] == 30
    for i, row in enumerate(rows):
        words = {name: entry["list"][entry["at"][i]] for name, entry in data["words"].items()}
        assert words["name"] == row["name"]
        (figure,) = row["figures"]
        for chip, ratio in figure["ratio"].items():
            assert data["columns"][f"ratio_{chip}"][i] == pytest.approx(ratio, rel=1e-4)
        assert data["columns"]["seconds"][i] == pytest.approx(row["seconds"], rel=1e-4)
    assert data["reference"] == "WF3"
