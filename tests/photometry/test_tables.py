"""Tables a user gives: factors, sky levels, regions; every wrong cell named."""

from __future__ import annotations

import math

import pytest

from mizzle.errors import InputError
from mizzle.io.tables import read_flux_corrections, read_sky_exclusions, read_sky_values
from mizzle.model.user_tables import FluxCorrection, SkyValue


def write(tmp_path, text, name="table.csv"):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_corrections_by_chip_gain_and_epoch(tmp_path):
    path = write(
        tmp_path,
        "chip,filter,root,atodgain,mjd_min,mjd_max,factor\nWF4,f814w,,7,,50500,1.026\npc1,*,U1_c0m.fits,,50000,,0.99\n",
    )
    first, second = read_flux_corrections(path)
    assert first == FluxCorrection(1.026, None, "WF4", "F814W", "", 7, -math.inf, 50500.0)
    assert second == FluxCorrection(0.99, None, "PC", "", "u1", 0, 50000.0, math.inf)


def test_a_photflam_replaces(tmp_path):
    path = write(tmp_path, "chip photflam\n3 2.45e-18\n", "table.txt")
    assert read_flux_corrections(path) == (FluxCorrection(photflam=2.45e-18, chip="WF3"),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("chip,factr\nPC,1.0\n", "unknown column 'factr'; known here: chip"),
        ("chip,factor\nPC,0\n", "row 1: factor is '0'; a positive number"),
        ("chip,factor\nPC,-1\n", "a positive number"),
        ("chip,factor\nPC,x\n", "factor is 'x'; a number is needed"),
        ("chip,factor\nPC,inf\n", "a number is needed"),
        ("chip,factor\nWF7,1\n", "chip is 'WF7'"),
        ("chip,atodgain,factor\nPC,14,1\n", "atodgain is '14'; 7 or 15"),
        ("chip,filter\nPC,F814W\n", "neither factor nor photflam"),
    ],
)
def test_wrong_corrections(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read_flux_corrections(write(tmp_path, text))


def test_sky_levels(tmp_path):
    path = write(tmp_path, "root,chip,sky\nua060502m,WF3,3.25\nua060504m,,-0.5\n")
    assert read_sky_values(path) == (SkyValue(3.25, "ua060502m", "WF3"), SkyValue(-0.5, "ua060504m", ""))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("root,chip\na,WF3\n", "no sky level"),
        ("root,sky\na,none\n", "sky is 'none'"),
        ("file,sky\na,1\n", "'file'"),
    ],
)
def test_wrong_sky_levels(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read_sky_values(write(tmp_path, text))


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_sky_values(tmp_path / "nothing.csv")


def test_all_regions_exclude(tmp_path):
    path = write(tmp_path, 'fk5\ncircle(323.3,-0.8,5")\n-circle(323.4,-0.8,5")\n', "sky.reg")
    regions = read_sky_exclusions(path)
    assert [region.include for region in regions] == [False, False]
    assert regions[0].radius == 5.0
