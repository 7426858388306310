"""Files into visits, from headers alone."""

from __future__ import annotations

import gzip
import os
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mizzle.errors import InputError, SettingsError
from mizzle.io import quick_headers
from mizzle.io.file_tables import read_file_table, write_file_table
from mizzle.io.quick_headers import HeaderCache, read_keywords
from mizzle.settings import Settings
from mizzle.visits import find_visits, grouping
from mizzle.visits.memory import expected_memory
from tiny_files import write_pair
from visits.batch_tools import write_visits


def names(where: object, **options: object) -> list[str]:
    return [visit.name for visit in find_visits([where], **options).visits]  # type: ignore[list-item, arg-type]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tree")
    write_visits(folder, 4)
    return folder


def test_a_visit_is_proposal_visit_and_target(tree: Path) -> None:
    assert names(tree) == ["5000_2lx00_field-0", "5000_2lx01_field-1", "5000_2lx02_field-2", "5001_2lx03_field-3"]
    assert names(tree, by="proposal") == ["5000", "5001"]
    assert names(tree, by="target") == ["field-0", "field-1", "field-2", "field-3"]
    assert names(tree, by="folder") == ["u2lx00", "u2lx01", "u2lx02", "u2lx03"]
    assert names(tree, filters=["f555w"]) == []
    assert len(names(tree, filters=["f814w"])) == 4
    with pytest.raises(SettingsError, match="--by year"):
        names(tree, by="year")


def test_pointings_farther_apart_than_a_field_are_visits_of_their_own(tmp_path: Path) -> None:
    for number, dec in enumerate((-0.8, -0.7, 3.0)):
        chip = {"CRVAL2": dec}
        write_pair(tmp_path, f"u2lx010{number}t", primary_changes={"PROPOSID": 7}, chip_changes=chip)
    assert [len(visit.exposures) for visit in find_visits([tmp_path]).visits] == [2, 1]
    assert names(tmp_path) == ["7_2lx01_m2", "7_2lx01_m2-2"]


def test_what_cannot_be_grouped_is_named_and_the_rest_goes_on(tree: Path, tmp_path: Path) -> None:
    shutil.copytree(tree / "u2lx00", tmp_path / "good")
    write_pair(tmp_path / "odd", "simulation")
    cut = tmp_path / "cut" / "u2lx0901t_c0m.fits"
    cut.parent.mkdir()
    cut.write_bytes((tree / "u2lx00" / "u2lx0001t_c0m.fits").read_bytes()[:2000])
    shutil.copy(tree / "u2lx00" / "u2lx0001t_c1m.fits", cut.parent / "u2lx0901t_c1m.fits")
    shutil.copy(tree / "u2lx00" / "u2lx0001t_c0m.fits", tmp_path / "u2lx0801t_c0m.fits")
    shutil.copytree(tree / "u2lx00", tmp_path / "twice")
    grouped = find_visits([tmp_path])
    assert [visit.name for visit in grouped.visits] == ["5000_2lx00_field-0"]
    text = "\n".join(grouped.problems.values())
    for reason in ("does not tell the visit", "cut off", "data-quality file is missing", "the same exposure as"):
        assert reason in text
    assert len(grouped.problems) == 5


def test_results_are_no_exposures(tree: Path, tmp_path: Path) -> None:
    shutil.copytree(tree / "u2lx00", tmp_path / "in")
    for place in ("old", "out"):
        shutil.copytree(tree / "u2lx01", tmp_path / place / "exposures")
    (tmp_path / "old" / "batch.json").write_text("{}")
    assert names(tmp_path, out=tmp_path / "out") == ["5000_2lx00_field-0"]


@pytest.mark.parametrize("ending", ["csv", "ecsv", "parquet"])
def test_a_table_says_what_belongs_together(ending: str, tree: Path, tmp_path: Path) -> None:
    if ending == "parquet":
        pytest.importorskip("pyarrow")
    files = sorted(tree.rglob("*_c0m.fits"))[:4]
    path = write_file_table(
        tmp_path / f"list.{ending}",
        {"file": [os.path.relpath(name, tmp_path) for name in files], "visit": ["one", "two", "two", ""]},
    )
    assert [row.visit for row in read_file_table(path)] == ["one", "two", "two", ""]
    visits = find_visits([path]).visits
    assert [(visit.name, len(visit.exposures)) for visit in visits] == [
        ("5000_2lx01_field-1", 1),
        ("one", 1),
        ("two", 2),
    ]


def test_bad_tables_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("exposure\nx\n")
    with pytest.raises(InputError, match="columns exposure; needed 'file'"):
        find_visits([tmp_path / "a.csv"])
    (tmp_path / "b.csv").write_text("file,visit\nx\n")
    with pytest.raises(InputError, match="row 2 has 1 cells"):
        find_visits([tmp_path / "b.csv"])
    with pytest.raises(SettingsError, match="a table ends in"):
        write_file_table(tmp_path / "c.txt", {"file": []})


