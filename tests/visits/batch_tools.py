"""Small visits on disk, and a cluster whose workers do what a test tells them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from mizzle.execution.cluster import TaskAnswer, WorkerFacts
from mizzle.visits.records import Ledger, Record, VisitRequest
from tiny_files import write_pair

#: Two exposures of noise have nothing to align on.
ALIGN = 'align.method="header"'
#: The two characters that number a visit: digits up to 99, as programs have them; above, whatever is left.
_VISITS = "abcdefghijklmnopqrstuvwxyz0123456789"


def write_visits(folder: Path, number: int, exposures: int = 2) -> list[Path]:
    """Write visits of two small exposures; return the science files."""
    paths = []
    for visit in range(number):
        code = f"u2lx{_VISITS[visit // 36]}{_VISITS[visit % 36]}" if visit > 99 else f"u2lx{visit:02d}"
        changes = {"PROPOSID": 5000 + visit // 3, "TARGNAME": f"FIELD-{visit}"}
        for exposure in range(exposures):
            paths.append(write_pair(folder / code, f"{code}0{exposure + 1}t", primary_changes=changes))
    return paths


class ToldCluster:
    """Workers in name only; `does` says how a task on a worker ends: an answer, or None to hang."""

    address = "told"

    def __init__(
        self,
        does: Callable[[VisitRequest, str], TaskAnswer | None],
        hosts: dict[str, int],
        memory: float = 1e9,
    ) -> None:
        self._does = does
        self.facts = {
            f"{host}:{i}": WorkerFacts(f"{host}:{i}", f"{host}:{i}#1", host, memory)
            for host, n in hosts.items()
            for i in range(n)
        }
        self.started: list[tuple[str, str]] = []
        self.now: dict[str, tuple[VisitRequest, WorkerFacts, float]] = {}
        self.most: dict[str, float] = {}
        self.together: list[set[str]] = []
        self._answers: list[TaskAnswer] = []

    def workers(self) -> dict[str, WorkerFacts] | None:
        return dict(self.facts)

    def memory(self, workers: dict[str, WorkerFacts]) -> dict[str, float]:
        return {worker.host: worker.memory for worker in workers.values()}

    def start(self, work: object, key: str, text: str, worker: WorkerFacts, memory: float) -> None:
        request = VisitRequest.from_json(text)
        assert worker.address in self.facts
        assert all(other.address != worker.address for _, other, _ in self.now.values()), "one task on a worker"
        self.started.append((request.name, worker.identity))
        self.now[key] = (request, worker, memory)
        self.together.append({entry[0].name for entry in self.now.values()})
        used = sum(entry[2] for entry in self.now.values() if entry[1].host == worker.host)
        self.most[worker.host] = max(self.most.get(worker.host, 0.0), used)

    def ended(self, seconds: float) -> list[TaskAnswer]:
        answers = []
        for key, (request, worker, _) in list(self.now.items()):
            answer = self._does(request, worker.identity)
            if answer is not None:
                del self.now[key]
                answers.append(TaskAnswer(key, answer.text, answer.error, answer.lost))
        return answers

    def forget(self, key: str) -> None:
        self.now.pop(key, None)


def request(name: str, out: Path, **changes: float) -> VisitRequest:
    return VisitRequest(name, (), (), str(out), "", **changes)


def done(asked: VisitRequest) -> TaskAnswer:
    record = Record(asked.name, "done", asked.wanted, products={"x": 1})
    return TaskAnswer("", record.to_json())


def ledger_in(folder: Path) -> Ledger:
    ledger = Ledger(folder)
    ledger.prepare()
    return ledger


def content(path: Path) -> bytes:
    """Return what a product holds, the identifier of its run aside."""
    if path.suffix == ".png":
        with Image.open(path) as picture:
            return picture.tobytes()
    return re.sub(rb"\d{8}T\d{6}Z-[0-9a-f]{8}", b"", path.read_bytes())


def public(out: Path) -> dict[str, dict[str, object]]:
    """Return what batch.json says of each visit."""
    return {row["name"]: row for row in json.loads((out / "batch.json").read_text())["visits"]}
