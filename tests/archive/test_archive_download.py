"""Files appear whole and checked, or not at all; broken transfers go on where they broke."""

from __future__ import annotations

import hashlib
import itertools
import os
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mizzle.archive.download import Wanted, download
from mizzle.archive.names import is_safe, safe_name, shown
from mizzle.archive.web import ServiceError
from mizzle.errors import InputError, SettingsError
from mizzle.settings import ArchiveSettings

NAME = "ua060502m_c0m.fits"


@pytest.fixture
def wanted(service):
    service.add("ua060502m")
    content = service.files[NAME]
    return Wanted(f"{service.url}/api/v0.1/Download/file?uri={NAME}", NAME, len(content))


def cut_after(service, count, times=1):
    """Break the connection after `count` bytes of the body, the first `times` times."""
    left = [times]

    def fault(handler):
        left[0] -= 1
        content = service.files[NAME]
        start = int((handler.headers.get("Range") or "bytes=0-")[6:-1])
        handler.close_connection = True
        handler.send_response(206 if start else 200)
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        handler.send_header("ETag", f'"{hashlib.md5(content).hexdigest()}"')
        handler.send_header("Content-Length", str(len(content) - start))
        handler.end_headers()
        handler.wfile.write(content[start : start + count])
        if not left[0]:
            service.faults.clear()

    service.faults["/api/v0.1/*"] = fault


def ranges(service):
    return [headers.get("Range") for _, path, headers, _ in service.requests if "Download" in path]


def test_a_file_comes_whole(service, wanted, settings, tmp_path):
    seen = []
    fetched = download(wanted, tmp_path, settings, progress=lambda *facts: seen.append(facts))
    assert fetched.status == "fetched"
    assert fetched.path.read_bytes() == service.files[NAME]
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
    assert seen[-1] == (NAME, wanted.size, wanted.size)


def test_a_good_file_is_not_fetched_again(service, wanted, settings, tmp_path):
    download(wanted, tmp_path, settings)
    service.requests.clear()
    assert download(wanted, tmp_path, settings).status == "present"
    assert not service.requests


def test_a_damaged_file_of_the_right_size_is_replaced(service, wanted, settings, tmp_path):
    path = download(wanted, tmp_path, settings).path
    damaged = bytearray(service.files[NAME])
    damaged[-3000] ^= 1
    path.write_bytes(bytes(damaged))
    assert download(wanted, tmp_path, settings).status == "fetched"
    assert path.read_bytes() == service.files[NAME]


def test_a_broken_transfer_goes_on_where_it_broke(service, wanted, settings, tmp_path):
    cut_after(service, 30_000)
    assert download(wanted, tmp_path, settings).status == "resumed"
    assert ranges(service) == [None, "bytes=30000-"]
    assert (tmp_path / NAME).read_bytes() == service.files[NAME]


def test_the_next_command_goes_on_too(service, wanted, settings, tmp_path):
    once = ArchiveSettings.model_validate({**settings.model_dump(), "retries": 0})
    cut_after(service, 20_000)
    with pytest.raises(ServiceError, match="the same command goes on there"):
        download(wanted, tmp_path, once)
    assert not (tmp_path / NAME).exists()
    assert download(wanted, tmp_path, once).status == "resumed"
    assert ranges(service)[-1] == "bytes=20000-"
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


def test_a_transfer_is_not_resumed_on_another_version(service, wanted, settings, tmp_path):
    once = ArchiveSettings.model_validate({**settings.model_dump(), "retries": 0})
    cut_after(service, 20_000)
    with pytest.raises(ServiceError):
        download(wanted, tmp_path, once)
    service.files[NAME] = service.files[NAME].replace(b"11:30:14", b"12:30:14")
    assert download(wanted, tmp_path, once).status == "fetched"
    assert (tmp_path / NAME).read_bytes() == service.files[NAME]


def test_halves_that_do_not_fit_are_fetched_anew(service, wanted, settings, tmp_path):
    """Without an ETag only the size speaks for the old part; the data sum then finds the seam."""
    once = ArchiveSettings.model_validate({**settings.model_dump(), "retries": 0})
    cut_after(service, 40_000)
    with pytest.raises(ServiceError):
        download(wanted, tmp_path, once)
    part = next(tmp_path.glob(".*.download"))
    content = bytearray(part.read_bytes())
    content[20_000] ^= 0xFF
    part.write_bytes(bytes(content))
    download(wanted, tmp_path, settings)
    assert (tmp_path / NAME).read_bytes() == service.files[NAME]


def test_a_server_without_ranges_still_serves(service, wanted, settings, tmp_path):
    cut_after(service, 10_000)
    once = ArchiveSettings.model_validate({**settings.model_dump(), "retries": 0})
    with pytest.raises(ServiceError):
        download(wanted, tmp_path, once)

    def whole(handler):
        del handler.headers["Range"]
        handler.send_file(service.files[NAME])

    service.faults["/api/v0.1/*"] = whole
    download(wanted, tmp_path, once)
    assert (tmp_path / NAME).read_bytes() == service.files[NAME]


