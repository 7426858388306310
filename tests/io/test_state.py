"""The state of an exposure: converted, refused, or said; a clean header says nothing."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from mizzle.errors import InputError
from mizzle.instrument.wfpc2 import CHIP_NAMES, GAINS
from mizzle.instrument.wfpc2.sensitivity import nominal_photflam
from mizzle.io.exposures import read_exposure
from mizzle.io.photmode import exchanged_finding
from mizzle.io.state import bias_finding
from mizzle.model import Verdict
from mizzle.settings import load_settings
from tiny_files import write_pair

EXPTIME = 500.0


def findings(folder: Path, *, chip: dict[str, Any] | None = None, **primary: Any):
    """What is found, without the notes that every exposure has."""
    exposure = read_exposure(write_pair(folder, primary_changes=primary, chip_changes=chip))
    return exposure, [f for f in exposure.findings if f.part not in ("geometry", "readout")]


def test_a_clean_header_says_nothing(tmp_path: Path) -> None:
    exposure, found = findings(
        tmp_path, EXPFLAG="NORMAL", QUALITY="OK", FGSLOCK="FINE", MTFLAG=False, FLATCORR="COMPLETE",
        DARKCORR="COMPLETE", SHADCORR="OMIT", KSPOTS="OFF", BIASCORR="COMPLETE",
        chip={"BUNIT": "COUNTS", "PHOTMODE": None},
    )  # fmt: skip
    assert found == []
    assert exposure.verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("unit", "factor"),
    [
        ("COUNTS", lambda gain: 1.0),
        ("counts", lambda gain: 1.0),
        ("DN", lambda gain: 1.0),
        ("COUNTS/S", lambda gain: 1 / EXPTIME),
        ("COUNTS / SEC", lambda gain: 1 / EXPTIME),
        ("ELECTRONS", lambda gain: gain),
        ("ELECTRONS/S", lambda gain: gain / EXPTIME),
    ],
)
def test_other_units_are_converted(unit: str, factor: Any, tmp_path: Path) -> None:
    """The same exposure, written in another unit, is the same exposure."""
    plain = read_exposure(write_pair(tmp_path / "plain"))
    path = write_pair(tmp_path / "other", chip_changes={"BUNIT": unit})
    with fits.open(path, mode="update") as hdus:
        for hdu, name in zip(hdus[1:], CHIP_NAMES, strict=True):
            hdu.data = (hdu.data * factor(GAINS[7][name])).astype(np.float32)
    exposure = read_exposure(path)
    for name, chip in exposure.chips.items():
        np.testing.assert_allclose(chip.sci, plain.chips[name].sci, rtol=3e-7, atol=1e-6)
    assert any("were made COUNTS" in note for note in exposure.notes) == (unit.upper() not in ("COUNTS", "DN"))


@pytest.mark.parametrize("unit", ["Jy", "MJy/sr", "erg/s/cm2", "/S", "MAG"])
def test_units_that_are_no_counts_are_refused(unit: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="BUNIT is"):
        findings(tmp_path, chip={"BUNIT": unit})


@pytest.mark.parametrize(
    ("card", "value", "part", "verdict"),
    [
        ("FLATCORR", "OMIT", "calibration", Verdict.WARN),
        ("FLATCORR", "PERFORM", "calibration", Verdict.WARN),
        ("BIASCORR", "SKIPPED", "calibration", Verdict.WARN),
        ("DARKCORR", "OMIT", "calibration", Verdict.WARN),
        ("SUBSKY", True, "sky", Verdict.WARN),
        ("EXPFLAG", "INTERRUPTED", "exposure", Verdict.WARN),
        ("EXPFLAG", "INDETERMINATE", "exposure", Verdict.WARN),
        ("EXPFLAG", "NO EXPOSURE", "exposure", Verdict.FAIL),
        ("QUALITY", "LOSS OF LOCK", "quality", Verdict.WARN),
        ("FGSLOCK", "GYROS", "guiding", Verdict.WARN),
        ("FGSLOCK", "COARSE", "guiding", Verdict.WARN),
        ("MTFLAG", True, "target", Verdict.WARN),
        ("MASKCORR", "OMIT", "calibration", Verdict.WARN),
        ("QUALCOM2", "SHUTTER DID NOT OPEN", "quality", Verdict.WARN),
        ("USCALE", 2.0, "units", Verdict.WARN),
        ("UZERO", 100.0, "units", Verdict.WARN),
        ("PODPSFF", 1, "fill", Verdict.WARN),
        ("STDCFFF", True, "fill", Verdict.WARN),
        ("EXPEND", 54252.5, "exposure", Verdict.WARN),
    ],
)
def test_each_state_has_its_sentence(card: str, value: Any, part: str, verdict: Verdict, tmp_path: Path) -> None:
    exposure, found = findings(tmp_path, **{card: value})
    (finding,) = (f for f in found if f.part == part and card in f.sentence)
    assert finding.verdict is verdict
    assert card in finding.sentence
    assert exposure.verdict is verdict


@pytest.mark.parametrize("factor", [1 / 7.12, 0.5, 0.83, 0.96, 1.0, 1.04, 1.2, 1.99, 500.0])
@pytest.mark.parametrize("gain", [7, 15])
def test_a_photflam_that_no_such_filter_has_is_noticed(factor: float, gain: int, tmp_path: Path) -> None:
    """Electrons for counts, the other gain, or a rate taken twice; what calibrations differ by is not said."""
    nominal = nominal_photflam("F814W", gain)["WF2"]
    mode = {"PHOTMODE": None, "PHOTFLAM": factor * nominal}
    _, found = findings(tmp_path, chip=mode, ATODGAIN=float(gain))
    said = [f for f in found if "PHOTFLAM is" in f.sentence]
    assert bool(said) == (not 0.95 < factor < 1.05)
    assert all(f.verdict is Verdict.WARN for f in said)


@pytest.mark.parametrize(("factor", "said"), [(1.2, False), (0.84, False), (1.35, True), (0.7, True)])
def test_ultraviolet_calibrations_differ_by_more(factor: float, said: bool, tmp_path: Path) -> None:
    nominal = nominal_photflam("F336W", 7)["WF2"]
    chip = {"PHOTMODE": None, "PHOTFLAM": factor * nominal, "PHOTPLAM": 3359.0}
    _, found = findings(tmp_path, FILTNAM1="F336W", chip=chip)
    assert any("PHOTFLAM is" in f.sentence for f in found) == said


@pytest.mark.parametrize(("exptime", "longer", "said"), [(1.0, 1.3, False), (500.0, 1.3, False), (500.0, 25.0, True)])
def test_a_time_between_start_and_end_that_a_readout_explains_is_not_said(
    exptime: float, longer: float, said: bool, tmp_path: Path
) -> None:
    """ACS and WFC3 take up to 1.3 s more; a twentieth of the exposure is somebody's mistake."""
    times = {"EXPTIME": exptime, "EXPSTART": 54252.0, "EXPEND": 54252.0 + (exptime + longer) / 86400.0}
    _, found = findings(tmp_path, **times)
    assert any("from EXPSTART to EXPEND" in f.sentence for f in found) == said


