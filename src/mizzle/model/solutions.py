"""Flux scales, sky levels and cosmic rays: what is applied together while a pixel is drizzled, with the alignment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mizzle.model.exposure import Chip, Exposure
from mizzle.model.values import Value


@dataclass(frozen=True, eq=False)
class FluxReference(Value):
    """The one inverse sensitivity of a filter, and where it comes from."""

    chip: str
    photflam: float
    photplam: float
    photbw: float
    photzpt: float
    photmode: str
    gain: float
    origin: str


@dataclass(frozen=True, eq=False)
class FluxScales(Value):
    """Factor for each chip to one PHOTFLAM: ``DN * factor`` is DN at the reference zeropoint.

    Parameters
    ----------
    references : mapping
        `FluxReference` by filter.
    factors : mapping
        ``factors[root][chip]``.
    notes : tuple of str
        What a person should know: a reference that is not in the first exposure, gains that look wrong.
    """

    references: Mapping[str, FluxReference]
    factors: Mapping[str, Mapping[str, float]]
    notes: tuple[str, ...] = ()

    def unscaled(self) -> FluxScales:
        """Return scales that leave every chip as it is, for a run that stops before equalizing."""
        ones = {root: dict.fromkeys(chips, 1.0) for root, chips in self.factors.items()}
        return FluxScales(self.references, ones, ("not equalized: the run was to stop before",))

    def lines(self, exposures: Iterable[Exposure]) -> tuple[str, ...]:
        """Say in words what equalizing does: a log a person can read, and all a dry run prints.

        Parameters
        ----------
        exposures : iterable of Exposure
            What was equalized.

        Returns
        -------
        lines : tuple of str
            One line for each filter's reference, then one for each of its chips, then the notes.
        """
        exposures = tuple(exposures)
        lines: list[str] = []
        for name, reference in self.references.items():
            lines.append(f"{name}: reference PHOTFLAM {reference.photflam:.7g} ({reference.origin})")
            lines += [self._line(e, chip) for e in exposures if e.filter == name for chip in e.chips.values()]
        return (*lines, *self.notes)

    def _line(self, exposure: Exposure, chip: Chip) -> str:
        return (
            f"{exposure.root} {chip.name} (gain {exposure.commanded_gain}, {exposure.date_obs}):"
            f" PHOTFLAM {chip.photflam:.7g}, DN are multiplied by {self.factors[exposure.root][chip.name]:.9f}"
        )

    def keywords(self, exposure: Exposure, chip: Chip) -> dict[str, float]:
        """Return the photometric keywords of a chip after its DN were multiplied by its factor.

        PHOTFLAM and PHOTFNU convert DN/s to flux density, so both are divided by what multiplied the DN; PHOTFNU is
        there where the header has it.
        """
        factor = self.factors[exposure.root][chip.name]
        keywords = {"PHOTFLAM": chip.photflam / factor}
        photfnu = chip.header.get("PHOTFNU")
        if isinstance(photfnu, (int, float)) and not isinstance(photfnu, bool):
            keywords["PHOTFNU"] = float(photfnu) / factor
        return keywords

    @property
    def reference(self) -> FluxReference:
        """The reference of the only, or first, filter."""
        return next(iter(self.references.values()))

    @property
    def photflam(self) -> float:
        """PHOTFLAM of the only, or first, filter."""
        return self.reference.photflam


@dataclass(frozen=True, eq=False)
class SkyLevels(Value):
    """Sky to subtract, and what each chip measured.

    Parameters
    ----------
    levels : mapping
        ``levels[root][chip]``: equalized DN per pixel of that chip, subtracted while drizzling.
    brightness : mapping
        ``brightness[root][chip]``: measured, equalized DN/s per square arcsec.
    noise : mapping
        ``noise[root][chip]``: robust scatter of the sky pixels [equalized DN].
    pedestals : mapping
        ``pedestals[root][chip]``: what the chip measured less what is subtracted [equalized DN].
    method : str
        How the levels were chosen.
    matched : mapping
        ``matched[root][chip]``: what leaves the same sky on all chips of all exposures, where they overlap
        [equalized DN]; not subtracted, but exposures are compared after it. Empty: what each chip measured.
    """

    levels: Mapping[str, Mapping[str, float]]
    brightness: Mapping[str, Mapping[str, float]]
    noise: Mapping[str, Mapping[str, float]]
    pedestals: Mapping[str, Mapping[str, float]]
    method: str = "auto"
    notes: tuple[str, ...] = ()
    matched: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @classmethod
    def unknown(cls, exposures: Iterable[Exposure]) -> SkyLevels:
        """Return levels of a run that stops before it measures them: NaN everywhere."""
        nothing = {e.root: dict.fromkeys(e.chips, float("nan")) for e in exposures}
        return cls(nothing, nothing, nothing, nothing, method="none")

    @classmethod
    def merged(cls, parts: Sequence[SkyLevels]) -> SkyLevels:
        """Join the levels of several filters."""

        def joined(key: str) -> dict[str, Mapping[str, float]]:
            return {root: row for part in parts for root, row in getattr(part, key).items()}

        return cls(
            levels=joined("levels"),
            brightness=joined("brightness"),
            noise=joined("noise"),
            pedestals=joined("pedestals"),
            method=parts[0].method,
            notes=tuple(note for part in parts for note in part.notes),
            matched=joined("matched"),
        )

    def measured(self, root: str, chip: str) -> float:
        """Return what a chip measured [equalized DN]; NaN where it has no sky."""
        return self.levels[root][chip] + self.pedestals[root][chip]

    def comparable(self, root: str, chip: str) -> float:
        """Return what leaves the same sky on all chips of all exposures [equalized DN]; NaN where nothing is known."""
        return self.matched.get(root, {}).get(chip, self.measured(root, chip))


@dataclass(frozen=True, eq=False)
class CosmicRays(Value):
    """Pixels hit by cosmic rays: packed masks.

    Parameters
    ----------
    packed : mapping
        ``packed[root][chip]``: `numpy.packbits` of the flattened ``(ny, nx)`` mask.
    fractions : mapping
        ``fractions[root][chip]``: flagged share of the good pixels.
    methods : mapping
        ``methods[root]``: ``"median"`` or ``"lacosmic"``, or ``"none"``.
    core_error : mapping
        ``core_error[root][chip]``: 1 sigma of what the other exposures predict for a pixel of a star's core, relative
        to its steepest step to a neighbor; measured. Absent where star cores were not checked so.
    trails : mapping
        ``trails[root][chip]``: width [pixel] of the widest straight trail that was flagged whole.
    brighter : mapping
        ``brighter[root][chip]``: peaks of stars that are brighter than in the other exposures, on all sides, and kept;
        without ``reject.keep_brighter`` of those that may be. Flat indices of pixels.
    """

    packed: Mapping[str, Mapping[str, NDArray[np.uint8]]]
    fractions: Mapping[str, Mapping[str, float]]
    methods: Mapping[str, str]
    notes: tuple[str, ...] = ()
    core_error: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    trails: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    brighter: Mapping[str, Mapping[str, NDArray[np.intp]]] = field(default_factory=dict)

    @classmethod
    def merged(cls, parts: Sequence[CosmicRays]) -> CosmicRays:
        """Join the masks of several filters."""
        return cls(
            packed={root: row for part in parts for root, row in part.packed.items()},
            fractions={root: row for part in parts for root, row in part.fractions.items()},
            methods={root: method for part in parts for root, method in part.methods.items()},
            notes=tuple(note for part in parts for note in part.notes),
            core_error={root: row for part in parts for root, row in part.core_error.items()},
            trails={root: row for part in parts for root, row in part.trails.items()},
            brighter={root: row for part in parts for root, row in part.brighter.items()},
        )

    def mask(self, root: str, chip: str, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """Return the ``(ny, nx)`` mask; True where a cosmic ray was found."""
        bits = self.packed.get(root, {}).get(chip)
        if bits is None:
            return np.zeros(shape, dtype=np.bool_)
        return np.unpackbits(bits, count=shape[0] * shape[1]).astype(np.bool_).reshape(shape)
