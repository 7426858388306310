"""CRDS: its choices, its checksums, and what serves when it cannot be asked."""

from __future__ import annotations

import pytest

from mizzle.archive.crds import CrdsServer, matching_header
from mizzle.archive.references import ReferenceFolder, best_references, cache_folder, fetch_references
from mizzle.archive.web import ServiceError
from mizzle.errors import DataError, InputError, SettingsError
from mizzle.settings import ArchiveSettings

LATE = {"INSTRUME": "WFPC2", "ROOTNAME": "ua060502m", "DATE-OBS": "2007-10-04", "TIME-OBS": "11:30:14", "MODE": "FULL"}
EARLY = {**LATE, "ROOTNAME": "u2000101t", "DATE-OBS": "1993-12-24"}
AREA = {**LATE, "ROOTNAME": "u2000102t", "MODE": "AREA"}
BEST = {"IDCTAB": "ta81040lu_idc.fits", "OFFTAB": "s9518396u_off.fits", "DGEOFILE": "s8f1222cu_dxy.fits"}


def changed(settings, **values):
    return ArchiveSettings.model_validate({**settings.model_dump(), **values})


def found(files):
    return {kind: path.name for kind, path in files.items()}


def test_the_best_files_come_with_checksums(service, settings, tmp_path):
    (chosen,) = fetch_references([LATE], tmp_path / "refs", settings)
    assert found(chosen) == BEST
    for path in chosen.values():
        assert path.read_bytes() == service.references[path.name]
    assert set(ReferenceFolder(tmp_path / "refs").states().values()) == {"ok"}


def test_the_request_is_as_the_library_sends_it(service, settings):
    CrdsServer(settings).best("hst_0250.pmap", matching_header(LATE))
    command, path, _, body = service.requests[0]
    assert command == "POST"
    assert path.startswith("/json/get_best_references/")
    assert b'"jsonrpc": "1.0"' in body
    assert b'"DATE-OBS": "2007-10-04"' in body


def test_a_compressed_answer_is_understood(service, settings, tmp_path):
    service.encoded = True
    (chosen,) = fetch_references([LATE], tmp_path, settings)
    assert found(chosen) == BEST


def test_an_older_server_is_understood(service, settings):
    service.crds_get_default_context = lambda observatory: "hst_0001.pmap"
    assert CrdsServer(settings).context() == "hst_0001.pmap"


def test_a_context_can_be_asked_for(service, settings, tmp_path):
    fetch_references([LATE], tmp_path, changed(settings, crds_context="hst_0250.pmap"))
    assert not any("get_default_context" in path for _, path, _, _ in service.requests)


def test_nothing_is_fetched_twice(service, settings, tmp_path):
    fetch_references([LATE, {**LATE, "ROOTNAME": "ua060504m"}], tmp_path, settings)
    assert sum("get_best_references" in path for _, path, _, _ in service.requests) == 1
    service.requests.clear()
    fetch_references([LATE], tmp_path, settings)
    assert not any("unchecked_get" in path for _, path, _, _ in service.requests)


def test_a_wrong_checksum_is_an_error_never_a_fallback(service, settings, tmp_path):
    real = service.crds_get_file_info_map

    def wrong(observatory, files, fields):
        return {name: {**facts, "sha1sum": "0" * 40} for name, facts in real(observatory, files, fields).items()}

    service.crds_get_file_info_map = wrong
    with pytest.raises(InputError, match="wrong checksum"):
        best_references([LATE], tmp_path, settings)
    assert not list(tmp_path.glob("*.fits"))


@pytest.mark.parametrize(
    "name", ["../../x.fits", "/etc/passwd", "a\x1b.fits", "NOT FOUND no match", "x" * 300 + ".fits", 7, None, ["a"]]
)
def test_hostile_choices_are_refused(service, settings, tmp_path, name):
    service.crds_get_best_references = lambda *_: {"idctab": name, "offtab": "n/a", "dgeofile": "NOT FOUND n/a"}
    with pytest.raises(InputError) as caught:
        fetch_references([LATE], tmp_path / "refs", settings)
    assert str(caught.value).isprintable()
    assert not (tmp_path / "refs").exists()


