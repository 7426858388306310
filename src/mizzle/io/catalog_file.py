"""Writing a catalog as ECSV."""

from __future__ import annotations

import io
from pathlib import Path

from mizzle.io.atomic import write_text
from mizzle.model import Catalog


def write_catalog(path: str | Path, catalog: Catalog) -> Path:
    """Write `catalog` as an ECSV table with units on every column; it appears whole or not at all.

    Parameters
    ----------
    path : str or Path
        ``NAME_cat.ecsv``.
    catalog : Catalog
        The stars; an empty one keeps its columns.

    Returns
    -------
    path : Path
        As given.
    """
    from astropy.table import Table

    table = Table(dict(catalog.columns), meta=dict(catalog.meta))
    for name, unit in catalog.units.items():
        if unit:
            table[name].unit = unit
    text = io.StringIO()
    table.write(text, format="ascii.ecsv")
    return write_text(path, text.getvalue())
