"""What a simulated visit knows: the answers to everything the pipeline must find out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray, Places
from mizzle.instrument.wfpc2 import INFINITE_APERTURE
from mizzle.model import Exposure
from mizzle.model.arrays import locked
from mizzle.simulate.cosmic import Hits
from mizzle.simulate.plan import Plan
from mizzle.simulate.pointing import Pointing
from mizzle.simulate.psf import PointSpread
from mizzle.simulate.render import add_starlight
from mizzle.simulate.stars import StarList
from mizzle.simulate.trails import add_trails


@dataclass(frozen=True, eq=False)
class ChipTruth:
    """One chip of one exposure.

    Parameters
    ----------
    star : (k,) int array
        Indices into the star list of stars whose stamps touch the chip.
    x, y : (k,) array
        Their true 0-based positions [pixel].
    scales : (k, 2) array
        Sky length of a pixel along x and y there [arcsec].
    electrons : (k,) array
        Charge each star sends, all of its light [electron].
    recorded : (k,) array
        Charge left after transfer: less than `electrons` under CTE loss.
    cosmic_rays : Hits
        Charge of cosmic rays.
    trail : Hits or None
        Mean charge of a satellite's trail.
    sky_dn : float
        Sky in the file [DN per pixel], after the flat.
    gain : float
        Electrons per DN.
    photflam : float
        In the header.
    psf : PointSpread
        The star image.
    """

    star: NDArray[np.int64]
    x: FloatArray
    y: FloatArray
    scales: FloatArray
    electrons: FloatArray
    recorded: FloatArray
    cosmic_rays: Hits
    trail: Hits | None
    sky_dn: float
    gain: float
    photflam: float
    psf: PointSpread

    def __post_init__(self) -> None:
        for key in ("x", "y", "scales", "electrons", "recorded"):
            object.__setattr__(self, key, locked(getattr(self, key), np.float64))
        object.__setattr__(self, "star", locked(self.star, np.int64))


@dataclass(frozen=True, eq=False)
class ExposureTruth:
    """One exposure: its pointing, and its chips by name."""

    root: str
    pointing: Pointing
    exptime: float
    chips: Mapping[str, ChipTruth]


@dataclass(frozen=True, eq=False)
class Truth:
    """What is true of a visit.

    Parameters
    ----------
    plan : Plan
        How it was made.
    stars : StarList
        All stars of the field.
    exposures : mapping
        `ExposureTruth` by rootname, in order.
    areas : mapping
        Relative pixel area by chip name, ``(ny, nx)``: the flat field.
    lit : mapping
        Lit share of each pixel by chip name.
    """

    plan: Plan
    stars: StarList
    exposures: Mapping[str, ExposureTruth]
    areas: Mapping[str, NDArray[np.float32]]
    lit: Mapping[str, NDArray[np.float32]]

    def rate(self, photflam: float, *, aperture: bool = False) -> FloatArray:
        """Return each star's rate [DN/s] at `photflam`; within 0.5 arcsec on demand."""
        return np.asarray(self.stars.flux / photflam / (INFINITE_APERTURE if aperture else 1.0))

    def chip(self, root: str, name: str) -> ChipTruth:
        """Return the truth of one chip."""
        return self.exposures[root].chips[name]

    def cosmic_rays(self, root: str, name: str, least: float = 10.0) -> NDArray[np.bool_]:
        """Return the ``(ny, nx)`` mask of pixels with at least `least` electrons from cosmic rays."""
        return self.chip(root, name).cosmic_rays.mask(least)

    def starlight(self, root: str, name: str, *, recorded: bool = True) -> FloatArray:
        """Return the noiseless star light of one chip as the file has it, flat-fielded, without sky [DN]."""
        chip = self.chip(root, name)
        frame = self.exposures[root].pointing.true[name]
        light = np.zeros(frame.shape)
        where = Places(chip.x, chip.y)
        add_starlight(
            light,
            chip.psf,
            frame,
            where=where,
            scales=chip.scales,
            charge=chip.recorded if recorded else chip.electrons,
        )
        if recorded and self.plan.effects.cte_trails:
            add_trails(light, chip.psf, frame, where=where, scales=chip.scales, lost=chip.electrons - chip.recorded)
        light /= chip.gain
        return light / self.areas[name] if self.plan.effects.flat_field == "sky" else light

    def expected(self, root: str, name: str) -> FloatArray:
        """Return the noiseless image of one chip: stars and sky, no defects, no cosmic rays [DN]."""
        sky = self.chip(root, name).sky_dn
        flat = 1.0 if self.plan.effects.flat_field == "sky" else self.areas[name]
        return np.asarray(self.starlight(root, name) + sky * flat)

    def star_mask(self, root: str, name: str, *, least: float = 10.0) -> NDArray[np.bool_]:
        """Return where star light exceeds `least` [DN] in one chip."""
        return np.asarray(self.starlight(root, name) > least)

    def star_table(self) -> dict[str, NDArray[Any]]:
        """Return the stars as columns: id, ra, dec, flux, mag_st."""
        return {
            "id": self.stars.ids,
            "ra": self.stars.ra,
            "dec": self.stars.dec,
            "flux": self.stars.flux,
            "mag_st": self.stars.mag_st,
        }


@dataclass(frozen=True, eq=False)
class Visit:
    """Simulated exposures and what is true of them."""

    exposures: tuple[Exposure, ...]
    truth: Truth

    @property
    def stars(self) -> StarList:
        """The stars of the field."""
        return self.truth.stars
