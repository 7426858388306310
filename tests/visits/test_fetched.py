"""Exposures that come from MAST while visits run."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import mizzle
from folders import entries_now
from mizzle.archive.mast import Product
from mizzle.errors import DataError, InputError, SettingsError
from mizzle.settings import load_settings
from mizzle.visits.driver import Job
from mizzle.visits.fetching import TRANSFERS, Arrivals, Hooks, Parcel, parcels
from mizzle.visits.plan import BatchOptions
from visits.batch_tools import ALIGN, request, write_visits
from visits.test_batch import Heard


def products(number: int, size: int = 100) -> list[Product]:
    roots = [f"u2lx{visit:02d}0{exposure}t" for visit in range(number) for exposure in (1, 2)]
    return [Product(r, k, f"{r}_{k.lower()}.fits", "", size) for r in roots for k in ("C0M", "C1M")]


def bytes_in(folder: Path) -> int:
    """Bytes of all files in a folder; what is removed while we count, files or folders, has none."""
    total = 0
    for path in entries_now(folder):
        with suppress(FileNotFoundError):
            total += path.stat().st_size if path.is_file() else 0
    return total


def drain(source: Arrivals, seconds: float = 120.0) -> list[str]:
    """Take jobs and end each at once, until no more come."""
    names, deadline = [], time.monotonic() + seconds
    while not source.exhausted():
        assert time.monotonic() < deadline
        for job in source.take():
            names.append(job.name)
            source.ended(job.name)
        time.sleep(0.002)
    return names


def test_parcels_come_a_few_at_a_time_and_no_more_than_the_disk_was_given(tmp_path: Path) -> None:
    guard, now, most, held = threading.Lock(), 0, 0, 0.0
    folder, pair = tmp_path / "inputs", threading.Barrier(2)

    def fetch(parcel: Parcel) -> None:
        nonlocal now, most, held
        with guard:
            now += 1
            most = max(most, now)
        parcel.folder.mkdir(parents=True)
        for product in parcel.products:
            (parcel.folder / product.name).write_bytes(b"x" * 100)
        if parcel.name in ("u2lx00", "u2lx01"):
            pair.wait(120)  # the first two meet
        with guard:
            held = max(held, bytes_in(folder))
            now -= 1

    hooks = Hooks(fetch, lambda parcel: [Job(request(parcel.name, tmp_path), 1.0)], lambda parcel, problem: None)
    with Arrivals(parcels(products(12), folder), hooks, disk=1000.0, drop=True) as source:
        names = drain(source)
    assert sorted(names) == [f"u2lx{i:02d}" for i in range(12)]
    assert 1 < most <= min(TRANSFERS, 2)  # a parcel has 400 bytes
    assert held <= 1000
    assert list(folder.rglob("*")) == []


def test_a_parcel_that_cannot_be_had_is_told_of_and_the_others_come(tmp_path: Path) -> None:
    failed: list[str] = []

    def fetch(parcel: Parcel) -> None:
        if parcel.name == "u2lx01":
            raise InputError("gone")

    hooks = Hooks(
        fetch, lambda parcel: [Job(request(parcel.name, tmp_path), 1.0)],
        lambda parcel, problem: failed.append(f"{parcel.name} {problem}"),
    )  # fmt: skip
    with Arrivals(parcels(products(3), tmp_path), hooks, disk=1.0) as source:
        assert sorted(drain(source)) == ["u2lx00", "u2lx02"]
    assert failed == ["u2lx01 gone"]


@pytest.mark.parametrize("drop", [False, True])
def test_a_programme_is_fetched_run_and_not_fetched_again(
    drop: bool, service: Any, settings: Any, tmp_path: Path
) -> None:
    files = write_visits(tmp_path / "mast", 2)
    for path in files:
        service.add(path.name[:9], proposal="5000")
    for row in service.product_rows:
        path = next(tmp_path.glob(f"mast/*/{row['productFilename']}"), None)
        if path is not None:
            service.files[path.name] = path.read_bytes()
            row["size"] = path.stat().st_size
    archive = settings.model_dump()
    whole = load_settings("", [ALIGN]).model_dump() | {"archive": archive}
    out = tmp_path / "out"

    def run() -> tuple[Any, Heard, int]:
        heard, before = Heard(), len(service.requests)
        result = mizzle.batch(
            [], out, settings=mizzle.Settings.model_validate(whole), workers=1, listener=heard,
            options=BatchOptions(fetch=("proposal:5000",), drop_inputs=drop),
        )  # fmt: skip
        downloads = sum("Download" in entry[1] for entry in service.requests[before:])
        return result, heard, downloads

    result, heard, downloads = run()
    assert [outcome.visit.name for outcome in result.named("done")] == ["5000_2lx00_field-0", "5000_2lx01_field-1"]
    assert downloads == 8
    assert len(list((out / "inputs").rglob("*.fits"))) == (0 if drop else 8)
    result, heard, downloads = run()
    assert (heard.current, heard.names, downloads) == (2, [], 0)
    assert len(result.named("done")) == 2


def test_what_is_asked_for_must_be_one_thing_and_be_there(service: Any, settings: Any, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="either"):
        mizzle.batch(["x"], tmp_path / "a", options=BatchOptions(fetch=("1",)))
    service.add("u2lx0001t")
    local = mizzle.Settings.model_validate({"archive": settings.model_dump()})
    with pytest.raises(DataError, match="MAST holds no such"):
        mizzle.batch([], tmp_path / "a", settings=local, options=BatchOptions(fetch=("proposal:1",)))
