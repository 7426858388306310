"""``mizzle fetch`` and ``mizzle references`` from end to end, against the local server."""

from __future__ import annotations

import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from mizzle.cli.archive import fetch_command, references_command
from mizzle.errors import InputError, SettingsError

app = typer.Typer()
app.command("fetch")(fetch_command)
app.command("references")(references_command)


@pytest.fixture
def run(service, settings):
    """Run a command with the addresses of the local server; return (stdout lines, stderr)."""
    wanted = ("mast_url", "cloud_url", "crds_url", "client", "timeout", "connect_timeout")
    sets = []
    for name in wanted:
        value = getattr(settings, name)
        sets += ["--set", f"archive.{name}={value!r}".replace("'", '"')]

    def call(command, *words):
        result = CliRunner().invoke(app, [command, *sets, *map(str, words)])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.stdout.splitlines(), result.stderr

    return call


def test_fetch_brings_exposures_and_references(service, run, tmp_path):
    service.add("ua060502m")
    service.add("ua060504m")
    lines, talk = run("fetch", "ua0605*", "--filter", "F814W", "-o", tmp_path)
    names = [f"{root}_{kind}.fits" for root in ("ua060502m", "ua060504m") for kind in ("c0m", "c1m")]
    assert lines[:4] == [str(tmp_path / name) for name in names]
    assert [line.rsplit("/", 1)[-1] for line in lines[4:]] == [
        "ta81040lu_idc.fits",
        "s9518396u_off.fits",
        "s8f1222cu_dxy.fits",
    ]
    assert all((tmp_path / "references" / line.rsplit("/", 1)[-1]).is_file() for line in lines[4:])
    assert "ua060502m_c0m.fits (0.1 MB)" in talk


def test_fetch_without_crds_still_brings_the_exposures(service, run, tmp_path, faults):
    service.add("ua060502m")
    service.faults["/json/*"] = faults["500"]
    lines, talk = run("fetch", "ua060502m", "-o", tmp_path, "-q")
    assert len(lines) == 2
    assert talk.count("\n") == 1
    assert "the embedded tables serve" in talk


def test_fetch_lists_without_fetching(service, run, tmp_path):
    service.add("ua060502m")
    lines, _ = run("fetch", "ua060502m", "--list", "-o", tmp_path)
    assert lines[0].startswith("ua060502m_c0m.fits\t")
    assert not list(tmp_path.iterdir())


def test_fetch_from_the_cloud(service, run, tmp_path):
    service.add("ua060502m")
    run("fetch", "ua060502m", "--cloud", "-o", tmp_path)
    assert any(path.startswith("/hst/public/ua06/") for _, path, _, _ in service.requests)


def test_a_failing_fetch_is_one_error(service, run, tmp_path):
    service.add("ua060502m")
    service.files["ua060502m_c1m.fits"] = b"<html>"
    with pytest.raises(InputError, match=r"1 of 2 files"):
        run("fetch", "ua060502m", "-o", tmp_path)


def test_references_fetch_list_verify_delete(service, run, tmp_path):
    service.add("ua060502m")
    run("fetch", "ua060502m", "-o", tmp_path, "--set", 'archive.cache="other"')
    folder = tmp_path / "refs"
    lines, _ = run("references", folder, "--fetch", tmp_path / "ua060502m_c0m.fits")
    assert [line.split("\t")[:2] for line in lines] == [
        ["ua060502m", kind] for kind in ("IDCTAB", "OFFTAB", "DGEOFILE")
    ]
    lines, _ = run("references", folder)
    there = {path.name for path in folder.iterdir()} - {"references.json"}
    assert [line.split("\t")[1] for line in lines] == sorted(there)
    lines, _ = run("references", folder, "--verify")
    assert {line.split("\t")[0] for line in lines} == {"ok"}
    (folder / "ta81040lu_idc.fits").write_bytes(b"junk")
    with pytest.raises(InputError, match=r"ta81040lu_idc\.fits \(damaged\)"):
        run("references", folder, "--verify")
    lines, _ = run("references", folder, tmp_path / "ua060502m_c0m.fits")  # FILES alone mean --fetch
    assert len(lines) == 3
    run("references", folder, "--verify")
    run("references", folder, "--delete", "ta81040lu_idc.fits")
    assert not (folder / "ta81040lu_idc.fits").exists()
    run("references", folder, "--delete")
    assert not list(folder.iterdir())
    lines, talk = run("references", folder, "--list")
    assert lines == []
    assert "embedded" in talk


def test_senseless_requests_are_refused(run, tmp_path):
    with pytest.raises(SettingsError, match="exclude each other"):
        run("references", tmp_path, "--list", "--delete")
    with pytest.raises(SettingsError, match="takes no files"):
        run("references", tmp_path, "x_c0m.fits", "--verify")
    with pytest.raises(SettingsError, match="no input files"):
        run("references", tmp_path, "--fetch")


def test_offline_is_said_at_once(run, closed, tmp_path):
    sets = ["--set", f'archive.mast_url="{closed}"', "--set", "archive.retries=0"]
    with pytest.raises(InputError, match=r"cannot be reached: .*offline"):  # refused, not waited for
        run("fetch", "ua060502m", "-o", tmp_path, *sets)


def test_the_rooms_load_nothing_heavy():
    code = "import sys, mizzle.cli.archive, mizzle.archive.prepare, mizzle.archive.mast, mizzle.archive.portal\n"
    code += "print(*[name for name in ('astropy', 'scipy', 'httpx') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
