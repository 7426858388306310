"""Draw what the incumbent loses of the 34th-row term: ``python tools/figure_row_term.py``, for ``docs/geometry.md``.

The incumbent's WCS is rebuilt with ``geometry.row_term = "incumbent"``, which a test holds against stwcs itself.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mizzle.instrument.wfpc2.frames import frames_for_pointing
from mizzle.model import ChipFrame
from mizzle.settings.geometry import GeometrySettings

TARGET = Path(__file__).resolve().parents[1] / "docs" / "figures" / "row_term.png"


def lost_mas(ours: ChipFrame, theirs: ChipFrame, side: int = 240) -> np.ndarray:
    """Return the y at which the incumbent finds our sky positions, less ours, near the first pixel [mas]."""
    y, x = np.mgrid[0:side, 0:side]
    _, found = theirs.sky_to_pixel(*ours.pixel_to_sky(x.astype(float), y.astype(float)))
    difference: np.ndarray = (found - y) * ours.scale * 1000
    return difference


def main() -> None:
    """Write the figure."""
    pointed = partial(frames_for_pointing, 201.822, -47.506, 244.69, date_obs="1997-06-13", filters="F555W")
    ours = pointed()
    theirs = pointed(settings=GeometrySettings(row_term="incumbent"))
    figure = Figure(figsize=(9.0, 3.4), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    profile, pc, wf = figure.subplots(1, 3, width_ratios=[1.35, 1, 1])

    rows = np.arange(-0.5, 140.01, 0.05)
    edges = np.arange(801) - 0.5
    shift = 1000 * np.interp(rows, edges, ours["WF3"].row_edges)
    profile.plot(rows, shift, color="C0", lw=1.4, label="model, all chips")
    profile.plot(rows, 0 * rows, color="C3", lw=1.4, ls="--", label="incumbent, WF chips")
    profile.set(xlabel="row", ylabel="shift in y [millipixel]", xlim=(0, 140), ylim=(-19, 24))
    profile.legend(loc="upper right", fontsize=8, frameon=False, ncols=1)
    profile.set_title("34th-row term", fontsize=10)

    for axes, name in ((pc, "PC"), (wf, "WF3")):
        image = axes.imshow(
            lost_mas(ours[name], theirs[name]),
            origin="lower",
            extent=(0, 240, 0, 240),
            cmap="RdBu_r",
            vmin=-1.6,
            vmax=1.6,
            interpolation="nearest",
        )
        axes.set(xlabel="x [pixel]", xticks=(0, 100, 200), yticks=(0, 100, 200))
        axes.set_title(f"{name}: model less incumbent", fontsize=10)
    pc.set_ylabel("y [pixel]")
    figure.colorbar(image, ax=(pc, wf), label="position along y [mas]", shrink=0.9)
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(TARGET, pil_kwargs={"optimize": True})


if __name__ == "__main__":
    main()
