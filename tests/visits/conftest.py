"""The archive's stand-in services, for batches that fetch."""

from __future__ import annotations

from archive.conftest import closed, service, settings

__all__ = ["closed", "service", "settings"]
