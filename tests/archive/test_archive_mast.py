"""Queries reach MAST in its own form, and only whole pairs of WFPC2 exposures come back."""

from __future__ import annotations

import builtins
import itertools
import json
from types import SimpleNamespace
from urllib.parse import parse_qs

import pytest

from mizzle.archive.mast import Query, fetch_exposures, find_products
from mizzle.archive.portal import Portal
from mizzle.archive.web import ServiceError
from mizzle.errors import DataError, InputError, SettingsError
from mizzle.settings import ArchiveSettings


def changed(settings, **values):
    return ArchiveSettings.model_validate({**settings.model_dump(), **values})


@pytest.fixture
def stocked(service):
    for root in ("ua060502m", "ua060504m", "ua060506m"):
        service.add(root)
    service.add("u40x010hm", proposal="6941", target="NGC-5139", filters="F555W")
    service.add("u5jx0108r", proposal="8447", target="NGC-5139", filters="F439W;F606W")
    return service


def names(products):
    return [product.name for product in products]


def test_a_wildcard_brings_both_files_of_each_exposure(stocked, settings):
    found = find_products(["ua0605*"], [], settings)
    roots = ("ua060502m", "ua060504m", "ua060506m")
    assert names(found) == [f"{root}_{kind}.fits" for root in roots for kind in ("c0m", "c1m")]
    assert all(product.size == len(stocked.files[product.name]) for product in found)


def test_the_request_is_the_documented_one(stocked, settings):
    find_products(["ua0605*"], [], settings)
    request = json.loads(parse_qs(stocked.requests[0][3].decode())["request"][0])
    assert stocked.requests[0][1] == "/api/v0/invoke"
    assert request["service"] == "Mast.Caom.Filtered"
    assert {"paramName": "obs_id", "values": [], "freeText": "ua0605%"} in request["params"]["filters"]
    assert {"paramName": "obs_collection", "values": ["HST"]} in request["params"]["filters"]


@pytest.mark.parametrize(
    ("query", "filters", "roots"),
    [
        ("ua060502m", [], ["ua060502m"]),
        ("UA060502M", [], ["ua060502m"]),
        ("6941", [], ["u40x010hm"]),
        ("NGC-5139", [], ["u40x010hm", "u5jx0108r"]),
        ("NGC-5139", ["f555w"], ["u40x010hm"]),
        ("NGC-5139", ["F606W"], ["u5jx0108r"]),
        ("target:NGC-5*", ["F439W", "F555W"], ["u40x010hm", "u5jx0108r"]),
        ("proposal:8447", [], ["u5jx0108r"]),
    ],
)
def test_queries_by_root_proposal_target_and_filter(stocked, settings, query, filters, roots):
    assert sorted({product.root for product in find_products([query], filters, settings)}) == roots


def test_several_queries_are_joined_and_each_file_comes_once(stocked, settings):
    found = find_products(["ua060502m", "ua0605*", "6941"], [], settings)
    assert len(names(found)) == len(set(names(found))) == 8


def test_related_products_are_left_out(stocked, settings):
    """MAST lists products of the whole visit with each observation."""
    for row in list(stocked.product_rows):
        stocked.product_rows.append({**row, "obsID": stocked.observation_rows[0]["obsid"]})
    assert {product.root for product in find_products(["ua060502m"], [], settings)} == {"ua060502m"}


def test_it_waits_while_mast_works_but_not_forever(stocked, settings, monkeypatch):
    stocked.executing = 2
    assert find_products(["ua060502m"], [], settings)
    stocked.executing = 1000
    clock = itertools.count(0.0, settings.timeout / 10)  # each look at the clock is a tenth of the limit later
    fake = SimpleNamespace(monotonic=lambda: next(clock), sleep=lambda seconds: None)
    monkeypatch.setattr("mizzle.archive.portal.time", fake)
    with pytest.raises(ServiceError, match="still searches"):
        find_products(["ua060502m"], [], settings)
    assert 980 < stocked.executing < 995


@pytest.mark.parametrize("query", ["", "  ", "*", "a*b*", "root:", "colour:red", "%", "a\x1bb"])
def test_meaningless_queries_are_refused_before_any_request(service, settings, query):
    with pytest.raises(SettingsError):
        find_products([query], [], settings)
    with pytest.raises(SettingsError):
        find_products(["ua0605*"], ["F814W'; drop"], settings)
    assert not service.requests


def test_no_query_at_all_is_refused(settings):
    with pytest.raises(SettingsError, match="nothing to fetch"):
        find_products([], [], settings)


