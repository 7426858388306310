"""The simulated point-spread function: the computed image of a star, undersampled as real ones are, and a wing.

The middle is the optical image of `mizzle.psf`, integrated over each pixel as it lies on the sky; then charge diffuses
between pixels, by the kernel between pixels that it is. Around it lies what the optics scatter: a wide round Gaussian,
whose share makes 1/1.096 of the light fall within 0.5 arcsec of the star (Holtzman et al. 1995, PASP 107, 1065), the
chip's own pixel included, so that PHOTFLAM refers to all the light. A star's stamp sums to its flux.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mizzle.arrays import FloatArray, Places
from mizzle.instrument.star_optics import DIFFUSION, TYPICAL_DEFOCUS, star_optics
from mizzle.instrument.wfpc2 import INFINITE_APERTURE, STANDARD_APERTURE_ARCSEC
from mizzle.psf.image import REACH
from mizzle.psf.integrals import IntegratedImage, optical_integrals
from mizzle.psf.optics import ARCSEC
from mizzle.simulate.spikes import SPIKE_SHARE, Spikes, make_spikes

#: Width of the wing [arcsec]; stamps reach four times that.
WING_SIGMA = 0.6
STAMP_RADIUS = 2.4
#: Sigma of a Gaussian as wide as the core at half its height, over wavelength / mirror; spikes are drawn that wide.
CORE_SIGMA = 0.41


@dataclass(frozen=True, eq=False)
class PointSpread:
    """A star's image on one chip: a core, and a wing.

    Parameters
    ----------
    core : IntegratedImage
        What the optics make; its samples are spaced by `scale`.
    core_share : float
        Its share of the light.
    wing_share : float
        That of the wing; both sum to 1, or to 1 less the spikes' share.
    core_sigma : float
        Width of the core [arcsec].
    scale : float
        Nominal pixel side [arcsec].
    diffusion : (float, float, float)
        What a pixel keeps of its charge, what each edge and corner neighbor gets.
    spikes : Spikes or None
        Diffraction spikes; they hold what the shares leave of 1.
    """

    core: IntegratedImage
    core_share: float
    wing_share: float
    core_sigma: float
    scale: float
    diffusion: tuple[float, float, float] = DIFFUSION
    spikes: Spikes | None = None

    @property
    def half_size(self) -> int:
        """Pixels from a stamp's center to its edge."""
        return int(np.ceil(STAMP_RADIUS / self.scale))

    def breathed(self, change: float) -> PointSpread:
        """Return this function with its core wider by the relative `change`, and the standard aperture's share kept."""
        core, sigma = self.core.stretched(1.0 + change), self.core_sigma * (1.0 + change)
        return replace(self, core=core, core_sigma=sigma).filled()

    def without_spikes(self) -> PointSpread:
        """Return this function with all light in its round part, the standard aperture's share as before."""
        return replace(self, spikes=None).filled()

    def filled(self) -> PointSpread:
        """Return this function with the shares that put 1/1.096 of all light within 0.5 arcsec."""
        radius = STANDARD_APERTURE_ARCSEC
        inner = self.core.encircled(radius / self.scale, diffusion=self.diffusion, pixel=True)
        lines = SPIKE_SHARE if self.spikes is not None else 0.0
        near = lines * self.spikes.within(radius, self.scale) if self.spikes is not None else 0.0
        wing = ((1.0 - lines) * inner + near - 1.0 / INFINITE_APERTURE) / (inner - self._wing_within(radius))
        return replace(self, core_share=1.0 - lines - wing, wing_share=wing)

    def encircled(self, radius: float, *, pixel: bool = True) -> float:
        """Return the share of light within `radius` [arcsec], the smoothing by a pixel included on demand."""
        core = self.core.encircled(radius / self.scale, diffusion=self.diffusion, pixel=pixel)
        lines = SPIKE_SHARE * self.spikes.within(radius, self.scale) if self.spikes is not None else 0.0
        return self.core_share * core + self.wing_share * self._wing_within(radius, pixel=pixel) + lines

    def _wing_within(self, radius: float, *, pixel: bool = True) -> float:
        variance = WING_SIGMA**2 + (1.0 / 12.0 if pixel else 0.0) * self.scale**2
        return float(1.0 - np.exp(-0.5 * radius**2 / variance))


