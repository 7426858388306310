"""The noise model, and which pixels may be used."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mizzle.errors import SettingsError
from mizzle.instrument.dq import bad_mask, good_bits, saturated_pixels
from mizzle.instrument.noise import noise_model, rounding_error
from mizzle.instrument.wfpc2 import CHIP_NAMES, DQ_BITS
from mizzle.settings import DataQualitySettings, NoiseSettings, load_settings
from tiny_visit import exposure, frame, noisy

SHAPE = (12, 10)


def one(atodgain=7, chip="WF3", header=None, sci=None, dq=None):
    sci = np.zeros(SHAPE) if sci is None else sci
    dq = np.zeros(SHAPE, int) if dq is None else dq
    made = exposure(1, {chip: (sci, dq, frame(chip, SHAPE))}, atodgain=atodgain, header=header)
    return made, made.chips[chip]


@pytest.mark.parametrize("chip", CHIP_NAMES)
@pytest.mark.parametrize("atodgain", [7, 15])
@pytest.mark.parametrize("level", [0.0, 3.0, 40.0, 900.0])
def test_pulls_of_what_a_chip_records_have_unit_width(chip, atodgain, level):
    rng = np.random.default_rng(5)
    made, which = one(atodgain, chip)
    model = noise_model(made, which, NoiseSettings())
    dn = noisy(rng, (200, 200), level, chip, atodgain)
    pulls = (dn - level) / model.sigma(np.full(dn.shape, level))
    assert pulls.std() == pytest.approx(1.0, abs=0.02)
    # as the pipeline uses it, with the signal as recorded
    assert ((dn - level) / np.sqrt(np.mean(model.variance(dn)))).std() == pytest.approx(1.0, abs=0.06)


@given(st.floats(0, 1e5), st.floats(1e-6, 1e3))
def test_coefficients_are_the_model_in_other_units(dn, multiply):
    made, which = one()
    model = noise_model(made, which, NoiseSettings())
    v0, v1 = model.coefficients(multiply)
    assert v0 + v1 * dn == pytest.approx(multiply**2 * model.electrons(dn * which.gain) / which.gain**2, rel=1e-12)
    assert model.background(dn, multiply) == pytest.approx(v0 + v1 * dn, rel=1e-12)


def test_users_values_win_and_serve_their_gain_only():
    settings = load_settings("[noise]\ngain_15=[10.0,11.0,12.0,13.0]\nread_noise_15=[1.0,2.0,3.0,4.0]\n").noise
    made, chip = one(15)
    model = noise_model(made, chip, settings)
    assert (model.gain, model.read_noise) == (12.0, 3.0)
    made, chip = one(7)
    model = noise_model(made, chip, settings)
    assert (model.gain, model.read_noise) == (chip.gain, chip.read_noise)


def test_rounding_is_added_on_demand_and_simulated_data_are_data_like_others():
    made, chip = one()
    real, real_chip = one(header={"TARGNAME": "OMEGACEN"})
    assert noise_model(made, chip, NoiseSettings()) == noise_model(real, real_chip, NoiseSettings())
    assert noise_model(made, chip, NoiseSettings()).rounding == 0
    assert noise_model(real, real_chip, NoiseSettings(rounding="add")).rounding == pytest.approx(chip.gain**2 / 12)
    assert noise_model(made, chip, NoiseSettings(rounding="included")).rounding == 0


def test_dark_counts_four_times_in_a_binned_pixel():
    plain, plain_chip = one()
    binned = replace(plain_chip, binning=2)
    assert noise_model(plain, binned, NoiseSettings()).dark == 4 * noise_model(plain, plain_chip, NoiseSettings()).dark


def test_three_gains_are_refused():
    with pytest.raises(SettingsError, match="four values"):
        load_settings("[noise]\ngain_7=[7.0,7.0,7.0]\n")


@pytest.mark.parametrize(
    ("words", "bits"),
    [
        ((), 0),
        ((8, 1024), 1032),
        (("8,1024",), 1032),
        (("8+1024",), 1032),
        (("saturated", "warm"), 520),
        ((1032,), 1032),
    ],
)
def test_bits_by_name_and_number(words, bits):
    assert good_bits(words) == bits


@pytest.mark.parametrize("word", ["hot", "-8", 70000, ""])
def test_unknown_bits_are_refused(word):
    with pytest.raises(SettingsError, match=r"dq\.good"):
        good_bits([word])


def test_by_default_repaired_pixels_serve_and_all_others_do_not():
    dq = np.zeros(SHAPE, int)
    for place, bit in enumerate(DQ_BITS.values()):
        dq.flat[place] = bit
    _, chip = one(dq=dq)
    bad = bad_mask(chip, DataQualitySettings()).ravel()
    for place, bit in enumerate(DQ_BITS.values()):
        assert bad[place] == (bit != 1024)
    assert not bad[len(DQ_BITS) :].any()
    assert not bad_mask(chip, DataQualitySettings(), allow=8).ravel()[list(DQ_BITS.values()).index(8)]


def test_what_is_not_finite_is_bad_whatever_the_bits():
    sci = np.zeros(SHAPE)
    sci[2, 3], sci[4, 5] = np.nan, np.inf
    _, chip = one(sci=sci)
    bad = bad_mask(chip, DataQualitySettings())
    assert bad[2, 3]
    assert bad[4, 5]
    assert bad.sum() == 2


def test_saturated_pixels_are_those_with_no_other_fault():
    dq = np.zeros(SHAPE, int)
    dq[1, 1], dq[2, 2], dq[3, 3] = 8, 8 | 1024, 8 | 2
    _, chip = one(dq=dq)
    usable = saturated_pixels(chip.sci, chip.dq, good_bits(DataQualitySettings().good), bit=8)
    assert np.argwhere(usable).tolist() == [[1, 1], [2, 2]]


def test_rounding_without_noise_errs_as_a_uniform_number():
    """All terms of the saw-tooth count where nothing smooths it: its rms is a step over the root of twelve."""
    assert rounding_error(0.1, 1.0) == pytest.approx(12.0**-0.5, rel=0.002)