def test_nothing_found_says_what_there_is(stocked, settings):
    with pytest.raises(DataError, match="no such WFPC2 exposure in F300W; there are 3 in F814W"):
        find_products(["ua0605*"], ["F300W"], settings)
    with pytest.raises(DataError, match="check the name"):
        find_products(["ux99*"], [], settings)


def test_a_missing_data_quality_file_is_named(stocked, settings):
    stocked.product_rows = [row for row in stocked.product_rows if row["productFilename"] != "ua060504m_c1m.fits"]
    with pytest.raises(InputError, match=r"ua060504m \(has C0M, lacks C1M\)"):
        find_products(["ua0605*"], [], settings)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("productFilename", "../../ua060502m_c0m.fits"),
        ("productFilename", "/etc/cron.d/x_c0m.fits"),
        ("productFilename", "ua060502m_c0m.fits\x00.txt"),
        ("productFilename", "\x1b[2Jua060502m_c0m.fits"),
        ("productFilename", None),
        ("productFilename", "ua060502m_c1m.fits"),
        ("dataURI", "mast:HST/../../secret/ua060502m_c0m.fits"),
        ("dataURI", "http://127.0.0.1/ua060502m_c0m.fits"),
        ("dataURI", "mast:HST/product/ua060504m_c0m.fits"),
        ("size", -5),
        ("size", "large"),
        ("size", 10**15),
    ],
)
def test_hostile_rows_are_refused(stocked, settings, tmp_path, field, value):
    stocked.product_rows[0][field] = value
    with pytest.raises(InputError) as caught:
        fetch_exposures(find_products(["ua060502m"], [], settings), tmp_path, settings)
    assert str(caught.value).isprintable()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "answer",
    [
        {"status": "COMPLETE"},
        {"status": "COMPLETE", "fields": [{}], "data": [[1, 2]]},
        {"status": "COMPLETE", "fields": "obsid", "data": {}},
        {"status": "COMPLETE", "fields": [3], "data": []},
        {"status": "COMPLETE", "fields": [{"name": "obsid"}], "data": [], "paging": {"pagesFiltered": 10**9}},
        {"status": "ERROR", "msg": "no such service"},
        {"status": None},
        [],
        None,
        "COMPLETE",
    ],
)
def test_malformed_tables_are_one_error(service, settings, answer):
    service.faults["/api/v0/invoke"] = lambda handler: handler.send_json(answer)
    with pytest.raises(ServiceError, match=r"malformed|refused|pages"):
        find_products(["ua060502m"], [], settings)


def test_every_failure_of_the_query_is_one_error_in_time(stocked, limits, fault):
    _, misbehave = fault
    stocked.faults["/api/v0/invoke"] = misbehave
    with pytest.raises(ServiceError):
        find_products(["ua060502m"], [], limits)


def test_files_come_checked_and_a_second_time_nothing_is_asked(stocked, settings, tmp_path):
    products = find_products(["ua0605*"], [], settings)
    fetched = fetch_exposures(products, tmp_path / "new", settings)
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == names(products)
    assert {item.status for item in fetched} == {"fetched"}
    for item in fetched:
        assert item.path.read_bytes() == stocked.files[item.path.name]
    stocked.requests.clear()
    assert {item.status for item in fetch_exposures(products, tmp_path / "new", settings)} == {"present"}
    assert not stocked.requests


def test_every_bad_file_is_an_error_and_the_good_ones_come(stocked, settings, tmp_path):
    products = find_products(["ua0605*"], [], settings)
    stocked.files["ua060502m_c1m.fits"] = stocked.files["ua060502m_c1m.fits"][:-2880]
    stocked.files["ua060504m_c0m.fits"] = None
    with pytest.raises(InputError, match=r"4 of 6 files") as caught:
        fetch_exposures(products, tmp_path, settings)
    assert "ua060502m_c1m.fits" in str(caught.value)
    assert "ua060504m_c0m.fits" in str(caught.value)
    assert len(list(tmp_path.glob("*.fits"))) == 4


def test_offline_ends_at_the_first_file(stocked, settings, hasty, faults, tmp_path):
    products = find_products(["ua0605*"], [], settings)
    stocked.faults["/api/v0.1/*"] = faults["silence"]
    with pytest.raises(InputError, match="0 of 6"):
        fetch_exposures(products, tmp_path, hasty)
    assert len([path for _, path, _, _ in stocked.requests if "Download" in path]) <= 1


def test_the_cloud_copy_is_used_when_asked(stocked, settings, tmp_path):
    products = find_products(["ua060502m"], [], settings)
    fetch_exposures(products, tmp_path, changed(settings, cloud=True))
    asked = [path for _, path, _, _ in stocked.requests]
    assert "/hst/public/ua06/ua060502m/ua060502m_c0m.fits" in asked
    assert not any("Download" in path for path in asked)


