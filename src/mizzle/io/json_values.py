"""Values as JSON can hold them."""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


def plain(value: Any) -> Any:
    """Return `value` as JSON can hold it: NumPy to Python, NaN and infinity to None, keys to text.

    Examples
    --------
    >>> plain({"a": float("nan"), 1: (2, float("inf"))})
    {'a': None, '1': [2, None]}
    """
    kind = type(value)
    if kind is float:
        return value if math.isfinite(value) else None
    if kind is str or kind is int or kind is bool or value is None:
        return value
    if kind is list or kind is tuple:
        kinds = set(map(type, value))
        if (kinds == {float} and all(map(math.isfinite, value))) or kinds <= {int, str}:
            return list(value)  # long columns, as a rule: no look at each by hand
        return [plain(v) for v in value]
    if kind is np.ndarray:
        return _plain_array(value)
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, enum.Enum):
        return value.value
    return value if isinstance(value, (str, int, float)) else str(value)


def _plain_array(values: NDArray[Any]) -> Any:
    """Return an array as nested lists: whole arrays of good numbers need no look at each."""
    if values.dtype.kind not in "fiub":
        return plain(values.tolist())
    odd = ~np.isfinite(values)
    if not odd.any():
        return values.tolist()
    entries = values.astype(object)
    entries[odd] = None
    return entries.tolist()
