"""Kill drivers, workers and schedulers of a batch at random: what is whole must stay, the rest must come.

    python benchmarks/batch_faults.py FOLDER --visits 40 --kills 30

A scheduler and two workers are processes of their own on the loopback address, as on a cluster. After each kill the
same command is given again; then a part of the visits is removed, so that there is work for the next. After each kill
every product is compared, bit for bit, with those of a batch that nobody disturbed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))


def free_port() -> int:
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        return int(made.getsockname()[1])


class Grid:
    """A scheduler and workers, each a process."""

    def __init__(self, scratch: Path, workers: int = 2) -> None:
        self.scratch, self.n = scratch, workers
        self.processes: list[subprocess.Popen[bytes]] = []
        self.start()

    def start(self) -> None:
        self.address = f"tcp://127.0.0.1:{free_port()}"
        dask = str(Path(sys.executable).with_name("dask"))
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        port = self.address.rsplit(":", 1)[1]
        words = [dask, "scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard"]
        self.scheduler = subprocess.Popen(words, **quiet)  # type: ignore[call-overload]
        self.workers = []
        for i in range(self.n):
            own = self.scratch / f"worker{i}"  # nothing is shared but the results
            own.mkdir(exist_ok=True)
            words = [dask, "worker", self.address, "--nthreads", "1", "--memory-limit", "4GB", "--no-dashboard",
                     "--local-directory", str(own)]  # fmt: skip
            # As docs/batch.md says: Dask's profiler keeps what it saw, half a megabyte a visit.
            environment = {**os.environ, "TMPDIR": str(own), "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False"}
            self.workers.append(subprocess.Popen(words, env=environment, **quiet))  # type: ignore[call-overload]

    def kill_worker(self) -> None:
        nanny = psutil.Process(random.choice(self.workers).pid)
        children = [child for child in nanny.children() if "resource_tracker" not in " ".join(child.cmdline())]
        for child in children[:1]:
            child.kill()

    def stop(self) -> None:
        everything = [psutil.Process(p.pid) for p in [self.scheduler, *self.workers] if p.poll() is None]
        everything += [child for process in list(everything) for child in process.children(recursive=True)]
        for process in everything:
            if process.is_running():
                process.kill()
        for made in [self.scheduler, *self.workers]:
            made.wait()


def products(out: Path) -> dict[str, bytes]:
    """Every product, the identifier of its run aside, but reports, which tell times."""
    from visits.batch_tools import content

    return {
        str(path.relative_to(out)): content(path)
        for path in sorted(out.glob("*/*"))
        if ".mizzle" not in path.parts and "report" not in path.name
    }


def states(out: Path) -> dict[str, str]:
    return {row["name"]: row["state"] for row in json.loads((out / "batch.json").read_text())["visits"]}


def dates(out: Path) -> dict[str, int]:
    """When each finished visit's image was written; finished are those with a record."""
    names = [path.stem for path in (out / ".mizzle" / "visits").glob("*.json")]
    return {n: p.stat().st_mtime_ns for n in names for p in (out / n).glob("*_drz.fits")}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--visits", type=int, default=40)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    random.seed(options.seed)
    from visits.batch_tools import ALIGN, write_visits

    folder, inputs = options.folder, options.folder / "in"
    if not inputs.exists():
        write_visits(inputs, options.visits)
    mizzle = str(Path(sys.executable).with_name("mizzle"))
    common = ["--set", ALIGN, "-q"]
    calm, out = folder / "calm", folder / "out"
    subprocess.run([mizzle, "batch", str(inputs), "-o", str(calm), *common], check=True)
    wanted = products(calm)
    grid = Grid(folder)
    redone = finished_before = 0
    codes: dict[str, list[int]] = {"driver": [], "worker": [], "scheduler": []}
    for kill in range(options.kills):
        what = ("driver", "worker", "scheduler")[kill % 3]
        before = dates(out) if out.exists() else {}
        words = [mizzle, "batch", str(inputs), "-o", str(out), "--scheduler", grid.address, *common]
        driver = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(random.uniform(2.5, 7.0))
        if what == "driver":
            driver.send_signal(signal.SIGKILL)
        elif what == "worker":
            grid.kill_worker()
        else:
            grid.scheduler.kill()
        codes[what].append(driver.wait(timeout=300))
        after_kill = dates(out)
        if what == "scheduler":
            grid.stop()
            grid.start()
        words[words.index("--scheduler") + 1] = grid.address
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL, timeout=500)
        now = dates(out)
        for known in (before, after_kill):
            finished_before += len(known)
            redone += sum(now.get(name) != date for name, date in known.items())
        assert set(states(out).values()) == {"done"}, states(out)
        assert not list(out.rglob("*.part")), "half written files"
        assert products(out) == wanted, "products differ"
        print(
            f"{kill + 1}/{options.kills} {what}: exit {codes[what][-1]}; redone {redone} of {finished_before}",
            flush=True,
        )
        for name in random.sample(sorted(now), int(0.6 * len(now))):
            shutil.rmtree(out / name)
    grid.stop()
    print(json.dumps({"kills": options.kills, "exit codes": codes, "whole": finished_before, "redone": redone}))


if __name__ == "__main__":
    main()
