"""One visit on a worker: text in, text out, one thread; a watch ends the process if it takes too long or too much."""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import shlex
import socket
import threading
import time
from collections.abc import Collection, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from mizzle._version import __version__
from mizzle.errors import MizzleError, SettingsError
from mizzle.io.atomic import write_text
from mizzle.io.locking import lock
from mizzle.io.quick_headers import FileStamp
from mizzle.visits.records import CIRCUMSTANCES, DATA, InputRecord, Ledger, Record, VisitRequest

if TYPE_CHECKING:
    from mizzle.model import Result

#: How often the watch looks [s], and how long it may take to write why [s].
_GLANCE, _LAST_WORDS = 0.25, 2.0
#: What the process ends with; nobody reads it.
_ENDED = 70
#: A visit somebody else works on is waited for this long without a limit of time [s].
_LONGEST_WAIT = 3600.0
#: The disk, not the visit: everybody will meet it.
DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def run_visit(text: str) -> str:
    """Run one visit and keep its record; what another process has just done is not done again.

    Parameters
    ----------
    text : str
        A `VisitRequest`.

    Returns
    -------
    text : str
        A `Record`: done, or failed with the message of the `MizzleError`. Any other error is raised.
    """
    request = VisitRequest.from_json(text)
    if request.version != __version__:
        raise SettingsError(
            f"worker on {socket.gethostname()} has mizzle {__version__}, the driver {request.version}; needed the same"
        )
    _tune()
    ledger = Ledger(request.out)
    with lock(ledger.lock_path(request.name), wait=request.seconds or _LONGEST_WAIT):
        known = ledger.read(request.name)
        if known is not None and ledger.holds(request, known):
            return known.to_json()
        ledger.remove(request.name)
        with watched(request.seconds, request.memory, ledger.last_words_path(request.name)):
            record = _attempt(request)
        ledger.write(record)
    gc.collect()  # a run makes few cycles, but a worker makes many runs
    _keep_modules()
    return record.to_json()


def _attempt(request: VisitRequest) -> Record:
    """Run; turn what comes out, or a `MizzleError`, into a record."""
    _reset_peak()
    wall, cpu = time.perf_counter(), time.process_time()
    stamps: dict[str, FileStamp] = {}
    try:
        stamps = {name: FileStamp.of(name) for name in request.all_files}
        done = _done(request, _run(request), stamps)
    except MizzleError as problem:
        done = _failed(request, problem, stamps)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    facts = {"worker": socket.gethostname(), "process": os.getpid()}
    return replace(done, seconds=wall, cpu_seconds=cpu, facts=facts)


def _run(request: VisitRequest) -> Result:
    """Do what ``mizzle run`` does, on one thread."""
    from mizzle.pipeline import run
    from mizzle.settings import load_settings

    options = ["--keep-going"] if request.keep_going else []
    folder = Path(request.out) / request.name
    return run(
        request.files,
        folder,
        settings=load_settings(request.settings),
        workers=1,
        keep_going=request.keep_going,
        command=shlex.join(["mizzle", "run", *request.files, "-o", str(folder), *options]),
    )


def _done(request: VisitRequest, result: Result, stamps: dict[str, FileStamp]) -> Record:
    """Return the record of a finished visit."""
    from mizzle.report.words import not_passed
    from mizzle.visits.figures import figures

    folder = Path(request.out) / request.name
    hashes = {entry["file"]: entry["sha256"] for row in result.report["inputs"] for entry in row["files"]}
    products = {os.path.relpath(path, folder): Path(path).stat().st_size for path in result.files}
    return Record(
        name=request.name,
        state="done",
        wanted=request.wanted,
        inputs=tuple(InputRecord(n, s.size, s.changed, hashes.get(n, "")) for n, s in stamps.items()),
        verdict=str(result.verdict),
        message="; ".join(
            [f"dropped {what}: {why}" for what, why in result.dropped.items()] + not_passed(result.report)
        ),
        products=products,
        figures=tuple({**row, "image": _picture(result, row["filter"], products)} for row in figures(result.report)),
        peak_rss_mb=result.report["peak_rss_mb"],
    )


def _picture(result: Result, band: str, products: Collection[str]) -> str:
    """Return the name of a filter's picture; empty where none was drawn."""
    from mizzle.io.product_names import stems

    name = f"{stems(result.name, result.mosaics).get(band, '')}.png"
    return name if name in products else ""


def _failed(request: VisitRequest, problem: MizzleError, stamps: dict[str, FileStamp]) -> Record:
    """Return the record of a failed visit."""
    return Record(
        name=request.name,
        state="failed",
        wanted=request.wanted,
        inputs=tuple(InputRecord(name, stamp.size, stamp.changed) for name, stamp in stamps.items()),
        verdict="FAIL",
        message=str(problem),
        exit_code=problem.exit_code,
        cause=_cause(problem),
    )


def _cause(problem: BaseException) -> str:
    """Tell whether another attempt could end otherwise: the system said no, not the data."""
    numbers = []
    reason: BaseException | None = problem
    while reason is not None:
        if isinstance(reason, OSError) and not isinstance(reason, FileNotFoundError):
            numbers.append(reason.errno)  # none where a library found words of its own: what it met is its context
        reason = reason.__cause__ or reason.__context__
    if any(number in DISK for number in numbers):
        return f"{CIRCUMSTANCES}: disk"
    # Files are read as InputError, written as SettingsError: odd bytes can be read only, so this is the disk's word.
    refused = any(number is not None for number in numbers) or (numbers and isinstance(problem, SettingsError))
    return CIRCUMSTANCES if refused else DATA


@contextlib.contextmanager
def watched(seconds: float, memory: float, last_words: Path) -> Iterator[None]:
    """End this process, saying why in a file, if the block takes too long or too much memory.

    A thread that hangs in the system cannot be stopped, but its process can.

    Parameters
    ----------
    seconds : float
        Limit of time [s]; none if 0.
    memory : float
        Limit of resident memory [byte]; none if 0.
    last_words : Path
        Where to say why.
    """
    over = threading.Event()
    deadline = time.monotonic() + seconds

    def watch() -> None:
        while not over.wait(_GLANCE):
            used = _resident() if memory else 0.0
            if seconds and time.monotonic() > deadline:
                _end(f"did not end within {seconds:.0f} s", last_words)
            if memory and used > memory:
                _end(f"took {used / 1e6:.0f} MB of memory; expected {memory / 1e6:.0f} at most", last_words)

    watcher = threading.Thread(target=watch, name="mizzle-watch", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def _end(why: str, last_words: Path) -> None:
    """Leave a word and end the process; a disk that hangs keeps nobody from ending."""
    writer = threading.Thread(target=write_text, args=(last_words, why), daemon=True)
    writer.start()
    writer.join(_LAST_WORDS)
    os._exit(_ENDED)


def _resident() -> float:
    """Return this process's resident memory [byte]."""
    import psutil

    return float(psutil.Process().memory_info().rss)


def _reset_peak() -> None:
    """Let the highest memory count from now on, where the system can (Linux)."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


@cache
def _keep_modules() -> None:
    """Let the collector look no more at what the first run imported: it takes as long as a small visit."""
    gc.freeze()


@cache
def _tune() -> None:
    """Make a worker's process fit for runs, once."""
    from mizzle.startup import tune_process

    tune_process()