def test_no_failure_leaves_a_file_of_that_name(service, wanted, settings, limits, tmp_path, fault):
    _, misbehave = fault
    service.faults["/api/v0.1/*"] = misbehave
    with pytest.raises(InputError) as caught:
        download(wanted, tmp_path, limits)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / NAME).exists()
    service.faults.clear()
    download(wanted, tmp_path, settings)  # and the same command afterwards completes it
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


def test_a_wrong_checksum_is_named_and_nothing_kept(service, wanted, settings, tmp_path):
    wrong = Wanted(wanted.url, NAME, wanted.size, sha1="0" * 40)
    with pytest.raises(InputError, match="wrong checksum"):
        download(wrong, tmp_path, settings)
    assert not list(tmp_path.iterdir())


def test_a_wrong_size_is_named(service, wanted, settings, tmp_path):
    for size in (wanted.size - 2880, wanted.size + 2880):
        with pytest.raises(InputError, match="archive lists"):
            download(Wanted(wanted.url, NAME, size), tmp_path, settings)
    assert not list(tmp_path.iterdir())


def test_another_exposure_is_refused(service, wanted, settings, tmp_path):
    with pytest.raises(InputError, match="ROOTNAME is 'ua060502m'"):
        download(Wanted(wanted.url, NAME, wanted.size, header={"ROOTNAME": "ua060504m"}), tmp_path, settings)


def test_a_slow_transfer_is_given_up(service, wanted, settings, tmp_path, faults, monkeypatch):
    service.faults["/api/v0.1/*"] = faults["dripping body"]
    clock = itertools.count(0.0, settings.timeout / 5)  # of the transfer alone: each look is a fifth of the limit later
    monkeypatch.setattr("mizzle.archive.download.time", SimpleNamespace(monotonic=lambda: next(clock)))
    with pytest.raises(ServiceError, match=r"byte/s, slower than 1000 \(archive\.slowest\)"):
        download(Wanted(wanted.url, NAME, 100_000), tmp_path, settings)


def test_a_planted_link_is_not_followed(service, wanted, settings, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    victim = outside / "victim"
    victim.write_text("mine")
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / f".{NAME}.download").symlink_to(victim)
    with pytest.raises(SettingsError, match="cannot be written"):
        download(wanted, folder, settings)
    (folder / f".{NAME}.download").unlink()
    (folder / NAME).symlink_to(victim)
    download(wanted, folder, settings)
    assert victim.read_text() == "mine"
    assert not (folder / NAME).is_symlink()


@pytest.mark.skipif(os.name != "posix", reason="file locks of POSIX")
def test_two_processes_do_not_mix(service, wanted, settings, tmp_path):
    import fcntl

    with (tmp_path / f".{NAME}.download").open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(SettingsError, match="another process"):
            download(wanted, tmp_path, settings)


@pytest.mark.skipif(os.name != "posix", reason="file locks of POSIX")
def test_a_lock_belongs_to_the_file_that_bears_the_name(service, wanted, settings, tmp_path, monkeypatch):
    """A second fetcher opens the unfinished file; before it has the lock, the first one finishes and renames it."""
    import fcntl

    partial, true_lock = tmp_path / f".{NAME}.download", fcntl.flock
    partial.write_bytes(service.files[NAME])

    def late(stream, how):
        if not (tmp_path / NAME).exists():
            os.replace(partial, tmp_path / NAME)
        true_lock(stream, how)

    monkeypatch.setattr(fcntl, "flock", late)
    assert download(wanted, tmp_path, settings).status == "present"
    assert (tmp_path / NAME).read_bytes() == service.files[NAME]
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


HOSTILE = ["../x.fits", "/etc/passwd", "a/b.fits", "..\\x.fits", ".hidden.fits", "-rf.fits", "", "..", "a\x00.fits"]
HOSTILE += [
    "a\x1b[2J.fits",
    "nul.fits",
    "CON.fits",
    "a" * 200 + ".fits",
    "a b.fits",
    "a.fits\n",
    "ua\u202egnp.fits",
    None,
    7,
]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_refused(name, tmp_path):
    with pytest.raises(InputError, match="refused the file name") as caught:
        safe_name(name, "server")
    assert str(caught.value).isprintable()
    with pytest.raises(InputError):
        Wanted("http://127.0.0.1/", name, 1)


@given(st.text(max_size=40))
def test_a_safe_name_stays_in_its_folder(name):
    if is_safe(name):
        assert os.path.basename(name) == name
        assert os.path.normpath(os.path.join("folder", name)) == os.path.join("folder", name)


@given(st.text(max_size=400))
def test_shown_text_is_one_printable_line(text):
    assert shown(text).isprintable()
    assert len(shown(text)) <= 160
