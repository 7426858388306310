"""Delivering a run: every file of the product set, whole or not at all."""

from __future__ import annotations

import contextlib
import datetime
import platform
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from mizzle import stopping
from mizzle._version import __version__
from mizzle.errors import SettingsError
from mizzle.io.atomic import prepare_folder, write_text
from mizzle.io.product_names import COLOR, EXPOSURES, product_files, stems
from mizzle.io.product_set import ProductSet, is_mixed, of_other_runs
from mizzle.io.run_id import KEYWORD, make_run_id
from mizzle.io.targets import named_in, refuse_targets
from mizzle.model import Exposure, Grid, Mosaic, Result, Runner, Zeropoint
from mizzle.progress import Listener, Progress
from mizzle.settings import Settings
from mizzle.settings.describe import setting_rows, to_toml

#: What a pixel of an image and its weight, 32 bits each, takes [byte].
_BYTES_PER_PIXEL = 8
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,119}")


@dataclass(frozen=True)
class Command:
    """What the user typed.

    Parameters
    ----------
    text : str
        The command line, for the provenance.
    named : tuple of str
        Files it names besides the exposures and those the settings name: none is ever written over.
    """

    text: str = ""
    named: tuple[str, ...] = ()


class Delivery(Listener):
    """Where the products of one run go; knows nothing when nothing is to be written.

    Entering proves that the folder can be written, before any work is done.

    Parameters
    ----------
    out : str, Path or None
        Folder; None writes nothing.
    settings : Settings
        What is to be written.
    progress : Progress
        Told of each step.
    command : Command or str
        What the user typed.
    workers : int
        Threads of the run. Where they are more than the exposures, a process beside this one draws while the run goes
        on: with fewer it would take a core from them, and more of its time.
    """

    def __init__(
        self,
        out: str | Path | None,
        settings: Settings,
        progress: Progress,
        *,
        command: Command | str = "",
        workers: int = 1,
    ) -> None:
        self._out = None if out is None else Path(out)
        self._workers = workers
        self._helper = False
        self._settings = settings
        self._progress = progress
        self._command = command if isinstance(command, Command) else Command(command)
        self._run_id = make_run_id()
        self._job: Any = None
        self._watch = contextlib.ExitStack()
        progress.listen(self)

    def __enter__(self) -> Delivery:
        if self._out is not None:
            self._out = prepare_folder(self._out)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave_worker()
        self._watch.close()

    def check(self, name: str, exposures: Sequence[Exposure], others: Iterable[str] = ()) -> None:
        """Refuse, before any work, a NAME or targets that must not be written; say what stands there half replaced.

        Parameters
        ----------
        name : str
            Start of the products' names.
        exposures : sequence of Exposure
            Those that take part.
        others : iterable of str
            More files that were read, or named.

        Raises
        ------
        SettingsError
            See `check_targets`.
        """
        check_name(name)
        if self._out is None:
            return
        others = [*others, *self._command.named]
        check_targets(self._out, name, exposures, settings=self._settings, others=others)
        if is_mixed(self._out, name):
            self._progress.warns(
                f"{self._out}: files {name}* of several runs stand side by side (another RUNID in each): a run was"
                " stopped, or files were copied; this run replaces its own"
            )
        self._start_worker(len(exposures))

    def _start_worker(self, n_exposures: int) -> None:
        """Start the page's worker, or put off what it would draw."""
        options = self._settings
        if options.output.until or not (options.report.page or options.output.image):
            return
        from mizzle.report.worker import ReportJob, start_worker

        self._helper = self._workers > n_exposures
        self._job = start_worker() if self._helper else ReportJob()
        self._watch.enter_context(stopping.undone_if_stopped(self._job.kill))

    def gridded(self, grid: Grid) -> None:
        """End the page's worker where it would hold large images a second time: the run draws them by itself, later.

        Parameters
        ----------
        grid : Grid
            Of the products.
        """
        if self._job is None or not self._helper:
            return
        if _BYTES_PER_PIXEL * grid.shape[0] * grid.shape[1] > self._settings.combine.memory_mb * 2**20:
            from mizzle.report.worker import ReportJob

            self._leave_worker()
            self._job, self._helper = ReportJob(), False

    def drizzled(self, mosaic: Mosaic, exposures: Sequence[Exposure], name: str) -> None:
        """Show a product to the page's worker as soon as it is drizzled: it draws while the run goes on.

        Parameters
        ----------
        mosaic : Mosaic
            Of one filter.
        exposures : sequence of Exposure
            Of all filters.
        name : str
            Start of the products' names.
        """
        if self._job is None or not self._helper:
            return
        from mizzle.report.metrics import sketch
        from mizzle.report.worker import early_payload

        bands = len({exposure.filter for exposure in exposures})
        first = {KEYWORD: self._run_id, **sketch(mosaic, exposures, name)}
        self._job.show(early_payload(mosaic, first, bands, settings=self._settings))

    def deliver(self, result: Result, runner: Runner) -> Result:
        """Write everything; return the result with its report and the list of files.

        Parameters
        ----------
        result : Result
            Of `mizzle.pipeline.process`.
        runner : Runner
            Hashes inputs in parallel.
        """
        result = replace(result, run_id=self._run_id)
        with self._progress.step("report"):
            self._hash(result, runner)
            report = self._report(result, runner)
        result = replace(result, report=report)
        if self._out is None:
            return result
        with self._progress.step("write"):
            files = self._write(result, self._out, runner)
        return replace(result, files=tuple(str(path) for path in files))

    def _hash(self, result: Result, runner: Runner) -> None:
        """Work out the SHA-256 of every input."""
        pairs = [(exposure.files, name) for exposure in result.exposures for name in exposure.files]
        runner.map(lambda pair: pair[0][pair[1]], pairs)

    def _report(self, result: Result, runner: Runner) -> dict[str, Any]:
        """Collect the numbers."""
        from mizzle.report.evidence import gather
        from mizzle.report.metrics import build_report
        from mizzle.report.star_shape import star_shapes

        whole = not self._settings.output.until
        evidence: dict[str, Any] = {}
        if whole:  # what only figures need is gathered for the page alone
            evidence = gather(result, runner) if self._settings.report.page else {"star_shape": star_shapes(result)}
        changed = [
            {"name": row.name, "value": row.value, "default": row.default, "description": row.description}
            for row in setting_rows(self._settings)
            if row.changed
        ]
        report = build_report(
            result,
            timing={**self._progress.seconds, "total": self._progress.total},
            peak_rss_mb=peak_memory_mb(),
            version=__version__,
            command=self._command.text,
            settings_changed=changed,
            provenance=provenance(),
            evidence=evidence,
        )
        roots = [exposure.root for exposure in result.exposures]
        files = product_files(result.name, list(result.mosaics), roots, settings=self._settings) if self._out else []
        return {**report, "files": files}

    def _write(self, result: Result, folder: Path, runner: Runner) -> list[Path]:
        """Write the product set: images on a thread, texts here, while the worker, if there is one, draws."""
        with ProductSet(folder, result.name) as products:
            with contextlib.ExitStack() as beside:  # nobody writes any more when parts are cleared away
                beside.callback(self._leave_worker)
                drawn = self._submit(result, products.stage())
                for band in result.mosaics:
                    beside.callback(runner.begin(self._image, (result, band, products.stage())))
                self._write_texts(result, products)
                drawn()
            files = products.publish(last=f"{result.name}_report.json")
        strange = of_other_runs(folder, result.name, result.run_id)
        if strange:
            own = {Path(path).name for path in files} & {Path(name).name for name in strange}
            self._progress.warns(
                f"{folder}: another run wrote products of this name meanwhile; its set stands"
                if own
                else f"{folder}: {', '.join(strange)}: of another run, and this one writes no such file; move it away"
            )
        order = {folder / file: place for place, file in enumerate(result.report["files"])}
        return sorted(files, key=lambda path: order.get(path, len(order)))

    def _image(self, job: tuple[Result, str, Path]) -> Path:
        """Write one mosaic."""
        from mizzle.io.product_cards import error_cards
        from mizzle.io.products import write_mosaic, write_separate

        result, band, staged = job
        stem = stems(result.name, result.mosaics)[band]
        # A run that stops before the proof has none.
        proof = result.zeropoints.get(band, Zeropoint(result.mosaics[band].reference, {}))
        path = staged / f"{stem}_drz.fits"
        extra = [
            (KEYWORD, result.run_id, "of all files of this run"),
            *error_cards(result.errors.get(band), result.exposures[0].camera.chips),
        ]
        output, mosaic = self._settings.output, result.mosaics[band]
        if output.separate:
            write_separate(
                staged, stem, mosaic, exposures=result.exposures, zeropoint=proof, extra=extra, units=output.units
            )
        if output.mosaic:
            write_mosaic(
                path,
                mosaic,
                result.exposures,
                zeropoint=proof,
                extra=extra,
                compress=output.compress,
                units=output.units,
            )
        return path

    def _write_texts(self, result: Result, products: ProductSet) -> None:
        """Write settings, catalogs, numbers, and the exposures where they are wanted."""
        from mizzle.io.catalog_file import write_catalog
        from mizzle.report.metrics import to_json

        folder, names = products.stage(), stems(result.name, result.mosaics)
        mark = f'# {KEYWORD} = "{result.run_id}"\n'
        write_text(folder / f"{result.name}_settings.toml", mark + to_toml(self._settings))
        if self._settings.output.catalog:
            for band, catalog in result.catalogs.items():
                marked = replace(catalog, meta={KEYWORD: result.run_id, **catalog.meta})
                write_catalog(folder / f"{names[band]}_cat.ecsv", marked)
        write_text(folder / f"{result.name}_report.json", to_json(result.report))
        if self._settings.output.exposures:
            from mizzle.io.flt import write_exposures

            write_exposures(products.stage(EXPOSURES), result, self._settings)

    def _submit(self, result: Result, folder: Path) -> Callable[[], list[str]]:
        """Hand the drawing to the worker; the answer waits for it."""
        if self._job is None:
            return list
        from mizzle.report.worker import payload

        self._job.submit(payload(result, folder, self._settings))
        return lambda: list(self._job.wait())

    def _leave_worker(self) -> None:
        if self._job is not None:
            self._job.close()


