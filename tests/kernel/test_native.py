"""The border to C: a library is used whole, or not at all."""

from __future__ import annotations

import ctypes
import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mizzle.kernel import native
from mizzle.kernel.drop import accumulator
from mizzle.kernel.single import laplacian

SOURCES = Path(native.__file__).with_name("src")


@pytest.fixture
def fresh(monkeypatch):
    """Opens the library anew."""
    if native.library() is None:
        pytest.skip("no compiled kernel")
    return native._open


@pytest.mark.parametrize("name", sorted(native.STRUCTURES))
def test_a_structure_of_another_size_is_refused(fresh, monkeypatch, name):
    class Longer(ctypes.Structure):
        _fields_ = (("known", native.STRUCTURES[name]), ("more", ctypes.c_int64))

    monkeypatch.setitem(native.STRUCTURES, name, Longer)
    library, reason = fresh()
    assert library is None
    assert reason.endswith(f"another layout of {name}")


def test_a_missing_function_is_refused(fresh, monkeypatch):
    monkeypatch.setitem(native._SIGNATURES, "mz_not_there", (None, ()))
    library, reason = fresh()
    assert library is None
    assert "mz_not_there" in reason


def test_another_version_is_refused(fresh, monkeypatch):
    monkeypatch.setattr(native, "ABI", native.ABI + 1)
    assert fresh()[0] is None


@pytest.mark.skipif(not SOURCES.is_dir(), reason="installed without sources")
def test_every_exported_function_is_declared():
    text = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES.glob("*.c"))
    exported = set(re.findall(r"MZ_EXPORT\s+\w+\s+(mz_\w+)\(", text))
    assert exported - {"mz_abi", "mz_size_of"} == set(native._SIGNATURES)


@pytest.mark.skipif(not SOURCES.is_dir(), reason="installed without sources")
def test_numbers_that_stand_on_both_sides_are_the_same():
    text = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES.glob("*.[ch]"))
    defined = {name: float(value.rstrip("f")) for name, value in re.findall(r"#define (MZ_\w+) ([-+.\de]+f?)\b", text)}
    assert defined["MZ_ABI"] == native.ABI
    assert defined["MZ_CHUNK"] == native.CHUNK
    assert defined["MZ_MAX_SAMPLES"] == native.MAX_SAMPLES
    assert defined["MZ_TOGETHER"] == accumulator.TOGETHER
    assert defined["MZ_DARKEST"] == pytest.approx(float(laplacian._DARKEST))
    assert defined["MZ_LEAST_STRUCTURE"] == pytest.approx(float(laplacian._LEAST_STRUCTURE))
    bits = dict(native.JobStruct._fields_)["bits"]
    assert ctypes.sizeof(bits) == 4 * accumulator.IN_CELL


@pytest.mark.parametrize(("status", "error"), [(1, RuntimeError), (2, MemoryError), (-1, RuntimeError)])
def test_a_status_is_raised(status, error):
    native.raise_on_status(0)
    with pytest.raises(error):
        native.raise_on_status(status)


def test_threads_that_ask_at_once_open_the_library_once(monkeypatch, caplog):
    """Else what is said where it cannot be opened is said twice: seen in a run whose first use was on threads."""
    asked = []

    def open_slowly():
        asked.append(1)
        time.sleep(0.05)
        return None, "it is slow"

    monkeypatch.setattr(native, "_open", open_slowly)
    monkeypatch.delenv("MIZZLE_KERNEL", raising=False)
    native._opened.cache_clear()
    try:
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(lambda _: native.library(), range(8))) == [None] * 8
    finally:
        native._opened.cache_clear()
    assert len(asked) == 1
    assert caplog.text.count("it is slow") == 1
