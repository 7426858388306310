"""The second axis of the proof: exposures compared by the stars they share, whatever chips these fell on."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from mizzle.model import ChipProof, ExposureProof, FluxReference, Verdict, Zeropoint
from mizzle.steps.verify.exposures import Measurements, compare_exposures


def seen(ratio, chip_ratio, chip_of, *, stars=120, noise=0.01, seed=1, keep=0.8):
    """Measure stars: `chip_of(star, exposure)` tells where each fell; a share of them is seen at all."""
    rng = np.random.default_rng(seed)
    star, exposure = (a.ravel() for a in np.meshgrid(np.arange(stars), np.arange(len(ratio)), indexing="ij"))
    chip = np.array([chip_of(s, e) for s, e in zip(star, exposure, strict=True)])
    truth = rng.normal(5.0, 1.0, stars)
    value = truth[star] + np.log(ratio)[exposure] + np.log(chip_ratio)[chip] + rng.normal(0.0, noise, star.size)
    kept = rng.random(star.size) < keep
    return Measurements(star[kept], exposure[kept], chip[kept], value[kept], np.full(kept.sum(), noise))


RATIO = np.array([1.0, 1.03, 0.98, 1.005])


@pytest.mark.parametrize("seed", range(4))
def test_ratios_are_found_within_their_errors(seed):
    found = compare_exposures(seen(RATIO, [1.0], lambda s, e: 0, seed=seed), 4, 1, reference=0)
    assert np.all(np.abs(found.ratio - RATIO) <= 4.0 * found.error + 1e-12)
    assert np.all(found.error[1:] < 0.004)
    assert found.ratio[0] == 1.0


def errors_of(seeds, spoil):
    """Return ratio less truth of exposure 1, over seeds; `spoil` changes the logarithms of some measurements."""
    off = []
    for seed in seeds:
        good = seen(RATIO, [1.0], lambda s, e: 0, seed=seed, keep=1.0)
        rng = np.random.default_rng([seed, 1])
        value = good.value + np.where(good.exposure == 1, spoil(rng, good.value.size), 0.0)
        found = compare_exposures(
            Measurements(good.star, good.exposure, good.chip, value, good.error), 4, 1, reference=0
        )
        off.append(found.ratio[1] / RATIO[1] - 1.0)
    return np.array(off)


def test_stars_that_vary_do_not_move_the_ratio():
    """A tenth of the stars off by eight sigma would move a mean by 0.8 %, seven times its error."""
    spoiled = errors_of(range(12), lambda rng, n: np.where(rng.random(n) < 0.1, 0.08, 0.0))
    assert abs(np.mean(spoiled)) < 0.001


def test_good_stars_count_nearly_as_in_a_mean():
    """Of Gaussian noise Tukey's weights keep 95 %; weights as narrow as two sigma keep 70."""
    off = errors_of(range(40), lambda rng, n: np.zeros(n))
    plain = 0.01 * np.sqrt(2.0 / 120.0)  # of 120 stars, on this exposure and on the reference
    assert np.std(off) < 1.2 * plain