def test_what_the_cloud_lacks_comes_from_mast_and_is_said(stocked, settings, tmp_path):
    products = find_products(["ua060502m"], [], settings)
    del stocked.cloud["/hst/public/ua06/ua060502m/ua060502m_c1m.fits"]
    said = []
    fetched = fetch_exposures(products, tmp_path, changed(settings, cloud=True), say=said.append)
    assert len(fetched) == 2
    assert said == ["ua060502m_c1m.fits: not in the cloud copy; taken from MAST"]


def test_a_missing_extra_says_what_to_install(settings, monkeypatch):
    true_import = builtins.__import__

    def without(name, *arguments, **options):
        if name.partition(".")[0] == "httpx":
            raise ModuleNotFoundError("No module named 'httpx'", name="httpx")
        return true_import(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(SettingsError, match=r'pip install "mizzle\[archive\]"'):
        find_products(["ua060502m"], [], settings)


def test_a_query_reads_as_it_is_meant():
    assert Query.parse("u40x010hm") == Query("obs_id", "u40x010hm")
    assert Query.parse("target:11100") == Query("target_name", "11100")
    assert Query.parse("M2") == Query("target_name", "M2")
    assert Query.parse("ua0605*").accepts("UA060502M")
    assert not Query.parse("ua0605*").accepts("ua070502m")


# What MAST really answers --------------------------------------------------------------------------------------------


@pytest.fixture
def recorded(service, data_dir):
    """A service that holds the recorded answers."""
    read = {
        name: json.loads((data_dir / "services" / f"mast_{name}.json").read_text("utf-8"))["data"]
        for name in ("caom_rows", "products_u9o40504m")
    }
    service.observation_rows = read["caom_rows"]
    facts = {"obsid": read["products_u9o40504m"][0]["obsID"], "obs_id": "U9O40504M", "filters": "F606W"}
    hst = next(row for row in read["caom_rows"] if row["obs_collection"] == "HST")
    service.observation_rows.append({**hst, **facts, "target_name": "RECORDED"})
    service.product_rows = read["products_u9o40504m"]
    return service


@pytest.mark.data
@pytest.mark.parametrize("query", ["u9o40504m", "U9O40504M", "u9o405*", "target:RECORDED"])
def test_the_recorded_exposure_gives_its_c0m_and_c1m(recorded, settings, query):
    found = find_products([query], [], settings)
    assert names(found) == ["u9o40504m_c0m.fits", "u9o40504m_c1m.fits"]
    assert [product.size for product in found] == [10307520, 5178240]


@pytest.mark.data
def test_the_waivered_form_is_taken_where_there_is_no_other(recorded, settings):
    recorded.product_rows = [row for row in recorded.product_rows if row["productSubGroupDescription"] != "C0M"]
    assert names(find_products(["u9o40504m"], [], settings)) == ["u9o40504m_c0f.fits", "u9o40504m_c1f.fits"]


@pytest.mark.data
def test_rows_of_other_archives_and_instruments_are_left_out(recorded, settings):
    """Even where the service does not hold itself to what was asked."""
    others = {row["obs_id"] for row in recorded.observation_rows if row["obs_collection"] != "HST"}
    assert others
    asked = []
    portal = Portal(settings)
    portal.observations = lambda criteria: recorded.observation_rows
    portal.products = lambda obsids: asked.extend(obsids) or recorded.product_rows
    find_products(["u9o40504m"], [], settings, portal=portal)
    wrong = {str(row["obsid"]) for row in recorded.observation_rows if row["obs_id"] in others}
    assert asked
    assert not wrong & set(asked)


@pytest.mark.parametrize(("root", "kinds"), [("j94f05bgq", ("flt",)), ("jczgx1ppq", ("flt", "flc"))])
def test_flc_is_preferred_to_flt(service, settings, root, kinds):
    service.add(root, instrument="ACS/WFC", filters="F606W", kinds=("raw", *kinds))
    assert names(find_products([root], [], settings)) == [f"{root}_{kinds[-1]}.fits"]


def test_the_instrument_of_a_proposal_can_be_said(service, settings):
    service.add("j94f05bgq", instrument="ACS/WFC", kinds=("flt",), proposal="77")
    service.add("ua060502m", proposal="77")
    assert {product.root for product in find_products(["77"], [], settings)} == {"ua060502m"}
    assert {product.root for product in find_products(["77"], [], settings, instrument="acs")} == {"j94f05bgq"}
    with pytest.raises(SettingsError, match="WFPC2, ACS, WFC3"):
        find_products(["77"], [], settings, instrument="FOC")
