"""The page in a real browser: nothing in the console, nothing on the network, and every control does what it says."""

from __future__ import annotations

import base64
import math
import os
import time
from pathlib import Path

import numpy as np
import pytest

from mizzle.report import payload
from mizzle.report.draw import draw
from mizzle.settings import Settings
from report.chromium import Browser, find_chromium
from report.report_pages import make_payload, reported
from report.report_scene import Scene

# The bytes of a canvas in base64, read from a copy: reading the canvas itself would change how it is drawn.
PIXELS = """(c => {
  const copy = document.createElement('canvas'); copy.width = c.width; copy.height = c.height;
  const pen = copy.getContext('2d', {willReadFrequently: true}); pen.drawImage(c, 0, 0);
  const bytes = pen.getImageData(0, 0, c.width, c.height).data, parts = [];
  for (let i = 0; i < bytes.length; i += 32768) parts.push(String.fromCharCode(...bytes.subarray(i, i + 32768)));
  return btoa(parts.join(''));
})"""
# Words of the charts that lie on each other or leave their frame; of a line's box, a fifth above and below is air.
COLLISIONS = """(() => {
  const bad = [];
  for (const chart of document.querySelectorAll("svg.chart")) {
    const home = chart.closest("figure").id, edge = chart.closest(".panel, .plate").getBoundingClientRect();
    const boxes = [...chart.querySelectorAll("text")].map(t => {
      const r = t.getBoundingClientRect(), turned = r.height > 1.5 * r.width && t.textContent.length > 3;
      const dx = turned ? 0.18 * r.width : 0.5, dy = turned ? 0.5 : 0.22 * r.height;
      return {x0: r.left + dx, x1: r.right - dx, y0: r.top + dy, y1: r.bottom - dy, t: t.textContent};
    });
    for (const [i, a] of boxes.entries()) {
      const out = a.x0 < edge.left || a.x1 > edge.right || a.y0 < edge.top || a.y1 > edge.bottom;
      if (out) bad.push(`${home}: ${a.t} out`);
      for (const b of boxes.slice(i + 1))
        if (a.x0 < b.x1 && b.x0 < a.x1 && a.y0 < b.y1 && b.y0 < a.y1) bad.push(`${home}: ${a.t} on ${b.t}`);
    }
  }
  return bad;
})()"""
SCENE = Scene(n_exposures=3, side=160, n_stars=150)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
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


@pytest.fixture(scope="module")
def message(tmp_path_factory):
    message = make_payload(tmp_path_factory.mktemp("browser"), SCENE)
    return {**message, "html": draw(message)[-1]}


@pytest.fixture
def page(browser, message):
    tab = browser.page()
    tab.open(Path(message["html"]))
    yield tab
    assert tab.complaints() == []
    assert [url for url in tab.requests() if not url.endswith("m2_report.html")] == []


def canvas_box(page):
    page.run("document.getElementById('canvas').scrollIntoView({block: 'center'})")
    page.settle()
    return page.run(
        "(b => [b.left, b.top, b.width, b.height])(document.getElementById('canvas').getBoundingClientRect())"
    )


def place(page, message, x, y):
    """Window position of a 0-based product pixel while the whole field is shown."""
    left, top, width, height = canvas_box(page)
    ny, nx = message["planes"]["F814W"]["sci"].shape
    zoom = min(width / nx, height / ny)
    return left + width / 2 + (x - (nx - 1) / 2) * zoom, top + height / 2 - (y - (ny - 1) / 2) * zoom


def pixels(page, canvas):
    """The red, green, blue, alpha bytes of a canvas, as numbers."""
    return np.frombuffer(base64.b64decode(page.run(f"{PIXELS}({canvas})")), np.uint8).astype(int)


def picture(page):
    """The canvas as numbers."""
    return pixels(page, "document.getElementById('canvas')")


def bright_star(message):
    stars = message["stars"]["F814W"]
    best = int(np.argmin(np.where(np.asarray(stars["n_exp"]) > 0, stars["mag_st"], 99)))
    return {key: np.asarray(values)[best] for key, values in stars.items()}


def test_the_page_loads_in_silence(page):
    assert page.run("document.body.classList.contains('ready')")
    assert page.run("document.querySelector('.preview').offsetParent") is None
    assert picture(page).any()


def test_dark_and_phone_load_in_silence(browser, message):
    for view in ({"dark": True}, {"width": 375, "height": 800, "mobile": True, "ratio": 2}):
        tab = browser.page(**view)
        tab.open(Path(message["html"]))
        assert tab.complaints() == []
        # Nothing sticks out sideways: a phone scrolls one way.
        assert tab.run("document.documentElement.scrollWidth <= window.innerWidth")
    dark = tab.run("getComputedStyle(document.documentElement).backgroundColor")
    assert dark


