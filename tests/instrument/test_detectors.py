"""Headers of ACS and WFC3 exposures mean what the handbooks say."""

from __future__ import annotations

import pytest

from mizzle.errors import InputError
from mizzle.instrument.detectors import band_of, calibration_versions, find_detector, read_calibration
from mizzle.io.camera_headers import camera_headers, header_of, known_headers
from mizzle.model.verdict import Verdict


def cards_of(name, **changes):
    headers = camera_headers(name)
    primary = {**dict(header_of(headers.primary)), "EXPTIME": 400.0, "EXPSTART": 53436.0, **changes}
    return primary, tuple(dict(header_of(cards)) for cards in headers.science)


@pytest.mark.parametrize("name", known_headers())
def test_every_real_header_is_read(name):
    primary, science = cards_of(name)
    found = read_calibration(primary, science, "x")
    assert found.detector.camera.lower().replace("/", "-") == name.split()[0]
    assert found.band == name.split()[1]
    assert len(found.chips) == len(science)
    for chip in found.chips:
        assert 1e-21 < chip.photflam < 1e-17
        assert 2.0 < chip.read_noise < 21.0
        assert 2000 < chip.photplam < 17000


def test_extver_is_not_the_chip():
    found = read_calibration(*cards_of("acs-wfc F606W"), "x")
    assert [chip.name for chip in found.chips] == ["WFC2", "WFC1"]
    # Amplifiers C and D read chip 2, A and B chip 1.
    c, d, a, b = 5.24, 4.85, 4.97, 4.85
    assert found.chips[0].read_noise == pytest.approx(((c**2 + d**2) / 2) ** 0.5, rel=2e-3)
    assert found.chips[1].read_noise == pytest.approx(((a**2 + b**2) / 2) ** 0.5, rel=2e-3)


def test_the_second_uvis_chip_was_multiplied_and_its_noise_too():
    chips = {chip.name: chip for chip in read_calibration(*cards_of("wfc3-uvis F555W"), "x").chips}
    assert chips["UVIS2"].gain == pytest.approx(1 / 1.010510439272)
    assert chips["UVIS1"].gain == 1.0
    assert chips["UVIS1"].photflam == chips["UVIS2"].photflam == 1.8379346e-19


def test_uvis_chips_that_were_not_brought_together_keep_their_own_photflam():
    chips = {c.name: c for c in read_calibration(*cards_of("wfc3-uvis F555W", FLUXCORR="OMIT"), "x").chips}
    assert (chips["UVIS1"].photflam, chips["UVIS2"].photflam) == (1.8379346e-19, 1.8572521e-19)
    assert chips["UVIS2"].gain == 1.0


def test_a_rate_becomes_what_was_collected():
    (chip,) = read_calibration(*cards_of("wfc3-ir F110W"), "x").chips
    assert chip.to_counts == 400.0
    assert chip.photflam == pytest.approx(1.5318e-20, rel=1e-3)  # from the primary header
    assert 10 < chip.dark < 40  # MEANDARK; the handbook's .048 per second makes 19


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"INSTRUME": "FOC"}, "needed WFPC2, ACS/WFC"),
        ({"OBSTYPE": "SPECTROSCOPIC"}, "IMAGING"),
        ({"SCAN_TYP": "C"}, "spatial scan"),
        ({"CRCORR": "COMPLETE"}, "CR-SPLIT"),
        ({"EXPTIME": 0.0}, "EXPTIME is 0"),
        ({"EXPTIME": "long"}, "needed a number"),
    ],
)
def test_what_is_no_exposure_of_the_sky_is_refused(changes, words):
    with pytest.raises(InputError, match=words):
        read_calibration(*cards_of("acs-wfc F606W", **changes), "x_flt.fits")


def test_a_raw_file_is_refused():
    primary, science = cards_of("acs-wfc F606W")
    with pytest.raises(InputError, match="calibrated flt or flc"):
        read_calibration(primary, tuple({**cards, "BUNIT": "COUNTS"} for cards in science), "x")


def test_late_exposures_without_cte_correction_are_warned_about():
    early = read_calibration(*cards_of("acs-wfc F606W"), "x").findings
    late = read_calibration(*cards_of("acs-wfc F606W", EXPSTART=58000.0), "x").findings
    done = read_calibration(*cards_of("acs-wfc F606W", EXPSTART=58000.0, PCTECORR="COMPLETE"), "x").findings
    assert [one.verdict for one in late if "flc" in one.sentence] == [Verdict.WARN]
    assert not [one for one in (*early, *done) if "flc" in one.sentence]


def test_crossed_filters_have_one_name_in_either_order():
    assert band_of({"FILTER1": "F606W", "FILTER2": "POL0V"}) == band_of({"FILTER1": "POL0V", "FILTER2": "F606W"})
    assert band_of({"FILTER1": "CLEAR1L", "FILTER2": "FR505N", "LRFWAVE": 5007.0}) == "FR505N@5007"


def test_mixed_calibrations_are_a_warning():
    one, other = {"IMPHTTAB": "a_imp.fits"}, {"IMPHTTAB": "b_imp.fits"}
    assert calibration_versions({"x": one, "y": one}) == ()
    (finding,) = calibration_versions({"x": one, "y": other})
    assert finding.verdict is Verdict.WARN
    assert "fetch all exposures anew" in finding.sentence


def test_wfpc2_is_none_of_these():
    assert find_detector({"INSTRUME": "WFPC2", "DETECTOR": 1}) is None
