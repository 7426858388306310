"""Color pictures: two or three filters on one grid, hue kept from black to white.

The arithmetic is that of Lupton et al. 2004, PASP 116, 133: the mean of the bands is stretched, and every band is
multiplied by the same ratio, so that a star's color does not depend on its brightness.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import Floats
from mizzle.errors import SettingsError
from mizzle.report.stretch import percentile, sky_statistics


def mapping(bands: Mapping[str, float], wanted: Sequence[str] = ()) -> tuple[str, str, str] | None:
    """Choose the filters drawn red, green and blue.

    Parameters
    ----------
    bands : mapping
        Pivot wavelength by filter.
    wanted : sequence of str
        Three names, ``"mean"`` among them if you like; empty: by wavelength, two filters leaving green to their mean.

    Returns
    -------
    names : (str, str, str) or None
        None where there is one filter only.

    Raises
    ------
    SettingsError
        A wanted filter is not among the products.
    """
    if len(bands) < 2:
        return None
    if wanted:
        strange = [name for name in wanted if name != "mean" and name not in bands]
        if strange or all(name == "mean" for name in wanted):
            raise SettingsError(
                f"report.color: {', '.join(strange) or 'only means'}; this run has {', '.join(bands)} (and 'mean')",
                color=list(wanted),
            )
        return wanted[0], wanted[1], wanted[2]
    by_wave = sorted(bands, key=lambda name: -bands[name])
    middle = "mean" if len(by_wave) == 2 else by_wave[len(by_wave) // 2]
    return by_wave[0], middle, by_wave[-1]


def lupton(red: Floats, green: Floats, blue: Floats, *, softening: float, stretch: float) -> NDArray[np.uint8]:
    """Turn three images into an RGB raster, first row at the top.

    Parameters
    ----------
    red, green, blue : (ny, nx) array
        Above the sky, in units of about its noise; NaN where nothing was observed.
    softening : float
        Q: ``f(I) = asinh(Q I / stretch) / Q``.
    stretch : float
        Brightness at which the stretch stops being linear.

    Returns
    -------
    raster : (ny, nx, 3) uint8 array
        A neutral tone where no band has data.
    """
    from mizzle.report.image import EMPTY

    layers = np.stack([red, green, blue]).astype(np.float32, copy=False)
    empty = ~np.isfinite(layers).any(axis=0)
    bands = np.nan_to_num(layers, nan=0.0) + np.float32(1.0)
    intensity = np.maximum(bands.mean(axis=0), np.float32(1e-6))
    sample = intensity[~empty]
    top = max(percentile(sample, 99.7), 20.0) if sample.size else 20.0
    norm = np.arcsinh(softening * top / stretch)
    tone = np.arcsinh(np.float32(softening / stretch) * intensity) / np.float32(norm)
    # Half of the sky's own tone is black: where one filter is shallow its noise would lie as a haze over the field.
    black = np.float32(0.5 * np.arcsinh(softening / stretch) / norm)
    gain = np.maximum(tone - black, 0.0) / ((1 - black) * intensity)
    scaled = np.maximum(bands * gain, 0.0)
    # Too bright: all three are divided by the largest, so white never eats the hue.
    scaled /= np.maximum(scaled.max(axis=0), 1.0)
    raster = (np.moveaxis(scaled, 0, 2) * 255 + 0.5).astype(np.uint8)
    raster[empty] = EMPTY
    return np.ascontiguousarray(raster[::-1])


def balanced(images: Mapping[str, Floats]) -> dict[str, Floats]:
    """Bring filters to one scale: sky at 0, the bright stars of the field white on average, noise 1 at most.

    The noise is 1 in the filter that shows the stars worst: its noise colors the sky of the picture.

    Parameters
    ----------
    images : mapping
        ``(ny, nx)`` array by filter, any unit.

    Returns
    -------
    images : dict
        Scaled; without bright stars the noise alone sets the scale.
    """
    sky = {name: sky_statistics(image) for name, image in images.items()}
    bright: dict[str, float] = {}
    for name, image in images.items():
        sample = image.ravel()[:: max(1, image.size // 400_000)]
        sample = sample[np.isfinite(sample)]
        level, sigma = sky[name]
        bright[name] = (percentile(sample, 99.5) - level) / sigma if sample.size else 0.0
    if min(bright.values()) < 10:
        bright = dict.fromkeys(bright, 1.0)
    least = min(bright.values())
    return {
        name: (image - np.float32(sky[name][0])) * np.float32(least / (bright[name] * sky[name][1]))
        for name, image in images.items()
    }


def compose(
    images: Mapping[str, Floats], names: tuple[str, str, str], *, softening: float, stretch: float
) -> NDArray[np.uint8]:
    """Draw the filters called `names` as red, green, blue; ``"mean"`` is the mean of the others.

    Parameters
    ----------
    images : mapping
        ``(ny, nx)`` array by filter, on one grid, any unit.
    names : (str, str, str)
        From `mapping`.
    softening, stretch : float
        As for `lupton`.
    """
    scaled = balanced({name: images[name] for name in dict.fromkeys(names) if name != "mean"})
    mean = np.mean(list(scaled.values()), axis=0)
    red, green, blue = (np.asarray(scaled.get(name, mean)) for name in names)
    return lupton(red, green, blue, softening=softening, stretch=stretch)
