"""The archive's stand-in services, for batches that fetch."""

from __future__ import annotations

from archive.conftest import service, settings

__all__ = ["service", "settings"]
