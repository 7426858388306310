"""Simulated exposures, pixels and all: the alignment against the pointings that were used."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from align_truth import frame_errors, relative_rms
from mizzle.errors import DataError, SettingsError
from mizzle.execution import make_runner
from mizzle.model import Alignment, ArrayPixels, Serial, Verdict
from mizzle.model.references import AlignmentImage, AlignReferences, KnownShift, SkyCatalog
from mizzle.model.user_tables import SkyRegion
from mizzle.settings import Settings, build_settings
from mizzle.simulate import make_plan, visit
from mizzle.steps.align import align
from mizzle.steps.align.sources import find_sources
from mizzle.steps.chip_view import view_unaligned


def setting(**align_settings):
    return build_settings({"align": align_settings})


def made(**changes):
    return visit(make_plan(**changes), runner=make_runner(2))


@pytest.fixture(scope="module")
def dense():
    return made(seed=6, n=3, density=120.0, effects={"cosmic_rays": 0.03})


@pytest.fixture(scope="module")
def aligned(dense):
    return align(dense.exposures, Settings(), Serial())


def test_dense_field(dense, aligned):
    assert aligned.verdict is Verdict.PASS
    assert relative_rms(dense, Alignment.identity(dense.exposures)).max() > 5.0  # there was something to do
    rms = relative_rms(dense, aligned)
    assert np.sqrt((rms**2).mean()) < 0.3
    assert rms.max() < 0.6
    for entry in aligned.exposures.values():
        assert entry.n_matched > 100
        assert entry.rms_mas < 6
        assert entry.false_match < 1e-20


def test_answer_does_not_depend_on_order_or_runner(dense, aligned):
    again = align(dense.exposures[::-1], Settings(), make_runner(3))
    assert list(again.exposures) == [e.root for e in dense.exposures[::-1]]
    for root, entry in aligned.exposures.items():
        np.testing.assert_array_equal(entry.matrix, again.exposures[root].matrix)
        np.testing.assert_array_equal(entry.shift, again.exposures[root].shift)


def test_residuals_are_as_stated(dense, aligned):
    table = aligned.tables[dense.exposures[0].root]
    assert set(np.unique(table["chip"])) == {1, 2, 3, 4}
    assert np.abs(np.median(table["dx"])) < 1.0


def test_sparse_field():
    v = made(seed=2, n=4, density=3.0)
    a = align(v.exposures, Settings(), Serial())
    assert Verdict.FAIL not in {e.verdict for e in a.exposures.values()}
    assert np.sqrt((relative_rms(v, a) ** 2).mean()) < 4.0


def replace_pixels(exposure, maker):
    """Return the exposure with other pixels on some chips."""
    chips = {}
    for name, chip in exposure.chips.items():
        sci, dq = maker(name, np.array(chip.sci), np.array(chip.dq))
        chips[name] = dataclasses.replace(chip, pixels=ArrayPixels(sci, dq))
    return dataclasses.replace(exposure, chips=chips)


def test_blank_chip_and_chip_with_one_star_are_no_error(dense):
    def quiet(name, sci, dq):
        rng = np.random.default_rng(1)
        if name in ("PC", "WF2"):
            sci = rng.normal(1.0, 1.0, sci.shape)
        if name == "WF2":
            sci[400, 400] += 800
            sci[399:402, 399:402] += 200
        return sci, dq

    exposures = [replace_pixels(dense.exposures[0], quiet), *dense.exposures[1:]]
    a = align(exposures, Settings(), Serial())
    assert a.verdict is Verdict.PASS
    assert relative_rms(dense, a).max() < 0.8


def test_masked_chip_is_no_error(dense):
    def masked(name, sci, dq):
        return (np.full_like(sci, np.nan), dq) if name == "WF3" else (sci, dq)

    a = align([replace_pixels(dense.exposures[0], masked), *dense.exposures[1:]], Settings(), Serial())
    assert a.verdict is Verdict.PASS
    missing = dense.exposures[0]
    chips = {k: v for k, v in missing.chips.items() if k != "WF3"}
    a = align([dataclasses.replace(missing, chips=chips), *dense.exposures[1:]], Settings(), Serial())
    assert a.verdict is Verdict.PASS


@pytest.mark.parametrize("rate", [0.0, 0.03])
def test_exposures_of_blank_fields_stay_where_their_headers_have_them_and_say_so(rate):
    """Rays and hot pixels are found, as many as stars of a poor field, and have no wings."""
    v = made(seed=4, n=3, field="blank", effects={"cosmic_rays": rate, "hot_pixels": 500})
    a = align(v.exposures, Settings(), Serial())
    assert {(e.verdict, e.method) for e in a.exposures.values()} == {(Verdict.WARN, "header")}
    assert all("no stars to align on" in e.note for e in a.exposures.values())
    for exposure in v.exposures:
        np.testing.assert_allclose(a.frame(exposure, "WF3").cd, exposure.chips["WF3"].frame.cd, rtol=1e-9)


def test_stars_that_match_nowhere_are_no_blank_field():
    """Two fields at one place, in exposures of one visit: nothing says which of the headers is wrong."""
    first, second = (made(seed=seed, n=2, density=40.0).exposures[k] for k, seed in enumerate((4, 44)))
    a = align([first, second], Settings(), Serial())
    assert {e.verdict for e in a.exposures.values()} == {Verdict.FAIL}


def test_another_field_is_named_and_the_others_stand(dense):
    other = made(seed=99, n=1, ra=323.6, root="uzzzzz").exposures[0]
    a = align([other, *dense.exposures], Settings(), Serial())
    assert a.exposures[other.root].verdict is Verdict.FAIL
    assert "another field" in a.exposures[other.root].note
    assert all(a.exposures[e.root].verdict is Verdict.PASS for e in dense.exposures)


def test_satellite_trails():
    v = made(seed=6, n=3, density=60.0, effects={"satellites": 2})
    a = align(v.exposures, Settings(), Serial())
    assert a.verdict is Verdict.PASS
    assert relative_rms(v, a).max() < 0.6


def test_one_exposure_needs_no_alignment(dense):
    a = align(dense.exposures[:1], Settings(), Serial())
    (entry,) = a.exposures.values()
    assert entry.verdict is Verdict.NONE
    assert a.frame(dense.exposures[0], "WF3").name != "MIZZLE-ALIGNED"


def test_header_method_trusts_the_header(dense):
    a = align(dense.exposures, setting(method="header"), Serial())
    assert a.method == "header"
    assert {e.verdict for e in a.exposures.values()} == {Verdict.NONE}


def test_known_shifts(dense, aligned):
    shifts = {
        root: KnownShift(*map(float, e.shift), roll=e.roll_deg, scale=e.scale) for root, e in aligned.exposures.items()
    }
    a = align(dense.exposures, setting(method="shifts"), Serial(), references=AlignReferences(shifts=shifts))
    assert a.method == "shifts"
    assert relative_rms(dense, a).max() < 0.6
    with pytest.raises(SettingsError, match=r"align\.shifts"):
        align(dense.exposures, setting(method="shifts"), Serial())
    some = AlignReferences(shifts=dict(list(shifts.items())[:2]))
    with pytest.raises(DataError, match=dense.exposures[2].root):
        align(dense.exposures, setting(method="shifts"), Serial(), references=some)


def test_unknown_reference_is_refused(dense):
    with pytest.raises(SettingsError, match="u0000000m"):
        align(dense.exposures, setting(reference="u0000000m"), Serial())


def true_catalog(v, **extra):
    return SkyCatalog(
        name="truth", ra=np.array(v.stars.ra), dec=np.array(v.stars.dec), mag=np.array(v.stars.mag_st), **extra
    )


@pytest.mark.parametrize("count", [1, 3])
def test_absolute_on_a_catalog(dense, count):
    a = align(dense.exposures[:count], Settings(), Serial(), references=AlignReferences(catalog=true_catalog(dense)))
    assert a.reference == "truth"
    assert a.verdict is Verdict.PASS
    error, _ = frame_errors(dense, a, roots={e.root for e in dense.exposures[:count]})
    assert np.abs(error.mean(axis=(0, 1))).max() < 1.0
    assert np.sqrt((error**2).mean()) < 1.0


def test_absolute_on_an_image(dense, aligned):
    # Another exposure's WF3, with its true frame, is the image in hand.
    exposure = dense.exposures[2]
    chip, true = exposure.chips["WF3"], dense.truth.exposures[exposure.root].pointing.true["WF3"]
    sci = np.where((chip.dq & 0xFBFF) == 0, chip.sci, np.nan)
    image = AlignmentImage(name="deep.fits", sci=sci, pixel_to_sky=true.pixel_to_sky, fwhm=1.0)
    a = align(dense.exposures[:2], Settings(), Serial(), references=AlignReferences(image=image))
    assert a.reference == "deep.fits"
    assert a.verdict is not Verdict.FAIL
    error, _ = frame_errors(dense, a, roots={e.root for e in dense.exposures[:2]})
    assert np.abs(error.mean(axis=(0, 1))).max() < 3.0


def views_of(exposure):
    """Return the views of an exposure's chips, by name."""
    return {view.name: view for view in view_unaligned([exposure], Settings())}


