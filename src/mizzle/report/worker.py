"""A helper process that draws while the run goes on: started at once, it imports what drawing needs meanwhile.

``python -m mizzle.report.worker`` waits for messages on its standard input: each product's pixels, as soon as they are
drizzled, then the report. It writes the pictures and the page, answers with their names, and ends. It also ends when
its standard input closes: no run, no worker. Whatever goes wrong with it, the parent draws by itself, so a failure has
one place to be told.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import queue
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mizzle.startup import tune_process

if TYPE_CHECKING:
    from mizzle.model import Mosaic, Result
    from mizzle.settings import Settings

Payload = Mapping[str, Any]

#: Longest time a drawing may take [s]; a page of 100 exposures takes one or two.
PATIENCE = 120.0

#: Time to leave for a worker that is told to; then it is ended [s].
FAREWELL = 2.0

#: Size of the pipes, where the system lets us choose: pixels go over in few turns [byte].
PIPE = 2**20

#: Columns of the catalog that the page uses.
STAR_COLUMNS = ("ra", "dec", "x", "y", "flux", "flux_err", "mag_st", "mag_err", "chip", "n_exp", "flags")


def payload(result: Result, folder: str | Path, settings: Settings) -> dict[str, Any]:
    """Return what the worker needs: plain values and arrays, no files.

    Parameters
    ----------
    result : Result
        With its report.
    folder : str or Path
        Where the files go.
    settings : Settings
        Sections ``report`` and ``output``.
    """
    planes = {band: plane_of(mosaic) for band, mosaic in result.mosaics.items()}
    stars = {
        band: {key: catalog.columns[key] for key in STAR_COLUMNS if key in catalog.columns}
        for band, catalog in result.catalogs.items()
    }
    options = {**settings.report.model_dump(), "image": settings.output.image}
    return {
        "folder": str(folder),
        "report": dict(result.report),
        "planes": planes,
        "stars": stars,
        "options": options,
    }


def plane_of(mosaic: Mosaic) -> dict[str, Any]:
    """Return a product's pixels, and what colors need."""
    return {
        "sci": mosaic.sci,
        "wht": mosaic.wht,
        "context": mosaic.context,
        "pivot": mosaic.reference.photplam,
        "photflam": mosaic.photflam,
    }


def early_payload(mosaic: Mosaic, sketch: Mapping[str, Any], bands: int, *, settings: Settings) -> dict[str, Any]:
    """Return what the worker can begin with before there is a report.

    Parameters
    ----------
    mosaic : Mosaic
        Just drizzled.
    sketch : mapping
        Those entries of the report that pictures need: ``name``, ``inputs`` with their ``target``, and ``products``.
    bands : int
        Products there will be.
    settings : Settings
        Sections ``report`` and ``output``.
    """
    options = {**settings.report.model_dump(), "image": settings.output.image}
    return {"band": mosaic.filter, "plane": plane_of(mosaic), "sketch": sketch, "bands": bands, "options": options}


