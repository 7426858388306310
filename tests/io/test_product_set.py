"""The files of a run appear together, and what is of another run is told."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mizzle.errors import SettingsError
from mizzle.io import product_set
from mizzle.io.atomic import write_text
from mizzle.io.product_names import set_of
from mizzle.io.product_set import ProductSet, is_mixed, of_other_runs
from mizzle.io.run_id import make_run_id, run_id_of

NAMES = ("m2_cat.ecsv", "m2_drz.fits", "m2_report.json", "m2_settings.toml")


def publish(folder: Path, word: str, names: tuple[str, ...] = NAMES) -> list[Path]:
    with ProductSet(folder, "m2") as products:
        for name in names:
            write_text(products.stage() / name, f"RUNID: {word}\n")
        write_text(products.stage("exposures") / "u1_flt.fits", f"RUNID   = '{word}'\n")
        return products.publish(last="m2_report.json")


def contents(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): p.read_text() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_nothing_has_its_name_before_all_have_theirs(tmp_path: Path) -> None:
    with ProductSet(tmp_path, "m2") as products:
        write_text(products.stage() / "m2_drz.fits", "new")
        write_text(products.stage("exposures") / "u1_flt.fits", "new")
        assert not [path for path in tmp_path.rglob("m2_drz.fits") if path.parent == tmp_path]
        files = products.publish()
        assert set(files) == {tmp_path / "m2_drz.fits", tmp_path / "exposures/u1_flt.fits"}
    assert set(contents(tmp_path)) == {"m2_drz.fits", "exposures/u1_flt.fits"}


def test_an_unfinished_set_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with ProductSet(tmp_path, "m2") as products:
            write_text(products.stage("exposures") / "u1_flt.fits", "new")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_rename_that_fails_takes_back_those_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = make_run_id()
    publish(tmp_path, old)
    (tmp_path / "m2_cat.ecsv").unlink()
    before = contents(tmp_path)
    rename = os.replace

    def refuse(source: Path, target: Path) -> None:
        if Path(target).name == "m2_settings.toml" and Path(source).name == "m2_settings.toml":
            raise PermissionError(13, "Permission denied")
        rename(source, target)

    monkeypatch.setattr(product_set.os, "replace", refuse)
    with pytest.raises(SettingsError, match=r"m2_settings\.toml: cannot be written: Permission denied"):
        publish(tmp_path, make_run_id(), ("m2_cat.ecsv", "m2_drz.fits", "m2_settings.toml"))
    assert contents(tmp_path) == before
    assert not list(tmp_path.rglob(".*"))


@pytest.mark.parametrize("locks", ["of the system", "by a file"])
def test_two_runs_at_once_end_with_one_whole_set(locks: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if locks == "by a file":
        monkeypatch.setattr(product_set, "fcntl", None)
    words = [make_run_id() for _ in range(6)]
    threads = [threading.Thread(target=publish, args=(tmp_path, word)) for word in words]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(run_id_of, (path for path in tmp_path.rglob("*") if path.is_file())))) == 1
    assert not list(tmp_path.rglob(".*"))


def test_a_folder_held_too_long_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(product_set, "PATIENCE", 0.05)
    with product_set._alone(tmp_path), pytest.raises(SettingsError, match="another run has been writing"):
        publish(tmp_path, make_run_id())
    assert list(tmp_path.iterdir()) == []


def test_a_lock_file_of_a_dead_holder_is_taken_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(product_set, "fcntl", None)
    (tmp_path / ".mizzle.lock").write_text("")
    os.utime(tmp_path / ".mizzle.lock", (0, 0))
    publish(tmp_path, make_run_id())
    assert not (tmp_path / ".mizzle.lock").exists()


def test_files_of_another_run_are_found(tmp_path: Path) -> None:
    one, two = make_run_id(), make_run_id()
    publish(tmp_path, one)
    assert of_other_runs(tmp_path, "m2", one, listed=["exposures/u1_flt.fits"]) == {}
    assert not is_mixed(tmp_path, "m2")
    write_text(tmp_path / "m2_cat.ecsv", f"RUNID: {two}")
    write_text(tmp_path / "exposures/u1_flt.fits", f"RUNID: {two}")
    found = of_other_runs(tmp_path, "m2", one, listed=["exposures/u1_flt.fits"])
    assert found == {"m2_cat.ecsv": two, "exposures/u1_flt.fits": two}
    assert is_mixed(tmp_path, "m2")


def test_exposures_replaced_by_a_whole_set_of_another_name_are_no_fault(tmp_path: Path) -> None:
    one, two = make_run_id(), make_run_id()
    publish(tmp_path, one)
    write_text(tmp_path / "exposures/u1_flt.fits", f"RUNID: {two}")
    write_text(tmp_path / "other_report.json", f"RUNID: {two}")
    assert of_other_runs(tmp_path, "m2", one, listed=["exposures/u1_flt.fits"]) == {}


def test_which_files_are_of_a_name() -> None:
    mine = ["m2.png", "m2_cat.ecsv", "m2_color.png", "m2_drz.fits", "m2_report.json", "m2_f555w_drz.fits"]
    others = ["m2_notes.txt", "m20_drz.fits", "m2_f814w_drz.fits", "m2_f814w_report.json", "x_m2_drz.fits"]
    assert set_of("m2", [*mine, *others]) == sorted(mine)


@pytest.mark.parametrize(
    "text",
    [
        "RUNID   = '{}' / of all files of this run",
        '{{\n "RUNID": "{}",',
        '<meta name="RUNID" content="{}">',
        '# RUNID = "{}"\n',
        '# meta: {{"RUNID": "{}"',
        "tEXtRUNID\0{}",
    ],
)
def test_the_word_is_found_in_every_format(text: str, tmp_path: Path) -> None:
    word = make_run_id()
    path = write_text(tmp_path / "x", text.format(word))
    assert run_id_of(path) == word
    assert run_id_of(write_text(tmp_path / "y", "RUNID and nothing more")) is None
    assert run_id_of(tmp_path) is None
    assert run_id_of(tmp_path / "absent") is None


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_a_set_killed_while_it_is_renamed_is_known_as_mixed(tmp_path: Path) -> None:
    old = make_run_id()
    publish(tmp_path, old)
    code = """if True:
        import os, signal, sys
        from pathlib import Path
        from mizzle.io import product_set
        from mizzle.io.atomic import write_text
        rename = os.replace
        def stop(source, target):
            if Path(target) == Path(sys.argv[1], "m2_drz.fits"):
                os.kill(os.getpid(), signal.SIGKILL)
            rename(source, target)
        with product_set.ProductSet(Path(sys.argv[1]), "m2") as products:
            for name in ("m2_cat.ecsv", "m2_drz.fits", "m2_report.json"):
                write_text(products.stage() / name, "RUNID: " + sys.argv[2])
            os.replace = stop
            products.publish(last="m2_report.json")
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path), make_run_id()], env=environment, check=False)
    assert done.returncode == -9
    assert run_id_of(tmp_path / "m2_report.json") == old
    assert is_mixed(tmp_path, "m2")
    assert set(of_other_runs(tmp_path, "m2", old)) == {"m2_cat.ecsv"}
    publish(tmp_path, old)
    assert not is_mixed(tmp_path, "m2")


def test_runs_that_begin_and_end_together_do_not_take_each_others_folder_away(tmp_path: Path) -> None:
    """Each makes the folder of exposures, or finds it, and takes it away where it was made for nothing."""

    def begin(number: int) -> None:
        with ProductSet(tmp_path, f"m{number}") as products:
            assert products.stage("exposures").is_dir()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(begin, range(400)))
    # Who made it may have left before the last: an empty folder may stay.
    assert [path for path in tmp_path.rglob("*") if path.name != "exposures"] == []
