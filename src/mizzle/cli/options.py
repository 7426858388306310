"""Options that several commands take, and the settings they make."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mizzle.settings import Settings

Config = Annotated[
    Path | None, typer.Option("-c", "--config", help="A settings file, as `mizzle settings --toml` writes.")
]
Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="SECTION.KEY=VALUE", help="One setting, the value in TOML; repeatable."),
]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Say nothing but warnings and errors.")]


def read_settings(config: Path | None, assignments: list[str] | None) -> Settings:
    """Return the settings of a command line.

    Raises
    ------
    SettingsError
        The file cannot be read, or a value is wrong.
    """
    from mizzle.io.text import read_text
    from mizzle.settings import load_settings

    text = "" if config is None else read_text(config)
    return load_settings(text, assignments or [], source=str(config) if config else "--set")