def check_name(name: str) -> None:
    """Refuse a name that is no plain file name.

    Raises
    ------
    SettingsError
        It holds a separator, or begins with a dot, or is too long.
    """
    if not _NAME.fullmatch(name):
        raise SettingsError(
            f"--name {name!r}: a plain file name is needed: letters, digits, . _ + -, 120 at most",
            name=name,
        )


def check_targets(
    folder: Path, name: str, exposures: Sequence[Exposure], *, settings: Settings, others: Iterable[str] = ()
) -> None:
    """Refuse a run that would write over a file it reads, or that the user named.

    Parameters
    ----------
    folder : Path
        Output folder; it need not exist.
    name : str
        NAME of the products.
    exposures : sequence of Exposure
        Inputs.
    settings : Settings
        Say what is written, and name files.
    others : iterable of str
        More files that were read, or named.

    Raises
    ------
    SettingsError
        A target is such a file, or something that is no file stands in its place.
    """
    bands = list(dict.fromkeys(exposure.filter for exposure in exposures))
    targets = product_files(name, bands, [exposure.root for exposure in exposures], settings=settings)
    targets += [f"{name}{COLOR}"] if len(bands) > 1 and settings.output.image else []
    read = [file for exposure in exposures for file in exposure.files]
    refuse_targets([folder / target for target in targets], [*read, *others, *named_in(settings)])


def provenance() -> dict[str, Any]:
    """Return versions, platform and date: what a reader needs to repeat the run."""
    import numpy as np

    from mizzle.kernel import backend

    versions = {"python": platform.python_version(), "numpy": np.__version__, "mizzle": __version__}
    for name in ("astropy", "scipy", "pydantic"):
        module = sys.modules.get(name)
        if module is not None:
            versions[name] = str(getattr(module, "__version__", "?"))
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "platform": platform.platform(),
        "kernel": backend(),
        "versions": versions,
    }


def peak_memory_mb() -> float:
    """Return the largest resident memory of this process so far [MB]; NaN where the system does not say."""
    try:
        import resource
    except ImportError:  # Windows
        return float("nan")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1024
