"""The command: files, truth, levels, and the exit codes of wrong requests."""

from __future__ import annotations

import json

import pytest

from mizzle.cli import main
from mizzle.io.exposures import read_exposure
from mizzle.simulate import visit, write_visit


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stop:
        main(["simulate", *arguments])
    return int(stop.value.code or 0)


def test_exposures_are_written_and_named(tmp_path, capsys):
    out = tmp_path / "visit"
    options = ["--exposures", "1", "--exptime", "20", "--gain", "15", "--filter", "F555W", "--seed", "4"]
    assert run("-o", str(out), *options, "--set", "effects.cosmic_rays=0.0", "--set", "density=10") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [str(out / "ua060502m_c0m.fits"), f"truth: {out / 'truth.json'}"]
    exposure = read_exposure(out / "ua060502m_c0m.fits")
    assert (exposure.filter, exposure.exptime, exposure.commanded_gain) == ("F555W", 20.0, 15)
    assert exposure.header["CRRATE"] == 0.0


def test_the_blank_sky_is_compared(tmp_path, capsys):
    assert run("-o", str(tmp_path), "--blank-sky", "--compare") == 0
    text = capsys.readouterr().out
    assert "raw" in text
    assert "equalized" in text
    assert "fault" not in text
    assert (tmp_path / "blank_sky.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--compare"], 2, "add --blank-sky"),
        (["--field", "moon"], 2, "simulate.field"),
        (["--gain", "9"], 2, "7 or 15"),
        (["--set", "foo=1"], 2, "unknown"),
        (["--set", "foo"], 2, "not a TOML assignment"),
        (["--field", "king", "--blank-sky"], 2, "exclude each other"),
        (["--stars", "nowhere.csv"], 3, "nowhere.csv"),
    ],
)
def test_wrong_requests_say_so(tmp_path, capsys, options, code, words):
    out = tmp_path / "none"
    assert run("-o", str(out), *options) == code
    assert words in capsys.readouterr().err
    assert not out.exists()


def test_real_exposures_are_never_simulated_over(tmp_path, capsys):
    real = tmp_path / "UA060502M_C0M.FITS"
    real.write_bytes(b"real")
    with pytest.raises(SystemExit) as stop:
        main(["simulate", "-o", str(tmp_path), "--exposures", "1"])
    assert stop.value.code == 2
    assert "no simulation made" in capsys.readouterr().err
    assert [entry.name for entry in tmp_path.iterdir()] == [real.name]


def test_a_simulation_may_replace_earlier_ones(tmp_path):
    for n in (2, 1, 2):
        write_visit(visit(n=n, field="blank", seed=1), tmp_path)
    truth = json.loads((tmp_path / "truth.json").read_text())
    assert truth["claims"] == ["ua060502m", "ua060504m"]


def test_the_list_of_stars_is_not_written_over(tmp_path, capsys):
    stars = tmp_path / "truth_stars.ecsv"
    stars.write_text("ra dec mag_st\n1 2 20\n")
    with pytest.raises(SystemExit) as stop:
        main(["simulate", "-o", str(tmp_path), "--exposures", "1", "--stars", str(stars)])
    assert stop.value.code == 2
    assert stars.read_text().startswith("ra dec")