def point_spread(
    scale: float,
    wavelength: float,
    bandwidth: float = float("nan"),
    *,
    defocus: float = TYPICAL_DEFOCUS,
    spikes: bool = False,
) -> PointSpread:
    """Return the point-spread function of a chip.

    Parameters
    ----------
    scale : float
        Pixel side [arcsec].
    wavelength, bandwidth : float
        Pivot wavelength and rms width of the band [A].
    defocus : float
        Error of the wavefront by focus, rms [micrometer].
    spikes : bool
        Whether there are diffraction spikes. Their light comes out of the rest, so that the standard aperture holds
        the same share.
    """
    # The vanes' light goes into spikes, where those are asked for, and is nowhere else.
    optics = star_optics(scale, wavelength, bandwidth, defocus=defocus, vane=0.0)
    lines = make_spikes(scale, wavelength) if spikes else None
    sigma = CORE_SIGMA * wavelength * 1e-10 / optics.diameter / ARCSEC
    return PointSpread(optical_integrals(optics), 1.0, 0.0, sigma, scale, spikes=lines).filled()


def stamps(
    psf: PointSpread,
    center: Places,
    scales: Places,
    *,
    edges: Places,
) -> FloatArray:
    """Integrate the function over rectangles around stars.

    Parameters
    ----------
    psf : PointSpread
        The function.
    center : (n,) arrays
        x and y of the stars [pixel].
    scales : (n,) arrays
        Sky length of a pixel along x and y at each star [arcsec].
    edges : (n, m + 1) arrays
        Edges of the pixels around each star along x and y [pixel]; each star near the middle of its own.

    Returns
    -------
    stamps : (n, my, mx) array
        Share of each star's light in each pixel.
    """
    from scipy.special import ndtr

    offsets = [(edge - where[:, None]) * side[:, None] for where, side, edge in zip(center, scales, edges, strict=True)]
    wings = [np.diff(ndtr(offset / WING_SIGMA), axis=1) for offset in offsets]
    result = psf.wing_share * wings[1][:, :, None] * wings[0][:, None, :]
    # The core needs the middle only.
    inner = int(np.ceil(REACH * psf.core.stretch / min(float(side.min(initial=psf.scale)) for side in scales))) + 1
    parts = [_middle(offset.shape[1] - 1, inner) for offset in offsets]
    x, y = (offset[:, part.start : part.stop + 1] / psf.scale for offset, part in zip(offsets, parts, strict=True))
    result[:, parts[1], parts[0]] += psf.core_share * diffused(psf.core.over(x, y), psf.diffusion)
    return np.asarray(result)


def _middle(size: int, half: int) -> slice:
    """Return the middle pixels of `size`, `half` to each side."""
    return slice(max(0, size // 2 - half), min(size, size // 2 + half + 1))


def diffused(stamps: FloatArray, diffusion: tuple[float, float, float]) -> FloatArray:
    """Return stamps, ``(n, my, mx)``, whose charge has spread to neighbors; none of it leaves a stamp."""
    keep, edge, corner = diffusion
    padded = np.pad(stamps, ((0, 0), (1, 1), (1, 1)), mode="edge")
    rows, columns = padded[:, 1:-1], padded[:, :, 1:-1]
    four = rows[:, :, :-2] + rows[:, :, 2:] + columns[:, :-2] + columns[:, 2:]
    corners = padded[:, :-2, :-2] + padded[:, :-2, 2:] + padded[:, 2:, :-2] + padded[:, 2:, 2:]
    return np.asarray(keep * stamps + edge * four + corner * corners)
