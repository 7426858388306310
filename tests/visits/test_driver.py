"""Which worker gets which visit: laws that hold for any cluster."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mizzle.errors import SettingsError
from mizzle.execution.cluster import TaskAnswer, WorkerFacts
from mizzle.visits import driver
from mizzle.visits.driver import Driver, Job, Ready
from mizzle.visits.records import CIRCUMSTANCES, DATA, Record, VisitRequest
from visits.batch_tools import ToldCluster, done, ledger_in, request


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_TURN", "_GLANCE", "_GRACE"):
        monkeypatch.setattr(driver, name, 0.0)


def drive(cluster: ToldCluster, folder: Path, jobs: list[Job]) -> tuple[dict[str, Record], list[str]]:
    said: list[str] = []
    records = Driver(cluster, ledger_in(folder), str, say=said.append).run(Ready(jobs))
    return {record.name: record for record in records}, said


@given(
    memories=st.lists(st.floats(0.05e9, 1e9), min_size=1, max_size=30),
    hosts=st.dictionaries(st.sampled_from("abc"), st.integers(1, 4), min_size=1),
)
def test_every_visit_ends_once_and_no_host_is_asked_for_more_than_it_has(
    memories: list[float], hosts: dict[str, int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("drive")
    cluster = ToldCluster(lambda asked, worker: done(asked), hosts, memory=1e9)
    jobs = [Job(request(f"v{i}", folder), memory) for i, memory in enumerate(memories)]
    records, _ = drive(cluster, folder, jobs)
    assert sorted(records) == sorted(f"v{i}" for i in range(len(memories)))
    assert len(cluster.started) == len(memories)
    assert all(used <= 1e9 * (1 + 1e-9) for used in cluster.most.values())


def test_a_visit_that_kills_its_worker_has_another_attempt_elsewhere_and_takes_nobody_along(tmp_path: Path) -> None:
    cluster = ToldCluster(
        lambda asked, worker: TaskAnswer("", lost=True) if asked.name == "bad" else done(asked), {"a": 3}
    )
    records, said = drive(cluster, tmp_path, [Job(request(n, tmp_path), 1e8) for n in ("v1", "bad", "v2", "v3", "v4")])
    tried = [worker for name, worker in cluster.started if name == "bad"]
    assert len(tried) == len(set(tried)) == 2
    assert records["bad"].state == "failed"
    assert "died" in records["bad"].message
    assert [records[name].state for name in ("v1", "v2", "v3", "v4")] == ["done"] * 4
    assert any("bad" in text and "another attempt" in text for text in said)
    assert ledger_in(tmp_path).read("bad") == records["bad"]


def test_an_error_of_ours_is_kept_with_its_class_and_text(tmp_path: Path) -> None:
    cluster = ToldCluster(lambda asked, worker: TaskAnswer("", error="ZeroDivisionError: division by zero"), {"a": 1})
    records, _ = drive(cluster, tmp_path, [Job(request("v", tmp_path), 1e8)])
    assert records["v"].message == "ZeroDivisionError: division by zero"
    assert (records["v"].exit_code, len(cluster.started)) == (1, 2)


@pytest.mark.parametrize(("cause", "attempts"), [(DATA, 1), (CIRCUMSTANCES, 2)])
def test_data_fail_the_same_every_time_circumstances_may_change(cause: str, attempts: int, tmp_path: Path) -> None:
    def fails(asked: VisitRequest, worker: str) -> TaskAnswer:
        return TaskAnswer("", Record(asked.name, "failed", message="no", cause=cause).to_json())

    cluster = ToldCluster(fails, {"a": 2})
    records, _ = drive(cluster, tmp_path, [Job(request("v", tmp_path), 1e8)])
    assert records["v"].state == "failed"
    assert len(cluster.started) == attempts


def test_nothing_is_given_to_a_worker_that_has_just_died(tmp_path: Path) -> None:
    dead: set[str] = set()

    def dies(asked: VisitRequest, worker: str) -> TaskAnswer:
        if asked.name == "bad":
            dead.add(worker)
        return TaskAnswer("", lost=True) if worker in dead else done(asked)

    cluster = ToldCluster(dies, {"a": 3})  # the scheduler goes on naming the dead
    records, _ = drive(cluster, tmp_path, [Job(request(n, tmp_path), 1e8) for n in ("bad", *map(str, range(20)))])
    assert [record.name for record in records.values() if record.state == "failed"] == ["bad"]


def test_a_worker_started_again_at_the_same_address_is_another_worker(tmp_path: Path) -> None:
    cluster = ToldCluster(lambda asked, worker: done(asked) if worker == "a:0#2" else None, {"a": 1})
    looks = iter(range(1000))
    original = cluster.workers

    def workers() -> dict[str, WorkerFacts] | None:
        if next(looks) == 5:
            cluster.facts["a:0"] = WorkerFacts("a:0", "a:0#2", "a", 1e9)
        return original()

    cluster.workers = workers  # type: ignore[method-assign]
    records, _ = drive(cluster, tmp_path, [Job(request("v", tmp_path), 1e8)])
    assert records["v"].state == "done"
    assert [worker for _, worker in cluster.started] == ["a:0#1", "a:0#2"]


def test_what_was_finished_before_its_worker_died_is_not_run_again(tmp_path: Path) -> None:
    ledger = ledger_in(tmp_path)

    def finishes_and_dies(asked: VisitRequest, worker: str) -> TaskAnswer:
        (tmp_path / asked.name).mkdir()
        (tmp_path / asked.name / "x").write_text("1")
        ledger.write(Record(asked.name, "done", asked.wanted, products={"x": 1}))
        return TaskAnswer("", lost=True)

    cluster = ToldCluster(finishes_and_dies, {"a": 2})
    records, _ = drive(cluster, tmp_path, [Job(request("v", tmp_path), 1e8)])
    assert records["v"].state == "done"
    assert len(cluster.started) == 1


def test_a_worker_that_does_not_end_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "_OVERTIME", 0.0)
    cluster = ToldCluster(lambda asked, worker: None if asked.name == "hangs" else done(asked), {"a": 3})
    jobs = [
        Job(request("hangs", tmp_path, seconds=0.05), 1e8),
        *(Job(request(f"v{i}", tmp_path), 1e8) for i in range(4)),
    ]
    records, _ = drive(cluster, tmp_path, jobs)
    assert "did not end within" in records["hangs"].message
    assert sum(record.state == "done" for record in records.values()) == 4


def test_a_visit_larger_than_any_worker_is_refused_with_both_figures(tmp_path: Path) -> None:
    cluster = ToldCluster(lambda asked, worker: done(asked), {"a": 2}, memory=1e9)
    records, _ = drive(cluster, tmp_path, [Job(request("huge", tmp_path), 5e9), Job(request("v", tmp_path), 1e8)])
    assert "5.0 GB" in records["huge"].message
    assert "1.0 GB" in records["huge"].message
    assert records["v"].state == "done"


def test_two_large_visits_never_meet_and_the_large_one_is_not_passed_over_for_ever(tmp_path: Path) -> None:
    cluster = ToldCluster(lambda asked, worker: done(asked), {"a": 4}, memory=1e9)
    small = [Job(request(f"s{i:03d}", tmp_path), 3e8) for i in range(120)]
    large = [Job(request(f"L{i}", tmp_path), 9e8) for i in range(3)]

    class LargeAmongSmall(Ready):
        def __init__(self) -> None:
            self._jobs = [*small[:8], *large, *small[8:]]

    list(Driver(cluster, ledger_in(tmp_path), str).run(LargeAmongSmall()))
    for names in cluster.together:
        assert len(names) == 1 or not any(name.startswith("L") for name in names)
    order = [name for name, _ in cluster.started]
    assert min(order.index(f"L{i}") for i in range(3)) < 8 + 4 * 25


def test_a_full_disk_stops_everything_with_its_message(tmp_path: Path) -> None:
    def full(asked: VisitRequest, worker: str) -> TaskAnswer:
        message = "x: cannot be written: No space left on device"
        return TaskAnswer("", Record(asked.name, "failed", message=message, cause=f"{CIRCUMSTANCES}: disk").to_json())

    cluster = ToldCluster(full, {"a": 1})
    with pytest.raises(SettingsError, match=r"No space left.*make room"):
        drive(cluster, tmp_path, [Job(request(f"v{i}", tmp_path), 1e8) for i in range(9)])
    assert len(cluster.started) == 1


def test_a_scheduler_that_is_gone_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "_PATIENCE", 0.0)
    cluster = ToldCluster(lambda asked, worker: None, {"a": 1})
    monkeypatch.setattr(cluster, "workers", lambda: None)
    with pytest.raises(SettingsError, match="scheduler at told is gone"):
        drive(cluster, tmp_path, [Job(request("v", tmp_path), 1e8)])
