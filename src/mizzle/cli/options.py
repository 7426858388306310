"""Options that several commands take, and the settings they make."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from mizzle.settings import Settings

Config = Annotated[
    Path | None, typer.Option("-c", "--config", help="A settings file, as `mizzle settings --toml` writes.")
]
Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="SECTION.KEY=VALUE", help="One setting; repeatable."),
]
Like = Annotated[
    str | None, typer.Option(metavar="IMAGE.fits", help="Product on the grid of another image: same shape, same WCS.")
]
Drop = Annotated[list[str] | None, typer.Option(metavar="ROOT[,ROOT]", help="Exposures to leave out; repeatable.")]
QualityFiles = Annotated[
    list[str] | None,
    typer.Option(
        "--dq", metavar="[ROOT=]FILE", help="Data quality of an exposure that has none beside it; repeatable."
    ),
]
Masks = Annotated[
    list[str] | None,
    typer.Option("--mask", metavar="ROOT=FILE", help="A FITS mask or DS9 regions for an exposure; repeatable."),
]
Until = Annotated[str | None, typer.Option(metavar="STEP", help="Stop after align, equalize, sky, reject or combine.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Say nothing but warnings and errors.")]


def chosen(
    *,
    like: str | None = None,
    drop: list[str] | None = None,
    quality: list[str] | None = None,
    masks: list[str] | None = None,
    until: str | None = None,
) -> dict[str, Any]:
    """Return the settings that options of their own stand for, by ``section.key``."""
    roots = [root.strip() for text in drop or [] for root in text.split(",") if root.strip()]
    values: dict[str, Any] = {
        "combine.like": like,
        "input.drop": roots,
        "dq.files": quality,
        "dq.masks": masks,
        "output.until": until,
    }
    return {name: value for name, value in values.items() if value}


def read_settings(
    config: Path | None, assignments: list[str] | None, options: Mapping[str, Any] | None = None
) -> Settings:
    """Return the settings of a command line.

    Parameters
    ----------
    config : Path or None
        ``-c``.
    assignments : list of str or None
        ``--set``.
    options : mapping, optional
        Values by ``section.key`` that options of their own stand for; they win.

    Raises
    ------
    SettingsError
        The file cannot be read, or a value is wrong.
    """
    from mizzle.io.text import read_text
    from mizzle.settings import load_settings
    from mizzle.settings.describe import toml_value

    text = "" if config is None else read_text(config)
    made = [f"{name} = {toml_value(value)}" for name, value in (options or {}).items()]
    return load_settings(text, [*(assignments or []), *made], source=str(config) if config else "--set")
