"""What is known of each visit, on disk: written by whoever ends it, read when the command is given again."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from mizzle._version import __version__
from mizzle.errors import MizzleError
from mizzle.io.atomic import prepare_folder, write_text
from mizzle.io.hashes import FileHashes
from mizzle.io.quick_headers import FileStamp

#: Folder, in OUT, of what only the batch itself reads.
HIDDEN = ".mizzle"

#: Why a visit failed: its data, which another attempt would find the same, or what happened to it.
DATA, CIRCUMSTANCES = "data", "circumstances"


@dataclass(frozen=True)
class InputRecord:
    """A file as it was when it was run; the SHA-256 is empty where the run did not get so far."""

    file: str
    size: int
    changed: int
    sha256: str = ""

    def unchanged(self) -> bool:
        """Tell whether the file is still the same; if only its time differs, its bytes decide."""
        try:
            stamp = FileStamp.of(self.file)
            if (stamp.size, stamp.changed) == (self.size, self.changed):
                return True
            path = Path(self.file)
            return bool(self.sha256) and stamp.size == self.size and FileHashes((path,))[str(path)] == self.sha256
        except MizzleError:
            return False


@dataclass(frozen=True)
class VisitRequest:
    """What a worker is asked to do: plain values.

    Parameters
    ----------
    name : str
        Of the visit and of its folder.
    files : tuple of str
        Science files.
    all_files : tuple of str
        With data quality.
    out : str
        Folder of the batch.
    settings : str
        All settings, as TOML.
    keep_going : bool
        Drop what cannot be used.
    seconds, memory : float
        Limits of this attempt [s, byte]; none where 0.
    version : str
        Of mizzle, here and there.
    """

    name: str
    files: tuple[str, ...]
    all_files: tuple[str, ...]
    out: str
    settings: str
    keep_going: bool = False
    seconds: float = 0.0
    memory: float = 0.0
    version: str = __version__

    @property
    def wanted(self) -> str:
        """Digest of everything but the files' content that decides what comes out."""
        text = json.dumps([self.version, self.settings, self.keep_going, self.files])
        return hashlib.sha256(text.encode()).hexdigest()

    def to_json(self) -> str:
        """Return the request as text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> VisitRequest:
        """Read `to_json`."""
        values = json.loads(text)
        return cls(**{**values, "files": tuple(values["files"]), "all_files": tuple(values["all_files"])})


@dataclass(frozen=True)
class Record:
    """How a visit ended.

    Parameters
    ----------
    name : str
        Of the visit and of its folder.
    state : str
        ``done``, ``failed`` or ``dropped``.
    wanted : str
        Digest of version, settings and names of files (`VisitRequest.wanted`).
    inputs : tuple of InputRecord
        Every file read.
    verdict, message : str
        Of the run; what went wrong.
    exit_code : int
        That ``mizzle run`` would have had.
    cause : str
        `DATA` or `CIRCUMSTANCES` where it failed.
    seconds, cpu_seconds, peak_rss_mb : float
        What it took.
    products : mapping
        Size by name of each file written, in the visit's folder.
    figures : tuple of dict
        From `figures.figures`: one for each filter.
    facts : mapping
        Plain values about it: ``proposal target filters n_exposures date worker attempts``.
    """

    name: str
    state: str
    wanted: str = ""
    inputs: tuple[InputRecord, ...] = ()
    verdict: str = ""
    message: str = ""
    exit_code: int = 0
    cause: str = ""
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_rss_mb: float | None = None
    products: dict[str, int] = field(default_factory=dict)
    figures: tuple[dict[str, Any], ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the record as text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Record:
        """Read `to_json`."""
        values = json.loads(text)
        inputs = tuple(InputRecord(**entry) for entry in values["inputs"])
        return cls(**{**values, "inputs": inputs, "figures": tuple(values["figures"])})

    def with_facts(self, **facts: Any) -> Record:
        """Return the record with more facts."""
        return replace(self, facts={**self.facts, **facts})


class Ledger:
    """The records of a batch, one small file each.

    Parameters
    ----------
    out : str or Path
        Folder of the batch.
    """

    def __init__(self, out: str | Path) -> None:
        self.out = Path(out)
        self.hidden = self.out / HIDDEN

    def prepare(self) -> None:
        """Make the folders.

        Raises
        ------
        SettingsError
            They cannot be written.
        """
        for folder in (self.out, self.hidden, self.hidden / "visits", self.hidden / "locks"):
            prepare_folder(folder)

    def path(self, name: str) -> Path:
        """Return where the record of a visit is."""
        return self.hidden / "visits" / f"{name}.json"

    def lock_path(self, name: str) -> Path:
        """Return the file whose holder works on a visit."""
        return self.hidden / "locks" / name

    def last_words_path(self, name: str) -> Path:
        """Return where a worker that had to end itself says why."""
        return self.hidden / "visits" / f"{name}.end"

    def read(self, name: str) -> Record | None:
        """Return the record of a visit; None where there is none that can be read."""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            return Record.from_json(self.path(name).read_text(encoding="utf-8"))
        return None

    def write(self, record: Record) -> None:
        """Keep a record."""
        write_text(self.path(record.name), record.to_json())

    def remove(self, name: str) -> None:
        """Forget a visit, and what its worker said last."""
        for path in (self.path(name), self.last_words_path(name)):
            with contextlib.suppress(FileNotFoundError):
                path.unlink()

    def last_words(self, name: str) -> str:
        """Return what a worker said before it ended itself, once."""
        path = self.last_words_path(name)
        with contextlib.suppress(OSError, UnicodeDecodeError):
            text = path.read_text(encoding="utf-8")
            path.unlink()
            return text
        return ""

    def holds(self, request: VisitRequest, record: Record | None, *, kept_inputs: bool = True) -> bool:
        """Tell whether a visit needs no work: the same was asked of the same files, and all its products are whole.

        Parameters
        ----------
        request : VisitRequest
            What is asked for.
        record : Record or None
            What is known.
        kept_inputs : bool
            Inputs are expected to be there still.
        """
        if record is None or record.wanted != request.wanted:
            return False
        if kept_inputs and not _same_files(record.inputs, request.all_files):
            return False
        return record.state != "done" or self._whole(record)

    def _whole(self, record: Record) -> bool:
        """Tell whether every product has the size that it was written with."""
        try:
            sizes = {name: (self.out / record.name / name).stat().st_size for name in record.products}
        except OSError:
            return False
        return bool(sizes) and sizes == record.products


def _same_files(known: Sequence[InputRecord], files: Sequence[str]) -> bool:
    return {entry.file for entry in known} == set(files) and all(entry.unchanged() for entry in known)