def test_regions_choose_where_to_look(dense):
    view = views_of(dense.exposures[0])["WF3"]
    chip = view.chip
    everything = find_sources(view, Settings())
    box = SkyRegion(x=(200.0, 500.0, 500.0, 200.0), y=(100.0, 100.0, 400.0, 400.0), frame="image", include=True)
    inside = find_sources(view, Settings(), [box])
    assert 0 < len(inside) < len(everything)
    assert ((inside["x"] > 200) & (inside["x"] < 500) & (inside["y"] > 100) & (inside["y"] < 400)).all()
    outside = find_sources(view, Settings(), [dataclasses.replace(box, include=False)])
    assert not ((outside["x"] > 200) & (outside["x"] < 500) & (outside["y"] > 100) & (outside["y"] < 400)).any()
    ra, dec = chip.frame.pixel_to_sky(np.array([300.0]), np.array([300.0]))
    circle = SkyRegion(x=(float(ra[0]),), y=(float(dec[0]),), radius=5.0, frame="sky", include=True)
    near = find_sources(view, Settings(), [circle])
    assert (np.hypot(near["x"] - 300, near["y"] - 300) < 53).all()
    elsewhere = dataclasses.replace(box, chip="PC")
    assert len(find_sources(view, Settings(), [elsewhere])) >= len(everything)


