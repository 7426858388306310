"""The page as text: complete in itself, safe, and of bearable size."""

from __future__ import annotations

import html
import json
import random
import re
import zlib
from base64 import b64decode
from dataclasses import replace

import numpy as np
import pytest

from mizzle.errors import InputError, SettingsError
from mizzle.io.atomic import write_text
from mizzle.model import Catalog, CosmicRays, Finding, Result, Verdict, Zeropoint
from mizzle.report import payload, rebuild, to_json
from mizzle.report.draw import color_raster, draw
from mizzle.report.metrics import build_report
from mizzle.report.page import build_page, script_json
from mizzle.settings import Settings
from report.report_pages import make_payload, reported
from report.report_scene import Scene, make_result

SMALL = Scene(n_exposures=3, side=120, n_stars=100)


@pytest.fixture(scope="module")
def message(tmp_path_factory):
    return make_payload(tmp_path_factory.mktemp("page"), SMALL)


@pytest.fixture(scope="module")
def page(message):
    return build_page(message)


def data_of(page):
    text = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    assert text
    return json.loads(text.group(1))


def test_nothing_outside_the_page_is_named(page):
    for attribute in re.findall(r'(?:src|href)\s*=\s*"([^"]*)"', page):
        assert attribute.startswith(("data:", "#")), attribute
    assert "url(http" not in page
    assert "@import" not in page
    assert "default-src 'none'" in page


def test_every_figure_says_what_good_looks_like(page):
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", page, re.S)
    assert len(captions) >= 14
    for caption in captions:
        assert "<i>Good:</i>" in caption
    assert len(captions) == page.count("<figure")


def test_anchors_are_unique_and_reached(page):
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    for target in re.findall(r'href="#([^"]+)"', page):
        assert target in ids
    for target in re.findall(r"url\(#([^)]+)\)", page):
        assert target in ids


def test_the_image_in_the_page_is_the_image(page, message):
    data = data_of(page)
    layer = data["layers"][0]
    codes = np.frombuffer(zlib.decompress(b64decode(layer["data"])), np.uint8).reshape(layer["ny"], layer["nx"])
    sci = message["planes"]["F814W"]["sci"]
    assert codes.shape == sci.shape
    np.testing.assert_array_equal(codes == 0, np.isnan(sci))
    ctx = data["contexts"]["F814W"]
    octets = [np.frombuffer(zlib.decompress(b64decode(p)), np.uint8).reshape(sci.shape) for p in ctx["planes"]]
    assert len(octets) == 2  # 12 chips
    words = sum(octets[k].astype(np.uint32) << np.uint32(8 * k) for k in range(2))
    np.testing.assert_array_equal(words, message["planes"]["F814W"]["context"].array.view(np.uint32))
    assert ctx["inputs"][1] == ["ua060500m", "WF2", 500.0]


