"""Parameters of TweakReg's finder, by the name of their configuration; nothing to call."""

from __future__ import annotations

__all__ = ["__taskname__"]

__taskname__ = "imagefindpars"
