"""The settings of one visit of many: what names exposures is cut to its own, and files are named from the top."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mizzle.errors import SettingsError
from mizzle.io.inputs import QualityFiles
from mizzle.io.masks import named_files
from mizzle.settings import Settings
from mizzle.settings.describe import to_toml
from mizzle.visits.grouping import Grouped, GroupedVisit

#: Settings that name a file; workers stand in folders of their own.
FILES = (
    "align.catalog", "align.image", "align.regions", "align.sources", "align.shifts", "combine.like",
    "equalize.factors", "geometry.headerlet", "geometry.idctab", "geometry.offtab", "geometry.dgeofile",
    "sky.file", "sky.exclude", "archive.cache",
)  # fmt: skip


def rootname(text: str) -> str:
    """Return the rootname in the name of an exposure or of its file, lower case."""
    return re.split(r"[_.]", Path(text.strip()).name.lower())[0]


def from_the_top(settings: Settings) -> Settings:
    """Return settings whose files are named by absolute paths.

    Parameters
    ----------
    settings : Settings
        With names as they were typed.
    """
    changes: dict[str, dict[str, object]] = {}
    for name in FILES:
        section, key = name.split(".")
        text = getattr(getattr(settings, section), key)
        sign, path = ("-", text[1:]) if name == "align.regions" and text.startswith("-") else ("", text)
        if path and os.path.exists(path):
            changes.setdefault(section, {})[key] = sign + os.path.abspath(path)
    pairs = [f"{root}={os.path.abspath(path)}" for root, path in named_files(settings.dq.masks, "dq.masks")]
    named = QualityFiles(settings.dq.files, ()).named
    files = [f"{root}={os.path.abspath(path)}" for root, path in named.items()]
    changes["dq"] = {"masks": tuple(pairs), "files": tuple(files)}
    weights = named_files(settings.combine.weights, "combine.weights")
    changes.setdefault("combine", {})["weights"] = tuple(f"{root}={os.path.abspath(path)}" for root, path in weights)
    sections = {name: getattr(settings, name).model_copy(update=values) for name, values in changes.items()}
    return settings.model_copy(update=sections)


@dataclass(frozen=True)
class VisitSettings:
    """What a visit is run with.

    Parameters
    ----------
    toml : str
        Its settings.
    files : tuple of str
        Files that they name: a visit is made again when one of them changes.
    """

    toml: str
    files: tuple[str, ...]


class SettingsOfVisits:
    """Settings of a whole batch, visit by visit.

    Parameters
    ----------
    settings : Settings
        Of the batch, as typed.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = from_the_top(settings)
        self.drop = frozenset(map(rootname, settings.input.drop))
        values = [getattr(getattr(self.settings, name.split(".")[0]), name.split(".")[1]) for name in FILES]
        self._named = tuple(path for text in values if os.path.isfile(path := text.removeprefix("-")))
        named = (self.settings.dq.masks, self.settings.dq.files, self.settings.combine.weights)
        self._of_roots = bool(self.drop or any(named))
        self._toml = to_toml(self.settings)

    def of(self, visit: GroupedVisit) -> VisitSettings:
        """Return the settings of one visit."""
        if not self._of_roots:
            return VisitSettings(self._toml, self._named)
        roots = {exposure.root for exposure in visit.exposures}
        part = self.settings.dq
        masks = _of_roots(part.masks, roots)
        quality = _of_roots(part.files, roots)
        weights = _of_roots(self.settings.combine.weights, roots)
        settings = self.settings.model_copy(
            update={
                "input": self.settings.input.model_copy(update={"drop": ()}),
                "dq": part.model_copy(update={"masks": masks, "files": quality}),
                "combine": self.settings.combine.model_copy(update={"weights": weights}),
            }
        )
        files = tuple(text.split("=", 1)[1] for text in (*masks, *weights))
        return VisitSettings(to_toml(settings), (*self._named, *files))

    def kept(self, grouped: Grouped) -> Grouped:
        """Return the visits without the exposures that are dropped; those of which nothing is left are named."""
        if not self.drop:
            return grouped
        visits, problems = [], dict(grouped.problems)
        for visit in grouped.visits:
            left = tuple(exposure for exposure in visit.exposures if exposure.root not in self.drop)
            if left:
                visits.append(replace(visit, exposures=left))
            else:
                problems[visit.name] = "every exposure is dropped (input.drop)"
        return Grouped(tuple(visits), problems)

    def check(self, grouped: Grouped) -> None:
        """Refuse names of exposures that are in no visit.

        Raises
        ------
        SettingsError
            Which one.
        """
        roots = {exposure.root for visit in grouped.visits for exposure in visit.exposures}
        part = self.settings.dq
        for setting, named in (
            ("input.drop", self.drop), ("dq.masks", _roots(part.masks)), ("dq.files", _roots(part.files)),
            ("combine.weights", _roots(self.settings.combine.weights)),
        ):  # fmt: skip
            if strange := sorted(set(named) - roots):
                raise SettingsError(f"{setting}: {strange[0]} is in no visit of this batch", root=strange[0])


def _roots(texts: Sequence[str]) -> Collection[str]:
    """Return the rootnames of ``ROOT=FILE`` texts."""
    return [text.split("=", 1)[0] for text in texts]


def _of_roots(texts: Sequence[str], roots: Collection[str]) -> tuple[str, ...]:
    """Return those of ``ROOT=FILE`` texts whose exposure is among `roots`."""
    return tuple(text for text in texts if text.split("=", 1)[0] in roots)
