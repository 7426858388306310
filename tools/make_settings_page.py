"""Write ``docs/settings.md`` from the declarations of the settings: ``python tools/make_settings_page.py``."""

from __future__ import annotations

import sys
from pathlib import Path

from mizzle.settings import Settings
from mizzle.settings.describe import SettingRow, setting_rows, toml_value

PAGE = Path(__file__).parent.parent / "docs" / "settings.md"

HEAD = """# Settings

Every parameter of every step, with its default. `mizzle settings` prints the same on the terminal. (This page is
written from the code by `tools/make_settings_page.py`.)

```sh
# one value, as TOML: numbers bare, text in quotes, lists in brackets
mizzle run FILES... --set combine.scale=0.05
# all of them as a file to edit, with these sentences as comments; run with it (--set wins over the file)
mizzle settings --toml > my.toml
mizzle run FILES... -c my.toml
```

An unknown name or a value out of range stops the run before any work is done (exit code 2), and names the nearest known
setting. Every run writes `NAME_settings.toml`; `-c` of that file repeats the run bit for bit. In Python:
`mizzle.load_settings(text, ["combine.scale=0.05"])`. Where the default is *unset*, the sentence says what happens.
"""

COLUMNS = "| setting | default | unit | range or choices | meaning |\n|---|---|---|---|---|\n"


def settings_page() -> str:
    """Return the page: a section and a table for each section of the settings."""
    parts = [HEAD]
    section = ""
    for row in setting_rows(Settings()):
        head, key = row.name.split(".", 1)
        if head != section:
            section = head
            words = (type(getattr(Settings(), head)).__doc__ or "").strip().splitlines()[0]
            parts.append(f"\n## {head}\n\n{words}\n\n{COLUMNS}")
        parts.append(table_row(key, row))
    return "".join(parts)


def table_row(key: str, row: SettingRow) -> str:
    """Return one line of a table."""
    default = "*unset*" if row.default is None else f"`{toml_value(row.default)}`"
    cells = [f"`{key}`", default, row.unit, row.range, row.description]
    return "| " + " | ".join(plain(cell) for cell in cells) + " |\n"


def plain(cell: str) -> str:
    """Escape what Markdown would take for more than text: a bar ends a cell, two asterisks are bold."""
    return cell.replace("|", "\\|").replace("**", "\\*\\*").replace("<", "&lt;")


if __name__ == "__main__":
    PAGE.write_text(settings_page(), encoding="utf-8")
    sys.stdout.write(f"wrote {PAGE.name}\n")
