"""Names that came over the network: checked before anything is written under them, cleaned before they are shown."""

from __future__ import annotations

import re

from mizzle.errors import InputError

_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)+")
# Windows opens devices under these names, whatever the extension.
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def shown(text: object, limit: int = 160) -> str:
    """Return `text` fit for a terminal: one line, no control characters, not too long.

    Examples
    --------
    >>> shown("a\\x1b[31mb\\nc")
    'a?[31mb?c'
    """
    words = text.decode("latin-1") if isinstance(text, bytes) else str(text)
    clean = "".join(sign if sign.isprintable() else "?" for sign in words[: limit + 1])
    return clean if len(clean) <= limit else clean[: limit - 3] + "..."


def is_safe(name: object) -> bool:
    """Tell whether `name` is a plain file name: letters, digits, ``_ - .``, no folder, not hidden, no device."""
    return isinstance(name, str) and len(name) <= 100 and bool(_SAFE.fullmatch(name)) and not _DEVICES.fullmatch(name)


def safe_name(name: object, where: str) -> str:
    """Return `name` if it is a plain file name.

    Raises
    ------
    InputError
        It holds a folder, a control character, or anything else that a file of the archive never has.
    """
    if not is_safe(name):
        raise InputError(
            f"{where}: refused the file name '{shown(name)}': only letters, digits, '_', '-' and '.' are taken,"
            " and no folder; nothing was written under it",
            name=str(name)[:200],
        )
    return str(name)