@pytest.mark.parametrize(
    "facts",
    ["NOT FOUND unknown", {}, {"size": "many", "sha1sum": "0" * 40}, {"size": "5", "sha1sum": "zz"}, {"size": -1}],
)
def test_files_without_size_and_checksum_are_refused(service, settings, tmp_path, facts):
    service.crds_get_file_info_map = lambda _, files, __: dict.fromkeys(files, facts)
    with pytest.raises(ServiceError, match="no usable size and checksum"):
        fetch_references([LATE], tmp_path, settings)


@pytest.mark.parametrize(
    "result", [None, 5, [], {"crds_encoded": "1.0", "crds_payload": "no base64!"}, {"crds_encoded": "1.0"}]
)
def test_malformed_answers_are_one_error(service, settings, result):
    service.crds_get_best_references = lambda *_: result
    with pytest.raises(ServiceError):
        CrdsServer(settings).best("hst_0250.pmap", matching_header(LATE))


def test_a_hostile_context_is_refused(service, settings):
    service.context = "../hst.pmap"
    with pytest.raises(ServiceError, match="no CRDS context"):
        CrdsServer(settings).context()


def test_an_error_of_the_server_is_shown(service, settings):
    with pytest.raises(ServiceError, match="get_nothing failed: AttributeError: <"):
        CrdsServer(settings)._call("get_nothing", [])


def test_offline_the_embedded_tables_serve_and_one_line_says_so(settings, closed, tmp_path):
    said = []
    offline = changed(settings, crds_url=closed)
    assert best_references([LATE], tmp_path, offline, say=said.append) == {}
    (line,) = said
    assert "cannot be reached" in line  # refused, not waited for
    assert "offline" in line
    assert line.endswith("the embedded tables serve")


def test_offline_the_kept_answer_serves_the_same_exposure(service, settings, closed, tmp_path):
    fetch_references([LATE], tmp_path, settings)
    said = []
    offline = changed(settings, crds_url=closed)
    assert found(best_references([LATE], tmp_path, offline, say=said.append)) == BEST
    assert f"files kept in {tmp_path} serve" in said[0]
    # An exposure that was never asked for gets the embedded tables, not the nearest files.
    assert best_references([EARLY], tmp_path, offline, say=said.append) == {}
    assert "embedded" in said[1]


def test_offline_an_exposure_between_two_that_got_the_same_files_gets_them_too(service, settings, closed, tmp_path):
    first, last = {**LATE, "DATE-OBS": "1999-01-01"}, {**LATE, "DATE-OBS": "2008-01-01"}
    fetch_references([first, last], tmp_path, settings)
    offline = changed(settings, crds_url=closed)
    between = {**LATE, "ROOTNAME": "ua070101m", "DATE-OBS": "2001-02-03"}
    assert found(best_references([between], tmp_path, offline)) == BEST
    for other in ({"DATE-OBS": "1998-12-31"}, {"DATE-OBS": "2008-01-02"}, {"MODE": "AREA"}, {"FILTNAM1": "F300W"}):
        assert best_references([{**between, **other}], tmp_path, offline) == {}


def test_offline_nothing_is_chosen_between_two_that_got_different_files(service, settings, tmp_path):
    fetch_references([EARLY, {**EARLY, "DATE-OBS": "2008-01-01"}], tmp_path, settings)
    with pytest.raises(InputError, match="no answer of CRDS"):
        ReferenceFolder(tmp_path).choose(matching_header({**EARLY, "DATE-OBS": "2001-02-03"}))


def test_two_processes_fetch_into_one_folder_and_both_are_in_the_index(service, settings, tmp_path):
    """The second has read the index before the first one wrote it."""
    first, second = ReferenceFolder(tmp_path), ReferenceFolder(tmp_path)
    server = CrdsServer(settings)
    first.fetch(server.wanted([BEST["IDCTAB"]]), settings)
    second.fetch(server.wanted([BEST["OFFTAB"]]), settings)
    assert set(ReferenceFolder(tmp_path).states().values()) == {"ok"}
    assert set(ReferenceFolder(tmp_path).entries) == {BEST["IDCTAB"], BEST["OFFTAB"]}
    assert not (tmp_path / ".references.json.lock").exists()


