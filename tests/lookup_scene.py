"""Frames with made lookup tables, like those of ACS/WFC and WFC3/UVIS."""

from __future__ import annotations

import numpy as np
from astropy.io import fits

from mizzle.geometry.header import frame_from_header
from mizzle.geometry.tables import TableArray, TablePlacement, tables_from_header
from mizzle.model import ChipFrame
from mizzle.model.lookup import LookupTable, LookupTables


def made_table(shape, seed, size):
    """Shifts [pixel] with some structure from node to node."""
    rng = np.random.default_rng(seed)
    j, i = np.mgrid[: shape[0], : shape[1]] / 7.0
    smooth = np.sin(i + rng.uniform(0, 6)) * np.cos(j + rng.uniform(0, 6))
    return (size * (0.8 * smooth + rng.normal(0, 0.3, shape))).astype(np.float32)


def made_frame(shape, seed=0, *, step=64.0, crpix=(0.0, 0.0), crval=(0.0, 0.0), ltv=(0.0, 0.0)):
    """A chip with SIP of order 4 and four tables, its nodes `step` pixels apart."""
    rng = np.random.default_rng(seed)
    ny, nx = shape
    size = (int(np.ceil(ny / step)), int(np.ceil(nx / step)))
    a, b = np.zeros((5, 5)), np.zeros((5, 5))
    for table in (a, b):
        for p in range(5):
            for q in range(5 - p):
                if p + q >= 2:
                    table[p, q] = rng.normal(0, 1) * {2: 8e-6, 3: 5e-10, 4: 5e-14}[p + q]
    names = ("d2im_x", "d2im_y", "npol_x", "npol_y")
    tables = LookupTables(
        **{
            name: LookupTable(made_table(size, 10 * seed + k, 0.02), crpix, crval, (step, step))
            for k, name in enumerate(names)
        }
    )
    angle, side = rng.uniform(0, 2 * np.pi), 0.05 / 3600
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    skew = np.array([[-1.0, 0.06], [0.01, 0.95]])
    return ChipFrame(
        crval=np.array([5.6, -72.07]),
        crpix=np.array([nx / 2 + ltv[0], ny / 2 + ltv[1]]),
        cd=side * turn @ skew,
        sip_a=a,
        sip_b=b,
        shape=shape,
        row_edges=np.zeros(ny + 1),
        scale=0.05,
        name="MADE",
        facts={"RADESYS": "ICRS", "CHIP": "SCI,1"},
        tables=tables,
    )


def real_frame(folder, entry, reading):
    """The frame of a chip of one of the real headers."""
    with fits.open(folder / entry["file"]) as hdus:
        arrays = {
            (hdu.name, hdu.ver): TableArray(np.array(hdu.data, np.float32), hdu.header.copy())
            for hdu in hdus
            if hdu.name in ("D2IMARR", "WCSDVARR")
        }
        header = hdus["SCI", entry["extver"]].header.copy()
    tables = tables_from_header(header, arrays, TablePlacement(reading), chip=f"SCI,{entry['extver']}")
    return frame_from_header(header, tuple(entry["shape"]), chip=f"SCI,{entry['extver']}", tables=tables)
