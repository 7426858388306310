"""Visits whose exposures come from MAST while others run: a few at a time, and no more on the disk than was allowed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from mizzle.errors import MizzleError
from mizzle.io.inputs import InputFile
from mizzle.io.quick_headers import FileKeywords, HeaderCache
from mizzle.visits.driver import Job
from mizzle.visits.finding import FoundFiles
from mizzle.visits.grouping import Grouped, group

if TYPE_CHECKING:
    from mizzle.archive.mast import Product

#: Visits that are fetched at the same time.
TRANSFERS = 4
#: Size of a file that MAST does not tell [byte].
_USUAL_SIZE = 11e6
#: Kinds of files that hold data quality alone.
_QUALITY = frozenset({"C1M", "C1F"})


@dataclass
class Parcel:
    """The files of one visit at MAST: rootnames that share their first six characters.

    Parameters
    ----------
    name : str
        Those characters.
    products : list of Product
        Its files.
    folder : Path
        Where they go.
    """

    name: str
    products: list[Product]
    folder: Path
    left: set[str] = field(default_factory=set)  # visits of it that have not ended

    @property
    def size(self) -> float:
        """Bytes on disk."""
        return float(sum(product.size or _USUAL_SIZE for product in self.products))

    def inputs(self) -> dict[str, InputFile]:
        """Return its exposures, by path; the files need not be there."""
        quality = {p.root: self.folder / p.name for p in self.products if p.kind in _QUALITY}
        science = [p for p in self.products if p.kind not in _QUALITY]
        entries = [InputFile(self.folder / p.name, quality.get(p.root)) for p in science]
        return {str(entry.science): entry for entry in entries}

    def sizes(self) -> dict[str, int | None]:
        """Return what MAST says of the files' sizes, by path."""
        return {str(self.folder / product.name): product.size for product in self.products}

    def grouped(self, cache: HeaderCache, *, look: bool) -> Grouped | None:
        """Return its visits, from the headers; None where they are not all known and must not be looked for."""
        inputs = self.inputs()
        if look:
            return group(FoundFiles(dict(inputs)), cache.read(inputs))
        known: dict[str, FileKeywords | MizzleError] = {n: e for n, e in cache.entries.items() if n in inputs}
        return group(FoundFiles(dict(inputs)), known) if len(known) == len(inputs) else None

    def remove(self) -> None:
        """Delete its files, and the folder if nothing else is in it."""
        for product in self.products:
            with contextlib.suppress(FileNotFoundError):
                (self.folder / product.name).unlink()
        with contextlib.suppress(OSError):
            self.folder.rmdir()


def parcels(products: Sequence[Product], folder: Path) -> list[Parcel]:
    """Sort files into visits by their rootnames; headers, once they are here, may split one further."""
    by_name: dict[str, Parcel] = {}
    for product in sorted(products, key=lambda product: product.name):
        name = product.root[:6].lower()
        by_name.setdefault(name, Parcel(name, [], folder / name)).products.append(product)
    return list(by_name.values())


@dataclass(frozen=True)
class Hooks:
    """What the fetching asks of those it serves.

    Parameters
    ----------
    fetch : callable
        Brings the files of a parcel; raises `MizzleError`.
    arrived : callable
        Takes a parcel that is here; returns the jobs of its visits.
    failed : callable
        Told of a parcel that could not be had, and why.
    """

    fetch: Callable[[Parcel], object]
    arrived: Callable[[Parcel], list[Job]]
    failed: Callable[[Parcel, MizzleError], None]


class Arrivals:
    """A source of jobs: parcels are fetched on threads while others run.

    Parameters
    ----------
    wanted : list of Parcel
        In this order.
    hooks : Hooks
        What to do with them.
    disk : float
        Inputs that may be on disk at one time, fetched or being fetched, and not yet run [byte]; a parcel larger than
        that comes alone.
    drop : bool
        Delete the files of a parcel when its visits have ended.
    """

    def __init__(self, wanted: list[Parcel], hooks: Hooks, disk: float, *, drop: bool = False) -> None:
        self._wanted = list(wanted)
        self._hooks = hooks
        self._disk = disk
        self._drop = drop
        self._held = 0.0
        self._coming: dict[Future[object], Parcel] = {}
        self._by_visit: dict[str, Parcel] = {}
        self._pool = ThreadPoolExecutor(TRANSFERS, thread_name_prefix="mizzle-fetch")

    def __enter__(self) -> Arrivals:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=kind is None, cancel_futures=True)

    def take(self) -> list[Job]:
        """Return the jobs whose files have arrived; begin to fetch what there is room for."""
        jobs: list[Job] = []
        for future in [future for future in self._coming if future.done()]:
            jobs += self._unpack(self._coming.pop(future), future)
        while self._wanted and len(self._coming) < TRANSFERS:
            size = self._wanted[0].size
            if self._held and self._held + size > self._disk:
                break
            parcel = self._wanted.pop(0)
            self._held += size
            self._coming[self._pool.submit(self._hooks.fetch, parcel)] = parcel
        return jobs

    def exhausted(self) -> bool:
        """Tell whether nothing more will come."""
        return not self._wanted and not self._coming

    def ended(self, name: str) -> None:
        """Make room when the last visit of a parcel has ended."""
        parcel = self._by_visit.pop(name, None)
        if parcel is not None:
            parcel.left.discard(name)
            if not parcel.left:
                self._release(parcel)

    def _unpack(self, parcel: Parcel, future: Future[object]) -> list[Job]:
        """Return the jobs of a parcel that has come, or tell why it has not."""
        try:
            future.result()
        except MizzleError as problem:
            self._hooks.failed(parcel, problem)
            self._release(parcel)
            return []
        jobs = self._hooks.arrived(parcel)
        parcel.left = {job.name for job in jobs}
        self._by_visit |= dict.fromkeys(parcel.left, parcel)
        if not jobs:
            self._release(parcel)
        return jobs

    def _release(self, parcel: Parcel) -> None:
        self._held -= parcel.size
        if self._drop:
            parcel.remove()
