"""Public values travel: every protocol gives back an equal value, locked all the way down; it hashes or refuses."""

from __future__ import annotations

import dataclasses
import enum
import importlib
import inspect
import pickle
import pkgutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

import numpy as np
import pydantic
import pytest

import mizzle
from mizzle import MizzleError, Settings, read_exposure
from mizzle.instrument.cameras import CAMERAS, WFPC2
from mizzle.instrument.noise import NoiseModel
from mizzle.io.catalogs import read_reference_image
from mizzle.io.pixels import PixelCache
from mizzle.model import (
    Alignment,
    ArrayPixels,
    Catalog,
    ChipErrors,
    ChipProof,
    Context,
    CosmicRays,
    ErrorProof,
    ExposureAlignment,
    ExposureProof,
    Finding,
    FluxReference,
    FluxScales,
    FrozenDict,
    Grid,
    InputChip,
    Mosaic,
    Result,
    Serial,
    SkyLevels,
    StarFocus,
    Value,
    Verdict,
    Zeropoint,
)
from mizzle.model.astropy_frame import WcsPixelToSky
from mizzle.model.lookup import LookupTable, LookupTables
from mizzle.model.references import AlignmentImage, AlignReferences, KnownShift, SkyCatalog
from mizzle.model.user_tables import FluxCorrection, SkyRegion, SkyValue
from mizzle.model.wcs_grid import WcsGrid
from mizzle.user_inputs import UserInputs
from mizzle.visits import BatchOptions, BatchResult, GroupedVisit
from tiny_files import write_pair
from tiny_visit import exposure, frame

PLANE = np.arange(20.0 * 24).reshape(20, 24)
FRAME = frame("WF3", (20, 24))
EXPOSURE = exposure(0, {"WF3": (PLANE, np.zeros((20, 24)), FRAME, np.ones((20, 24)))})
CHIP = EXPOSURE.chips["WF3"]
ENTRY = ExposureAlignment("a", (1.0, 2.0), np.eye(2), np.zeros(2), chip_shifts={"PC": (0.1, 0.2)})
ALIGNMENT = Alignment("a", {"a": ENTRY}, tables={"a": {"x": np.arange(3.0)}})
REFERENCE = FluxReference("WF3", 2.4e-18, 7995.0, 646.0, -21.1, "WFPC2,3", 7.0, "u1")
SCALES = FluxScales({"F814W": REFERENCE}, {"a": {"WF3": 1.0}})
SKY = SkyLevels(*({"a": {"WF3": value}} for value in (1.0, 2.0, 3.0, float("nan"))))
RAYS = CosmicRays({"a": {"WF3": np.packbits(PLANE > 7)}}, {"a": {"WF3": 0.1}}, {"a": "median"})
PROOF = ChipProof(1.0, 0.01, 12, Verdict.PASS)
ZEROPOINT = Zeropoint(REFERENCE, {"WF3": PROOF}, tables={"pairs": {"x": np.arange(2)}, "scatter": [1.0, 2.0]})
GRID = Grid(np.array([1.0, 2.0]), np.array([3.0, 4.0]), np.eye(2), (20, 24))
INPUT_CHIP = InputChip("a", "WF3", 500.0, 1.0, 2.0, 500.0, 0.0996)
IMAGES = [np.full((20, 24), 1.0, np.float32), np.full((20, 24), np.nan, np.float32), np.ones((20, 24), np.float32)]
CONTEXT = Context.of(np.ones((20, 24), np.int32))
MOSAIC = Mosaic("F814W", *IMAGES, CONTEXT, GRID, REFERENCE, (INPUT_CHIP,), 500.0, 1.0, "square")
CATALOG = Catalog({"ra": np.array([1.0, np.nan]), "chip": np.array(["PC", "WF3"])}, {"ra": "deg", "chip": ""})
RESULT = Result(
    "m2", (EXPOSURE,), {"F814W": MOSAIC}, {"F814W": CATALOG}, ALIGNMENT, SCALES, SKY, RAYS, {"F814W": ZEROPOINT},
    Verdict.NONE, {"inputs": [{"root": "a"}]},
)  # fmt: skip
STARS = SkyCatalog("mine", np.array([1.0]), np.array([2.0]))
REGION = SkyRegion((1.0, 2.0, 3.0), (1.0, 2.0, 1.0))
IMAGE = AlignmentImage("deep", PLANE, WcsPixelToSky(GRID.wcs))
SHIFT = KnownShift(0.1, 0.2)
REFERENCES = AlignReferences(STARS, IMAGE, (REGION,), {"a": {"WF3": np.ones((2, 3))}}, {"a": SHIFT})

LOOKUP = LookupTable(np.ones((2, 3), np.float32), (1.0, 1.0), (1.0, 1.0), (64.0, 64.0))
SCATTER = ChipErrors(1.01, 5000, Verdict.PASS)

