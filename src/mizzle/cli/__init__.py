"""The command line is a translator: parse, call, and exit with the error's code. No science here."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from typing import cast

from mizzle.errors import MizzleError
from mizzle.startup import tune_process


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and exit.

    Exit codes: 0 done, 1 a bug of ours, 2 the request is wrong, 3 a file is wrong, 4 the data cannot do it,
    5 done but a quality verdict failed under ``--strict``.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments; those of the process by default.
    """
    tune_process()
    code = _run(list(sys.argv[1:] if argv is None else argv) or ["--help"])
    if argv is None:
        _leave(code)
    sys.exit(code)


def _run(arguments: list[str]) -> int:
    """Do what the arguments say; return the exit code."""
    import typer

    from mizzle.cli.app import app

    # Some releases of typer carry click inside, others import it: the class is found through what both export.
    kinds = typer.BadParameter.__mro__
    usage_error = cast("type[typer.BadParameter]", next(k for k in kinds if k.__name__ == "ClickException"))
    try:
        code = app(args=arguments, prog_name="mizzle", standalone_mode=False)
    except MizzleError as problem:
        sys.stderr.write(f"mizzle: {_one_line(str(problem))}\n")
        return problem.exit_code
    except usage_error as problem:
        sys.stderr.write(f"mizzle: {_one_line(problem.format_message())}; see mizzle --help\n")
        return 2
    except (typer.Abort, KeyboardInterrupt):
        sys.stderr.write("mizzle: stopped; no half product was left\n")
        return 130
    except BrokenPipeError:
        sys.stderr.close()  # the reader of stdout went away: nothing to say, nobody to say it to
        return 0
    return code if isinstance(code, int) else 0


def _leave(code: int) -> None:
    """End this program at once: taking a run's memory apart piece by piece takes a tenth of a second."""
    with contextlib.suppress(OSError, ValueError):  # the reader went away, or the stream is closed
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def _one_line(text: str) -> str:
    """Return a message without control characters: header text may be hostile to a terminal."""
    return "".join(sign if sign.isprintable() or sign == "\n" else "?" for sign in text)
