"""Options of a run, given to a batch: each visit gets what is its own."""

from __future__ import annotations

from pathlib import Path

import pytest

import mizzle
from mizzle.cli import main
from mizzle.errors import SettingsError
from mizzle.settings import Settings, load_settings
from mizzle.visits import options
from mizzle.visits.batching import list_visits
from mizzle.visits.options import SettingsOfVisits
from visits.batch_tools import ALIGN, content, public, write_visits

#: Texts that are words, and no files.
WORDS = {
    "input.drop", "input.chips", "geometry.wcsname", "dq.good", "align.reference", "equalize.reference",
    "equalize.exposure", "sky.values", "report.color", "archive.mast_url", "archive.cloud_url", "archive.crds_url",
    "archive.crds_context", "archive.astrometry_url", "archive.astrometry_solution", "archive.gaia_url",
    "archive.gaia_table",
}  # fmt: skip


def test_every_text_of_the_settings_is_known_as_a_file_or_as_a_word() -> None:
    texts = {
        f"{section}.{key}"
        for section, part in Settings()
        for key, field in type(part).model_fields.items()
        if "str" in str(field.annotation) and "Literal" not in str(field.annotation)
    }
    assert texts == {*options.FILES, *WORDS, "dq.files", "dq.masks", "combine.weights"}


def test_each_visit_gets_its_own_and_files_are_named_from_the_top(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_visits(tmp_path / "in", 2)
    monkeypatch.chdir(tmp_path)
    for name in ("bad.reg", "stars.reg", "c1m.fits"):
        Path(name).write_text("image\ncircle(20,20,3)\n")
    quality = tmp_path / "in" / "u2lx01" / "u2lx0102t_c1m.fits"
    quality.rename("flags.fits")
    words = ['input.drop=["u2lx0001t"]', 'dq.masks=["u2lx0101t_c0m.fits=bad.reg"]', 'align.regions="-stars.reg"']
    words += ['combine.weights=["u2lx0101t=c1m.fits"]']
    settings = load_settings("", [*words, 'dq.files=["flags.fits"]'])
    grouped = list_visits(["in"], None, "visit", filters=(), settings=settings)
    assert [[entry.root for entry in visit.exposures] for visit in grouped.visits] == [
        ["u2lx0002t"], ["u2lx0101t", "u2lx0102t"],
    ]  # fmt: skip
    assert str(tmp_path / "flags.fits") in grouped.visits[1].all_files
    first, second = (SettingsOfVisits(settings).of(visit) for visit in grouped.visits)
    one, two = load_settings(first.toml), load_settings(second.toml)
    assert (one.dq.masks, one.dq.files, one.input.drop, one.combine.weights) == ((), (), (), ())
    assert two.combine.weights == (f"u2lx0101t={tmp_path / 'c1m.fits'}",)
    assert two.dq.masks == (f"u2lx0101t={tmp_path / 'bad.reg'}",)
    assert two.dq.files == (f"u2lx0102t={tmp_path / 'flags.fits'}",)
    assert one.align.regions == two.align.regions == f"-{tmp_path / 'stars.reg'}"
    assert first.files == (str(tmp_path / "stars.reg"),)
    assert second.files == tuple(str(tmp_path / name) for name in ("stars.reg", "bad.reg", "c1m.fits"))
    for strange in ('input.drop=["u2lx0901t"]', 'dq.masks=["u2lx0901t=bad.reg"]', 'combine.weights=["u2lx0901t=a"]'):
        with pytest.raises(SettingsError, match="u2lx0901t is in no visit"):
            list_visits(
                ["in"], None, "visit", filters=(), settings=load_settings("", [strange, 'dq.files=["flags.fits"]'])
            )


def test_a_batch_with_options_writes_what_runs_with_them_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_visits(tmp_path / "in", 2)
    monkeypatch.chdir(tmp_path)
    Path("bad.reg").write_text("image\ncircle(40,40,9)\n")
    words = ["batch", "in", "-o", "out", "-q", "--workers", "1", "--set", ALIGN]
    words += ["--drop", "u2lx0001t", "--mask", "u2lx0102t=bad.reg"]

    def dates() -> dict[str, int]:
        with pytest.raises(SystemExit) as end:
            main(words)
        assert not end.value.code, capsys.readouterr()
        assert {row["state"] for row in public(tmp_path / "out").values()} == {"done"}
        return {path.parent.name: path.stat().st_mtime_ns for path in sorted(tmp_path.glob("out/*/*_drz.fits"))}

    before = dates()
    runs = {"5000_2lx00_field-0": ["u2lx0002t"], "5000_2lx01_field-1": ["u2lx0101t", "u2lx0102t"]}
    for name, roots in runs.items():
        masks = [f"u2lx0102t={tmp_path / 'bad.reg'}"] if len(roots) == 2 else []
        settings = load_settings("", [ALIGN, f"dq.masks={masks}"])
        files = [tmp_path / "in" / root[:6] / f"{root}_c0m.fits" for root in roots]
        mizzle.run(files, tmp_path / "alone" / name, settings=settings)
        for path in sorted((tmp_path / "alone" / name).iterdir()):
            if "report" not in path.name:
                assert content(path) == content(tmp_path / "out" / name / path.name), path.name
    # Another mask: the visit it is for is made again, and no other.
    Path("bad.reg").write_text("image\ncircle(41,41,9)\n# changed\n")
    after = dates()
    assert [name for name in before if before[name] != after[name]] == ["5000_2lx01_field-1"]