def test_given_sources_are_used(dense, aligned):
    lists = {}
    for exposure in dense.exposures:
        truth = dense.truth.exposures[exposure.root].chips
        lists[exposure.root] = {
            name: np.stack([t.x, t.y, t.electrons], axis=1)[(t.electrons > 2000)] for name, t in truth.items()
        }
    a = align(dense.exposures, Settings(), Serial(), references=AlignReferences(sources=lists))
    assert a.verdict is Verdict.PASS
    assert relative_rms(dense, a).max() < 0.5
    assert a.exposures[dense.exposures[0].root].n_detected == sum(map(len, lists[dense.exposures[0].root].values()))


def test_sources_keep_clear_of_shadow_border_and_bad_pixels(dense):
    view = views_of(dense.exposures[0])["WF3"]
    chip = view.chip
    found = find_sources(view, Settings())
    column, row = np.rint(found["x"]).astype(int), np.rint(found["y"]).astype(int)
    assert min(column.min(), row.min()) > 30
    assert max(column.max(), row.max()) < 795
    assert not (chip.dq[row, column] & 0xFBFF).any()


@pytest.mark.parametrize("mode", ["exclude", "wings"])
def test_saturated_stars(dense, mode):
    found = [find_sources(view, setting(saturated=mode)) for view in view_unaligned([dense.exposures[0]], Settings())]
    count = sum(int(f["saturated"].sum()) for f in found)
    assert (count == 0) == (mode == "exclude")


@pytest.mark.data
def test_real_exposure_is_full_of_stars(data_dir):
    from mizzle.io.exposures import read_exposure

    exposure = read_exposure(data_dir / "exposures" / "u40x010hm_c0m.fits.gz")
    found = {name: find_sources(view, setting(max_sources=5000)) for name, view in views_of(exposure).items()}
    assert len(found["PC"]) > 200
    assert all(len(found[name]) > 1000 for name in ("WF2", "WF3", "WF4"))
    for name in ("WF2", "WF3", "WF4"):
        # Pixel phases of true positions are uniform; their first harmonic tells the bias of the centroids.
        for axis in "xy":
            phase = found[name][axis][found[name]["snr"] > 30] % 1.0
            harmonic = abs(np.mean(np.exp(2j * np.pi * phase)))
            assert harmonic / np.pi < 0.04, (name, axis)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_six_exposures_at_three_times_the_real_cosmic_ray_rate(seed):
    v = made(seed=100 + seed, effects={"cosmic_rays": 0.03})
    a = align(v.exposures, Settings(), make_runner(2))
    rms = relative_rms(v, a)
    assert np.sqrt((rms**2).mean()) <= 0.6
    assert rms.max() <= 1.5
