"""What a program of ours, and no library, may ask of its own process."""

from __future__ import annotations

import contextlib
import gc
import os
import sys

#: Options of mallopt(3).
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8

#: Freed arrays up to this size stay with the process [byte].
LARGEST_KEPT = 8 * 2**20

#: Freed memory up to this stays with the process between two steps [byte].
MUCH_IDLE = 48 * 2**20
#: What mallinfo2(3) answers; `fordblks` are the bytes that are free.
_MALLINFO = (
    "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost",
)  # fmt: skip

#: How long a thread may keep the interpreter while another waits for it [s].
TURN = 3e-4


def tune_process() -> None:
    """Make this process fit for one run; call it before NumPy is imported.

    * A run makes few cycles and many objects that stay: looking for garbage all the time costs a tenth of a second.
    * Its matrices are small: threads of the linear algebra only wait, and take a core while they do.
    * Freed memory stays with the process where the C library can be told so (glibc). Chips are a few megabytes each,
      and by default an array goes back to the system when it is freed: the next is made of pages to be cleared first.
      All threads share one store, for the others give back what they hold whenever they are empty.
    * A thread that comes back from C waits for the interpreter, by default up to 5 ms: as long as ten such calls take.
    * Plugins of pydantic, which no setting wants, would be looked for in every installed package.
    """
    _fill_streams()
    _avoid_closed_home()
    gc.set_threshold(1_000_000, 50, 50)
    sys.setswitchinterval(TURN)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return
    mallopt(_M_ARENA_MAX, 1)
    mallopt(_M_MMAP_THRESHOLD, LARGEST_KEPT)
    mallopt(_M_TRIM_THRESHOLD, 4 * LARGEST_KEPT)


def give_back() -> None:
    """Give memory back that was freed and lies idle, where that is much and the C library can be told so (glibc).

    What one step of many exposures needed would else be held through the next ones, which need other sizes.
    """
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    class Mallinfo(ctypes.Structure):
        _fields_ = tuple((name, ctypes.c_size_t) for name in _MALLINFO)

    library = ctypes.CDLL(None)
    try:
        look, trim = library.mallinfo2, library.malloc_trim
    except AttributeError:  # another C library
        return
    look.restype = Mallinfo
    if look().fordblks > MUCH_IDLE:
        trim(0)


def _fill_streams() -> None:
    """Let nothing else take the numbers of closed standard streams: who writes to number 2 must not hit a product."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            with contextlib.suppress(OSError):
                os.open(os.devnull, os.O_RDWR)  # takes the lowest free number


def _avoid_closed_home() -> None:
    """Let libraries do without a home folder that may not be entered: asking for their settings there, they fail."""
    for variable in ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        folder = os.environ.get(variable)
        if not folder:
            continue
        try:
            os.stat(os.path.join(folder, ".astropy"))
        except PermissionError:
            os.environ[variable] = os.path.join(os.sep, "nonexistent")
        except OSError:
            pass
        # astropy warns of a setting that names no folder, and then does as if there were none.
        if variable != "HOME" and not os.path.isdir(os.environ[variable]):
            del os.environ[variable]
