"""Frozen value types: exposures, frames, solutions, mosaics."""

from mizzle.model.alignment import Alignment, ExposureAlignment
from mizzle.model.context import Context, PackedPlane
from mizzle.model.exposure import (
    ArrayPixels,
    Chip,
    Exposure,
    HeaderValue,
    Pixels,
    StarFocus,
    moving_target,
    same_visit,
    visit_of,
)
from mizzle.model.frame import ChipFrame, Grid, deproject, project
from mizzle.model.mosaic import Catalog, InputChip, Mosaic, Result
from mizzle.model.proofs import ChipErrors, ChipProof, ErrorProof, ExposureProof, Zeropoint
from mizzle.model.runner import Runner, Serial
from mizzle.model.solutions import CosmicRays, FluxReference, FluxScales, SkyLevels
from mizzle.model.values import FrozenDict, Value
from mizzle.model.verdict import Finding, Verdict, overall, worst

__all__ = [
    "Alignment",
    "ArrayPixels",
    "Catalog",
    "Chip",
    "ChipErrors",
    "ChipFrame",
    "ChipProof",
    "Context",
    "CosmicRays",
    "ErrorProof",
    "Exposure",
    "ExposureAlignment",
    "ExposureProof",
    "Finding",
    "FluxReference",
    "FluxScales",
    "FrozenDict",
    "Grid",
    "HeaderValue",
    "InputChip",
    "Mosaic",
    "PackedPlane",
    "Pixels",
    "Result",
    "Runner",
    "Serial",
    "SkyLevels",
    "StarFocus",
    "Value",
    "Verdict",
    "Zeropoint",
    "deproject",
    "moving_target",
    "overall",
    "project",
    "same_visit",
    "visit_of",
    "worst",
]