@pytest.mark.parametrize(("exptime", "verdict"), [(6.0, Verdict.PASS), (14.0, Verdict.WARN)])
def test_the_dark_of_a_short_exposure_is_left_alone(exptime: float, verdict: Verdict, tmp_path: Path) -> None:
    """As calwp2 does below ten seconds: a dark of 0.005 electrons per second is a twentieth of one electron."""
    _, found = findings(tmp_path, EXPTIME=exptime, DARKCORR="OMIT")
    assert [f.verdict for f in found if "DARKCORR" in f.sentence] == [verdict]


def test_a_sentence_of_four_chips_is_said_once(tmp_path: Path) -> None:
    _, found = findings(tmp_path, FILTNAM1="F555W", chip={"PHOTFLAM": 3.44e-18})
    assert [f.chips for f in found if "PHOTMODE" in f.sentence] == [CHIP_NAMES]


@pytest.mark.parametrize(
    ("level", "date", "number", "said"),
    [(250.0, 53500.0, 4, True), (309.6, 53500.0, 4, False), (250.0, 50600.0, 4, False), (250.0, 53500.0, 2, False)],
)
def test_the_anomaly_of_wf4_is_named(level: float, date: float, number: int, said: bool) -> None:
    """ISR WFPC2 2009-03: low bias levels of WF4 alone, since 2002."""
    finding = bias_finding({"EXPSTART": date, "WF4TCORR": "OMIT"}, {"BIASEVEN": level}, number)
    assert (finding is not None) == said
    if finding is not None:
        assert finding.verdict is Verdict.WARN
        assert "anomaly of WF4" in finding.sentence


def test_an_anomaly_of_wf4_that_was_corrected_is_a_note() -> None:
    """BIASEVNU is the level before WF4TCORR; 0 or normal where there was nothing to correct."""
    primary = {"EXPSTART": 54000.0, "WF4TCORR": "COMPLETE"}
    (note, *others) = [bias_finding(primary, {"BIASEVEN": 310.0, "BIASEVNU": v}, 4) for v in (180.0, 0.0, 309.0)]
    assert note is not None
    assert note.verdict is Verdict.PASS
    assert "180 DN" in note.sentence
    assert others == [None, None]


#: What a later header of the real HRC exposure has of the sky: the one it came with has no distortion.
LATER = re.compile(r"(CRVAL|CRPIX|CD\d_|CTYPE|A_|B_|IDCSCALE|WCSNAME|RADESYS|LTV|LTM)")


