"""The command line is a translator: parse, call, and exit with the error's code. No science here."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Sequence
from typing import cast

from mizzle import stopping
from mizzle.errors import MizzleError
from mizzle.startup import tune_process


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and exit.

    Exit codes: 0 done, 1 a bug of ours, 2 the request is wrong, 3 a file is wrong, 4 the data cannot do it,
    5 done but a quality verdict failed under ``--strict``; 130 and 143 stopped by Ctrl-C and SIGTERM.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments; those of the process by default.
    """
    if argv is None:
        stopping.install()
    tune_process()
    code = _run(list(sys.argv[1:] if argv is None else argv) or ["--help"])
    if argv is None:
        _leave(code)
    sys.exit(code)


def _run(arguments: list[str]) -> int:
    """Do what the arguments say; return the exit code."""
    import typer

    from mizzle.cli.app import app
    from mizzle.cli.console import one_line, say

    # Some releases of typer carry click inside, others import it: the class is found through what both export.
    kinds = typer.BadParameter.__mro__
    usage_error = cast("type[typer.BadParameter]", next(k for k in kinds if k.__name__ == "ClickException"))
    try:
        code = app(args=arguments, prog_name="mizzle", standalone_mode=False)
    except MizzleError as problem:
        say(f"mizzle: {one_line(str(problem))}")
        return problem.exit_code
    except usage_error as problem:
        say(f"mizzle: {one_line(problem.format_message())}; see mizzle --help")
        return 2
    except (typer.Abort, KeyboardInterrupt):
        code = 130
    except (MemoryError, OSError, RuntimeError, ImportError) as problem:
        shortage = _shortage(problem)
        if not shortage:
            raise
        say(f"mizzle: {shortage}; raise the limit (ulimit), or use fewer --workers or a smaller product")
        return 4
    if code == 130:  # newer releases of typer turn Ctrl-C into this code
        return stopping.say_stopped()
    return code if isinstance(code, int) else 0


def _shortage(problem: BaseException | None) -> str:
    """Say what the system is short of, where that is what a problem comes from; else nothing."""
    while problem is not None:
        text = " ".join(str(problem).split())
        if isinstance(problem, MemoryError) or "failed to map segment" in text or "allocate memory" in text:
            return f"out of memory ({text[:160] or 'the system gives no more'})"
        if isinstance(problem, RuntimeError) and "can't start new thread" in text:
            return "no more threads or processes can be started"
        if isinstance(problem, OSError) and problem.errno in _SHORT:
            return f"the system is short of resources ({problem.strerror})"
        problem = problem.__cause__ or problem.__context__
    return ""


#: No memory, no process, no file handle to be had.
_SHORT = (errno.ENOMEM, errno.EAGAIN, errno.EMFILE, errno.ENFILE)


def _leave(code: int) -> None:
    """End this program at once: taking a run's memory apart piece by piece takes a tenth of a second."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):  # its reader went away, or it is closed
            stream.flush()
    os._exit(code)
