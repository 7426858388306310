"""The blank-sky demonstration on disk: exposures, picture, levels."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle.io.atomic import write_bytes
from mizzle.io.simulated import write_table
from mizzle.simulate.blank_sky import Comparison
from mizzle.simulate.blank_sky_figure import draw
from mizzle.simulate.files import write_visit


def write_comparison(comparison: Comparison, folder: str | Path) -> list[Path]:
    """Write the exposures with their truth, the figure, and the levels.

    Parameters
    ----------
    comparison : Comparison
        From `compare`.
    folder : str or Path
        Made if need be.

    Returns
    -------
    paths : list of Path
        Exposures, ``blank_sky.png``, ``blank_sky_levels.ecsv``.
    """
    paths = write_visit(comparison.visit, folder)
    picture = io.BytesIO()
    draw(comparison).save(picture, "PNG")
    paths.append(write_bytes(Path(folder) / "blank_sky.png", picture.getvalue()))
    rows = [(p.key, name, level) for p in comparison.panels for name, level in p.levels.items()]
    columns: dict[str, NDArray[Any]] = {
        "panel": np.array([key for key, _, _ in rows]),
        "chip": np.array([name for _, name, _ in rows]),
        "level": np.array([level.mean for _, _, level in rows]),
        "error": np.array([level.error for _, _, level in rows]),
        "pixels": np.array([level.count for _, _, level in rows]),
    }
    units = {"level": "DN / s", "error": "DN / s"}
    paths.append(write_table(Path(folder) / "blank_sky_levels.ecsv", columns, units))
    return paths
