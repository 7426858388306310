"""``mizzle migrate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def migrate_command(
    document: Annotated[Path, typer.Argument(metavar="NOTEBOOK.ipynb|SCRIPT.py", help="Written for drizzlepac.")],
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Where the rewritten document goes; NAME_mizzle by default.")
    ] = None,
) -> None:
    """Rewrite imports of drizzlepac to mizzle's; say which calls give another result, and why."""
    from mizzle.cli.console import out as show
    from mizzle.drizzlepac.ablot import BLOT_TASK
    from mizzle.drizzlepac.catalogs import CATALOG_TASK
    from mizzle.drizzlepac.drizzle_parameters import TASK
    from mizzle.drizzlepac.photeq import PHOTEQ_TASK
    from mizzle.drizzlepac.tweakreg import TWEAK_TASK
    from mizzle.drizzlepac.updatehdr import SHIFT_TASK
    from mizzle.errors import SettingsError
    from mizzle.io.atomic import write_text
    from mizzle.io.text import read_text
    from mizzle.skypac.skymatch import SKYMATCH_TASK
    from mizzle.stwcs.updatewcs import UPDATEWCS_TASK
    from mizzle.stwcs.wcsutil.headerlet import APPLY_TASK, WRITE_TASK
    from mizzle.translation.migrate import migrate

    target = out or document.with_name(f"{document.stem}_mizzle{document.suffix}")
    if target.exists() and target.samefile(document):
        raise SettingsError(f"{target}: is the document itself; give another name with -o", file=str(target))
    main = (TASK, TWEAK_TASK, PHOTEQ_TASK, SKYMATCH_TASK, UPDATEWCS_TASK)
    tasks = {task.name: task for task in (*main, BLOT_TASK, CATALOG_TASK, SHIFT_TASK, APPLY_TASK, WRITE_TASK)}
    made = migrate(read_text(document), tasks, notebook=document.suffix == ".ipynb", source=str(document))
    write_text(target, made.text)
    for remark in made.remarks:
        show(f"{remark.place}: {remark.text}")
    show(f"wrote {target}")
