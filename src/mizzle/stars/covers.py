"""What stars cover of an image: disks around them, wider around brighter ones."""

from __future__ import annotations

import numpy as np

from mizzle.arrays import FloatArray, Mask, Places

#: Pairs of a least brightness and the radius [arcsec] of the disks above it, the faintest first.
Radii = tuple[tuple[float, float], ...]


def cover_stars(shape: tuple[int, ...], where: Places, brightness: FloatArray, *, radii: Radii, scale: float) -> Mask:
    """Return the pixels that stars cover, ``(ny, nx)``.

    Parameters
    ----------
    shape : (int, int)
        Of the image.
    where : (x, y)
        Stars [0-based pixel]; those a little off the image count as well.
    brightness : (n,) array
        In the unit of `radii`.
    radii : tuple of (float, float)
        Least brightness, and radius above it [arcsec]; the faintest first.
    scale : float
        Side of a pixel [arcsec].
    """
    ny, nx = shape
    x, y = where
    mask = np.zeros((ny, nx), np.bool_)
    most = (*(least for least, _ in radii[1:]), np.inf)
    for (least, arcsec), end in zip(radii, most, strict=True):
        radius = arcsec / scale
        half = int(np.ceil(radius))
        near = (x > -half) & (y > -half) & (x < nx - 1 + half) & (y < ny - 1 + half)
        near &= (brightness > least) & (brightness <= end)
        v, u = np.mgrid[-half : half + 1, -half : half + 1]
        disk = np.hypot(u, v) <= radius
        columns = np.clip(np.rint(x[near]).astype(np.int64)[:, None] + u[disk], 0, nx - 1)
        rows = np.clip(np.rint(y[near]).astype(np.int64)[:, None] + v[disk], 0, ny - 1)
        mask[rows, columns] = True
    return mask
