"""Frames as `astropy.wcs.WCS` objects, for people, plots and other programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mizzle.model.frame import ChipFrame, Grid

if TYPE_CHECKING:
    from astropy.wcs import WCS


def _tan(frame: ChipFrame | Grid, suffix: str, radesys: str) -> WCS:
    """Return the linear part and the projection."""
    from astropy.wcs import WCS

    wcs = WCS(naxis=2)
    wcs.wcs.ctype = [f"RA---TAN{suffix}", f"DEC--TAN{suffix}"]
    wcs.wcs.cunit = ["deg", "deg"]
    wcs.wcs.crval = list(frame.crval)
    wcs.wcs.crpix = list(frame.crpix)
    wcs.wcs.cd = np.array(frame.cd)
    wcs.wcs.radesys = radesys
    if radesys == "FK5":
        wcs.wcs.equinox = 2000.0
    wcs.pixel_shape = (frame.shape[1], frame.shape[0])
    return wcs


def chip_wcs(frame: ChipFrame) -> WCS:
    """Return a chip's frame with its SIP polynomial, and its row term as a lookup table.

    The table is sampled at the row *edges* and interpolated linearly between them, as the model is, so the
    two agree
    everywhere, jump rows included, to the table's float32 (1e-9 pixel).
    """
    from astropy.wcs import DistortionLookupTable, Sip

    has_sip = bool(np.any(frame.sip_a) or np.any(frame.sip_b))
    wcs = _tan(frame, "-SIP" if has_sip else "", str(frame.facts.get("RADESYS", "FK5")))
    if has_sip:
        wcs.sip = Sip(np.array(frame.sip_a), np.array(frame.sip_b), None, None, frame.crpix)
    if frame.columns.size:
        table = frame.columns.astype(np.float32)[None, :]
        wcs.det2im2 = DistortionLookupTable(table, (1.0, 1.0), (1.0, 1.0), (1.0, 1.0))
    elif np.any(frame.row_edges):
        table = frame.row_edges.astype(np.float32)[:, None]
        wcs.det2im2 = DistortionLookupTable(table, (1.0, 1.0), (1.0, 0.5), (1.0, 1.0))
    wcs.wcs.name = frame.name
    wcs.wcs.set()
    return wcs


def grid_wcs(grid: Grid) -> WCS:
    """Return a product's frame."""
    wcs = _tan(grid, "", grid.radesys)
    wcs.wcs.set()
    return wcs