def test_dark_is_dark(browser, message):
    levels = []
    for dark in (False, True):
        tab = browser.page(dark=dark)
        tab.open(Path(message["html"]))
        color = tab.run("getComputedStyle(document.documentElement).backgroundColor")
        levels.append(sum(int(v) for v in color.strip("rgb()").split(",")))
    assert levels[0] > 650
    assert levels[1] < 120


def test_the_cursor_reads_place_and_value(page, message):
    star = bright_star(message)
    sci = message["planes"]["F814W"]["sci"]
    ix, iy = round(float(star["x"]) - 1), round(float(star["y"]) - 1)
    page.mouse("mouseMoved", *place(page, message, ix, iy))
    where, value = (page.run(f"document.getElementById('{i}').textContent") for i in ("where", "value"))
    clean = where.replace("ʰ", " ").replace("ᵐ", " ").replace("ˢ", " ").replace("−", "-").replace("+", " +")
    for mark in "°′″":
        clean = clean.replace(mark, " ")
    words = clean.split()
    ra = 15 * (int(words[0]) + int(words[1]) / 60 + float(words[2]) / 3600)
    dec = math.copysign(abs(int(words[3])) + int(words[4]) / 60 + float(words[5]) / 3600, -1)
    grid = 0.5 * 800 * 0.0996 / SCENE.side  # half a product pixel [arcsec]
    assert abs(ra - star["ra"]) * 3600 < 2 * grid
    assert abs(dec - star["dec"]) * 3600 < 2 * grid
    shown = float(value.replace("≈", "").replace("DN/s", ""))
    around = sci[iy - 1 : iy + 2, ix - 1 : ix + 2]
    assert 0.96 * around.min() <= shown <= 1.04 * around.max()


def test_outside_the_chips_there_is_no_data(page, message):
    page.mouse("mouseMoved", *place(page, message, 3, 3))
    assert page.run("document.getElementById('value').textContent") == "no data"


def test_zoom_by_button_wheel_and_key(page, message):
    before = picture(page)
    page.run("document.getElementById('zin').click()")
    page.settle()
    closer = picture(page)
    assert (closer != before).any()
    page.run("document.getElementById('fit').click()")
    page.settle()
    assert (picture(page) == before).all()
    left, top, width, height = canvas_box(page)
    middle = (left + width / 2, top + height / 2)
    page.mouse("mouseWheel", *middle, deltaX=0, deltaY=-1)
    page.settle()
    assert (picture(page) == before).all()  # not chosen yet: the wheel scrolls the page
    page.run("document.getElementById('canvas').focus()")
    left, top, width, height = canvas_box(page)
    page.mouse("mouseWheel", left + width / 2, top + height / 2, deltaX=0, deltaY=-400)
    page.settle()
    assert (picture(page) != before).any()
    for kind in ("keyDown", "keyUp"):
        page.call("Input.dispatchKeyEvent", type=kind, key="0", text="0" if kind == "keyDown" else "")
    page.settle()
    assert (picture(page) == before).all()


def test_dragging_moves_the_image(page):
    page.run("document.getElementById('zin').click()")
    page.settle()
    before = picture(page)
    left, top, width, height = canvas_box(page)
    x, y = left + width / 2, top + height / 2
    page.mouse("mouseMoved", x, y)
    page.mouse("mousePressed", x, y, button="left", clickCount=1, buttons=1)
    page.mouse("mouseMoved", x + 60, y + 30, button="left", buttons=1)
    page.mouse("mouseReleased", x + 60, y + 30, button="left", clickCount=1)
    page.settle()
    assert (picture(page) != before).any()
    assert page.run("document.getElementById('history').hidden")  # a drag is no click


@pytest.mark.parametrize(("control", "value"), [("black", "10"), ("white", "4.5"), ("stretch", "linear")])
def test_stretch_controls_change_the_picture(page, control, value):
    before = picture(page)
    page.run(
        f"(e => {{ e.value = '{value}'; e.dispatchEvent(new Event('input', {{bubbles: true}})); }})"
        f"(document.getElementById('{control}'))"
    )
    page.settle()
    assert (picture(page) != before).mean() > 0.001


def test_a_higher_black_level_darkens(page):
    before = picture(page).reshape(-1, 4)
    page.run("(e => { e.value = 3; e.dispatchEvent(new Event('input')); })(document.getElementById('black'))")
    page.settle()
    after = picture(page).reshape(-1, 4)
    seen = before[:, 3] == 255
    assert after[seen, 0].mean() < before[seen, 0].mean() - 3