class ReportJob:
    """A drawing that runs beside the caller.

    Parameters
    ----------
    process : subprocess.Popen or None
        The waiting worker; None draws in `wait`, in this process.
    """

    def __init__(self, process: subprocess.Popen[bytes] | None = None) -> None:
        self._process = process
        self._payload: Payload | None = None
        self._sender: threading.Thread | None = None
        self._queue: queue.SimpleQueue[Payload | None] = queue.SimpleQueue()
        self._shown: set[str] = set()

    def show(self, message: Payload) -> None:
        """Hand over a product's pixels early (`early_payload`); returns at once."""
        if self._process is not None:
            self._shown.add(message["band"])
            self._put(message)

    def submit(self, message: Payload) -> None:
        """Hand over what is to be drawn; returns at once."""
        self._payload = message
        if self._process is not None:
            more = {band: plane for band, plane in message["planes"].items() if band not in self._shown}
            self._put({**message, "planes": more})
            self._queue.put(None)

    def _put(self, message: Payload) -> None:
        """Let the sender have a message: a pipe takes a few pages at a time, and the run has other work."""
        if self._sender is None:
            self._sender = threading.Thread(target=self._send, args=(self._process,), daemon=True)
            self._sender.start()
        self._queue.put(message)

    def wait(self) -> list[str]:
        """Return the files written, in order; draws here if the worker could not.

        Raises
        ------
        SettingsError
            The folder cannot be written.
        """
        if self._payload is None:
            return []
        answer = self._answer()
        if answer is not None:
            return answer
        from mizzle.report.draw import draw

        return draw(self._payload)

    def kill(self) -> None:
        """End the worker at once, from a signal's handler: no lock is waited for, nothing is raised."""
        process = self._process
        if process is None:
            return
        with contextlib.suppress(OSError):
            process.kill()
        with contextlib.suppress(OSError):
            os.waitpid(process.pid, 0)

    def close(self) -> None:
        """End the worker, finished or not."""
        process, self._process = self._process, None
        if process is None:
            return
        if self._sender is not None and self._sender.is_alive():
            process.kill()  # nothing more comes, or it stopped reading: the sender would wait for ever
            self._queue.put(None)
            self._sender.join()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue
        try:
            process.wait(timeout=FAREWELL)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _send(self, process: subprocess.Popen[bytes]) -> None:
        """Write messages as they come; a worker that died shows in its missing answer."""
        assert process.stdin is not None
        for message in iter(self._queue.get, None):
            try:
                pickle.dump(dict(message), process.stdin, protocol=5)
                process.stdin.flush()
            except OSError:
                return

    def _answer(self) -> list[str] | None:
        """Return the worker's answer; None where there is no good one."""
        if self._process is None or self._process.stdout is None:
            return None
        watch = threading.Timer(PATIENCE, self._process.kill)  # a worker that hangs is a worker that is lost
        watch.daemon = True
        watch.start()
        if self._sender is not None:
            self._sender.join()
        line = self._process.stdout.readline()
        watch.cancel()
        self.close()
        try:
            files = json.loads(line)["files"]
        except (ValueError, KeyError, TypeError):
            return None
        return [str(name) for name in files]


def start_worker() -> ReportJob:
    """Start the helper process; where none can be started, the drawing is done in `ReportJob.wait`."""
    if not sys.executable:
        return ReportJob()
    root = str(Path(__file__).resolve().parents[2])
    known = os.environ.get("PYTHONPATH", "")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([root, known] if known else [root])}
    # -P: the folder the user stands in may hold a numpy.py of their own.
    command = [sys.executable, "-P", "-m", "mizzle.report.worker"]
    hidden = getattr(subprocess, "CREATE_NO_WINDOW", 0)
    for size in (PIPE, -1):  # many runs together may use up what the system grants to larger pipes
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                pipesize=size,
                env=environment,
                creationflags=hidden,
            )
        except OSError:
            continue
        return ReportJob(process)
    return ReportJob()


def _leave_with_the_parent(done: threading.Event) -> None:
    """End this process when its standard input closes: the parent is gone, has given up, or has its answer."""
    while sys.stdin.buffer.read(1024):
        pass
    os._exit(0 if done.is_set() else 1)


def main() -> int:
    """Draw one payload; the worker's side."""
    tune_process()
    from mizzle.report import draw  # its imports are the reason for starting early

    draw.warm_up()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # nothing else may speak where the answer is expected
    planes: dict[str, Any] = {}
    try:
        while "sketch" in (message := pickle.load(sys.stdin.buffer)):
            planes[message["band"]] = message["plane"] | {"cache": {}}
            draw.prepare(message | {"plane": planes[message["band"]]})
    except (EOFError, pickle.UnpicklingError):
        return 0
    planes |= message["planes"]
    message["planes"] = {band: planes[band] for band in message["report"]["products"]}
    done = threading.Event()
    threading.Thread(target=_leave_with_the_parent, args=(done,), daemon=True).start()
    files = draw.draw(message)
    done.set()
    answers.write(json.dumps({"files": files}) + "\n")
    answers.flush()
    os._exit(0)  # the watching thread holds the input's lock: an orderly end would wait for it


if __name__ == "__main__":
    sys.exit(main())
