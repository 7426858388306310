"""Parameters of TweakReg's finder on the reference image, by the name of their configuration; nothing to call."""

from __future__ import annotations

__all__ = ["__taskname__"]

__taskname__ = "refimagefindpars"
