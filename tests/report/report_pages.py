"""From a made-up result to a page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from mizzle.model import Result
from mizzle.report import build_report, gather, payload
from mizzle.settings import Settings
from report.report_scene import Scene, make_result


def reported(scene: Scene | None = None, header: dict[str, Any] | None = None, **more: Any) -> Result:
    """A result with its report, as a run has it."""
    result = make_result(scene, header=header)
    report = build_report(
        result,
        timing={"read": 0.11, "align": 0.2, "total": 1.4},
        peak_rss_mb=400.0,
        version="0.0",
        command="mizzle run *_c0m.fits",
        provenance={"date": "2026-01-02T03:04:05+00:00", "versions": {"numpy": "2.0"}},
        evidence=gather(result),
        **more,
    )
    return replace(result, report=report)


def make_payload(folder: Path, scene: Scene | None = None, **more: Any) -> dict[str, Any]:
    """What the worker receives."""
    settings = more.pop("settings", Settings())
    return payload(reported(scene, **more), folder, settings)
