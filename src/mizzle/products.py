"""Delivering a run: every file of the product set, whole or not at all."""

from __future__ import annotations

import datetime
import platform
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

from mizzle._version import __version__
from mizzle.errors import SettingsError
from mizzle.io.atomic import prepare_folder, write_text
from mizzle.model import Exposure, Mosaic, Result, Runner
from mizzle.progress import Listener, Progress
from mizzle.settings import Settings
from mizzle.settings.describe import setting_rows, to_toml

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,119}")


class Delivery(Listener):
    """Where the products of one run go; knows nothing when nothing is to be written.

    Entering proves that the folder can be written and starts the page's worker, before any work is done.

    Parameters
    ----------
    out : str, Path or None
        Folder; None writes nothing.
    settings : Settings
        What is to be written.
    progress : Progress
        Told of each step.
    helper : bool
        Draw in a process beside this one, while the run goes on; it costs more than it saves on a busy machine.
    """

    def __init__(self, out: str | Path | None, settings: Settings, progress: Progress, *, helper: bool = True) -> None:
        self._out = None if out is None else Path(out)
        self._helper = helper
        self._settings = settings
        self._progress = progress
        self._job: Any = None
        progress.listen(self)

    def __enter__(self) -> Delivery:
        if self._out is not None:
            self._out = prepare_folder(self._out)
            if self._settings.report.page or self._settings.output.image:
                from mizzle.report.worker import ReportJob, start_worker

                self._job = start_worker() if self._helper else ReportJob()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._job is not None:
            self._job.close()

    def check_name(self, name: str) -> None:
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
        self._job.show(early_payload(mosaic, sketch(mosaic, exposures, name), bands, self._settings))

    def deliver(self, result: Result, runner: Runner, command: str) -> Result:
        """Write everything; return the result with its report and the list of files.

        Parameters
        ----------
        result : Result
            Of `mizzle.pipeline.process`.
        runner : Runner
            Hashes inputs in parallel.
        command : str
            What the user typed.
        """
        with self._progress.step("report"):
            self._hash(result, runner)
            report = self._report(result, runner, command)
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

    def _report(self, result: Result, runner: Runner, command: str) -> dict[str, Any]:
        """Collect the numbers."""
        from mizzle.report.evidence import gather
        from mizzle.report.metrics import build_report

        changed = [
            {"name": row.name, "value": row.value, "default": row.default, "description": row.description}
            for row in setting_rows(self._settings)
            if row.changed
        ]
        return build_report(
            result,
            timing={**self._progress.seconds, "total": self._progress.total},
            peak_rss_mb=peak_memory_mb(),
            version=__version__,
            command=command,
            settings_changed=changed,
            provenance=provenance(),
            evidence=gather(result, runner) if self._settings.report.page else {},
        )

    def _write(self, result: Result, folder: Path, runner: Runner) -> list[Path]:
        """Write the product set: images on a thread, texts here, while the worker, if there is one, draws."""
        from mizzle.io.products import write_mosaic
        from mizzle.report.worker import product_names

        drawn = self._submit(result, folder)
        names = product_names(result)

        def image(band: str) -> Path:
            path, proof = folder / f"{names[band]}_drz.fits", result.zeropoints[band]
            return write_mosaic(path, result.mosaics[band], result.exposures, proof)

        images = [runner.begin(image, band) for band in result.mosaics]
        try:
            files = self._write_texts(result, folder, names)
        finally:
            products = [written() for written in images]  # nothing is left half written, whatever happens beside
        return [files[0], *products, *files[1:], *drawn()]

    def _write_texts(self, result: Result, folder: Path, names: dict[str, str]) -> list[Path]:
        """Write settings, catalogs, numbers, and the exposures where they are wanted."""
        from mizzle.io.catalog_file import write_catalog
        from mizzle.report.metrics import to_json

        files = [write_text(folder / f"{result.name}_settings.toml", to_toml(self._settings))]
        if self._settings.output.catalog:
            files += [write_catalog(folder / f"{names[band]}_cat.ecsv", result.catalogs[band]) for band in names]
        files.append(write_text(folder / f"{result.name}_report.json", to_json(result.report)))
        if self._settings.output.exposures:
            from mizzle.io.flt import write_exposures

            files += write_exposures(folder / "exposures", result, self._settings)
        return files

    def _submit(self, result: Result, folder: Path) -> Callable[[], list[Path]]:
        """Hand the drawing to the worker; the answer waits for it."""
        if self._job is None:
            return list
        from mizzle.report.worker import payload

        self._job.submit(payload(result, folder, self._settings))
        return lambda: [Path(path) for path in self._job.wait()]


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