def test_stars_that_change_chips_prove_the_exposures_and_not_the_chips():
    """After half a turn each star lies on the other chip: a chip that is 5 % off is no exposure's fault."""
    swapped = seen(RATIO, [1.0, 1.05], lambda s, e: (s + e // 2) % 2, noise=0.005)
    found = compare_exposures(swapped, 4, 2, reference=0)
    assert np.all(np.abs(found.ratio - RATIO) <= 4.0 * found.error + 1e-12)
    assert found.cells[3, 1][0] == pytest.approx(RATIO[3], abs=0.004)


def test_one_chip_of_one_epoch_shows_in_its_cell():
    good = seen(np.ones(4), [1.0, 1.0], lambda s, e: s % 2, noise=0.004, stars=300)
    wrong = (good.exposure == 3) & (good.chip == 1)
    value = good.value + np.where(wrong, 0.04, 0.0)
    off = Measurements(good.star, good.exposure, good.chip, value, good.error)
    cells = compare_exposures(off, 4, 2, reference=0).cells
    assert cells[3, 1][0] - cells[3, 0][0] == pytest.approx(0.04, abs=0.012)


def test_exposures_without_common_stars_are_not_compared():
    """Two groups of stars, each on exposures of its own."""
    apart = seen(RATIO, [1.0], lambda s, e: 0, keep=1.0)
    kept = (apart.star % 2) == (apart.exposure // 2)
    found = compare_exposures(
        Measurements(*(a[kept] for a in (apart.star, apart.exposure, apart.chip, apart.value, apart.error))),
        4, 1, reference=0,
    )  # fmt: skip
    assert np.isfinite(found.ratio).tolist() == [True, True, False, False]


def test_a_turn_without_any_overlap_of_chips_leaves_the_epoch_open():
    """One chip before, the other after: exposure and chip cannot be told apart."""
    turned = seen(np.array([1.0, 1.02]), [1.0, 0.97], lambda s, e: e)
    assert not np.isfinite(compare_exposures(turned, 2, 2, reference=0).ratio[1])


@pytest.mark.parametrize("seed", range(6))
def test_a_chip_whose_stars_stay_on_it_is_not_made_of_rounding(seed):
    """Stars go to and fro between two chips; those of the third stay on it."""
    ratio = [1.0, 1.05, 0.9, 1.1]
    stay = seen(RATIO, ratio, lambda s, e: s % 4 if s % 4 < 2 else 2 + (s // 4 + e) % 2, seed=seed)
    error = stay.error * np.array([1.0, 1.3, 7.0, 0.9])[stay.exposure] * (1.0 + 0.3 * (stay.star % 7))
    found = compare_exposures(Measurements(stay.star, stay.exposure, stay.chip, stay.value, error), 4, 4, reference=0)
    assert np.all(np.abs(found.ratio - RATIO) <= 5.0 * found.error + 1e-12)
    for (exposure, _), (cell, _, _) in found.cells.items():
        assert cell == pytest.approx(RATIO[exposure], abs=0.06)


def test_nothing_seen_is_nothing_proven():
    none = np.zeros(0, np.int64)
    found = compare_exposures(Measurements(none, none, none, np.zeros(0), np.zeros(0)), 3, 2, reference=1)
    assert found.n_pairs.tolist() == [0, 0, 0]
    assert np.isfinite(found.ratio).tolist() == [False, True, False]


def zeropoint(chips, exposures, scale=1.0):
    reference = FluxReference("A", 1e-18, 5000.0, 500.0, -21.1, "", 1.0, "A of one")
    proof = {name: ChipProof(1.0, 0.005, 9, verdict) for name, verdict in chips.items()}
    second = {
        root: ExposureProof(1.0, 0.005, 9, verdict, scale=scale if root != "one" else 1.0)
        for root, verdict in exposures.items()
    }
    return Zeropoint(reference, proof, (), {}, second).verdict


PASS, WARN, FAIL, NONE = Verdict.PASS, Verdict.WARN, Verdict.FAIL, Verdict.NONE


def test_what_the_two_axes_say_together():
    both = {"one": PASS, "two": PASS}
    assert zeropoint({"HRC": NONE}, both) is PASS  # one chip: exposures prove it
    assert zeropoint({"HRC": NONE}, {}) is NONE
    assert zeropoint({"A": PASS, "B": PASS}, both) is PASS
    assert zeropoint({"A": NONE, "B": NONE}, both) is NONE  # chips could not be compared
    assert zeropoint({"A": PASS, "B": PASS}, {"one": PASS, "two": FAIL}) is FAIL
    # No star connects the exposures: no matter with one PHOTFLAM, not proven with two.
    unconnected = {"one": NONE, "two": NONE}
    assert zeropoint({"A": PASS, "B": PASS}, unconnected) is PASS
    assert zeropoint({"A": PASS, "B": PASS}, unconnected, scale=1.02) is NONE


def test_many_exposures_take_no_table_of_measurements_by_exposures():
    """100 exposures: one such table alone would be 16 MB, and its products several; the ratios are the true ones."""
    n, stars = 100, 200
    rng = np.random.default_rng(6)
    star, exposure = np.repeat(np.arange(stars), n), np.tile(np.arange(n), stars)
    truth = rng.normal(0.0, 0.02, n)
    truth -= truth[7]
    value = rng.normal(0.0, 1.0, stars)[star] + truth[exposure] + rng.normal(0.0, 0.01, star.size)
    seen_by_all = Measurements(star, exposure, star % 4, value, np.full(star.size, 0.01))
    tracemalloc.start()
    found = compare_exposures(seen_by_all, n, 4, reference=7)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12e6
    off = (np.log(found.ratio) - truth) / np.maximum(found.error, 1e-12)
    assert np.delete(np.abs(off), 7).max() < 5.0
    assert 0.5 < np.delete(off, 7).std() < 1.5
    assert (found.n_pairs == stars).all()
    assert len(found.cells) == 4 * n