def test_headers_are_read_once_until_a_file_changes(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(shutil.copy(tree / "u2lx00" / "u2lx0001t_c0m.fits", tmp_path))
    cache = HeaderCache()
    before = cache.read([path])[str(path)]
    cache.save(tmp_path / "headers.json")
    loaded = HeaderCache.load(tmp_path / "headers.json")
    monkeypatch.setattr("mizzle.io.quick_headers.read_keywords", lambda *_: pytest.fail("was read again"))
    assert loaded.read([path])[str(path)] == before
    monkeypatch.undo()
    os.utime(path, ns=(0, time.time_ns()))
    assert loaded.read([path])[str(path)] != before  # another time of change
    (tmp_path / "headers.json").write_text('{"format": 1, "files": {"a": 3}}')
    assert HeaderCache.load(tmp_path / "headers.json").entries == {}


def test_a_zipped_file_says_the_same(tree: Path, tmp_path: Path) -> None:
    plain = tree / "u2lx00" / "u2lx0001t_c0m.fits"
    zipped = tmp_path / "u2lx0001t_c0m.fits.gz"
    zipped.write_bytes(gzip.compress(plain.read_bytes()))
    one, other = read_keywords(plain), read_keywords(zipped)
    assert (one.primary, one.extension) == (other.primary, other.extension)
    assert one.primary["ROOTNAME"] == "u2lx0001t"
    assert one.extension["CRVAL2"] == pytest.approx(-0.82)


@given(st.binary(max_size=6000), st.booleans())
def test_no_bytes_break_the_reader(content: bytes, begin: bool) -> None:
    import tempfile

    with tempfile.NamedTemporaryFile(suffix=".fits") as file:
        file.write((b"SIMPLE  =                    T".ljust(80) if begin else b"") + content)
        file.flush()
        found = HeaderCache().read([file.name])[file.name]
        assert not isinstance(found, Exception) or file.name in str(found)


@given(st.text(max_size=80))
def test_names_of_folders_are_safe(text: str) -> None:
    name = grouping._safe(text)
    assert name == os.path.basename(name)
    assert 0 < len(name) <= 48
    assert not name.startswith(".")
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789+.-")


def test_memory_grows_with_exposures_with_the_sky_covered_and_with_finer_pixels(tree: Path, tmp_path: Path) -> None:
    (one,) = find_visits([tree / "u2lx00"]).visits
    for number, dec in enumerate((-0.8, -0.6)):
        write_pair(tmp_path, f"u2lx010{number}t", chip_changes={"CRVAL2": dec})
    (wide,) = find_visits([tmp_path]).visits
    plain = Settings()
    fine = Settings.model_validate({"combine": {"scale": 0.0498}})
    assert expected_memory(wide, plain) > expected_memory(one, plain)
    assert expected_memory(one, fine) > expected_memory(one, plain)
    # Another camera has another default; the image that a product is to be like decides alone.
    uvis = replace(one, exposures=tuple(replace(entry, camera="wfc3-uvis") for entry in one.exposures))
    same = Settings.model_validate({"combine": {"scale": 0.1}})
    assert expected_memory(uvis, plain) > 2 * expected_memory(uvis, same)
    write_pair(tmp_path / "like", "u9990101t")
    like = Settings.model_validate({"combine": {"like": str(tmp_path / "like" / "u9990101t_c0m.fits")}})
    assert expected_memory(uvis, like) < expected_memory(uvis, same)


@pytest.mark.parametrize(
    ("count", "scale", "measured"), [(1, 0.0996, 259), (6, 0.0996, 362), (24, 0.0996, 380), (3, 0.03, 1736)]
)
def test_the_memory_expected_is_no_less_than_what_was_measured_and_no_more_than_twice(
    tmp_path: Path, count: int, scale: float, measured: int
) -> None:
    """Peaks of whole runs of one field, as docs/performance.md and docs/batch.md have them [MB]."""
    write_pair(tmp_path, "u9990101t")
    (visit,) = find_visits([tmp_path]).visits
    (entry,) = visit.exposures
    visit = replace(visit, exposures=(replace(entry, pixels=4 * 800 * 800),) * count)
    expected = expected_memory(visit, Settings.model_validate({"combine": {"scale": scale}})) / 2**20
    assert measured < expected < 2 * measured


def test_a_finished_product_waits_with_its_images_and_its_context(tmp_path: Path) -> None:
    """Rate, error and weight of four bytes each, and up to as much for the context."""
    write_pair(tmp_path, "u9990101t")
    (visit,) = find_visits([tmp_path]).visits
    (entry,) = visit.exposures
    fine = Settings.model_validate({"combine": {"scale": 0.05}})
    both = (replace(entry, filter="F555W"), replace(entry, filter="F814W"))
    two = expected_memory(replace(visit, exposures=both), fine)
    alone = expected_memory(replace(visit, exposures=both[:1] * 2), fine)
    pixels = (190.0 / 0.05) ** 2
    assert 12.0 * pixels < two - alone < 24.0 * pixels


def _readers() -> set[threading.Thread]:
    """Threads that read headers, or hang in it."""
    return {thread for thread in threading.enumerate() if "toil" in thread.name}


def test_a_file_that_never_answers_keeps_nobody_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More of them than threads, and a folder of good ones behind; time passes when only they are left to be read."""
    write_visits(tmp_path, 12)
    hanging, answer = {f"u2lx0{number}01t" for number in range(10)}, threading.Event()
    read, before, now = quick_headers.read_keywords, _readers(), 0.0

    def reluctant(path: str, *more: object) -> object:
        if any(root in path for root in hanging):
            hung.append(path)
            answer.wait()
        return read(path, *more)

    hung: list[str] = []
    monkeypatch.setattr(quick_headers, "read_keywords", reluctant)
    monkeypatch.setattr("mizzle.io.patient.time", SimpleNamespace(monotonic=lambda: now))
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(find_visits, [tmp_path])
        for number in (quick_headers.READERS, len(hanging)):
            deadline = time.monotonic() + 120
            while len(hung) < number or len(_readers() - before) != number:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            now += 2 * quick_headers._PATIENCE
        grouped = asked.result(timeout=120)
    answer.set()
    assert sum(len(visit.exposures) for visit in grouped.visits) == 14
    assert len(grouped.problems) == 10
    assert all("does not answer" in text and name in text for name, text in grouped.problems.items())
