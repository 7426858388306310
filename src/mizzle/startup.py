"""What a program of ours, and no library, may ask of its own process."""

from __future__ import annotations

import gc
import os
import sys

#: Options of mallopt(3).
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3

#: Freed arrays up to this size stay with the process [byte].
LARGEST_KEPT = 8 * 2**20

#: How long a thread may keep the interpreter while another waits for it [s].
TURN = 3e-4


def tune_process() -> None:
    """Make this process fit for one run; call it before NumPy is imported.

    * A run makes few cycles and many objects that stay: looking for garbage all the time costs a tenth of a second.
    * Its matrices are small: threads of the linear algebra only wait, and take a core while they do.
    * Freed memory stays with the process where the C library can be told so (glibc). Chips are a few megabytes each,
      and by default an array goes back to the system when it is freed: the next is made of pages to be cleared first.
    * A thread that comes back from C waits for the interpreter, by default up to 5 ms: as long as ten such calls take.
    * Plugins of pydantic, which no setting wants, would be looked for in every installed package.
    """
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
    mallopt(_M_MMAP_THRESHOLD, LARGEST_KEPT)
    mallopt(_M_TRIM_THRESHOLD, 4 * LARGEST_KEPT)