def test_offline_a_damaged_file_does_not_serve(service, settings, closed, tmp_path):
    fetch_references([LATE], tmp_path, settings)
    path = tmp_path / BEST["OFFTAB"]
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert best_references([LATE], tmp_path, changed(settings, crds_url=closed)) == {}


def test_a_failing_server_is_said_too(service, settings, tmp_path, faults):
    service.faults["/json/*"] = faults["500"]
    said = []
    assert best_references([LATE], tmp_path, settings, say=said.append) == {}
    assert "HTTP 500" in said[0]


def test_exposures_that_need_different_files_are_named(service, settings, tmp_path):
    with pytest.raises(DataError, match=r"different DGEOFILE files .*u2000102t"):
        best_references([LATE, AREA], tmp_path, settings)
    assert found(best_references([AREA], tmp_path, settings))["DGEOFILE"] == "sbh1653tu_dxy.fits"


def test_every_failure_of_the_server_ends_in_time(service, limits, tmp_path, fault):
    service.faults["/json/*"] = fault[1]
    with pytest.raises(ServiceError):
        fetch_references([LATE], tmp_path, limits)


def test_every_failure_of_a_download_ends_in_time(service, limits, tmp_path, fault):
    service.faults["/unchecked_get/references/*"] = fault[1]
    with pytest.raises(InputError):
        fetch_references([LATE], tmp_path, limits)
    assert not list(tmp_path.glob("*.fits"))


# The folder ----------------------------------------------------------------------------------------------------------


def test_the_folder_lists_verifies_and_deletes_only_its_own(service, settings, tmp_path):
    fetch_references([LATE], tmp_path, settings)
    mine = tmp_path / "notes.txt"
    mine.write_text("mine")
    (tmp_path / BEST["IDCTAB"]).write_bytes(b"junk")
    (tmp_path / BEST["OFFTAB"]).unlink()
    here = ReferenceFolder(tmp_path)
    states = here.states()
    assert states[BEST["IDCTAB"]] == "damaged"
    assert states[BEST["OFFTAB"]] == "missing"
    assert states[BEST["DGEOFILE"]] == "ok"
    with pytest.raises(SettingsError, match=r"notes\.txt"):
        here.delete(["notes.txt"])
    assert here.delete([BEST["DGEOFILE"]]) == [BEST["DGEOFILE"]]
    assert not (tmp_path / BEST["DGEOFILE"]).exists()
    here.delete()
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(
    "index",
    [
        "{",
        "[]",
        '{"context": "x"}',
        '{"context": "x", "files": [{"name": "../../victim.fits", "size": 1, "sha1": "", "url": ""}]}',
        '{"context": "x", "files": [{"name": "notes.txt", "size": 1, "sha1": "", "url": ""}]}',
        '{"context": "x", "files": [{"name": "a.fits", "size": "many", "sha1": "", "url": ""}]}',
    ],
)
def test_a_hostile_index_is_refused(tmp_path, index):
    (tmp_path / "references.json").write_text(index)
    with pytest.raises(InputError, match="damaged"):
        ReferenceFolder(tmp_path)


def test_the_cache_lies_in_the_output_folder(settings, tmp_path):
    assert cache_folder(settings, "out").as_posix() == "out/references"
    assert cache_folder(changed(settings, cache=str(tmp_path)), "out") == tmp_path


@pytest.mark.parametrize(
    "header", [{}, {"INSTRUME": "ACS"}, {"INSTRUME": "WFPC2"}, {"INSTRUME": "WFPC2", "DATE-OBS": "x"}]
)
def test_headers_that_cannot_be_matched_are_refused(header):
    with pytest.raises(InputError):
        matching_header(header)
