"""The astrometry database improves what is there, and is never waited for."""

from __future__ import annotations

import pytest
from astropy.io import fits

from mizzle.archive.astrometry import Solutions, fetch_headerlets, find_solutions
from mizzle.archive.prepare import prepare_run
from mizzle.archive.web import ServiceError
from mizzle.errors import InputError, SettingsError
from mizzle.settings import ArchiveSettings, Settings

ROOT = "ua060502m"
NAMES = ["OPUS", "IDC_ta81040lu-GSC240", "IDC_ta81040lu-FIT_REL_GAIAeDR3", "IDC_v8q1444tu-FIT_SVM_GAIADR2"]


def changed(settings, **values):
    return ArchiveSettings.model_validate({**settings.model_dump(), **values})


@pytest.fixture
def stocked(service):
    service.add_solutions(ROOT, NAMES)
    return service


def test_solutions_are_read_with_the_best_one_by_name(stocked, settings):
    assert find_solutions(ROOT, settings) == Solutions(tuple(NAMES), NAMES[1])
    stocked.best_solution = NAMES[2]  # named already
    assert find_solutions(ROOT.upper(), settings).best == NAMES[2]
    stocked.best_solution = "77"  # of nobody
    assert find_solutions(ROOT, settings).best == ""


def test_an_unknown_exposure_has_no_solutions(stocked, settings):
    assert find_solutions("ua060599m", settings) == Solutions(())


def test_the_best_solution_is_chosen_where_it_rests_on_the_table_in_use():
    known = Solutions(tuple(NAMES), NAMES[3])
    assert known.choose("best") == NAMES[3]
    assert known.choose("best", "v8q1444tu") == NAMES[3]
    assert known.choose("best", "ta81040lu") == NAMES[2]  # fitted to Gaia before guide stars
    assert known.choose("best", "sad1946fu") == ""
    assert known.choose("OPUS", "sad1946fu") == "OPUS"
    assert Solutions(("OPUS",)).choose("best") == ""
    with pytest.raises(SettingsError, match=r"no solution 'IDC_x'; there are: OPUS, IDC"):
        known.choose("IDC_x")


def test_the_headerlet_comes_checked(stocked, settings, tmp_path):
    said = []
    found = fetch_headerlets([ROOT], "", tmp_path, settings=settings, say=said.append)
    with fits.open(found[ROOT]) as units:
        assert units[0].header["WCSNAME"] == NAMES[1]
        assert [unit.name for unit in units[1:]] == ["SIPWCS"] * 4
    assert found[ROOT].parent == tmp_path
    assert said == [f"{ROOT}: WCS {NAMES[1]} from the astrometry database"]


def test_unreachable_is_said_once_and_never_waited_for(stocked, settings, closed, tmp_path):
    said = []
    roots = [ROOT, "ua060504m", "ua060506m"]
    offline = changed(settings, astrometry_url=closed)
    assert fetch_headerlets(roots, "", tmp_path, settings=offline, say=said.append) == {}
    (line,) = said
    assert "cannot be reached" in line
    assert line.endswith("the WCS of the model serves")


def test_a_silent_service_is_not_waited_for_longer_than_five_seconds():
    from mizzle.archive.astrometry import _patience

    patience = _patience(ArchiveSettings(timeout=3600.0, connect_timeout=30.0))
    assert patience.connect <= 5
    assert patience.answer <= 5


def test_every_failure_leaves_the_model(stocked, limits, tmp_path, fault):
    name, misbehave = fault
    stocked.faults["/observation/*"] = misbehave
    said = []
    assert fetch_headerlets([ROOT, "ua060504m"], "", tmp_path, settings=limits, say=said.append) == {}
    assert all("the WCS of the model serves" in line for line in said)
    assert len(said) == (2 if name == "404" else 1)


def test_a_failure_in_the_middle_leaves_all_exposures_alike(stocked, settings, tmp_path, faults):
    stocked.add_solutions("ua060504m", NAMES)
    stocked.faults["/observation/read/ua060504m"] = faults["500"]
    assert fetch_headerlets([ROOT, "ua060504m"], "", tmp_path, settings=settings) == {}


