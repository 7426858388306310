"""The files of a run as one thing: all parts first, then all renames; and which files of a folder belong together."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType

from mizzle import stopping
from mizzle.errors import SettingsError
from mizzle.io.atomic import cannot_write, part_name, settle_on_disk
from mizzle.io.product_names import set_of
from mizzle.io.run_id import run_id_of

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

#: Longest wait for another run that renames its files in the same folder [s]; it takes milliseconds.
PATIENCE = 60.0

_BUSY = (errno.EWOULDBLOCK, errno.EACCES, errno.EAGAIN)
_LOCK = ".mizzle.lock"


#: How often a folder is made anew that other runs take away at the same moment.
TRIES = 50


class ProductSet:
    """Files that take their names together, or not at all.

    Write each into `stage`, then call `publish`. Leaving the block without that removes what was written.

    Parameters
    ----------
    folder : Path
        Where the files go; it exists.
    name : str
        NAME of the products.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = name
        self._staged: dict[Path, Path] = {}
        self._made: list[Path] = []
        self._exit = contextlib.ExitStack()

    def __enter__(self) -> ProductSet:
        self._exit.enter_context(stopping.undone_if_stopped(self._discard))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._discard()
        self._exit.close()

    def stage(self, inside: str = "") -> Path:
        """Return the folder to write files into that shall appear in the output folder, or in a folder inside it.

        Raises
        ------
        SettingsError
            The folder cannot be written.
        """
        final = self._folder / inside
        if final not in self._staged:
            staged = final / part_name(self._name)
            self._staged[final] = staged
            try:
                self._make(final, staged)
            except OSError as problem:
                raise cannot_write(final, problem) from problem
        return self._staged[final]

    def _make(self, final: Path, staged: Path) -> None:
        """Make the folder for parts; another run may make, or take away again, the folder around it at any moment."""
        for last in (*[False] * (TRIES - 1), True):
            try:
                final.mkdir()
                self._made.append(final)
            except FileExistsError:
                # It may be gone again: then once more. One look, for between two of them it may go.
                if not _is_folder_or_gone(final):
                    raise
            try:
                staged.mkdir()
            except FileNotFoundError:
                if last:
                    raise
            else:
                return

    def publish(self, last: str = "", condition: Callable[[], None] | None = None) -> list[Path]:
        """Rename everything that was staged to where it belongs; all of it, or nothing.

        Parameters
        ----------
        last : str
            Name of the file that is to appear last: who sees it sees the whole set.
        condition : callable, optional
            Called when no other run can write in the folder any more; raises where the set shall not appear.

        Returns
        -------
        files : list of Path
            Final names, in the order they appeared.

        Raises
        ------
        SettingsError
            A name could not be taken; the files that stood there before stand there still.
        """
        moves = [
            (part, final / part.name)
            for final, staged in self._staged.items()
            for part in sorted(staged.iterdir(), key=lambda entry: (entry.name == last, entry.name))
        ]
        moves.sort(key=lambda move: move[0].name == last)
        with _alone(self._folder):
            if condition is not None:
                condition()
            with stopping.unstoppable():
                self._rename(moves)
                self._made.clear()
                stopping.tell(f"stopped; the products {self._name} in {self._folder} are complete")
        return [target for _, target in moves]

    def _rename(self, moves: list[tuple[Path, Path]]) -> None:
        """Rename all, or undo it."""
        done: list[tuple[Path, Path | None]] = []
        for part, target in moves:
            old = part.with_name(f"{part.name}.old")
            try:
                kept = _second_name(target, old)
                os.replace(part, target)
            except OSError as problem:
                _put_back(done)
                raise cannot_write(target, problem) from problem
            done.append((target, old if kept else None))
        for final in self._staged:
            _sync_folder(final)

    def _discard(self) -> None:
        """Remove parts, old files' second names, and folders made for nothing; never raises."""
        for staged in self._staged.values():
            for _ in range(10):  # a thread may still be writing there
                shutil.rmtree(staged, ignore_errors=True)
                if not staged.exists():
                    break
                time.sleep(0.01)
        for made in self._made:
            with contextlib.suppress(OSError):
                made.rmdir()


def _is_folder_or_gone(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except FileNotFoundError:
        return True


def _second_name(target: Path, old: Path) -> bool:
    """Keep hold of the file that is to be replaced; tell whether there is one, and the system could."""
    try:
        os.link(target, old, follow_symlinks=False)
    except (OSError, NotImplementedError):  # nothing there, or a file system without second names
        return False
    return True


def _put_back(done: list[tuple[Path, Path | None]]) -> None:
    """Undo renames, last first."""
    for target, old in reversed(done):
        with contextlib.suppress(OSError):
            if old is not None:
                os.replace(old, target)
            else:
                target.unlink()


def _sync_folder(folder: Path) -> None:
    """Have the system write the folder's names to disk, where it can be asked."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            settle_on_disk(handle)
        finally:
            os.close(handle)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let no other run rename its files in the folder meanwhile."""
    deadline = time.monotonic() + PATIENCE
    with contextlib.ExitStack() as held:
        while not _taken(folder, held):
            if time.monotonic() > deadline:
                raise SettingsError(
                    f"{folder}: another run has been writing its products here for {PATIENCE:.0f} s; wait for it, or"
                    " choose another folder with -o",
                    folder=str(folder),
                )
            time.sleep(0.02)
        yield


def _taken(folder: Path, held: contextlib.ExitStack) -> bool:
    """Try to take the folder's lock: on the folder itself, or, where the system has no such lock, by a file."""
    if fcntl is not None:
        handle = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as problem:
            os.close(handle)
            if problem.errno in _BUSY:
                return False
        else:
            held.callback(os.close, handle)
            return True
    return _taken_by_file(folder / _LOCK, held)


def _taken_by_file(lock: Path, held: contextlib.ExitStack) -> bool:
    """Make the lock's file; one that is older than anyone may hold it is taken away."""
    try:
        os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except FileExistsError:
        with contextlib.suppress(OSError):
            if time.time() - lock.stat().st_mtime > PATIENCE:
                lock.unlink()
        return False
    except OSError as problem:
        raise cannot_write(lock, problem) from problem
    held.callback(lock.unlink, missing_ok=True)
    return True


def of_other_runs(folder: Path, name: str, run_id: str, *, listed: Iterable[str] = ()) -> dict[str, str | None]:
    """Find files of a set that another run wrote.

    Parameters
    ----------
    folder : Path
        Output folder.
    name : str
        NAME of the products.
    run_id : str
        Of the run they should be of.
    listed : iterable of str
        More files, relative to `folder`, that the run says it wrote.

    Returns
    -------
    found : dict
        RUNID, or None, by file. Exposures that a whole set of another NAME has replaced since are no fault.
    """
    files = [entry.name for entry in folder.iterdir()]
    members = set_of(name, files)
    other = {run_id_of(folder / file) for file in files if file.endswith("_report.json") and file not in members}
    runs = {file: run_id_of(folder / file) for file in members}
    for file in listed:
        if file not in runs and (folder / file).is_file():
            shared = run_id_of(folder / file)
            if shared not in other - {None}:
                runs[file] = shared
    return {file: word for file, word in runs.items() if word != (run_id or None)}


def is_mixed(folder: Path, name: str) -> bool:
    """Tell whether files of this NAME are of several runs."""
    if not folder.is_dir():
        return False
    members = set_of(name, [entry.name for entry in folder.iterdir()])
    return len({run_id_of(folder / file) for file in members}) > 1
