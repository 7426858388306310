"""Pictures and pages: what a run found, for eyes and for machines. Everything loads when it is first touched."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mizzle.report.evidence import gather
    from mizzle.report.metrics import build_report, to_json
    from mizzle.report.redraw import rebuild
    from mizzle.report.worker import ReportJob, payload, start_worker

_HOMES = {
    "ReportJob": "worker",
    "build_report": "metrics",
    "gather": "evidence",
    "payload": "worker",
    "rebuild": "redraw",
    "start_worker": "worker",
    "to_json": "metrics",
}

__all__ = ["ReportJob", "build_report", "gather", "payload", "rebuild", "start_worker", "to_json"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"mizzle.report.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'mizzle.report' has no attribute {name!r}")
