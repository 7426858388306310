"""The demonstration: a simulated visit with known truth, through the same pipeline, and how good the result is."""

from __future__ import annotations

from pathlib import Path

from mizzle.camera_scores import score_camera_visit
from mizzle.model import Result
from mizzle.pipeline import run
from mizzle.products import Command
from mizzle.progress import Progress
from mizzle.scores import Score, score_blank_sky, score_visit
from mizzle.settings import Settings


def demo(
    out: str | Path, *, camera: str = "wfpc2", seed: int = 1, settings: Settings | None = None,
    workers: int | None = None, progress: Progress | None = None, command: Command | str = "mizzle demo",
) -> tuple[Result, list[Score]]:  # fmt: skip
    """Simulate a visit, write its files, run them, and hold the result against the truth.

    Parameters
    ----------
    out : str or Path
        Folder for the simulated files (in ``visit``) and the products.
    camera : str
        ``wfpc2`` (six exposures of an M2-like cluster), or ``acs-wfc``, ``acs-hrc``, ``wfc3-uvis``, ``wfc3-ir`` (four
        of a field of stars, two of them eleven years and half a turn apart from the others).
    seed : int
        Of everything random.
    settings, workers, progress, command
        As in `mizzle.run`.

    Returns
    -------
    result : Result
        Of the run on the files written.
    scores : list of Score
        Each figure with its uncertainty and what was wanted.
    """
    from mizzle.io.atomic import prepare_folder
    from mizzle.simulate import visit, write_visit
    from mizzle.simulate.plan import demo_plan

    progress = progress or Progress()
    folder = prepare_folder(out)
    if camera != "wfpc2":
        from mizzle.simulate.cameras import TWO_EPOCHS, camera_visit, write_exposures

        with progress.step("simulate"):
            other = camera_visit(camera, seed=seed, epochs=TWO_EPOCHS)
            write_exposures(other, folder / "visit")
    else:
        with progress.step("simulate"):
            made = visit(demo_plan(seed))
            write_visit(made, folder / "visit")
    result = run(
        [folder / "visit"],
        folder,
        name="demo",
        settings=settings,
        workers=workers,
        progress=progress,
        command=command,
    )
    with progress.step("compare with the truth"):
        if camera != "wfpc2":
            return result, score_camera_visit(result, other)
        scores = [*score_visit(result, made.truth), *score_blank_sky(7), *score_blank_sky(15)]
    return result, scores