def test_a_headerlet_of_another_exposure_is_refused(stocked, settings, tmp_path):
    stocked.add_solutions("ua060504m", NAMES)
    stocked.solutions[ROOT] = stocked.solutions["ua060504m"]
    with pytest.raises(InputError, match=r"it is for 'ua060504m' \(DESTIM\), needed ua060502m"):
        fetch_headerlets([ROOT], "", tmp_path, settings=settings)
    assert not list(tmp_path.iterdir())


def test_what_is_no_headerlet_is_refused(stocked, settings, tmp_path):
    content = stocked.solutions[ROOT][NAMES[1]]
    for bad in (
        content[:-1000],
        b"<html>",
        content.replace(b"SIPWCS", b"OTHERS"),
        content.replace(b"CRVAL1", b"CRVOL1"),
    ):
        stocked.solutions[ROOT][NAMES[1]] = bad
        with pytest.raises(InputError):
            fetch_headerlets([ROOT], "", tmp_path, settings=settings)
    assert not list(tmp_path.iterdir())


def test_exploding_xml_is_refused(stocked, settings, faults):
    bomb = b"<!DOCTYPE x [<!ENTITY a 'aaaaaaaa'><!ENTITY b '&a;&a;&a;'>]><x>&b;</x>"
    stocked.faults["/observation/*"] = lambda handler: handler.send_file(bomb)
    with pytest.raises(ServiceError, match="declarations"):
        find_solutions(ROOT, settings)


def test_hostile_solution_names_stay_in_the_folder(stocked, settings, tmp_path):
    name = "../../IDC_x\x1b[2J"
    stocked.add_solutions(ROOT, ["OPUS"])
    stocked.solutions[ROOT]["../../IDC_x"] = stocked.solutions[ROOT]["OPUS"]
    found = fetch_headerlets([ROOT], "", tmp_path / "in", settings=settings)
    assert found[ROOT].parent == tmp_path / "in"
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
    with pytest.raises(InputError, match="no rootname"):
        find_solutions(name, settings)


# What a run takes from the archive -----------------------------------------------------------------------------------


@pytest.fixture
def science(service, tmp_path):
    service.add(ROOT)
    service.add("ua060504m")
    paths = []
    for root in (ROOT, "ua060504m"):
        paths.append(tmp_path / f"{root}_c0m.fits")
        paths[-1].write_bytes(service.files[f"{root}_c0m.fits"])
    return paths


def test_by_default_a_run_touches_no_network_and_no_file(service, tmp_path):
    prepared = prepare_run([tmp_path / "absent_c0m.fits"], Settings(), tmp_path)
    assert prepared.settings == Settings()
    assert not service.requests


def test_a_run_takes_what_its_settings_ask_for(stocked, settings, science, tmp_path):
    everything = Settings(archive=changed(settings, references="best", astrometry=True))
    said = []
    prepared = prepare_run(science, everything, tmp_path / "out", say=said.append)
    folder = tmp_path / "out" / "references"
    assert prepared.settings.geometry.idctab == str(folder / "ta81040lu_idc.fits")
    assert prepared.settings.geometry.offtab == str(folder / "s9518396u_off.fits")
    assert prepared.settings.geometry.dgeofile == str(folder / "s8f1222cu_dxy.fits")
    first, second = science
    assert prepared.settings_for(first).geometry.headerlet == str(prepared.headerlets[first])
    assert second not in prepared.headerlets  # the database does not know it
    assert prepared.settings_for(second) == prepared.settings
    assert prepared.settings.archive == everything.archive
    assert len(said) == 2


def test_a_table_the_user_named_is_not_replaced(service, settings, science, tmp_path):
    everything = Settings.model_validate(
        {"geometry": {"idctab": "my_idc.fits"}, "archive": changed(settings, references="best").model_dump()}
    )
    geometry = prepare_run(science, everything, tmp_path).settings.geometry
    assert geometry.idctab == "my_idc.fits"
    assert geometry.offtab.endswith("s9518396u_off.fits")


def test_offline_a_run_goes_on_with_what_is_there(settings, closed, science, tmp_path):
    offline = changed(settings, references="best", astrometry=True, crds_url=closed, astrometry_url=closed)
    said = []
    prepared = prepare_run(science, Settings(archive=offline), tmp_path, say=said.append)
    assert all("cannot be reached" in line for line in said)
    assert prepared.settings.geometry == Settings().geometry
    assert not prepared.headerlets
    assert len(said) == 2