@pytest.mark.parametrize("control", ["invert", "stars", "chips"])
def test_boxes_toggle_and_come_back(page, control):
    before = picture(page)
    page.run(f"document.getElementById('{control}').click()")
    page.settle()
    assert (picture(page) != before).any()
    page.run(f"document.getElementById('{control}').click()")
    page.settle()
    assert (picture(page) == before).all()


def test_layers_change_with_what_the_cursor_reads(page, message):
    page.run(
        "(e => { e.value = 'wht F814W'; e.dispatchEvent(new Event('change')); })(document.getElementById('layer'))"
    )
    page.until("document.getElementById('black').disabled")
    page.settle()
    wht = message["planes"]["F814W"]["wht"]
    iy, ix = (n // 2 for n in wht.shape)
    page.mouse("mouseMoved", *place(page, message, ix, iy))
    shown = page.run("document.getElementById('value').textContent")
    around = wht[iy - 2 : iy + 3, ix - 2 : ix + 3]
    assert shown.endswith(" s")
    assert around.min() - 10 <= float(shown.split()[0]) <= around.max() + 10


def test_a_click_tells_which_exposures_made_the_pixel(page, message):
    star = bright_star(message)
    ix, iy = round(float(star["x"]) - 1), round(float(star["y"]) - 1)
    page.click(*place(page, message, ix, iy))
    page.until("document.querySelectorAll('#history .list div').length > 0")
    told = page.run("[...document.querySelectorAll('#history .list div')].map(d => d.textContent)")
    # A click is good to a pixel of the screen: any of the pixels under it will do.
    context = message["report"]["products"]["F814W"]["context"]
    ctx = message["planes"]["F814W"]["context"].array
    truths = [
        [f"{c['root']} {c['chip']} 500 s" for b, c in enumerate(context) if ctx[y, x] >> b & 1]
        for y in range(iy - 1, iy + 2)
        for x in range(ix - 1, ix + 2)
    ]
    assert told in truths
    words = page.run("document.getElementById('history').textContent")
    assert f"{float(star['mag_st']):.3f}" in words


def test_tables_sort_both_ways_with_gaps_last(page):
    table = "[...document.querySelectorAll('table')].find(t => t.textContent.includes('matched'))"
    column = f"[...({table}).tBodies[0].rows].map(r => +r.cells[3].dataset.k)"
    head = f"({table}).tHead.rows[0].cells[3]"
    first = page.run(column)
    page.run(f"{head}.querySelector('button').click()")
    assert page.run(column) == sorted(first)
    assert page.run(f"{head}.getAttribute('aria-sort')") == "ascending"
    page.run(f"{head}.querySelector('button').click()")
    assert page.run(column) == sorted(first, reverse=True)
    assert page.run(f"({table}).querySelectorAll('[aria-sort]').length") == 1


def stamp(page):
    return pixels(page, "document.querySelector('.stamps canvas')")


def test_the_slider_wipes_from_before_to_after(page):
    assert page.run("document.querySelectorAll('.stamps canvas').length") == 4

    def at(share):
        page.run(
            f"(e => {{ e.value = {share}; e.dispatchEvent(new Event('input')); }})(document.getElementById('wipe'))"
        )
        side = page.run("document.querySelector('.stamps canvas').width")
        return stamp(page).reshape(side, side, 4)

    before, half, after = at(0), at(0.5), at(1)
    side = before.shape[1]
    assert (before != after).any()
    np.testing.assert_array_equal(half[:, : side // 2 - 1], after[:, : side // 2 - 1])
    np.testing.assert_array_equal(half[:, side // 2 + 1 :], before[:, side // 2 + 1 :])
    page.run("document.getElementById('flagged').click()")
    assert (stamp(page).reshape(after.shape) != after).any()


def test_blinking_starts_and_stops(page):
    page.run("document.getElementById('blink').click()")
    assert page.run("document.getElementById('blink').getAttribute('aria-pressed')") == "true"
    first = stamp(page)
    deadline = time.monotonic() + 120
    while (stamp(page) == first).all():
        assert time.monotonic() < deadline
    page.run("document.getElementById('blink').click()")
    assert page.run("document.getElementById('blink').getAttribute('aria-pressed')") == "false"


def test_hostile_text_runs_nothing(browser, tmp_path):
    text = "</script><img src=x onerror=\"console.log('ran')\"><svg/onload=alert(1)>"
    result = reported(Scene(n_exposures=2, side=80, n_stars=30), header={"TARGNAME": text, "PROPOSID": text})
    tab = browser.page()
    tab.open(Path(draw(payload(result, tmp_path, Settings()))[-1]))
    assert tab.complaints() == []
    assert tab.run("document.querySelector('h1').textContent") == text
    assert tab.run("document.querySelectorAll('h1 *').length") == 0


def test_two_filters_show_color_first(browser, tmp_path):
    message = make_payload(tmp_path, Scene(n_exposures=2, side=80, n_stars=60, filters=("F555W", "F814W")))
    tab = browser.page()
    tab.open(Path(draw(message)[-1]))
    assert tab.run("[...document.getElementById('layer').options].map(o => o.text)") == [
        "Color", "F555W", "F814W", "Weight F555W", "Weight F814W",
    ]  # fmt: skip
    seen = picture(tab).reshape(-1, 4)
    assert (np.ptp(seen[:, :3], axis=1) > 60).any()
    assert tab.complaints() == []


def test_paper_holds_the_page(browser, message, tmp_path):
    tab = browser.page()
    tab.open(Path(message["html"]))
    tab.pdf(tmp_path / "page.pdf")
    data = (tmp_path / "page.pdf").read_bytes()
    assert data.startswith(b"%PDF")
    assert 4 <= data.count(b"/Type /Page\n") + data.count(b"/Type /Page ") + data.count(b"/Type/Page/") <= 20


@pytest.mark.parametrize(
    "scene",
    [
        Scene(n_exposures=1, side=80, n_stars=60),
        Scene(n_exposures=6, side=120, n_stars=300),
        Scene(n_exposures=100, side=60, n_stars=120),
        Scene(n_exposures=3, side=80, n_stars=60, filters=("F439W", "F555W", "F814W")),
    ],
    ids=["one", "six", "hundred", "three filters"],
)
def test_no_word_of_a_figure_lies_on_another(browser, tmp_path, scene):
    html = Path(draw(make_payload(tmp_path, scene))[-1])
    for view in ({"width": 1280}, {"width": 390, "height": 844, "mobile": True, "ratio": 2.0}):
        tab = browser.page(**view)
        tab.open(html)
        assert tab.run(COLLISIONS) == [], view
        assert tab.run("document.documentElement.scrollWidth <= innerWidth")
        tables = "[...document.querySelectorAll('.scroll')].every(s => s.scrollWidth <= s.clientWidth + 1)"
        assert view["width"] < 1280 or tab.run(tables), "a table does not fit a desk"
        tab.close()


def test_fingers_move_and_zoom_the_image_on_a_phone(browser, message):
    tab = browser.page(width=390, height=844, mobile=True, ratio=2.0)
    tab.call("Emulation.setTouchEmulationEnabled", enabled=True)
    tab.open(Path(message["html"]))
    left, top, width, height = canvas_box(tab)
    x, y = left + width / 2, top + height / 2

    def under(px, py):
        tab.touch("touchStart", (px, py))
        tab.touch("touchEnd")
        tab.settle()
        words = tab.run("document.getElementById('where').textContent").split()
        return float(words[words.index("x") + 1]), float(words[words.index("y") + 1])

    def span():
        return under(x + 40, y)[0] - under(x - 40, y)[0]

    whole, scrolled = span(), tab.run("scrollY")
    tab.touch("touchStart", (x - 30, y), (x + 30, y))
    for k in range(1, 11):
        tab.touch("touchMove", (x - 30 - 6 * k, y), (x + 30 + 6 * k, y))
    tab.touch("touchEnd")
    assert span() == pytest.approx(whole / 3, rel=0.1)  # fingers three times as far apart
    before = under(x, y)
    tab.touch("touchStart", (x, y))
    for k in range(1, 9):
        tab.touch("touchMove", (x + 5 * k, y + 3 * k))
    tab.touch("touchEnd")
    after = under(x + 40, y + 24)
    assert after == pytest.approx(before, abs=span() / 80 * 3)  # what was under the finger stays under it
    assert tab.run("scrollY") == scrolled
    assert tab.run("visualViewport.scale") == 1
    tab.until("document.getElementById('history').textContent.length > 10")
    assert tab.complaints() == []
    tab.close()


def test_many_exposures_tell_a_pixels_makers_exactly(browser, tmp_path):
    message = make_payload(tmp_path, Scene(n_exposures=100, side=60, n_stars=120))
    tab = browser.page()
    tab.open(Path(draw(message)[-1]))
    ctx = message["planes"]["F814W"]["context"].array
    ny, nx = ctx.shape[-2:]
    x, y = place(tab, message, nx // 2, ny // 2)
    tab.click(x, y)
    tab.until("document.getElementById('history').textContent.includes('Made by')")
    words = tab.run("document.getElementById('history').textContent")
    made = {sum(int(w).bit_count() for w in ctx.view(np.uint32)[:, j, i])
            for j in range(ny // 2 - 1, ny // 2 + 2) for i in range(nx // 2 - 1, nx // 2 + 2)}  # fmt: skip
    assert int(words.split("Made by ")[1].split()[0]) in made
    assert "raster" not in words
    tab.close()
