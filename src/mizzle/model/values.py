"""Values that travel: frozen all the way down, compared by content, pickled through their constructors.

A pickled array comes back writeable from some protocols, and a `types.MappingProxyType` does not pickle at all. So
every public value derives from `Value`, which locks what it is given and is rebuilt by its own constructor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, NoReturn, TypeVar

import numpy as np

from mizzle.model.arrays import locked

Key = TypeVar("Key")
Entry = TypeVar("Entry")


class FrozenDict(dict[Key, Entry]):
    """A dictionary that cannot change, nor what is in it (see `frozen`); hashable where its entries are.

    Examples
    --------
    >>> table = FrozenDict({"PC": 1})
    >>> table | {"WF2": 2}
    {'PC': 1, 'WF2': 2}
    >>> table["PC"] = 2
    Traceback (most recent call last):
        ...
    TypeError: a frozen mapping cannot change; make a new one
    """

    def __init__(self, *entries: Any, **named: Any) -> None:
        super().__init__({key: frozen(entry) for key, entry in dict(*entries, **named).items()})

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("a frozen mapping cannot change; make a new one")

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (dict(self),)

    def __copy__(self) -> FrozenDict[Key, Entry]:
        return self

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))


#: What cannot change and holds nothing else; long tables of such are looked at only once.
_PLAIN = {bool, int, float, str, bytes, type(None)}


def frozen(value: Any) -> Any:
    """Return `value` with every array in it locked, every dictionary and list frozen.

    Parameters
    ----------
    value : object
        Dictionaries, lists, tuples and arrays are looked into; all else is taken as it is.
    """
    if isinstance(value, np.ndarray):
        return locked(value)
    if isinstance(value, FrozenDict):
        return value
    if type(value) is dict:
        return FrozenDict(value)
    if type(value) in (list, tuple):
        if set(map(type, value)) <= _PLAIN:
            return tuple(value)
        return tuple(frozen(entry) for entry in value)
    return value


def same(value: Any, other: Any) -> bool:
    """Return whether two values are equal in content: arrays of one type, entry by entry; NaN equals NaN."""
    if isinstance(value, np.ndarray) or isinstance(other, np.ndarray):
        return _same_arrays(value, other)
    if isinstance(value, Mapping) and isinstance(other, Mapping):
        return list(value) == list(other) and all(same(value[key], other[key]) for key in value)
    if isinstance(value, tuple) and isinstance(other, tuple):
        return len(value) == len(other) and all(map(same, value, other))
    return bool(value == other) or (_is_nan(value) and _is_nan(other))


def _same_arrays(value: Any, other: Any) -> bool:
    if not (isinstance(value, np.ndarray) and isinstance(other, np.ndarray)) or value.dtype != other.dtype:
        return False
    return np.array_equal(value, other, equal_nan=value.dtype.kind in "fc")


def _is_nan(value: Any) -> bool:
    return isinstance(value, float | np.floating) and bool(np.isnan(value))


def _hashable(value: Any) -> Any:
    """Return what stands for `value` in a hash: equal for equal values."""
    if isinstance(value, Mapping):
        return frozenset((key, _hashable(entry)) for key, entry in value.items())
    if isinstance(value, tuple):
        return tuple(map(_hashable, value))
    return "nan" if _is_nan(value) else value


def _rebuild(kind: type[Value], arguments: dict[str, Any]) -> Value:
    """Call the constructor of `kind`; how a pickled value comes back."""
    return kind(**arguments)


@dataclass(frozen=True, eq=False)
class Value:
    """Base of frozen data classes that are compared, hashed and pickled by content.

    What holds arrays, or anything else that has no hash, refuses to be hashed (TypeError).
    """

    def __post_init__(self) -> None:
        for part in fields(self):
            before = getattr(self, part.name)
            after = frozen(before)
            if after is not before:
                object.__setattr__(self, part.name, after)

    def __reduce__(self) -> tuple[Any, ...]:
        # Through the constructor: protocols below 5 give back arrays that can be written to.
        return _rebuild, (type(self), {part.name: getattr(self, part.name) for part in fields(self)})

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self is other or all(same(getattr(self, p.name), getattr(other, p.name)) for p in fields(self))

    def __hash__(self) -> int:
        return hash((type(self).__name__, *(_hashable(getattr(self, part.name)) for part in fields(self))))