def real_hrc(data_dir: Path, tmp_path: Path, **cards: Any) -> Path:
    """Write the real exposure with its later WCS, and keywords of the primary header changed."""
    folder, path = data_dir / "cameras", tmp_path / "j8bt06nyq_flt.fits"
    with fits.open(folder / "j8bt06nyq_flt.fits.gz") as hdus, fits.open(folder / "j8bt06nyq_sip_flt.fits") as later:
        for key, value in later["SCI", 1].header.items():
            if LATER.match(key):
                hdus["SCI", 1].header[key] = value
        hdus[0].header.update(cards)
        hdus.writeto(path)
    return path


def test_the_real_hrc_exposure_is_clean(data_dir: Path, tmp_path: Path) -> None:
    exposure = read_exposure(real_hrc(data_dir, tmp_path), headers_only=True)
    assert not [f for f in exposure.findings if f.verdict is not Verdict.PASS]


@pytest.mark.parametrize(
    ("card", "value"),
    [
        *(("EXPFLAG", "INTERRUPTED"), ("QUALITY", "LOSS OF LOCK"), ("FGSLOCK", "GYROS"), ("MTFLAG", "T")),
        *(("FLATCORR", "OMIT"), ("DARKCORR", "OMIT"), ("DQICORR", "OMIT"), ("EXPEND", 52378.0)),
    ],
)
def test_acs_and_wfc3_have_the_same_sentences(card: str, value: Any, data_dir: Path, tmp_path: Path) -> None:
    exposure = read_exposure(real_hrc(data_dir, tmp_path, **{card: value}), headers_only=True)
    (finding,) = (f for f in exposure.findings if card in f.sentence)
    assert finding.verdict is Verdict.WARN


@pytest.mark.parametrize(("card", "value"), [("IMAGETYP", "DARK"), ("EQUINOX", 1950.0)])
def test_acs_and_wfc3_are_refused_for_the_same_reasons(card: str, value: Any, data_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=card):
        read_exposure(real_hrc(data_dir, tmp_path, **{card: value}), headers_only=True)


def test_a_short_exposure_needs_no_dark(tmp_path: Path) -> None:
    _, found = findings(tmp_path, DARKCORR="OMIT", EXPTIME=2.0)
    assert [f.verdict for f in found if f.part == "calibration"] == [Verdict.PASS]


@pytest.mark.parametrize(("card", "value"), [("IMAGETYP", "DARK"), ("IMAGETYP", "KSPOT"), ("KSPOTS", "ON")])
def test_frames_without_sky_are_refused(card: str, value: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=card):
        findings(tmp_path, **{card: value})


@pytest.mark.parametrize(
    ("stated", "words"),
    [("2007-06-01", ""), ("2007-05-31", ""), ("2003-01-01", "1612 days after"), ("2007-09-01", "92 days before")],
)
def test_a_date_that_contradicts_the_start_is_noticed(stated: str, words: str, tmp_path: Path) -> None:
    _, found = findings(tmp_path, **{"DATE-OBS": stated, "EXPSTART": 54252.04})
    said = [f.sentence for f in found if "DATE-OBS" in f.sentence]
    assert len(said) == bool(words)
    assert all(words in sentence for sentence in said)


def test_a_photflam_of_another_gain_is_noticed(tmp_path: Path) -> None:
    _, found = findings(tmp_path, chip={"PHOTMODE": "WFPC2,1,A2D15,F814W,,CAL"})
    assert {f.part for f in found} == {"units"}
    assert all(f.verdict is Verdict.WARN for f in found)


@pytest.mark.parametrize(
    ("first", "second", "photmode", "noticed"),
    [
        ("F555W", "POLQ", "F555W,,CAL", True),
        ("F555W", "POLQP15", "F555W,POLQ_PAR,,CAL", False),
        ("POLQ", "F555W", "F555W,POLQ,,CAL", False),
        ("F555W", "", "F555W,POLQ,,CAL", True),
        ("FR533P15", "", "F555W,,CAL", True),
        ("FR533P15", "", "LRF#5007.0,,CAL", False),
        ("F555W", "", "LRF#5007.0,,CAL", True),
        ("F555W", "", "F555W,,CAL", False),
    ],
)
def test_a_photmode_names_the_polarizer_and_the_ramp_of_the_band(
    first: str, second: str, photmode: str, noticed: bool, tmp_path: Path
) -> None:
    mode = {"PHOTMODE": f"WFPC2,1,A2D7,{photmode}", "PHOTFLAM": 3.4e-18}
    _, found = findings(tmp_path, FILTNAM1=first, FILTNAM2=second, LRFWAVE=5007.0, chip=mode)
    # Every chip of this file has the first one's words; another chip's number is noticed where the filter is right.
    assert any("PHOTMODE names" in f.sentence for f in found) == noticed