#: One line per type; `test_no_value_is_forgotten` names the types that have none.
VALUES = {
    "exposure": EXPOSURE,
    "chip": CHIP,
    "pixels": ArrayPixels(PLANE, PLANE),
    "chip frame": FRAME,
    "lookup table": LOOKUP,
    "lookup tables": LookupTables(LOOKUP),
    "camera": WFPC2,
    "chip class": WFPC2.classes[0],
    "star focus": StarFocus(0.02, 0.2, 0.85),
    "camera with tables": CAMERAS[-1],
    "finding": Finding("file", Verdict.WARN, "odd", ("PC",)),
    "grid": GRID,
    "grid of any projection": WcsGrid.from_header(GRID.wcs.to_header_string(), (20, 24)),
    "exposure alignment": ENTRY,
    "alignment": ALIGNMENT,
    "flux reference": REFERENCE,
    "flux scales": SCALES,
    "sky levels": SKY,
    "cosmic rays": RAYS,
    "chip proof": PROOF,
    "exposure proof": ExposureProof(1.0, 0.01, 12, Verdict.PASS, chips={"WF3": (1.0, 0.01, 12)}),
    "chip errors": SCATTER,
    "error proof": ErrorProof({"WF3": SCATTER}, (Finding("file", Verdict.WARN, "odd"),)),
    "zeropoint": ZEROPOINT,
    "input chip": INPUT_CHIP,
    "context": CONTEXT,
    "packed plane": CONTEXT.planes[0],
    "context of single pixels": Context.of(np.arange(2 * 20 * 24).reshape(2, 20, 24)),
    "mosaic": MOSAIC,
    "catalog": CATALOG,
    "result": RESULT,
    "frozen dict": FrozenDict(a=1),
    "settings": Settings(),
    "noise model": NoiseModel(7.0, 5.0),
    "sky catalog": STARS,
    "reference image": IMAGE,
    "known shift": SHIFT,
    "align references": REFERENCES,
    "flux correction": FluxCorrection(chip="PC"),
    "sky value": SkyValue(3.0),
    "sky region": REGION,
    "user inputs": UserInputs(REFERENCES, (FluxCorrection(),), (SkyValue(1.0),), (REGION,)),
    "options of a batch": BatchOptions(filters=("F814W",)),
    "result of a batch": BatchResult(Path("out"), ()),
    "visit of a batch": GroupedVisit("m2", ()),
}


def every_module() -> None:
    """Import all of the package, so that every class is known."""
    for module in pkgutil.walk_packages(mizzle.__path__, "mizzle."):
        if module.name.rpartition(".")[2] not in ("__main__", "mizzle_kernel"):
            importlib.import_module(module.name)


def below(kind: type) -> Iterator[type]:
    """Yield the classes of the package that derive from another, and that one."""
    yield kind
    for child in kind.__subclasses__():
        if child.__module__.startswith("mizzle."):
            yield from below(child)


def is_value(kind: type) -> bool:
    """Tell whether a public class has values: it is no base, no enumeration, no protocol, and has a name for others."""
    return not (kind in (Value, Serial) or issubclass(kind, enum.Enum) or Protocol in kind.__bases__)


def value_types() -> set[type]:
    """All types of `Value`, all classes of `mizzle.model` that hold fields, and all that the public rooms offer."""
    every_module()
    rooms = [importlib.import_module(name) for name in ("mizzle", "mizzle.model", "mizzle.visits")]
    offered = {getattr(room, name) for room in rooms for name in room.__all__}
    model = {kind for kind in dataclasses_of("mizzle.model.") if not kind.__name__.startswith("_")}
    kinds = {*below(Value), *model, *filter(inspect.isclass, offered)}
    return {kind for kind in kinds if is_value(kind) and not issubclass(kind, MizzleError | pydantic.BaseModel)}


def dataclasses_of(room: str) -> set[type]:
    """Return the data classes that the modules of a room define."""
    modules = [importlib.import_module(name) for name in list(sys.modules) if name.startswith(room)]
    classes = {kind for module in modules for _, kind in inspect.getmembers(module, inspect.isclass)}
    return {kind for kind in classes if dataclasses.is_dataclass(kind) and kind.__module__.startswith(room)}


def test_no_value_is_forgotten():
    assert {kind.__name__ for kind in value_types() - {type(value) for value in VALUES.values()}} == set()


def test_the_search_sees_the_values_there_are():
    assert {type(value) for value in VALUES.values() if isinstance(value, Value)} <= value_types()


def test_every_error_travels_with_what_it_says():
    every_module()
    errors = set(below(MizzleError))
    assert len(errors) > 6
    for kind in errors:
        error = kind("what", file="a", shape=(1, 2))
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            back = pickle.loads(pickle.dumps(error, protocol))
            assert type(back) is kind
            assert back == error
            assert hash(back) == hash(error)
            assert str(back) == str(error)


