"""Errors, sorted by what should happen next.

::

    MizzleError                    carries .facts and .exit_code; survives pickling
    ├─ SettingsError (ValueError)  the request is wrong → stop                               exit 2
    ├─ InputError                  a file is wrong → stop, or skip it if asked to go on      exit 3
    └─ DataError                   the data cannot do it → stop; --keep-going drops it       exit 4
    anything else                  our bug → traceback                                       exit 1
    no error                       a quality verdict failed in a strict run → report         exit 5
"""

from __future__ import annotations

from typing import Any, ClassVar

#: Longest message; what is cut out of it goes from its middle, for the file stands first and the remedy last.
LONGEST_MESSAGE = 1000


def _one_line(text: str) -> str:
    """Return a message on one line of bounded length: names of files and text of headers may hold anything."""
    if len(text) > LONGEST_MESSAGE:
        text = f"{text[: LONGEST_MESSAGE - 305]} ... {text[-300:]}"
    return "".join(sign if sign.isprintable() else " " if sign.isspace() else _spelled(sign) for sign in text)


def _spelled(sign: str) -> str:
    """Return what stands for a sign that cannot be shown: a byte of a file's name that is not UTF-8 by its number."""
    return f"\\x{ord(sign) - 0xDC00:02x}" if "\udc80" <= sign <= "\udcff" else "?"


class MizzleError(Exception):
    """Base of all our errors; carries the facts its message is built from.

    Parameters
    ----------
    message : str
        Where, what was found, what was needed, what to do; it is kept as one line of at most 1000
        characters.
    **facts : object
        The values the message was built from, for programs to read.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, /, **facts: object) -> None:
        super().__init__(_one_line(message))
        self.facts: dict[str, object] = facts

    def __reduce__(self) -> tuple[Any, ...]:
        # The default drops the facts' keywords; the state brings them back after the constructor ran.
        return type(self), self.args, {"facts": self.facts}

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self.args == other.args and self.facts == other.facts

    def __hash__(self) -> int:
        return hash((type(self).__name__, self.args))


class SettingsError(MizzleError, ValueError):
    """The request is wrong: an unknown or out-of-range setting, an empty file list."""

    exit_code = 2


class InputError(MizzleError):
    """A file is wrong: missing, truncated, of another instrument, without a needed keyword."""

    exit_code = 3


class DataError(MizzleError):
    """The files are fine, but the data cannot do what was asked: an exposure that cannot be aligned."""

    exit_code = 4
