"""Clean visits, and the steps of their skies across the borders of chips: there is none to be found."""

from __future__ import annotations

import math

import numpy as np

import zoo_faults as zoo
from mizzle.execution import make_runner
from mizzle.io.examine import examine
from mizzle.pipeline import process
from mizzle.report import tables
from mizzle.report.metrics import build_report
from mizzle.report.skyfigures import seam_map
from mizzle.settings import load_settings
from mizzle.simulate import visit

#: The four steps around a visit's middle add up to about nothing: three are independent.
INDEPENDENT = 3


def seam_plan(seed, number):
    """Return a visit without a fault: three or four exposures of any filter, gain and time, few stars or many."""
    plan = zoo.clean_plan(seed, number)
    return {**plan, "field": "random", "n": 3 + number % 2}


def seam_steps(plan, *, workers=1):
    """Return the steps of the one product of a visit, as the page lists them."""
    runner, settings = make_runner(workers), load_settings("", ['output.until="combine"'])
    exposures = [examine(exposure, settings.dq) for exposure in visit(runner=runner, **plan).exposures]
    result = process(exposures, settings, runner=runner)
    report = build_report(result, timing={}, peak_rss_mb=0.0, version="", command="")
    ((band, mosaic),) = result.mosaics.items()
    product = report["products"][band]
    planes = {"sci": mosaic.sci, "context": mosaic.context}
    doubts = tables.rounding_doubts(report, product)
    return seam_map(product, planes, tables.mean_sky(report, band), doubts=doubts)[1]


def width(deviations):
    """Width of steps over their errors, one list for each visit, and the error of the width."""
    squares = np.concatenate([np.square(visit) for visit in deviations])
    value = math.sqrt(squares.mean())
    return value, value / math.sqrt(2.0 * INDEPENDENT * len(deviations))
