"""Smooth light predicted from the pixels around a place."""

from mizzle.kernel.predict.front import nearest_samples, predict_light, sample_neighbors
from mizzle.kernel.predict.types import (
    ChipSampler,
    GridPlaces,
    NeighborSamples,
    PredictedLight,
    RecordedPixels,
    Samples,
)

__all__ = [
    "ChipSampler",
    "GridPlaces",
    "NeighborSamples",
    "PredictedLight",
    "RecordedPixels",
    "Samples",
    "nearest_samples",
    "predict_light",
    "sample_neighbors",
]