def test_every_section_of_settings_travels_and_stays_locked():
    every_module()
    sections = {kind for kind in below(pydantic.BaseModel) if kind.__module__.startswith("mizzle.")}
    assert len(sections) > 15
    for kind in sections:
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            back = pickle.loads(pickle.dumps(kind(), protocol))
            assert back == kind()
            for name in kind.model_fields:
                with pytest.raises(pydantic.ValidationError, match="frozen"):
                    setattr(back, name, getattr(back, name))


def assert_locked(value):
    """Nothing in `value` can be written to."""
    if isinstance(value, np.ndarray):
        assert not value.flags.writeable
    elif isinstance(value, Mapping):
        assert not hasattr(value, "__setitem__") or isinstance(value, FrozenDict)
        for entry in value.values():
            assert_locked(entry)
    elif isinstance(value, tuple):
        for entry in value:
            assert_locked(entry)
    elif dataclasses.is_dataclass(value):
        for part in dataclasses.fields(value):
            assert_locked(getattr(value, part.name))
    else:
        assert not isinstance(value, list | set)


def hash_or_refusal(value):
    try:
        return hash(value)
    except TypeError:
        return "refused"


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("name", VALUES)
def test_a_value_comes_back_equal_and_locked(name, protocol):
    value = VALUES[name]
    back = pickle.loads(pickle.dumps(value, protocol))
    assert back == value
    assert type(back) is type(value)
    assert hash_or_refusal(back) == hash_or_refusal(value)
    assert_locked(back)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_an_exposure_read_from_files_travels(tmp_path, protocol):
    read = read_exposure(write_pair(tmp_path))
    back = pickle.loads(pickle.dumps(read, protocol))
    assert back == read
    assert dict(back.header) == dict(read.header)
    assert dict(back.files) == dict(read.files)
    for name, chip in back.chips.items():
        np.testing.assert_array_equal(chip.sci, read.chips[name].sci)
        assert not chip.sci.flags.writeable
    assert_locked(back)


def test_hashes_travel_to_where_the_files_are_not(tmp_path):
    path = write_pair(tmp_path)
    read = read_exposure(path)
    stored = pickle.dumps(read)
    known = dict(read.files)
    path.unlink()
    assert dict(pickle.loads(stored).files) == known


def test_a_cache_travels_empty_with_its_limit():
    cache = PixelCache(1000)
    cache.put("a", (np.zeros(10, np.float32), np.zeros(10, np.uint16)))
    back = pickle.loads(pickle.dumps(cache))
    assert back.get("a") is None
    assert pickle.dumps(back) == pickle.dumps(cache)


def test_an_image_read_from_a_file_travels(tmp_path):
    from astropy.io import fits

    header = GRID.wcs.to_header()
    fits.PrimaryHDU(np.ones((20, 24), np.float32), header=header).writeto(tmp_path / "deep.fits")
    image = read_reference_image(tmp_path / "deep.fits")
    back = pickle.loads(pickle.dumps(image))
    assert back == image
    np.testing.assert_array_equal(back.pixel_to_sky(3.0, 4.0), image.pixel_to_sky(3.0, 4.0))


@pytest.mark.parametrize("name", ["exposure", "chip frame", "alignment", "mosaic", "catalog", "chip proof"])
def test_values_that_differ_are_not_equal(name):
    changes = {
        "exposure": {"exptime": 1.0},
        "chip frame": {"cd": np.eye(2)},
        "alignment": {"tables": {"a": {"x": np.arange(4.0)}}},
        "mosaic": {"wht": np.zeros((20, 24), np.float32)},
        "catalog": {"units": {"ra": "rad", "chip": ""}},
        "chip proof": {"ratio_uncorrected": 1.0},
    }
    assert dataclasses.replace(VALUES[name], **changes[name]) != VALUES[name]


@pytest.mark.parametrize("change", ["update", "setdefault", "clear", "popitem", "__ior__", "__delitem__"])
def test_a_frozen_mapping_refuses_every_change(change):
    arguments = {"update": ({"b": 2},), "setdefault": ("b", 2), "__ior__": ({"b": 2},), "__delitem__": ("a",)}
    with pytest.raises(TypeError, match="cannot change"):
        getattr(FrozenDict(a=1), change)(*arguments.get(change, ()))


def test_a_value_does_not_follow_what_it_was_made_of():
    factors = {"a": {"WF3": 1.0}}
    columns = {"ra": np.array([1.0])}
    scales, catalog = FluxScales({}, factors), Catalog(columns, {})
    factors["a"]["WF3"] = 2.0
    columns["ra"][0] = 5.0
    assert scales.factors["a"]["WF3"] == 1.0
    assert catalog.columns["ra"][0] == 1.0