@pytest.mark.parametrize("mode", ["FULL", "AREA"])
def test_a_trimmed_copy_is_no_readout(mode: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"96 x 96 pixels in MODE {mode}.*trimmed"):
        findings(tmp_path, MODE=mode, chip={"LTV1": None})


def test_an_unknown_mode_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="MODE is 'SUBARRAY'"):
        findings(tmp_path, MODE="SUBARRAY")


@pytest.mark.parametrize(
    ("first", "second", "wavelength", "band"),
    [
        ("F814W", "", 0.0, "F814W"),
        ("F555W", "POLQ", 0.0, "F555W+POLQ"),
        ("POLQ", "F555W", 0.0, "F555W+POLQ"),
        ("FR533P15", "", 4861.0, "FR533P15-4861"),
        ("FR533P15", "", 5007.0, "FR533P15-5007"),
    ],
)
def test_a_band_is_its_filters_in_one_order_and_the_wavelength_of_a_ramp(
    first: str, second: str, wavelength: float, band: str, tmp_path: Path
) -> None:
    exposure, found = findings(tmp_path, FILTNAM1=first, FILTNAM2=second, LRFWAVE=wavelength, chip={"PHOTMODE": None})
    assert exposure.filter == band
    assert any("ramp filter" in f.sentence for f in found) == band.startswith("FR")


def test_a_quad_filter_warns(tmp_path: Path) -> None:
    exposure, _ = findings(tmp_path, FILTNAM1="FQUVN", chip={"PHOTMODE": None})
    assert any("quad filter FQUVN" in note for note in exposure.notes)
    assert exposure.verdict is Verdict.WARN


def test_a_photflam_of_zero_is_refused_unless_it_is_given(tmp_path: Path) -> None:
    path = write_pair(tmp_path, chip_changes={"PHOTFLAM": 0.0})
    with pytest.raises(InputError, match="PHOTFLAM"):
        read_exposure(path)
    settings = load_settings("", ["equalize.factors=mine.csv"])
    assert np.isnan(read_exposure(path, settings).chips["WF3"].photflam)


def test_the_real_older_calibration_says_that_its_sky_is_gone(data_dir: Path) -> None:
    exposure = read_exposure(data_dir / "old_forms" / "u40x010hm_2004_c0f.fits.gz")
    assert [f.part for f in exposure.findings if f.verdict is not Verdict.PASS] == ["sky"]


def test_the_real_ramp_exposure_is_named_a_trimmed_copy(data_dir: Path) -> None:
    with pytest.raises(InputError, match="trimmed copy"):
        read_exposure(data_dir / "old_forms" / "u5780205r_c0fx.fits.gz")


def test_the_real_exposures_are_clean(data_dir: Path) -> None:
    for name in ("exposures/u40x010hm", "ngc1261/ubai2502m", "ngc1261/ubai2505m"):
        assert read_exposure(data_dir / f"{name}_c0m.fits.gz").verdict is Verdict.PASS


def test_the_shutter_s_shading_counts_in_short_exposures(tmp_path: Path) -> None:
    """calwp2 corrects it below 10 s; where it did not, the field is as uneven as the shutter's blades were slow."""
    times = {"EXPTIME": 2.0, "DARKTIME": 2.0, "EXPEND": None}
    exposure, _ = findings(tmp_path / "left", SHADCORR="OMIT", **times)
    assert any("SHADCORR is OMIT" in f.sentence and f.verdict is Verdict.WARN for f in exposure.findings)
    exposure, _ = findings(tmp_path / "done", SHADCORR="COMPLETE", **times)
    assert not any("SHADCORR" in f.sentence for f in exposure.findings)


F814W = {"PC": 2.507987e-18, "WF2": 2.458077e-18, "WF3": 2.449067e-18, "WF4": 2.498411e-18}


@pytest.mark.parametrize(("first", "second"), list(combinations(F814W, 2)))
@pytest.mark.parametrize("chips", [tuple(F814W), ("PC", "WF2", "WF3"), None])
def test_photflam_of_two_chips_exchanged_is_said(first: str, second: str, chips: Any) -> None:
    """Another calibration moves all chips alike; what is right but elsewhere is exchanged."""
    kept = chips or (first, second)
    values = {name: 1.02 * value for name, value in F814W.items() if name in {*kept, first, second}}
    assert exchanged_finding(values, 7, band="F814W") is None
    finding = exchanged_finding({**values, first: values[second], second: values[first]}, 7, band="F814W")
    assert finding is not None
    assert {*finding.chips} == {first, second}
    assert finding.verdict is Verdict.WARN
    assert exchanged_finding({**values, first: values[second], second: values[first]}, 7, band="F450W") is None