HOSTILE = [
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\"'><svg onload=alert(1)>",
    "{{ 7*7 }}{% for x in y %}",
    "\x00\x01\x1b[31m\u202e\u2028&amp;",
    "]]><!--",
    "A" * 10_000,
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_header_text_shows_as_text(text, tmp_path):
    result = make_result(SMALL, header={"TARGNAME": text, "PROPOSID": text, "PA_V3": text})
    finding = Finding(text, Verdict.WARN, text)
    exposure = replace(result.exposures[0], findings=(finding,), filter=result.exposures[0].filter)
    entry = replace(result.alignment.exposures[exposure.root], note=text)
    alignment = replace(result.alignment, exposures={**result.alignment.exposures, exposure.root: entry})
    result = replace(
        result, exposures=(exposure, *result.exposures[1:]), alignment=alignment, dropped={text[:200]: text}
    )
    report = build_report(
        result, timing={}, peak_rss_mb=float("nan"), version="0", command=text,
        settings_changed=[{"name": text, "value": text, "default": text, "description": text}],
        provenance={"platform": text},
    )  # fmt: skip
    page = build_page(payload(replace(result, report=report), tmp_path, Settings()))
    plain = build_page(make_payload(tmp_path, SMALL))
    assert page.count("<script") == plain.count("<script") == 2
    assert "<img src=x" not in page
    assert "<svg onload" not in page
    assert "49" not in re.findall(r"<h1>(.*?)</h1>", page, re.S)[0]
    shown = html.unescape(page)
    visible = "".join(c if c.isprintable() else " " for c in text)[:100].rstrip()
    assert visible in shown


def test_script_data_cannot_end_the_script():
    text = script_json({"a": "</script><!--<script>&\u2028"})
    assert not re.search(r"[<>&\u2028]", text)
    assert json.loads(text) == {"a": "</script><!--<script>&\u2028"}


def test_a_result_with_nothing_to_show_still_makes_a_page(tmp_path):
    result = make_result(Scene(n_exposures=1, side=80, n_stars=0))
    zeropoint = Zeropoint(result.zeropoint.reference, {})
    empty = Catalog({k: np.zeros(0) for k in result.catalogs["F814W"].columns}, {})
    bare = replace(
        result, zeropoints={"F814W": zeropoint}, catalogs={"F814W": empty}, cosmic_rays=CosmicRays({}, {}, {}),
        alignment=replace(result.alignment, tables={}),
    )  # fmt: skip
    report = build_report(bare, timing={}, peak_rss_mb=1.0, version="0")
    page = build_page(payload(replace(bare, report=report), tmp_path, Settings()))
    assert "no chip has enough stars" in page
    assert "undefined" not in re.sub(r"<script>.*</script>", "", page, flags=re.S)


def test_the_page_of_a_full_visit_stays_under_6_mb(tmp_path):
    result = reported(Scene(n_exposures=6, side=800, n_stars=1500))
    assert len(build_page(payload(result, tmp_path, Settings()))) < 6e6


def many(n: int) -> Result:
    """A result of many exposures, their chips small."""
    return reported(Scene(n_exposures=n, side=60, n_stars=200))


def test_the_page_of_a_hundred_exposures_stays_small(tmp_path):
    result = many(100)
    page = build_page(payload(result, tmp_path, Settings()))
    assert len(page) < 6e6
    assert len(data_of(page)["contexts"]["F814W"]["planes"]) == 50  # 400 chips, eight to a byte
    assert len(to_json(result.report)) < 3e6
    assert page.count('class="panel"') == 30  # the worst 12, 12 histograms, 6 of residuals by place


def test_many_remarks_fold(tmp_path):
    assert "<details" not in build_page(make_payload(tmp_path, SMALL))
    result = reported(SMALL)
    result = replace(result, report={**result.report, "notes": [f"remark {i}" for i in range(40)]})
    page = build_page(payload(result, tmp_path, Settings()))
    assert "<summary>40 remarks</summary><ul><li>remark 0</li>" in page


def test_the_left_out_are_named_without_their_folders(tmp_path):
    result = replace(reported(SMALL), dropped={"some/where/a_c0m.fits": "truncated", "C:\\x\\b_c0m.fits": "wrong"})
    report = build_report(result, timing={}, peak_rss_mb=1.0, version="0")
    text = next(s["text"] for s in report["sentences"] if s["part"] == "inputs")
    assert "(a_c0m.fits, b_c0m.fits)" in text


def test_white_is_where_the_picture_saturates_also_when_averaged(tmp_path):
    """The slider counts in sigma of the pixels that the page carries."""
    message = make_payload(tmp_path, SMALL)
    whites = []
    for room in (6.0, 0.02):
        options = {**message["options"], "page_size": room}
        layer = data_of(build_page({**message, "options": options}))["layers"][0]
        whites.append(layer["white"] * layer["scale"]["sigma"] + layer["scale"]["sky"])
    assert layer["factor"] > 1
    assert whites[1] == pytest.approx(whites[0], rel=0.05)


def test_large_mosaics_are_averaged_to_fit_the_room(tmp_path):
    message = make_payload(tmp_path, SMALL)
    options = {**message["options"], "page_size": 0.03}
    layer = data_of(build_page({**message, "options": options}))["layers"][0]
    assert layer["factor"] > 1
    assert len(layer["data"]) < 0.035e6


def test_fewer_stars_when_asked(tmp_path):
    message = make_payload(tmp_path, SMALL)
    stars = data_of(build_page({**message, "options": {**message["options"], "stars": 5}}))["stars"]["F814W"]
    assert len(stars["x"]) == 5
    mags = np.asarray(message["stars"]["F814W"]["mag_st"])
    np.testing.assert_allclose(stars["mag"], np.sort(mags)[:5], atol=6e-4)


def save(folder, result):
    """What a run leaves, without the pipeline."""
    from astropy.io import fits

    from mizzle.io.catalog_file import write_catalog
    from mizzle.settings.describe import to_toml

    write_text(folder / f"{result.name}_report.json", to_json(result.report))
    write_text(folder / f"{result.name}_settings.toml", to_toml(Settings()))
    for band, mosaic in result.mosaics.items():
        stem = result.name if len(result.mosaics) == 1 else f"{result.name}_{band.lower()}"
        planes = [("SCI", mosaic.sci), ("WHT", mosaic.wht), ("CTX", mosaic.ctx)]
        hdus = [fits.PrimaryHDU(), *(fits.ImageHDU(v, name=k) for k, v in planes)]
        grid = mosaic.grid
        for axis, kind in ((1, "RA---TAN"), (2, "DEC--TAN")):
            hdus[1].header[f"CTYPE{axis}"] = kind
            hdus[1].header[f"CRVAL{axis}"], hdus[1].header[f"CRPIX{axis}"] = grid.crval[axis - 1], grid.crpix[axis - 1]
            hdus[1].header[f"CD{axis}_1"], hdus[1].header[f"CD{axis}_2"] = grid.cd[axis - 1]
        fits.HDUList(hdus).writeto(folder / f"{stem}_drz.fits")
        write_catalog(folder / f"{stem}_cat.ecsv", result.catalogs[band])


@pytest.mark.parametrize("filters", [("F814W",), ("F555W", "F814W")])
def test_the_rebuilt_page_is_the_page(tmp_path, filters):
    result = reported(replace(SMALL, filters=filters))
    save(tmp_path, result)
    message = payload(result, tmp_path, Settings())
    first = build_page(message, color_raster(message))
    files = rebuild(tmp_path)
    assert [f.rsplit("/", 1)[1] for f in files][-1] == "m2_report.html"
    assert (tmp_path / "m2_report.html").read_text(encoding="utf-8") == first


def test_a_run_without_a_catalog_gives_a_page_without_stars(tmp_path):
    save(tmp_path, reported(SMALL))
    (tmp_path / "m2_cat.ecsv").unlink()
    assert len(rebuild(tmp_path)) == 2


def test_files_of_several_runs_are_no_set(tmp_path):
    save(tmp_path, reported(SMALL))
    path = tmp_path / "m2_cat.ecsv"
    path.write_text('# RUNID "20260101T000000Z-01234567"\n' + path.read_text())
    before = path.read_bytes()
    with pytest.raises(InputError, match=r"not one set: .*m2_cat\.ecsv \(20260101T000000Z-01234567\)"):
        rebuild(tmp_path)
    assert path.read_bytes() == before
    assert not (tmp_path / "m2_report.html").exists()


def _places(value, path=()):
    """Every place in nested JSON."""
    yield path
    for key, entry in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from _places(entry, (*path, key))


def _changed(report, place, value):
    """A copy with one place changed; absent where value is None twice over."""
    copy = json.loads(json.dumps(report))
    inner = copy
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return copy


def test_a_damaged_report_is_told_and_nothing_else_happens(tmp_path):
    """One place of the file changed at a time: a page, or one message; never another folder's files, never a hang."""
    (tmp_path / "out").mkdir()
    save(tmp_path / "out", reported(SMALL))
    path = tmp_path / "out" / "m2_report.json"
    report = json.loads(path.read_text())
    rng = random.Random(5)
    places = [place for place in _places(report) if place]
    chosen = [(key,) for key in report] + rng.sample(places, 25)
    junk = [None, "../../x", {}, [], -1, 1e300, "10" * 20, True]
    told = []
    for place in chosen:
        path.write_text(json.dumps(_changed(report, place, rng.choice(junk))))
        try:
            rebuild(tmp_path / "out")
        except (InputError, SettingsError) as problem:
            told.append(str(problem))
    assert len(told) >= 5
    assert not [message for message in told if "\n" in message]
    assert [entry.name for entry in tmp_path.iterdir()] == ["out"]


def test_rebuilding_says_what_is_missing(tmp_path):
    with pytest.raises(SettingsError, match=r"no \*_report.json here"):
        rebuild(tmp_path)
    with pytest.raises(SettingsError, match=r"no \*_report.json here"):
        rebuild(tmp_path / "absent")
    result = reported(SMALL)
    save(tmp_path, result)
    (tmp_path / "other_report.json").write_text("{}")
    with pytest.raises(SettingsError, match=r"several reports \(m2, other\)"):
        rebuild(tmp_path)
    with pytest.raises(InputError, match="lacks name"):
        rebuild(tmp_path, "other")
    (tmp_path / "other_report.json").write_text("[")
    with pytest.raises(InputError, match="not a report"):
        rebuild(tmp_path, "other")
    whole = (tmp_path / "m2_drz.fits").read_bytes()
    (tmp_path / "m2_drz.fits").write_bytes(whole[:2880])
    with pytest.raises(InputError, match=r"m2_drz.fits: not a readable product"):
        rebuild(tmp_path, "m2")
    (tmp_path / "m2_drz.fits").unlink()
    with pytest.raises(InputError, match="No such file"):
        rebuild(tmp_path, "m2")


def test_drawing_leaves_the_payload_as_it_was(tmp_path):
    message = make_payload(tmp_path, SMALL)
    before = {b: {k: np.array(v) for k, v in p.items()} for b, p in message["planes"].items()}
    draw(message)
    for band, planes in before.items():
        for key, values in planes.items():
            np.testing.assert_array_equal(values, message["planes"][band][key])
